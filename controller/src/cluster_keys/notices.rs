//! What people should look at: told once when it begins, by log and event, and again only after it had ended.

use std::collections::BTreeSet;

use sealwax_format::keys::cluster::{CONTROLLER_KEY_NAME, KEY, RECIPIENTS_MAP};

use super::observe::Watched;
use super::plan::Waiting;
use super::{ClusterKeys, Memory};

/// Something that lasts until somebody does something about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// There is no key to seal with.
    NoKey(Waiting),
    /// A key Secret cannot be used, and why.
    Malformed(String, String),
    /// A key Secret's label names no state.
    UnknownState(String),
    /// More than one key is labelled active.
    SeveralActive(Vec<String>),
    /// A key's escrow copies are not all there, and why.
    EscrowMissing(String, String),
    /// Escrow recipients that undo the post-quantum strength of the keys.
    ClassicalEscrow(Vec<String>),
    /// The controller's own key is gone, and what it endorsed is published.
    ControllerKeyMissing,
    /// The controller's own key cannot be used.
    ControllerKeyMalformed,
    /// Another signing key endorses than before.
    SigningKeyChanged,
    /// The sealing key was made in the future: a clock is wrong, and the schedule rests.
    ClockBehind(String),
}

impl Notice {
    /// For the log: what it is, always in the same words.
    fn headline(&self) -> &'static str {
        match self {
            Self::NoKey(_) => "there is no key to seal with",
            Self::Malformed(..) => "a key Secret cannot be used",
            Self::UnknownState(_) => "a key Secret has an unknown state",
            Self::SeveralActive(_) => "several keys are active",
            Self::EscrowMissing(..) => "an escrow copy is missing",
            Self::ClassicalEscrow(_) => "an escrow recipient is not post-quantum",
            Self::ControllerKeyMissing => "the controller's own key is gone",
            Self::ControllerKeyMalformed => "the controller's own key cannot be used",
            Self::SigningKeyChanged => "the signing key changed",
            Self::ClockBehind(_) => "the sealing key is from the future",
        }
    }

    /// For events and metrics.
    fn reason(&self) -> &'static str {
        match self {
            Self::NoKey(_) => "NoKey",
            Self::Malformed(..) | Self::ControllerKeyMalformed => "MalformedKey",
            Self::UnknownState(_) => "UnknownKeyState",
            Self::SeveralActive(_) => "SeveralActiveKeys",
            Self::EscrowMissing(..) => "EscrowMissing",
            Self::ClassicalEscrow(_) => "ClassicalEscrow",
            Self::ControllerKeyMissing => "ControllerKeyMissing",
            Self::SigningKeyChanged => "SigningKeyChanged",
            Self::ClockBehind(_) => "ClockBehind",
        }
    }

    /// What happened, and what to do about it.
    fn message(&self, namespace: &str) -> String {
        match self {
            Self::NoKey(waiting) => waiting.message(namespace),
            Self::Malformed(_, why) => format!("this key Secret cannot be used: {why}; restore it from its backup"),
            Self::UnknownState(_) => format!(
                "the label {KEY} is none of made, waiting, active, old and retired; the key opens and does not seal"
            ),
            Self::SeveralActive(names) => {
                format!("{} are all labelled active; only the one that is published seals", names.join(", "))
            }
            Self::EscrowMissing(key, why) => format!(
                "not every escrow copy of {key} exists: {why}; a key becomes active only when all of its copies exist"
            ),
            Self::ClassicalEscrow(who) => format!(
                "the escrow recipients {} are no post-quantum keys, and whoever breaks one of them in the future has \
                 the cluster's keys; use `sealwax keygen --pq`",
                who.join(", ")
            ),
            Self::ControllerKeyMissing => format!(
                "the Secret {CONTROLLER_KEY_NAME} in namespace {namespace} is gone, and its signing key is pinned; \
                 changes are published without endorsement. Restore its backup, or, to begin with a new signing key, \
                 remove the item signing-key from the ConfigMap {RECIPIENTS_MAP}"
            ),
            Self::ControllerKeyMalformed => format!(
                "the Secret {CONTROLLER_KEY_NAME} in namespace {namespace} does not hold the two keys that it should; \
                 restore its backup"
            ),
            Self::SigningKeyChanged => format!(
                "the signing key in {CONTROLLER_KEY_NAME} is not the one that endorsed before; `sealwax recipients \
                 fetch` will ask for --accept-new-signing-key"
            ),
            Self::ClockBehind(key) => format!(
                "{key} was made later than this machine's clock says it is; no key is made by schedule until then"
            ),
        }
    }

    /// The Secret that it is about; else it is about the ConfigMap.
    fn secret(&self) -> Option<&str> {
        match self {
            Self::Malformed(name, _)
            | Self::UnknownState(name)
            | Self::EscrowMissing(name, _)
            | Self::ClockBehind(name) => Some(name),
            Self::ControllerKeyMalformed => Some(CONTROLLER_KEY_NAME),
            _ => None,
        }
    }
}

/// Tells what is new, and remembers all of it.
pub(super) async fn tell(keys: &ClusterKeys, watched: &Watched, memory: &mut Memory, now: BTreeSet<Notice>) {
    for notice in now.difference(&memory.notices) {
        let message = notice.message(&keys.namespace);
        tracing::warn!(reason = notice.reason(), secret = notice.secret(), message, "keys: {}", notice.headline());
        let about = match notice.secret() {
            Some(name) => watched.about_key(&keys.namespace, name),
            None => watched.about_recipients(&keys.namespace),
        };
        keys.events.warn(&about, notice.reason(), &message).await;
    }
    memory.notices = now;
}
