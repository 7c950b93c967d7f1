//! The keys of SOPS files: opens the data key with whichever of them is at hand, and wraps it for those of a policy.
//!
//! | room | holds |
//! |---|---|
//! | `name`, `entry` | keys as a configuration or a flag names them, and as a file does |
//! | `order` | which are tried first |
//! | `known` | what has opened in this run |
//! | `age` | age identities and recipients of every kind |
//! | `pgp` | PGP keys, through `gpg` |
//! | `network`, `transit` | keys that a service holds; which servers are sent a token |
//! | `wrap` | the data key, or its shares, for each key of the groups |
//! | `failure` | why nothing opened, in one error |

mod age;
mod entry;
mod failure;
mod known;
mod name;
mod network;
mod order;
mod pgp;
mod transit;
mod wrap;

use std::sync::OnceLock;

use sealwax_format::sops::{FileKey, Group, Metadata, Service, Wrap, shamir};
use zeroize::Zeroizing;

use age::Age;
use failure::{Attempt, Failure, GroupFailure};
use known::Known;
use network::Network;
use order::Order;
use pgp::Pgp;

use crate::error::CommandError;
use crate::keyring::Identities;

pub(crate) use entry::{are_same, identified, is_same, shown};
pub(crate) use name::{
    parse_age, parse_azure, parse_context, parse_gcp_kms, parse_huawei_kms, parse_kms, parse_pgp, parse_vault_transit,
};

/// A data key, or a share of it.
type Share = Zeroizing<Vec<u8>>;
/// What keys of one service gave, or why each of them gave nothing.
type Tried<'w> = Result<(&'w Wrap, Share), Vec<Attempt>>;

/// The keys of this run. What is needed to use them is made no sooner than needed, and once.
pub(crate) struct Keys<'a> {
    identities: &'a Identities<'a>,
    order: Option<Order>,
    known: Known,
    age: Age,
    pgp: OnceLock<Pgp>,
    network: Network,
}

