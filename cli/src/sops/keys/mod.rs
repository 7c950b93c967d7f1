//! The keys of SOPS files: opens the data key with whichever of them is at hand, and wraps it for those of a policy.
//!
//! | room | holds |
//! |---|---|
//! | `name` | keys as a configuration or a flag names them |
//! | `order` | which are tried first |
//! | `opened` | what has opened in this run |
//! | `age` | age identities and recipients of every kind |
//! | `pgp` | PGP keys, through `gpg` |
//! | `network`, `transit` | keys that a service holds; which servers are sent a token |
//! | `wrap` | the data key, or its shares, for each key of the groups |
//! | `failure` | why nothing opened, in one error |

#![allow(dead_code, unused_imports, reason = "the commands that write files of SOPS use the rest")]

mod age;
mod failure;
mod name;
mod network;
mod opened;
mod order;
mod pgp;
mod transit;
mod wrap;

use sealwax_format::sops::{FileKey, Group, Metadata, Service, Wrap, shamir};
use zeroize::Zeroizing;

use age::Age;
use failure::{Attempt, Failure, GroupFailure};
use network::Network;
use opened::Opened;
use order::Order;
use pgp::Pgp;

use crate::error::CommandError;
use crate::keyring::Identities;

pub(crate) use name::{
    parse_age, parse_azure, parse_gcp_kms, parse_huawei_kms, parse_kms, parse_pgp, parse_vault_transit,
};

/// A data key, or a share of it.
type Share = Zeroizing<Vec<u8>>;
/// What keys of one service gave, or why each of them gave nothing.
type Tried<'w> = Result<(&'w Wrap, Share), Vec<Attempt>>;

/// The keys of this run. What is needed to use them is made no sooner than needed, and once.
pub(crate) struct Keys<'a> {
    identities: &'a Identities<'a>,
    order: Option<Order>,
    opened: Opened,
    age: Age,
    pgp: Pgp,
    network: Network,
}

impl<'a> Keys<'a> {
    /// With unattended identities, only what opens without a person, a device, another program or the network.
    pub(crate) fn new(identities: &'a Identities<'a>) -> Self {
        Self {
            identities,
            order: None,
            opened: Opened::default(),
            age: Age::default(),
            pgp: Pgp::default(),
            network: Network::default(),
        }
    }

    /// The same, trying services in this order: their names in SOPS, with commas between them.
    pub(crate) fn in_order(self, what: &str, order: &str) -> Result<Self, CommandError> {
        Ok(Self { order: Some(Order::parse(what, order)?), ..self })
    }

    /// The data key of a file, with the first key that opens it in each group.
    pub(crate) fn open(&self, shown: &str, metadata: &Metadata) -> Result<FileKey, CommandError> {
        let order = self.order.clone().map_or_else(Order::of_environment, Ok)?;
        let mut shares = Vec::new();
        let mut failed = Vec::new();
        for (index, group) in metadata.groups.iter().enumerate() {
            match self.share(&order, group)? {
                Ok(share) => shares.push(share),
                Err(attempts) => failed.push(GroupFailure { number: index + 1, attempts }),
            }
        }
        let groups = metadata.groups.len();
        let wanted = if groups > 1 { metadata.threshold.unwrap_or(groups) } else { 1 };
        if shares.len() < wanted {
            return Err(Failure { groups, wanted, opened: shares.len(), failed }.error(shown));
        }
        let wrong = |why: String| CommandError::refused(format!("{shown}: {why}"));
        let key = match shares.as_slice() {
            [key] if groups == 1 => key.clone(),
            shares => shamir::combine(shares).map_err(|error| wrong(format!("the key groups: {error}")))?,
        };
        FileKey::from_bytes(&key).ok_or_else(|| wrong("the data key is none of 32 bytes".to_owned()))
    }

    /// Wraps a data key for every key of these groups; several groups get a share of it each.
    pub(crate) fn wrap(
        &self,
        groups: &[Group],
        threshold: Option<usize>,
        key: &FileKey,
    ) -> Result<Vec<Group>, CommandError> {
        wrap::all(self, groups, threshold, key)
    }

    /// The same, but what is wrapped already in a file with one group stays as it is.
    pub(crate) fn rewrap(
        &self,
        old: &Metadata,
        groups: &[Group],
        threshold: Option<usize>,
        key: &FileKey,
    ) -> Result<Vec<Group>, CommandError> {
        wrap::missing(self, old, groups, threshold, key)
    }

    /// What the keys of one group hold: the data key, or a share of it.
    fn share(&self, order: &Order, group: &Group) -> Result<Result<Share, Vec<Attempt>>, CommandError> {
        if let Some(known) = self.opened.of(group) {
            return Ok(Ok(known));
        }
        let mut attempts = Vec::new();
        for (service, wraps) in order.sorted(&group.wraps) {
            match self.open_with(service, &wraps)? {
                Ok((wrap, share)) => {
                    self.opened.keep(wrap, &share);
                    return Ok(Ok(share));
                }
                Err(more) => attempts.extend(more),
            }
        }
        Ok(Err(attempts))
    }

    fn open_with<'w>(&self, service: Service, wraps: &[&'w Wrap]) -> Result<Tried<'w>, CommandError> {
        if service == Service::Age {
            return self.age.open(self.identities, wraps);
        }
        let mut attempts = Vec::new();
        for wrap in wraps {
            match self.unwrap(wrap) {
                Ok(share) => return Ok(Ok((wrap, share))),
                Err(attempt) => attempts.push(attempt),
            }
        }
        Ok(Err(attempts))
    }

    /// With a key that is not in this process.
    fn unwrap(&self, wrap: &Wrap) -> Result<Share, Attempt> {
        match wrap.service {
            service if !self.identities.is_attended() => {
                let service = service.shown();
                Err(Attempt::new(wrap, format!("{service} keys are not asked for here: this opens what needs nobody")))
            }
            Service::Pgp => self.pgp.open(wrap),
            Service::AwsKms | Service::VaultTransit => {
                self.network.open(wrap).map_err(|error| Attempt::of(wrap, &error))
            }
            service => Err(Attempt::new(wrap, unsupported(service))),
        }
    }
}

/// What is said of a service whose keys cannot be used.
fn unsupported(service: Service) -> String {
    format!("{} keys are not supported yet", service.shown())
}
