//! From what happened to the status that tells it, as `Ready`, `Reconciling`, `Stalled` and `Fresh`. Pure.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use sealwax_crds::{FRESH, READY, RECONCILING, STALLED, SecretStatus};

use crate::content;
use crate::store::Requests;
use crate::writer::Written;

/// The longest message of a condition.
const LONGEST_MESSAGE: usize = 2048;

/// How one look at an object ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The Secret is what the spec says.
    Synced {
        /// Its name.
        name: String,
        /// Which one, and as of which write.
        written: Written,
        /// The keyed hash of its content, where there is a key for it.
        content: Option<String>,
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
    /// All is as the spec says, and there is no Secret.
    Settled {
        /// Why not, as one CamelCase word; also the metric's label.
        reason: &'static str,
        /// In more words.
        message: &'static str,
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
            Self::Stalled { reason, .. } | Self::Retrying { reason, .. } | Self::Settled { reason, .. } => reason,
        }
    }
}

/// What the status depends on besides the outcome.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The object's generation.
    pub generation: Option<i64>,
    /// What the object's annotations ask for.
    pub requests: Requests<'a>,
    /// The Secret is not what it shall be: somebody changed or deleted it.
    pub repairing: bool,
    /// Whether workloads are restarted on changes.
    pub restarts: bool,
    /// For how long an object may be retried before it counts as not ready.
    pub not_ready_after: Duration,
    /// Now.
    pub now: Timestamp,
}

/// The status after `outcome`. Equal to `before` when nothing changed, so that nothing is written.
pub fn status(before: &SecretStatus, situation: Situation<'_>, outcome: &Outcome) -> SecretStatus {
    let Situation { generation, now, .. } = situation;
    let mut after = before.clone();
    // Always moves, on failure too: consumers wait for it before they read anything else.
    after.observed_generation = generation;
    if !matches!(outcome, Outcome::Retrying { .. }) {
        let obeyed = |asked: Option<&str>, before: &Option<String>| asked.map(str::to_owned).or_else(|| before.clone());
        after.last_reconcile_at = obeyed(situation.requests.own, &before.last_reconcile_at);
        after.last_handled_reconcile_at = obeyed(situation.requests.flux, &before.last_handled_reconcile_at);
    }
    let mut set = Setter { before, generation, now, conditions: Vec::new() };
    match outcome {
        Outcome::Synced { name, written, content } => {
            if let Some(content) = content {
                let changed = before.content_hash.as_deref().is_some_and(|before| content::changed(before, content));
                after.restarts_pending = (changed && situation.restarts).then_some(true).or(before.restarts_pending);
                after.content_hash = Some(content.clone());
            }
            after.secret_name = Some(name.clone());
            after.secret_uid = Some(written.uid.clone());
            after.secret_resource_version = Some(written.resource_version.clone());
            set.add(READY, "True", "Synced", "the Secret is what the spec says");
        }
        Outcome::Settled { reason, message } => {
            after.content_hash = None;
            after.secret_name = None;
            after.secret_uid = None;
            after.secret_resource_version = None;
            set.add(READY, "True", reason, message);
        }
        Outcome::Stalled { reason, message } => {
            set.add(READY, "False", reason, message);
            set.add(STALLED, "True", reason, message);
        }
        Outcome::Retrying { reason, message } => {
            let ready =
                find(before, READY).filter(|ready| ready.status == "True" && ready.observed_generation == generation);
            // The Secret is good as far as anybody knows: a rollout must not fail, or wait, for an API server's hiccup.
            if let Some(ready) = ready.filter(|_| !situation.repairing) {
                set.add(READY, "True", &ready.reason, &ready.message);
                set.add(FRESH, "False", reason, message);
            } else {
                let late = waited(before, now) >= situation.not_ready_after;
                set.add(READY, if late { "False" } else { "Unknown" }, reason, message);
                set.add(RECONCILING, "True", reason, message);
            }
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

/// Whether the last look ended in trouble that may be over.
pub fn is_troubled(status: &SecretStatus) -> bool {
    find(status, RECONCILING).or_else(|| find(status, FRESH)).is_some()
}

/// The status once every workload that asked for it has been restarted.
pub fn restarted(before: &SecretStatus) -> SecretStatus {
    SecretStatus { restarts_pending: None, ..before.clone() }
}

/// For how long the object has been retried without any success.
fn waited(before: &SecretStatus, now: Timestamp) -> Duration {
    let since = find(before, RECONCILING).map_or(now, |reconciling| reconciling.last_transition_time.0);
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// The condition of this type.
pub fn find<'s>(status: &'s SecretStatus, type_: &str) -> Option<&'s Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

struct Setter<'s> {
    before: &'s SecretStatus,
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
            message: bounded(message, LONGEST_MESSAGE),
            observed_generation: self.generation,
            last_transition_time: same
                .map_or_else(|| Time(seconds(self.now)), |same| same.last_transition_time.clone()),
        });
    }
}

