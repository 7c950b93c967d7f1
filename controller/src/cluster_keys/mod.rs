//! The cluster's keys: which there are, which one seals, what is published about them, and their escrow copies.
//!
//! A key is a Secret in the key namespace, of type `sealwax.dev/cluster-key`, whose label of that name is its state and
//! whose item `identity` is an identity file. A round reads everything ([`observe`](self)), decides ([`plan`]) and does
//! it ([`apply`](self)); whatever it writes comes back by the watches and starts the next round.
//!
//! ```text
//!            first start, request,              escrow copies exist            another one
//!            schedule                           (at once without escrow)       becomes active
//!   (none) ----------------------> made --------------------------> active --------------------> old
//!                                   ^                                                             |
//!   restored, added ---> waiting ---+ sealwax keys rotate --to NAME            sealwax keys retire v
//!                                                                                             retired
//! ```
//!
//! Keys that are restored, added, relabelled, edited or removed are noticed by the watches, at once.

mod apply;
pub mod escrow;
pub mod facts;
mod notices;
mod observe;
pub mod plan;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt};
use kube::Client;
use sealwax_format::keys::cluster::State;
use sealwax_format::keys::{Fingerprint, Keyring};
use tokio::sync::watch;

use crate::content::ContentKey;
use crate::events::Events;
use crate::last_good::LastGoodKey;
use crate::metrics::{Metrics, StateLabel};
use crate::queue::Backoff;
use crate::writer::{WriteError, Writer};
use escrow::Escrow;
use facts::Observed;
use notices::Notice;

/// While there is no key, somebody may delete the last `EncryptedSecret`, which no key watch tells; and clocks go on.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// How soon to look again at what others changed meanwhile, should no watch tell.
const SOON: Duration = Duration::from_secs(1);

/// The keys at hand, as of the last look. Nothing before the first look.
pub type Keys = Option<Arc<Loaded>>;

/// What the key namespace holds for the rest of the program.
#[derive(Default)]
pub struct Loaded {
    /// What opens.
    pub keyring: Keyring,
    /// What hashes contents; without it no content is known to have changed.
    pub content: Option<ContentKey>,
    /// What encrypts the values of sources as they were last written; without it they are not kept.
    pub last_good: Option<LastGoodKey>,
}

/// What the task needs.
pub struct ClusterKeys {
    /// Reads.
    pub client: Client,
    /// Writes.
    pub writer: Writer,
    /// Tells.
    pub events: Events,
    /// Counts.
    pub metrics: Metrics,
    /// Where the keys are.
    pub namespace: String,
    /// The namespaces served; `None` stands for all.
    pub scopes: Vec<Option<String>>,
    /// Or the labels of the namespaces served, in place of their names.
    pub namespace_selector: Option<String>,
    /// What people call this cluster.
    pub cluster_name: String,
    /// How old the sealing key may get.
    pub rotate_every: Option<Duration>,
    /// Whom every key is wrapped for before it seals.
    pub escrow: Escrow,
}

/// The public signing key, and what tells the symmetric one.
type OwnKeyId = (String, String);

/// What the last round saw, so that a round without a change tells nobody anything.
#[derive(Default)]
struct Memory {
    /// What opens, and what tells both halves of the controller's own key.
    loaded: Option<(BTreeSet<Fingerprint>, Option<OwnKeyId>)>,
    /// What was told.
    notices: BTreeSet<Notice>,
    /// Names that were taken when something was to be made, and since when no watch brings in what has them.
    taken: BTreeMap<String, Instant>,
}

