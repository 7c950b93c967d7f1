//! Carries out a plan, each step for itself: one that fails keeps no other from being done, and comes back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use sealwax_format::OsRandom;
use sealwax_format::keys::cluster::{
    ACTIVATE, CONTROLLER_KEY_NAME, ControllerKey, ESCROW_MAP, FINGERPRINT, KEY, RECIPIENTS_MAP, ROTATED, State,
};
use sealwax_format::keys::{Fingerprint, IdentityFile, encrypt_file};
use serde_json::{Map, Value, json};

use super::escrow::{Missing, told_by};
use super::notices::{Notice, tell};
use super::observe::{Watched, reference};
use super::plan::{Plan, Step, Why};
use super::{ClusterKeys, LOOK_AGAIN, Memory, RoundError, SOON};
use crate::telemetry::chain;
use crate::writer::WriteError;

/// For how long a name may be taken by what no watch brings in, before it is another's. A watch is never that late.
const UNSEEN: Duration = Duration::from_secs(5);

/// Carries it out. Returns after how long to look again though nothing changed.
pub(super) async fn apply(
    keys: &ClusterKeys,
    watched: &Watched,
    memory: &mut Memory,
    plan: Plan,
) -> Result<Option<Duration>, RoundError> {
    let mut notices = plan.notices;
    let (mut failure, mut stale, mut own_failed) = (None, false, false);
    let mut taken = Vec::new();
    let makes = plan.steps.iter().any(|step| matches!(step, Step::MakeKey(..)));
    for step in plan.steps {
        // The first key comes after the controller's own one: without it, it would look as if that had been lost.
        if own_failed && matches!(step, Step::MakeKey(_, Why::First)) {
            continue;
        }
        let Err(error) = carry_out(keys, watched, &step).await else { continue };
        own_failed |= step == Step::MakeControllerKey;
        if let RoundError::Taken(name) = &error {
            taken.push(name.clone());
        }
        if error.is_stale() {
            // It comes back by a watch, or soon.
            stale = true;
            continue;
        }
        if let Step::Escrow(key, ..) = &step {
            notices.insert(Notice::EscrowMissing(key.clone(), chain(&error)));
        }
        failure.get_or_insert(error);
    }
    let unseen = taken.into_iter().filter(|name| !watched.has_secret(name));
    let unseen = remember(&mut memory.taken, &unseen.collect::<Vec<_>>(), Instant::now());
    let named = !unseen.is_empty();
    notices.extend(unseen.into_iter().map(Notice::NameTaken));
    tell(keys, watched, memory, notices).await;
    match failure {
        Some(error) => Err(error),
        None if stale => Ok(Some(if named { UNSEEN } else { SOON })),
        // Should the watch not bring in what was made, it is not labelled as it should be; then this comes back.
        None => Ok((makes || plan.waiting.is_some() || keys.rotate_every.is_some()).then_some(LOOK_AGAIN)),
    }
}

/// Which of these names have been taken for so long that what has them is none of ours.
fn remember(taken: &mut BTreeMap<String, Instant>, names: &[String], now: Instant) -> Vec<String> {
    taken.retain(|name, _| names.contains(name));
    let since = |name: &String| *taken.entry(name.clone()).or_insert(now);
    names
        .iter()
        .map(since)
        .zip(names)
        .filter(|(since, _)| now - *since >= UNSEEN)
        .map(|(_, name)| name.clone())
        .collect()
}