impl<'a> Keys<'a> {
    /// With unattended identities, only what opens without a person, a device, another program or the network.
    pub(crate) fn new(identities: &'a Identities<'a>) -> Self {
        Self {
            identities,
            order: None,
            known: Known::default(),
            age: Age::default(),
            pgp: OnceLock::new(),
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
        let groups = metadata.groups.len();
        let wanted = if groups > 1 { metadata.threshold.unwrap_or(groups) } else { 1 };
        let mut shares = Vec::new();
        let mut failed = Vec::new();
        for (index, group) in metadata.groups.iter().enumerate() {
            // More than are needed would only ask more people.
            if shares.len() >= wanted {
                break;
            }
            match self.share(&order, group)? {
                Ok(share) => shares.push(share),
                Err(attempts) => failed.push(GroupFailure { number: index + 1, attempts }),
            }
        }
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
        if let Some(known) = self.known.of(group) {
            return Ok(Ok(known));
        }
        let mut attempts = Vec::new();
        for (service, wraps) in order.sorted(&group.wraps) {
            match self.open_with(service, &wraps)? {
                Ok((wrap, share)) => {
                    self.known.keep(wrap, &share);
                    return Ok(Ok(share));
                }
                Err(more) => attempts.extend(more),
            }
        }
        Ok(Err(attempts))
    }

    fn pgp(&self) -> &Pgp {
        self.pgp.get_or_init(Pgp::of_environment)
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
            Service::Pgp => self.pgp().open(wrap),
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

#[cfg(test)]
mod tests {
    use sealwax_format::OsRandom;
    use sealwax_format::document::{File, Syntax};
    use sealwax_format::keys::pq;
    use sealwax_format::sops::Layout;

    use super::*;
    use crate::keyring::IdentityArgs;

    /// A file whose block has these groups.
    fn metadata(groups: Vec<Group>, threshold: Option<usize>) -> Metadata {
        let text = "sops:\n  age: []\n  lastmodified: 2026-01-02T03:04:05Z\n";
        let file = File::parse(text, Syntax::Yaml).unwrap();
        Metadata { groups, threshold, ..Layout::read(&file).unwrap().metadata }
    }

    fn group(keys: &[&Wrap]) -> Group {
        Group { wraps: keys.iter().copied().cloned().collect() }
    }

    /// Recipients of people who are somebody else.
    fn stranger() -> Wrap {
        parse_age(&::age::x25519::Identity::generate().to_public().to_string()).unwrap()
    }

    #[test]
    fn every_recipient_gets_an_age_file_of_its_own() {
        let args = IdentityArgs::default();
        let identities = Identities::unattended(&args);
        let keys = Keys::new(&identities);
        let (classical, quantum) = (stranger(), pq::Identity::generate().to_public().to_string());
        let ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN alice@rust";
        let (quantum, ssh) = (parse_age(&quantum).unwrap(), parse_age(ssh).unwrap());
        let key = FileKey::mint(&mut OsRandom).unwrap();
        let wrapped = keys.wrap(&[group(&[&classical, &quantum, &ssh])], None, &key).unwrap();
        for wrap in &wrapped[0].wraps {
            assert!(wrap.enc.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
            assert!(wrap.enc.ends_with("-----END AGE ENCRYPTED FILE-----\n"));
            assert!(wrap.fields.is_empty(), "SOPS writes no time for age");
        }
        let refused = keys.open("file", &metadata(wrapped, None)).unwrap_err();
        assert!(refused.message().contains("none of your identities is for it"), "{}", refused.message());
    }

    #[test]
    fn what_is_wrapped_stays_and_shares_are_made_anew() {
        let args = IdentityArgs::default();
        let identities = Identities::unattended(&args);
        let keys = Keys::new(&identities);
        let key = FileKey::mint(&mut OsRandom).unwrap();
        let (alice, bob) = (stranger(), stranger());
        let gcp = Wrap {
            enc: "KEPT".to_owned(),
            fields: vec![("created_at", "then".to_owned())],
            ..parse_gcp_kms("k").unwrap()
        };
        let mut old = keys.wrap(&[group(&[&alice])], None, &key).unwrap();
        old[0].wraps.push(gcp.clone());
        let old = metadata(old, None);
        let groups = [group(&[&parse_gcp_kms("k").unwrap(), &alice, &bob])];
        let new = keys.rewrap(&old, &groups, None, &key).unwrap();
        assert_eq!(new[0].wraps[0], gcp, "kept although it could not be made");
        assert_eq!(new[0].wraps[1].enc, old.groups[0].wraps[0].enc);
        assert!(!new[0].wraps[2].enc.is_empty());
        let other = [group(&[&parse_gcp_kms("another").unwrap()])];
        assert!(
            keys.rewrap(&old, &other, None, &key).unwrap_err().message().contains("GCP KMS keys are not supported")
        );
        let two = keys.rewrap(&old, &[group(&[&alice]), group(&[&bob])], Some(2), &key).unwrap();
        assert_ne!(two[0].wraps[0].enc, old.groups[0].wraps[0].enc);
        for (groups, threshold) in [(vec![], None), (vec![Group::default()], None), (two, Some(3))] {
            assert!(keys.wrap(&groups, threshold, &key).is_err());
        }
    }

    #[test]
    fn says_when_it_was_wrapped_and_nothing_of_before() {
        let args = IdentityArgs::default();
        let identities = Identities::new(&args);
        let keys = Keys::new(&identities);
        let (_folder, pgp) =
            pgp::tests::pretending("cat >/dev/null; echo -----BEGIN PGP MESSAGE-----; echo -----END PGP MESSAGE-----");
        assert!(keys.pgp.set(pgp).is_ok());
        let mut named = parse_pgp("0123456789ABCDEF").unwrap();
        named.enc = "old".to_owned();
        named.fields.push(("created_at", "before".to_owned()));
        let key = FileKey::mint(&mut OsRandom).unwrap();
        let wrapped = keys.wrap(&[group(&[&named])], None, &key).unwrap();
        let wrap = &wrapped[0].wraps[0];
        assert_eq!(wrap.enc, "-----BEGIN PGP MESSAGE-----\n-----END PGP MESSAGE-----");
        let [("created_at", time)] = wrap.fields.as_slice() else { panic!("{:?}", wrap.fields) };
        assert!(time.len() == 20 && time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    }

    #[test]
    fn unattended_asks_nobody() {
        let args = IdentityArgs::default();
        let identities = Identities::unattended(&args);
        let keys = Keys::new(&identities);
        let pgp = parse_pgp("0123456789ABCDEF").unwrap();
        let kms = parse_kms("arn:aws:kms:eu-central-1:1:key/1", Vec::new(), None).unwrap();
        let transit = parse_vault_transit("http://127.0.0.1:1/v1/transit/keys/k").unwrap();
        let refused = keys.open("file", &metadata(vec![group(&[&pgp, &kms, &transit])], None)).unwrap_err();
        assert_eq!(refused.message().matches("not asked for here").count(), 3, "{}", refused.message());
        assert!(keys.network.is_unused() && keys.pgp.get().is_none());
    }
}