/// What can go wrong in one round; the next one comes by itself.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error("cannot look for EncryptedSecrets: {0}")]
    Observe(String),
    #[error("there are no random bytes for the controller's own key")]
    Random(#[source] sealwax_format::RandomError),
    #[error("cannot create the controller's own key")]
    ControllerKey(#[source] WriteError),
    #[error("cannot create the key {0}")]
    CreateKey(String, #[source] WriteError),
    #[error("cannot make {0} {1}")]
    Relabel(String, State, #[source] WriteError),
    #[error("cannot note the fingerprint of {0}")]
    Annotate(String, #[source] WriteError),
    #[error("cannot encrypt the escrow copy of {0}")]
    EscrowCopy(String, #[source] sealwax_format::keys::EncryptFileError),
    #[error("cannot write the escrow copy {1} of {0}")]
    Escrow(String, String, #[source] WriteError),
    #[error("cannot publish the recipients")]
    Publish(#[source] WriteError),
    #[error("{0} changed meanwhile")]
    Gone(String),
    #[error("there is a Secret {0} already")]
    Taken(String),
}

impl RoundError {
    /// Whether nothing is wrong but what was looked at: others were faster, or this replica does not lead just now.
    fn is_stale(&self) -> bool {
        let stale = |error: &WriteError| matches!(error, WriteError::Changed | WriteError::NotLeading);
        match self {
            Self::Gone(_) | Self::Taken(_) => true,
            Self::ControllerKey(error)
            | Self::CreateKey(_, error)
            | Self::Relabel(_, _, error)
            | Self::Annotate(_, error)
            | Self::Publish(error) => stale(error),
            Self::Escrow(_, _, error) => stale(error) || matches!(error, WriteError::Exists),
            Self::Observe(_) | Self::Random(_) | Self::EscrowCopy(..) => false,
        }
    }
}

impl ClusterKeys {
    /// Follows the keys for ever, and sends each change to whoever opens values.
    pub async fn run(self, keys: watch::Sender<Keys>) {
        let (watched, mut changes) = observe::watch(&self.client, &self.namespace, self.escrow.config_map);
        let backoff = Backoff::default();
        let mut memory = Memory::default();
        // The first change is the end of the first list.
        while changes.next().await.is_some() {
            loop {
                // What has arrived with it belongs to the same round: several watches tell of one thing that happened.
                while let Some(change) = changes.next().now_or_never() {
                    if change.is_none() {
                        return;
                    }
                }
                let wait = match self.round(&watched, &mut memory, &keys).await {
                    Ok(wait) => {
                        backoff.succeeded(&());
                        wait
                    }
                    Err(error) => {
                        tracing::warn!(error = crate::telemetry::chain(&error), "keys: trying again");
                        Some(backoff.failed(&(), None))
                    }
                };
                let Some(wait) = wait else { break };
                // Until then, or until something changes.
                if tokio::time::timeout(wait, changes.next()).await.is_ok_and(|change| change.is_none()) {
                    return;
                }
            }
        }
    }

    /// One look. Returns after how long to look again though nothing changed.
    async fn round(
        &self,
        watched: &observe::Watched,
        memory: &mut Memory,
        keys: &watch::Sender<Keys>,
    ) -> Result<Option<Duration>, RoundError> {
        if !watched.is_complete() {
            return Ok(None);
        }
        let (mut observed, keyring) = observe::read(self, watched);
        load(&observed, keyring, memory, keys);
        if !self.writer.leads() {
            // The lease is late. Should it be held after all, this goes on.
            return Ok(Some(SOON));
        }
        if !self.escrow.recipients.is_empty() && !watched.knows_escrow() {
            // Opening values rests on no escrow copy; all that is decided here does.
            tracing::warn!("keys: loaded, and nothing else is done before the escrow copies are listed");
            return Ok(None);
        }
        if plan::asks_for_objects(&observed) {
            observed.encrypted_secrets = observe::any_encrypted_secret(self).await?;
        }
        let plan = plan::plan(&observed);
        self.count(&observed, &plan);
        apply::apply(self, watched, memory, plan).await
    }

    fn count(&self, observed: &Observed, plan: &plan::Plan) {
        let set = |state, count: usize| {
            let gauge = self.metrics.cluster_keys.get_or_create(&StateLabel { state });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        for state in State::ALL {
            set(state.as_str(), observed.keys.iter().filter(|key| key.state == state).count());
        }
        set("malformed", observed.malformed.len());
        let seconds = |time: Option<jiff::Timestamp>| time.map_or(0, jiff::Timestamp::as_second);
        self.metrics.key_missing.set(i64::from(plan.waiting.is_some()));
        self.metrics.sealing_key_created.set(seconds(plan.sealing_created));
        self.metrics.sealing_key_due.set(seconds(plan.rotation_due));
        self.metrics.escrow_missing.set(i64::try_from(plan.escrow_missing).unwrap_or(i64::MAX));
    }
}

/// Hands the keys on if others open than before: every change makes all objects be looked at once.
fn load(observed: &Observed, keyring: Keyring, memory: &mut Memory, keys: &watch::Sender<Keys>) {
    let controller_key = observed.controller_key.found();
    let opens = keyring.fingerprints().cloned().collect();
    let content = controller_key.map(|key| ContentKey::new(&key.symmetric));
    let public = controller_key.map(|key| key.signing_key().public().to_string());
    let now = Some((opens, public.zip(content.as_ref().map(|key| key.id().to_owned()))));
    if memory.loaded == now {
        return;
    }
    tracing::info!(keys = keyring.fingerprints().count(), malformed = observed.malformed.len(), "keys: loaded");
    let last_good = controller_key.map(|key| LastGoodKey::new(&key.symmetric));
    keys.send_replace(Some(Arc::new(Loaded { keyring, content, last_good })));
    memory.loaded = now;
}

#[cfg(test)]
mod tests {
    use sealwax_format::OsRandom;
    use sealwax_format::keys::cluster::ControllerKey;

    use super::*;
    use facts::OwnKey;

    #[test]
    fn another_symmetric_key_is_taken_up_and_the_same_one_tells_nobody() {
        let (sender, mut receiver) = watch::channel(None);
        let mut memory = Memory::default();
        let mut loads = |symmetric: [u8; 32], own: &ControllerKey| {
            let key = ControllerKey { signing: own.signing.clone(), symmetric: symmetric.into() };
            let observed = Observed { controller_key: OwnKey::Found(Arc::new(key)), ..Observed::default() };
            load(&observed, Keyring::default(), &mut memory, &sender);
            let told = receiver.has_changed().unwrap();
            receiver.mark_unchanged();
            told
        };
        let own = ControllerKey::generate(&mut OsRandom).unwrap();
        assert!(loads([1; 32], &own));
        assert!(!loads([1; 32], &own));
        assert!(loads([2; 32], &own));
    }

    #[test]
    fn what_others_changed_is_no_failure() {
        let escrow = |error| RoundError::Escrow("a".into(), "b".into(), error);
        assert!(escrow(WriteError::Exists).is_stale());
        assert!(escrow(WriteError::Changed).is_stale());
        assert!(!escrow(WriteError::Forbidden(String::new())).is_stale());
        assert!(RoundError::Relabel("a".into(), State::Old, WriteError::Changed).is_stale());
        assert!(!RoundError::Relabel("a".into(), State::Old, WriteError::Api(String::new())).is_stale());
    }
}