async fn carry_out(keys: &ClusterKeys, watched: &Watched, step: &Step) -> Result<(), RoundError> {
    match step {
        Step::MakeControllerKey => make_controller_key(keys).await,
        Step::MakeKey(name, why) => make_key(keys, name, why).await,
        Step::Escrow(key, secret, config_map) => {
            if let Some(missing) = secret {
                escrow_secret(keys, watched, key, missing).await?;
            }
            match config_map {
                Some(missing) => escrow_config_map(keys, watched, key, missing).await,
                None => Ok(()),
            }
        }
        Step::Relabel(changes) => {
            for (key, state) in changes {
                relabel(keys, watched, key, *state).await?;
            }
            Ok(())
        }
        Step::Annotate(key, fingerprint) => annotate(keys, watched, key, fingerprint).await,
        Step::Publish(items, answered) => {
            let annotations = answered.as_ref().map(|answered| json!({ROTATED: answered}));
            let metadata = json!({"name": RECIPIENTS_MAP, "namespace": keys.namespace, "annotations": annotations});
            let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": items});
            let written = keys.writer.apply_config_map(&keys.namespace, RECIPIENTS_MAP, &body).await;
            written.map_err(RoundError::Publish)?;
            tracing::info!(config_map = RECIPIENTS_MAP, "keys: recipients published");
            Ok(())
        }
    }
}

async fn make_controller_key(keys: &ClusterKeys) -> Result<(), RoundError> {
    let made = ControllerKey::generate(&mut OsRandom).map_err(RoundError::Random)?;
    match keys.writer.create_controller_key(&keys.namespace, &made).await {
        // Another controller was faster: its key comes in by the watch. Or it is none of ours.
        Err(WriteError::Exists) => Err(RoundError::Taken(CONTROLLER_KEY_NAME.to_owned())),
        Err(error) => Err(RoundError::ControllerKey(error)),
        Ok(_) => {
            let fingerprint = made.signing_key().public().fingerprint();
            tracing::info!(secret = CONTROLLER_KEY_NAME, %fingerprint, "keys: the signing key was made");
            Ok(())
        }
    }
}

