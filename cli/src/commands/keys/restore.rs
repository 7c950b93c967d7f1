//! `sealwax keys restore`: keys from a backup or an escrow copy, back into a cluster.

use std::path::{Path, PathBuf};

use sealwax_format::keys::PublicSigningKey;
use sealwax_format::keys::cluster::State;
use sealwax_format::keys::published::Published;

use super::backup::open;
use super::retire::label;
use crate::cluster::bundle::{Bundle, KeySecret, kept};
use crate::cluster::{Cluster, ClusterArgs};
use crate::error::{Code, CommandError, chain};
use crate::files;
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
    #[arg(long, value_name = "NAME", value_parser = super::key_name)]
    name: Option<String>,
    /// State of every restored key, instead of the one that it had: waiting, active, old or retired
    #[arg(long, value_name = "STATE", value_parser = restorable)]
    state: Option<State>,
    /// The cluster's .pub file: refuse a backup with another signing key than it pins
    #[arg(long, value_name = "FILE")]
    pinned: Option<PathBuf>,
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
    if let Some(key) = &opened.bundle.controller {
        compare(&key.signing_key().public(), args.pinned.as_deref(), ui)?;
    }
    let cluster = Cluster::new(&args.cluster)?;
    let (present, _) = cluster.private_keys()?;
    let mut notes = Vec::new();
    if let Some(note) = restore_controller_key(&cluster, &opened.bundle, &present)? {
        notes.push(note);
    }
    let (mut restored, mut code) = (0, Code::Done);
    for key in &opened.bundle.keys {
        if let Some(same) = present.keys.iter().find(|same| same.fingerprint == key.fingerprint) {
            notes.push(Note::Done(format!("{} is there already, as {}, {}", key.fingerprint, same.name, same.state)));
            if let Some(state) = other_state(key.state, same.state, args.state) {
                notes.extend(stays(same, state, cluster.namespace()));
                code = Code::Refused;
            }
            continue;
        }
        let state = args.state.unwrap_or_else(|| state(key, &present));
        let name = create(&cluster, key, state)?;
        restored += 1;
        notes.push(Note::Done(format!("{} restored as {name}, {state}", key.fingerprint)));
    }
    notes.push(Note::Done(format!("{restored} keys restored into namespace {}", cluster.namespace())));
    ui.notes(&notes);
    Ok(code)
}

/// Has the signing key of a backup compared before anything is written: whoever made the file chose it.
fn compare(key: &PublicSigningKey, pinned: Option<&Path>, ui: &Ui) -> Result<(), CommandError> {
    let fingerprint = key.fingerprint();
    let Some(path) = pinned else {
        ui.notes(&[
            Note::Done(format!("the backup's signing key has the fingerprint {fingerprint}")),
            Note::Hint("Compare it with the .pub file in Git, or have it compared: --pinned FILE.".to_owned()),
        ]);
        return Ok(());
    };
    let named = Published::from_file(&files::read_text(path)?).signing_key();
    let named = named.map_err(|error| CommandError::refused(format!("{}: {}", path.display(), chain(&error))))?;
    if named == *key {
        return Ok(());
    }
    let (path, other) = (path.display(), named.fingerprint());
    let message =
        format!("{path} pins the signing key {other}, and the backup has {fingerprint}; nothing was restored");
    Err(CommandError::refused(message).hint("Is it the backup of that cluster, and made before its key was replaced?"))
}

/// The state that a key should have which is there and has another: the one that was asked for; without a word, one
/// that opens where it does not.
fn other_state(was: State, is: State, asked: Option<State>) -> Option<State> {
    match asked {
        Some(asked) => (asked != is).then_some(asked),
        None => (is == State::Retired && was != State::Retired).then_some(State::Old),
    }
}

/// Says that a key stays in its state, and what would change that.
fn stays(key: &KeySecret, wanted: State, namespace: &str) -> [Note; 2] {
    let opens = if key.state == State::Retired { ", and does not open" } else { "" };
    let command = match wanted {
        State::Active => format!("sealwax keys rotate --namespace {namespace} --to {}", key.name),
        wanted => label(namespace, &key.name, wanted),
    };
    [
        Note::Warning(format!("{} stays {}{opens}", key.name, key.state)),
        Note::Hint(format!("To have it {wanted}: {command}")),
    ]
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
    // A name has 63 characters at most.
    let stem: String = key.name.chars().take(54).collect();
    for name in [key.name.clone(), format!("{stem}-{short}")] {
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
    fn a_key_that_is_there_in_another_state_is_told() {
        assert_eq!(other_state(State::Active, State::Retired, None), Some(State::Old));
        assert_eq!(other_state(State::Retired, State::Retired, None), None);
        assert_eq!(other_state(State::Active, State::Old, None), None);
        assert_eq!(other_state(State::Active, State::Old, Some(State::Waiting)), Some(State::Waiting));
        assert_eq!(other_state(State::Active, State::Old, Some(State::Old)), None);
        let [warning, hint] = stays(&key(State::Retired), State::Old, "keys");
        assert!(format!("{warning:?}").contains("does not open"));
        assert!(
            format!("{hint:?}").contains("kubectl label secret -n keys key --overwrite sealwax.dev/cluster-key=old")
        );
    }

    #[test]
    fn another_signing_key_than_the_pinned_one_is_refused() {
        let [ours, other] = [1, 2].map(|seed| sealwax_format::keys::SigningKey::from_seed(&[seed; 32]).public());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prod.pub");
        files::create(&path, format!("# cluster: prod\n# signing key: {ours}\nage1x\n").as_bytes(), false).unwrap();
        assert!(compare(&ours, Some(&path), &Ui::new()).is_ok());
        assert!(compare(&other, Some(&path), &Ui::new()).unwrap_err().message().contains("nothing was restored"));
        assert!(compare(&other, None, &Ui::new()).is_ok());
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
