//! Brings one `EncryptedSecret` to its Secret: its tokens, opened with the cluster's keys.

mod plan;

use std::time::Duration;

use kube::core::ObjectMeta;
use sealwax_crds::{EncryptedSecret, OnDelete, SecretStatus};
use sealwax_format::keys::Fingerprint;

use crate::cluster_keys::{Keys, Loaded};
use crate::conditions::Outcome;
use crate::feeding::{self, Feeds, Look, Need, Observed, Plan, Planner, Write, live_object};
use crate::ownership::Kind;
use crate::store::strip_object;

/// What its reconciles share.
pub type Context = feeding::Context<EncryptedSecret>;

impl Feeds for EncryptedSecret {
    const KIND: Kind = Kind::EncryptedSecret;
    type Status = SecretStatus;
    type Shared = ();

    fn status(&self) -> Option<&SecretStatus> {
        self.status.as_ref()
    }

    fn common(status: &SecretStatus) -> &SecretStatus {
        status
    }

    fn common_mut(status: &mut SecretStatus) -> &mut SecretStatus {
        status
    }

    fn target_name(&self) -> &str {
        let target = self.spec.target.as_ref().and_then(|target| target.name.as_deref());
        target.or(self.metadata.name.as_deref()).unwrap_or_default()
    }

    fn is_suspended(&self) -> bool {
        self.spec.suspend == Some(true)
    }

    fn is_retained(&self) -> bool {
        self.spec.target.as_ref().and_then(|target| target.on_delete) == Some(OnDelete::Retain)
    }

    fn strip(&mut self, keys: &Keys) {
        let own = |fingerprint: &Fingerprint| {
            keys.iter().flat_map(|loaded| loaded.keyring.fingerprints()).any(|own| own == fingerprint)
        };
        strip_object(self, own);
    }

    fn planner<'r>(object: &'r Self, keys: &'r Loaded, context: &'r Context) -> impl Planner<Self> + 'r {
        Opening { meta: &object.metadata, keys, context, full: None }
    }
}

/// One reconcile: tokens are opened where they are needed.
struct Opening<'r> {
    meta: &'r ObjectMeta,
    keys: &'r Loaded,
    context: &'r Context,
    /// The object with its ciphertext, if the watch had brought it without.
    full: Option<EncryptedSecret>,
}

impl Planner<EncryptedSecret> for Opening<'_> {
    fn plan(&self, observed: &Observed<'_, EncryptedSecret>) -> Plan {
        let object = self.full.as_ref().unwrap_or(observed.object);
        plan::plan(&Observed { object, ..*observed }, &self.keys.keyring)
    }

    async fn provide(&mut self, _: Need) -> Option<Look> {
        match live_object(&self.context.client, self.meta).await {
            Ok(Some(live)) => self.full = Some(live),
            Ok(None) => return Some(Look::Unchanged),
            Err(error) => return Some(Look::retrying(&error)),
        }
        None
    }

    async fn writing(&mut self, _: &Write) -> Option<Look> {
        None
    }

    async fn removed(&mut self) -> Option<Look> {
        None
    }

    fn tell(&self, _: &Outcome, _: &mut SecretStatus) {}

    fn told(&self, _: &Outcome) {}

    fn again(&self, _: &SecretStatus, _: Option<&Outcome>) -> Option<Duration> {
        None
    }
}