/// Makes a key. The watch then brings it in like any other.
async fn make_key(keys: &ClusterKeys, name: &str, why: &Why) -> Result<(), RoundError> {
    let (file, recipient) = IdentityFile::generate(&Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let fingerprint = Fingerprint::of(&recipient);
    let request = if let Why::Requested(text) = why { Some(text.as_str()) } else { None };
    let written = match keys.writer.create_key(&keys.namespace, name, &fingerprint, request, &file).await {
        // Another controller was faster, or this one did not see its own yet. Or it is none of ours.
        Err(WriteError::Exists) => return Err(RoundError::Taken(name.to_owned())),
        Err(error) => return Err(RoundError::CreateKey(name.to_owned(), error)),
        Ok(written) => written,
    };
    let because = match why {
        Why::First => "the first key was made",
        Why::Requested(_) => "a key was made because it was asked for",
        Why::Scheduled => "a key was made because the sealing one is old enough",
    };
    tracing::info!(secret = name, %fingerprint, "keys: {because}");
    let note = format!("{because}, fingerprint {fingerprint}; back it up with `sealwax keys backup`");
    let about = ObjectReference { uid: Some(written.uid), ..reference(&keys.namespace, "Secret", name) };
    keys.events.tell(&about, "KeyMade", &note).await;
    Ok(())
}

async fn relabel(keys: &ClusterKeys, watched: &Watched, key: &str, state: State) -> Result<(), RoundError> {
    let version = watched.key_version(key).ok_or_else(|| RoundError::Gone(key.to_owned()))?;
    // No state that is given here asks for another one.
    let annotations = json!({ACTIVATE: null});
    let metadata = json!({"resourceVersion": version, "labels": {KEY: state.as_str()}, "annotations": annotations});
    let written = keys.writer.patch_key(&keys.namespace, key, metadata).await;
    written.map_err(|error| RoundError::Relabel(key.to_owned(), state, error))?;
    tracing::info!(secret = key, %state, "keys: state changed");
    let (reason, note) = match state {
        State::Active => ("KeyActivated", "this key seals from now on; fetch the recipients and commit them"),
        State::Old => ("KeyReplaced", "another key seals from now on; this one opens what was sealed for it"),
        State::Made | State::Waiting | State::Retired => ("KeyWaiting", "another key was made later; this one waits"),
    };
    keys.events.tell(&watched.about_key(&keys.namespace, key), reason, note).await;
    Ok(())
}

async fn annotate(
    keys: &ClusterKeys,
    watched: &Watched,
    key: &str,
    fingerprint: &Fingerprint,
) -> Result<(), RoundError> {
    let version = watched.key_version(key).ok_or_else(|| RoundError::Gone(key.to_owned()))?;
    let metadata = json!({"resourceVersion": version, "annotations": {FINGERPRINT: fingerprint.as_str()}});
    match keys.writer.patch_key(&keys.namespace, key, metadata).await {
        // It comes back with its new version and is looked at again.
        Ok(()) | Err(WriteError::Changed) => Ok(()),
        Err(error) => Err(RoundError::Annotate(key.to_owned(), error)),
    }
}

/// The copies of a key for these recipients, by fingerprint.
fn copies(
    keys: &ClusterKeys,
    watched: &Watched,
    key: &str,
    missing: &Missing,
) -> Result<(Fingerprint, Vec<(Fingerprint, String)>), RoundError> {
    let gone = || RoundError::Gone(key.to_owned());
    let file = watched.identity_file(key).ok_or_else(gone)?;
    let of = IdentityFile::parse(file.expose()).map_err(|_| gone())?.fingerprint;
    let mut copies = Vec::new();
    for recipient in &keys.escrow.recipients {
        let fingerprint = recipient.label().fingerprint();
        if missing.recipients.contains(fingerprint) {
            let copy = encrypt_file(std::slice::from_ref(recipient), file.expose());
            let copy = copy.map_err(|error| RoundError::EscrowCopy(key.to_owned(), error))?;
            copies.push((fingerprint.clone(), copy));
        }
    }
    Ok((of, copies))
}

async fn escrow_secret(keys: &ClusterKeys, watched: &Watched, key: &str, missing: &Missing) -> Result<(), RoundError> {
    let (of, copies) = copies(keys, watched, key, missing)?;
    let items: Map<String, Value> =
        copies.into_iter().map(|(whom, copy)| (format!("{whom}.age"), Value::String(copy))).collect();
    let version = if missing.exists { watched.escrow_version(&missing.name) } else { None };
    let name = &missing.name;
    let written = keys.writer.write_escrow(&keys.namespace, name, key, &of, version, items).await;
    written.map_err(|error| match error {
        WriteError::Exists => RoundError::Taken(name.clone()),
        error => RoundError::Escrow(key.to_owned(), format!("in Secret {name}"), error),
    })?;
    tracing::info!(secret = name, key, "keys: escrow copies written");
    let note = format!("wrapped for {} escrow recipients in Secret {name}", missing.recipients.len());
    keys.events.tell(&watched.about_key(&keys.namespace, key), "EscrowWritten", &note).await;
    Ok(())
}

async fn escrow_config_map(
    keys: &ClusterKeys,
    watched: &Watched,
    key: &str,
    missing: &Missing,
) -> Result<(), RoundError> {
    let (of, copies) = copies(keys, watched, key, missing)?;
    let name = &missing.name;
    let mut items: Map<String, Value> =
        copies.into_iter().map(|(whom, copy)| (format!("{name}.{whom}.age"), Value::String(copy))).collect();
    items.insert(told_by(name), Value::String(of.to_string()));
    let written = keys.writer.write_escrow_map(&keys.namespace, watched.has_escrow_map(), items).await;
    written.map_err(|error| RoundError::Escrow(key.to_owned(), format!("in ConfigMap {ESCROW_MAP}"), error))?;
    tracing::info!(config_map = ESCROW_MAP, key, "keys: escrow copies published");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stays_taken_by_what_is_not_seen_is_told() {
        let (mut taken, now) = (BTreeMap::new(), Instant::now());
        let mut told = |names: &[&str], after: Duration| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            remember(&mut taken, &names, now + after).len()
        };
        assert_eq!(told(&["a"], Duration::ZERO), 0, "the watch may bring it in");
        assert_eq!(told(&["a"], UNSEEN), 1);
        assert_eq!(told(&[], UNSEEN), 0);
        assert_eq!(told(&["a"], UNSEEN * 2), 0, "it was seen meanwhile");
    }
}
