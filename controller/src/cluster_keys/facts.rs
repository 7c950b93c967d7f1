//! What the plan decides by: what is known of the keys, of what is published, and of the flags.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sealwax_format::keys::Fingerprint;
use sealwax_format::keys::cluster::{ControllerKey, State};

use super::escrow::EscrowFacts;

/// What is public about one usable key Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// The Secret.
    pub name: String,
    /// Its recipient.
    pub recipient: String,
    /// The recipient's fingerprint.
    pub fingerprint: Fingerprint,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// What it does.
    pub state: State,
    /// Whether its label says so; it counts as waiting if the label names no state.
    pub known_state: bool,
    /// Whether its label says `made` and nobody asked for that; it counts as waiting then.
    pub unasked: bool,
    /// Whether its annotation states the fingerprint.
    pub annotated: bool,
    /// The request that it was made for.
    pub request: Option<String>,
}

/// A key Secret that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The Secret.
    pub name: String,
    /// What is wrong.
    pub why: String,
    /// When the Secret was made.
    pub created: Option<Timestamp>,
    /// The request that it was made for.
    pub request: Option<String>,
}

/// The controller's own key.
#[derive(Clone, Debug, Default)]
pub enum OwnKey {
    /// There is none.
    #[default]
    Missing,
    /// There is one, and it cannot be used.
    Malformed,
    /// There is one.
    Found(Arc<ControllerKey>),
}

impl OwnKey {
    /// The key, if it can be used.
    pub fn found(&self) -> Option<&ControllerKey> {
        if let Self::Found(key) = self { Some(key) } else { None }
    }
}

/// The ConfigMap with the recipients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its items.
    pub items: BTreeMap<String, String>,
    /// The last request for a new key.
    pub request: Option<String>,
    /// The last request that was answered.
    pub answered: Option<String>,
}

/// What is in the cluster.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The usable keys.
    pub keys: Vec<KeyFacts>,
    /// Key Secrets that cannot be used. A broken key is no reason to make a rival.
    pub malformed: Vec<Malformed>,
    /// The ConfigMap, if it exists.
    pub listed: Option<Listed>,
    /// The controller's own key.
    pub controller_key: OwnKey,
    /// Escrow copies, wanted and there.
    pub escrow: EscrowFacts,
    /// Whether any `EncryptedSecret` exists in the namespaces served.
    pub encrypted_secrets: bool,
    /// What people call this cluster.
    pub cluster_name: String,
    /// How old the sealing key may get.
    pub rotate_every: Option<Duration>,
    /// What the clock says.
    pub now: Timestamp,
}