/// As much of a message as people read: the API server takes no more than 32 KiB.
pub fn bounded(message: &str, most: usize) -> String {
    let mut end = message.len().min(most);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message[..end].to_owned()
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
        with_content("k:1")
    }

    fn with_content(hash: &str) -> Outcome {
        let written = Written { uid: "s1".into(), resource_version: "7".into() };
        Outcome::Synced { name: "db".into(), written, content: Some(hash.into()) }
    }

    fn when(generation: i64, second: i64) -> Situation<'static> {
        let not_ready_after = Duration::from_mins(10);
        Situation {
            generation: Some(generation),
            requests: Requests::default(),
            repairing: false,
            restarts: true,
            not_ready_after,
            now: at(second),
        }
    }

    fn stalled() -> Outcome {
        Outcome::Stalled { reason: "NoIdentity", message: "restore the key".into() }
    }

    fn retrying() -> Outcome {
        Outcome::Retrying { reason: "ApiServer", message: "try again".into() }
    }

    fn shown(status: &SecretStatus) -> Vec<String> {
        status.conditions.iter().map(|c| format!("{}={} {}", c.type_, c.status, c.reason)).collect()
    }

    #[test]
    fn tells_each_outcome() {
        let new = SecretStatus { observed_generation: Some(-1), ..SecretStatus::default() };
        let good = status(&new, when(1, 1), &synced());
        let cases: [(_, _, _, &[&str]); 7] = [
            (&new, 1, synced(), &["Ready=True Synced"]),
            (&new, 1, stalled(), &["Ready=False NoIdentity", "Stalled=True NoIdentity"]),
            (&new, 1, retrying(), &["Ready=Unknown ApiServer", "Reconciling=True ApiServer"]),
            (&good, 1, retrying(), &["Ready=True Synced", "Fresh=False ApiServer"]),
            (&good, 2, retrying(), &["Ready=Unknown ApiServer", "Reconciling=True ApiServer"]),
            (&good, 2, Outcome::Suspended, &["Ready=True Suspended"]),
            (&new, 1, Outcome::Suspended, &["Ready=Unknown Suspended"]),
        ];
        for (before, generation, outcome, expected) in cases {
            let after = status(before, when(generation, 9), &outcome);
            assert_eq!(shown(&after), expected, "{outcome:?}");
            assert_eq!(after.observed_generation, Some(generation));
        }
    }

    #[test]
    fn a_failure_keeps_what_is_known_of_the_good_secret() {
        let good = status(&SecretStatus::default(), when(1, 1), &synced());
        let after = status(&good, when(2, 2), &stalled());
        assert_eq!(after.secret_uid.as_deref(), Some("s1"));
    }

    #[test]
    fn equal_when_nothing_changed_and_times_move_with_the_status_only() {
        let first = status(&SecretStatus::default(), when(1, 1), &stalled());
        assert_eq!(status(&first, when(1, 2), &stalled()), first);
        let other = Outcome::Stalled { reason: "Altered", message: "other".into() };
        let second = status(&first, when(2, 3), &other);
        assert_eq!(second.conditions[0].last_transition_time.0, at(1));
        let third = status(&second, when(2, 4), &synced());
        assert_eq!(third.conditions[0].last_transition_time.0, at(4));
    }

    #[test]
    fn trouble_that_does_not_pass_is_not_ready_and_still_tried() {
        let first = status(&SecretStatus::default(), when(1, 0), &retrying());
        assert_eq!(shown(&status(&first, when(1, 599), &retrying()))[0], "Ready=Unknown ApiServer");
        assert_eq!(
            shown(&status(&first, when(1, 600), &retrying())),
            ["Ready=False ApiServer", "Reconciling=True ApiServer"]
        );
    }

    #[test]
    fn a_secret_that_cannot_be_put_right_is_not_ready() {
        let good = status(&SecretStatus::default(), when(1, 0), &synced());
        let broken = status(&good, Situation { repairing: true, ..when(1, 1) }, &retrying());
        assert_eq!(shown(&broken), ["Ready=Unknown ApiServer", "Reconciling=True ApiServer"]);
        assert_eq!(shown(&status(&broken, when(1, 601), &retrying()))[0], "Ready=False ApiServer");
    }

    #[test]
    fn messages_are_bounded() {
        let long = Outcome::Stalled { reason: "Altered", message: "ä".repeat(40_000) };
        let status = status(&SecretStatus::default(), when(1, 0), &long);
        assert!(status.conditions.iter().all(|condition| condition.message.len() <= LONGEST_MESSAGE));
    }

    #[test]
    fn restarts_wait_for_a_real_change() {
        let first = status(&SecretStatus::default(), when(1, 0), &with_content("k:1"));
        assert_eq!(first.restarts_pending, None, "the first sync is no change");
        let other_key = status(&first, when(1, 1), &with_content("l:2"));
        assert_eq!(other_key.restarts_pending, None, "another key says nothing");
        let changed = status(&first, when(2, 1), &with_content("k:2"));
        assert_eq!(changed.restarts_pending, Some(true));
        let repaired = status(&changed, when(2, 2), &with_content("k:2"));
        assert_eq!(repaired.restarts_pending, Some(true), "they wait until they are done");
        assert_eq!(restarted(&repaired).restarts_pending, None);
        let off = Situation { restarts: false, ..when(2, 1) };
        assert_eq!(status(&first, off, &with_content("k:2")).restarts_pending, None);
    }

    #[test]
    fn requests_are_echoed_once_obeyed() {
        let asked = Situation { requests: Requests { own: None, flux: Some("t1") }, ..when(1, 0) };
        let handled = |outcome| status(&SecretStatus::default(), asked, &outcome).last_handled_reconcile_at;
        assert_eq!(handled(retrying()), None);
        assert_eq!(handled(synced()).as_deref(), Some("t1"));
        assert_eq!(handled(stalled()).as_deref(), Some("t1"));
    }
}
