//! What the status of an `ExternalSecret` says besides what all statuses say.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use sealwax_crds::{Binding, EntryState, EntryStatus, ExternalSecret, ExternalSecretStatus, FRESH};

use super::Gathering;
use super::fetch::Failure;
use super::plan::Stage;
use crate::conditions::{Outcome, bounded};
use crate::store::FORCE_SYNC;

/// The longest message of an entry.
const LONGEST: usize = 1024;
/// Most entries that a status holds.
const MOST: usize = 320;

/// What the annotations that force a refresh say, if there are any.
pub(super) fn force(object: &ExternalSecret) -> Option<String> {
    let annotations = object.metadata.annotations.as_ref()?;
    let asked: Vec<_> = FORCE_SYNC.iter().filter_map(|key| annotations.get(*key)).cloned().collect();
    (!asked.is_empty()).then(|| bounded(&asked.join(" "), 256))
}

/// Tells how the reconcile ended.
pub(super) fn tell(gathering: &Gathering<'_>, outcome: &Outcome, after: &mut ExternalSecretStatus) {
    let now = Timestamp::now();
    let now = Time(Timestamp::from_second(now.as_second()).unwrap_or(now));
    after.last_good.clone_from(&gathering.copy);
    let done = matches!(outcome, Outcome::Synced { .. } | Outcome::Settled { .. });
    if done || matches!(outcome, Outcome::Stalled { .. }) {
        after.last_force_sync = force(gathering.object).or(after.last_force_sync.take());
    }
    if let (Stage::Read(read), true) = (&gathering.stage, done) {
        let read_at = Timestamp::from_second(read.at.as_second()).unwrap_or(read.at);
        after.refresh_time = Some(Time(read_at));
        after.store_versions = Some(gathering.versions.clone());
        let entries = read.entries.iter().map(|(name, state)| (name.clone(), *state, None));
        after.entries = entry_statuses(&gathering.before.entries, entries, &now);
    }
    if done {
        after.refreshed_generation = gathering.object.metadata.generation;
        after.binding = after.common.secret_name.clone().map(|name| Binding { name });
    }
    match &gathering.failure {
        Some(failure) => stale(gathering, failure, outcome, after, now),
        None if done => after.stale_since = None,
        None => {}
    }
}

/// The source gave nothing: what the Secret holds, if it holds anything, is from before.
fn stale(gathering: &Gathering<'_>, failure: &Failure, outcome: &Outcome, after: &mut ExternalSecretStatus, now: Time) {
    let holds = after.common.secret_uid.is_some();
    let entries = failure.entries.iter().map(|(name, state, message)| {
        let state = if *state == EntryState::Failed && holds { EntryState::Stale } else { *state };
        (name.clone(), state, message.clone())
    });
    if !failure.entries.is_empty() {
        after.entries = entry_statuses(&gathering.before.entries, entries, &now);
    }
    if holds {
        after.stale_since = gathering.before.stale_since.clone().or(Some(now.clone()));
    }
    if let Outcome::Synced { .. } = outcome {
        // Put right from the copy.
        let mut before = gathering.before.common.conditions.iter();
        let since = before.find(|was| was.type_ == FRESH && was.status == "False").map(|was| &was.last_transition_time);
        after.common.conditions.push(Condition {
            type_: FRESH.to_owned(),
            status: "False".to_owned(),
            reason: failure.reason.to_owned(),
            message: bounded(&failure.message, 2048),
            observed_generation: after.common.observed_generation,
            last_transition_time: since.cloned().unwrap_or(now),
        });
    }
}

/// The time moves with the state of an entry and with nothing else.
fn entry_statuses(
    before: &[EntryStatus],
    entries: impl Iterator<Item = (String, EntryState, Option<String>)>,
    now: &Time,
) -> Vec<EntryStatus> {
    let status = |(name, state, message): (String, EntryState, Option<String>)| {
        let same = before.iter().find(|was| was.name == name && was.state == state);
        let since = same.and_then(|same| same.since.clone()).unwrap_or_else(|| now.clone());
        let message = message.map(|message| bounded(&message, LONGEST));
        EntryStatus { name: bounded(&name, 253), state, message, since: Some(since) }
    };
    entries.take(MOST).map(status).collect()
}
