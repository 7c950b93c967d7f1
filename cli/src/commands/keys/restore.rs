//! `sealwax keys restore`: keys from a backup or an escrow copy, back into a cluster.

use std::path::PathBuf;

use sealwax_format::keys::cluster::State;

use super::backup::open;
use crate::cluster::bundle::{Bundle, KeySecret, kept};
use crate::cluster::{Cluster, ClusterArgs};
use crate::error::{Code, CommandError};
use crate::keyring::IdentityArgs;
use crate::ui::{Note, Ui};

/// Put the keys of a backup or an escrow copy back into a cluster
///
/// Nothing is overwritten. Keys that the cluster has are passed over; one whose name another key has comes in under a
/// name of its own. In a cluster that seals with another key, a key that would seal waits instead. The controller
/// notices at once and opens what waited for them.
///
/// Example: sealwax keys restore prod-keys.age -i ~/offline.txt --context prod
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The backup or escrow copy; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Name for the key of an escrow copy
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// State of every restored key, instead of the one that it had: waiting, active, old or retired
    #[arg(long, value_name = "STATE", value_parser = restorable)]
    state: Option<State>,
    #[command(flatten)]
    identities: IdentityArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// A state that a restored key may get. To have it seal is a command of its own, which steps others back.
fn restorable(text: &str) -> Result<State, String> {
    match text.parse() {
        Ok(State::Made) | Err(_) => {
            Err("waiting, active, old or retired; to have the key seal: sealwax keys rotate --to NAME".to_owned())
        }
        Ok(state) => Ok(state),
    }
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let mut opened = open(&args.file, &args.identities)?;
    if let Some(name) = &args.name {
        if opened.whole {
            return Err(CommandError::usage("--name is for an escrow copy; the keys of a backup have names"));
        }
        opened.bundle.keys.iter_mut().for_each(|key| key.name.clone_from(name));
    }
    let cluster = Cluster::new(&args.cluster)?;
    let (present, _) = cluster.private_keys()?;
    let mut notes = Vec::new();
    if let Some(note) = restore_controller_key(&cluster, &opened.bundle, &present)? {
        notes.push(note);
    }
    let mut restored = 0;
    for key in &opened.bundle.keys {
        if let Some(same) = present.keys.iter().find(|same| same.fingerprint == key.fingerprint) {
            notes.push(Note::Done(format!("{} is there already, as {}, {}", key.fingerprint, same.name, same.state)));
            continue;
        }
        let state = args.state.unwrap_or_else(|| state(key, &present));
        let name = create(&cluster, key, state)?;
        restored += 1;
        notes.push(Note::Done(format!("{} restored as {name}, {state}", key.fingerprint)));
    }
    notes.push(Note::Done(format!("{restored} keys restored into namespace {}", cluster.namespace())));
    ui.notes(&notes);
    Ok(Code::Done)
}

/// What a restored key does: what it did, unless the cluster has a sealing key and this one would be its rival.
fn state(key: &KeySecret, present: &Bundle) -> State {
    let seals = present.keys.iter().any(|key| matches!(key.state, State::Active | State::Made));
    match kept(key.state) {
        State::Active if seals => State::Waiting,
        state => state,
    }
}

/// Makes the Secret under the key's name or, where another key has that, beside it.
fn create(cluster: &Cluster, key: &KeySecret, state: State) -> Result<String, CommandError> {
    let short: String = key.fingerprint.as_str().chars().take(8).collect();
    for name in [key.name.clone(), format!("{}-{short}", key.name)] {
        if cluster.create_key(key, &name, state)? {
            return Ok(name);
        }
    }
    Err(CommandError::refused(format!("{}: a Secret of that name is there and is no such key", key.name))
        .hint("Delete it, or restore into another namespace."))
}

fn restore_controller_key(cluster: &Cluster, bundle: &Bundle, present: &Bundle) -> Result<Option<Note>, CommandError> {
    let Some(key) = &bundle.controller else { return Ok(None) };
    let public = key.signing_key().public();
    if present.controller.as_ref().is_some_and(|present| present.signing_key().public() == public) {
        return Ok(None);
    }
    if cluster.create_controller_key(key)? {
        return Ok(Some(Note::Done(format!("signing key {} restored", public.fingerprint()))));
    }
    Ok(Some(Note::Warning(format!(
        "the cluster has another signing key, which stays; to have {} again, delete the Secret sealwax-controller-key \
         and restore once more",
        public.fingerprint()
    ))))
}

#[cfg(test)]
mod tests {
    use sealwax_format::keys::IdentityFile;

    use super::*;

    fn key(state: State) -> KeySecret {
        KeySecret::new("key".to_owned(), state, IdentityFile::generate("now").0).unwrap()
    }

    #[test]
    fn no_key_is_restored_as_made() {
        assert!(restorable("made").unwrap_err().contains("keys rotate --to"));
        assert_eq!(restorable("old"), Ok(State::Old));
    }

    #[test]
    fn a_restored_key_is_no_rival() {
        let present =
            |states: &[State]| Bundle { keys: states.iter().map(|&one| key(one)).collect(), ..Bundle::default() };
        let cases = [
            (State::Active, &[][..], State::Active),
            (State::Active, &[State::Active][..], State::Waiting),
            (State::Active, &[State::Made][..], State::Waiting),
            (State::Active, &[State::Old, State::Retired][..], State::Active),
            (State::Made, &[State::Active][..], State::Waiting),
            (State::Made, &[][..], State::Waiting),
            (State::Old, &[State::Active][..], State::Old),
            (State::Retired, &[][..], State::Retired),
        ];
        for (was, there, becomes) in cases {
            assert_eq!(state(&key(was), &present(there)), becomes, "{was} {there:?}");
        }
    }
}
