//! The cluster's keys: which there are, which one seals, and what is published about them.
//!
//! A key is a Secret in the key namespace, of type `sealwax.dev/cluster-key`, labelled `sealwax.dev/cluster-key`, whose
//! item `identity` is an identity file ([`payload`]). Every readable key opens. Those labelled `active` may seal; which
//! one does stands first in the ConfigMap `sealwax-recipients` of the same namespace:
//!
//! ```text
//! cluster: prod
//! recipients: |
//!   # sealing key, fingerprint 91b2…, created 2026-11-21T06:00:00Z
//!   age1pq1…
//!   # opens only, fingerprint 5f0c…, created 2025-03-01T09:00:00Z
//!   age1pq1…
//! ```
//!
//! Keys that are restored, added, relabelled, edited or removed are noticed by the watch, at once.

mod apply;
mod observe;
pub mod payload;
pub mod plan;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::Client;
use sealwax_format::keys::Keyring;
use tokio::sync::watch;

use crate::content::ContentKey;
use crate::events::Events;
use crate::metrics::Metrics;
use crate::queue::Backoff;
use crate::writer::{WriteError, Writer};

/// Label of every key Secret; its value is the key's state.
pub const KEY_LABEL: &str = "sealwax.dev/cluster-key";
/// Type of every key Secret.
pub const KEY_TYPE: &str = "sealwax.dev/cluster-key";
/// The state of a key that may seal.
pub const ACTIVE: &str = "active";
/// The ConfigMap that publishes the recipients.
pub const CONFIG_MAP: &str = "sealwax-recipients";
/// Name of the first key's Secret. Fixed, so that two controllers that start at once cannot make two keys.
pub const FIRST_KEY: &str = "sealwax-cluster-key-1";

/// While there is no key, somebody may delete the last `EncryptedSecret`, which no key watch tells.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// The keys at hand, as of the last look. Nothing before the first look.
pub type Keys = Option<Arc<Loaded>>;

/// What the key namespace holds for the rest of the program.
#[derive(Default)]
pub struct Loaded {
    /// What opens.
    pub keyring: Keyring,
    /// What hashes contents; without it no content is known to have changed.
    pub content: Option<ContentKey>,
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
    /// What people call this cluster.
    pub cluster_name: String,
}

/// What can go wrong in one round; the next one comes by itself.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error("cannot look for EncryptedSecrets: {0}")]
    Observe(String),
    #[error("cannot create the first key")]
    CreateKey(#[source] WriteError),
    #[error("cannot publish the recipients")]
    Publish(#[source] WriteError),
}

impl ClusterKeys {
    /// Follows the keys for ever, and sends each change to whoever opens values.
    pub async fn run(self, keys: watch::Sender<Keys>) {
        let (watched, mut changes) = observe::watch(&self.client, &self.namespace);
        let backoff = Backoff::default();
        let mut memory = observe::Memory::default();
        // The first change is the end of the first list.
        while changes.next().await.is_some() {
            loop {
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
        memory: &mut observe::Memory,
        keys: &watch::Sender<Keys>,
    ) -> Result<Option<Duration>, RoundError> {
        if !watched.is_complete() {
            return Ok(None);
        }
        let mut found = watched.keys();
        if memory.differs(&found) {
            self.report_malformed(&found).await;
            self.count(&found);
            keys.send_replace(Some(Arc::new(Loaded { keyring: found.take_keyring(), content: None })));
            tracing::info!(keys = found.usable(), malformed = found.malformed(), "keys: loaded");
        }
        let observed = observe::observe(self, watched, &found).await?;
        let plan = plan::plan(&observed);
        apply::apply(self, memory, plan).await
    }

    fn count(&self, found: &observe::Found) {
        let set = |state, count| {
            self.metrics.cluster_keys.get_or_create(&crate::metrics::StateLabel { state }).set(count);
        };
        set("active", found.active());
        set("other", found.usable() - found.active());
        set("malformed", found.malformed());
    }

    async fn report_malformed(&self, found: &observe::Found) {
        for broken in &found.broken {
            tracing::error!(secret = broken.name, error = %broken.error, "keys: a key Secret cannot be used");
            let note = format!("this key Secret cannot be used: {}; restore it from its backup", broken.error);
            self.events.warn(&broken.reference, "MalformedKey", &note).await;
        }
    }
}
