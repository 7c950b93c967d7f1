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
    /// A key Secret is labelled made, and nobody asked for that.
    Unasked(String),
    /// A name that is needed belongs to a Secret of another type.
    NameTaken(String),
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
            Self::Unasked(_) => "a key Secret was brought in as made",
            Self::NameTaken(_) => "a name is taken by another Secret",
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
            Self::Unasked(_) => "KeyWaits",
            Self::NameTaken(_) => "NameTaken",
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
            Self::Unasked(key) => format!(
                "{key} is labelled made, and nobody asked for it to seal, so it waits; to let it seal, use `sealwax keys \
                 rotate --to {key}`"
            ),
            Self::NameTaken(name) => format!(
                "a Secret named {name} is in namespace {namespace} that is none of the controller's by its type, and it \
                 has the name of one that is to be made; rename or remove it"
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
                 changes are published without endorsement, and a first list is not published. Restore its backup, \
                 or, to begin with a new signing key, remove the item signing-key from the ConfigMap {RECIPIENTS_MAP}; \
                 if that is gone too, create an empty one"
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
            | Self::Unasked(name)
            | Self::NameTaken(name)
            | Self::EscrowMissing(name, _)
            | Self::ClockBehind(name) => Some(name),
            Self::ControllerKeyMalformed => Some(CONTROLLER_KEY_NAME),
            _ => None,
        }
    }
}

impl Notice {
    /// What makes it the same as another one: not the words in which something failed this time.
    fn identity(self) -> Self {
        match self {
            Self::Malformed(name, _) => Self::Malformed(name, String::new()),
            Self::EscrowMissing(name, _) => Self::EscrowMissing(name, String::new()),
            other => other,
        }
    }
}

/// What was not the case before. Remembers all that is the case now.
fn begun(before: &mut BTreeSet<Notice>, now: BTreeSet<Notice>) -> Vec<Notice> {
    let known = std::mem::replace(before, now.iter().cloned().map(Notice::identity).collect());
    now.into_iter().filter(|notice| !known.contains(&notice.clone().identity())).collect()
}

/// Tells what is new, and remembers all of it.
pub(super) async fn tell(keys: &ClusterKeys, watched: &Watched, memory: &mut Memory, now: BTreeSet<Notice>) {
    for notice in begun(&mut memory.notices, now) {
        let message = notice.message(&keys.namespace);
        tracing::warn!(reason = notice.reason(), secret = notice.secret(), message, "keys: {}", notice.headline());
        let about = match notice.secret() {
            Some(name) => watched.about_key(&keys.namespace, name),
            None => watched.about_recipients(&keys.namespace),
        };
        keys.events.warn(&about, notice.reason(), &message).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_trouble_in_other_words_is_told_once() {
        let missing = |name: &str, why: &str| Notice::EscrowMissing(name.to_owned(), why.to_owned());
        let mut before = BTreeSet::new();
        assert_eq!(begun(&mut before, [missing("a", "timeout 1")].into()), [missing("a", "timeout 1")]);
        let now = [missing("a", "timeout 2"), missing("b", "timeout 2")];
        assert_eq!(begun(&mut before, now.into()), [missing("b", "timeout 2")]);
        assert_eq!(begun(&mut before, BTreeSet::new()), []);
        assert_eq!(begun(&mut before, [missing("a", "again")].into()), [missing("a", "again")]);
    }
}
