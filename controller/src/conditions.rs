//! From what happened to the status that tells it, as `Ready`, `Reconciling` and `Stalled`. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use sealwax_crds::{EncryptedSecretStatus, READY, RECONCILING, STALLED};

use crate::writer::Written;

/// How one look at an object ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The Secret is what the spec says.
    Synced {
        /// Its name.
        name: String,
        /// Which one, and as of which write.
        written: Written,
    },
    /// Nothing changes until somebody acts.
    Stalled {
        /// What is wrong, as one CamelCase word; also the metric's label.
        reason: &'static str,
        /// What to do about it.
        message: String,
    },
    /// The controller tries again by itself.
    Retrying {
        /// What is wrong, as one CamelCase word; also the metric's label.
        reason: &'static str,
        /// In more words.
        message: String,
    },
    /// The spec says to leave the Secret alone.
    Suspended,
}

impl Outcome {
    /// The reason of the conditions, and the label of the metric.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Synced { .. } => "Synced",
            Self::Suspended => "Suspended",
            Self::Stalled { reason, .. } | Self::Retrying { reason, .. } => reason,
        }
    }
}

/// The status after `outcome`. Equal to `before` when nothing changed, so that nothing is written.
pub fn status(
    before: &EncryptedSecretStatus,
    generation: Option<i64>,
    outcome: &Outcome,
    now: Timestamp,
) -> EncryptedSecretStatus {
    let mut after = before.clone();
    // Always moves, on failure too: consumers wait for it before they read anything else.
    after.observed_generation = generation;
    let mut set = Setter { before, generation, now, conditions: Vec::new() };
    match outcome {
        Outcome::Synced { name, written } => {
            after.secret_name = Some(name.clone());
            after.secret_uid = Some(written.uid.clone());
            after.secret_resource_version = Some(written.resource_version.clone());
            set.add(READY, "True", "Synced", "the Secret is what the spec says");
        }
        Outcome::Stalled { reason, message } => {
            set.add(READY, "False", reason, message);
            set.add(STALLED, "True", reason, message);
        }
        Outcome::Retrying { reason, message } => {
            let ready =
                find(before, READY).filter(|ready| ready.status == "True" && ready.observed_generation == generation);
            match ready {
                // The Secret is good as far as anybody knows: a rollout must not fail because the API server hiccups.
                Some(ready) => set.add(READY, "True", &ready.reason, &ready.message),
                None => set.add(READY, "Unknown", reason, message),
            }
            set.add(RECONCILING, "True", reason, message);
        }
        Outcome::Suspended => {
            let ready = find(before, READY).map_or("Unknown", |ready| ready.status.as_str());
            set.add(
                READY,
                ready,
                "Suspended",
                "spec.suspend is true: the Secret stays as it is until that is taken back",
            );
        }
    }
    after.conditions = set.conditions;
    after
}

/// The condition of this type.
pub fn find<'s>(status: &'s EncryptedSecretStatus, type_: &str) -> Option<&'s Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

struct Setter<'s> {
    before: &'s EncryptedSecretStatus,
    generation: Option<i64>,
    now: Timestamp,
    conditions: Vec<Condition>,
}

impl Setter<'_> {
    /// The time moves with the status of the condition and with nothing else.
    fn add(&mut self, type_: &str, status: &str, reason: &str, message: &str) {
        let same = find(self.before, type_).filter(|condition| condition.status == status);
        self.conditions.push(Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            observed_generation: self.generation,
            last_transition_time: same
                .map_or_else(|| Time(seconds(self.now)), |same| same.last_transition_time.clone()),
        });
    }
}

/// Conditions carry whole seconds; finer ones would differ from what the API server gives back.
fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn synced() -> Outcome {
        Outcome::Synced { name: "db".into(), written: Written { uid: "s1".into(), resource_version: "7".into() } }
    }

    fn stalled() -> Outcome {
        Outcome::Stalled { reason: "NoIdentity", message: "restore the key".into() }
    }

    fn retrying() -> Outcome {
        Outcome::Retrying { reason: "ApiServer", message: "try again".into() }
    }

    fn shown(status: &EncryptedSecretStatus) -> Vec<String> {
        status.conditions.iter().map(|c| format!("{}={} {}", c.type_, c.status, c.reason)).collect()
    }

    #[test]
    fn tells_each_outcome() {
        let new = EncryptedSecretStatus { observed_generation: Some(-1), ..EncryptedSecretStatus::default() };
        let good = status(&new, Some(1), &synced(), at(1));
        let cases: [(_, _, _, &[&str]); 7] = [
            (&new, 1, synced(), &["Ready=True Synced"]),
            (&new, 1, stalled(), &["Ready=False NoIdentity", "Stalled=True NoIdentity"]),
            (&new, 1, retrying(), &["Ready=Unknown ApiServer", "Reconciling=True ApiServer"]),
            (&good, 1, retrying(), &["Ready=True Synced", "Reconciling=True ApiServer"]),
            (&good, 2, retrying(), &["Ready=Unknown ApiServer", "Reconciling=True ApiServer"]),
            (&good, 2, Outcome::Suspended, &["Ready=True Suspended"]),
            (&new, 1, Outcome::Suspended, &["Ready=Unknown Suspended"]),
        ];
        for (before, generation, outcome, expected) in cases {
            let after = status(before, Some(generation), &outcome, at(9));
            assert_eq!(shown(&after), expected, "{outcome:?}");
            assert_eq!(after.observed_generation, Some(generation));
        }
    }

    #[test]
    fn a_failure_keeps_what_is_known_of_the_good_secret() {
        let good = status(&EncryptedSecretStatus::default(), Some(1), &synced(), at(1));
        let after = status(&good, Some(2), &stalled(), at(2));
        assert_eq!(after.secret_uid.as_deref(), Some("s1"));
    }

    #[test]
    fn equal_when_nothing_changed_and_times_move_with_the_status_only() {
        let first = status(&EncryptedSecretStatus::default(), Some(1), &stalled(), at(1));
        assert_eq!(status(&first, Some(1), &stalled(), at(2)), first);
        let other = Outcome::Stalled { reason: "Altered", message: "other".into() };
        let second = status(&first, Some(2), &other, at(3));
        assert_eq!(second.conditions[0].last_transition_time.0, at(1));
        let third = status(&second, Some(2), &synced(), at(4));
        assert_eq!(third.conditions[0].last_transition_time.0, at(4));
    }
}
