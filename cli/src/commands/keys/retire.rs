//! `sealwax keys retire`: a key that opens no more.

use sealwax_format::keys::cluster::{KEY, State};

use super::usable;
use crate::cluster::keys::Key;
use crate::cluster::needs::{EVERYWHERE, unreadable};
use crate::cluster::{Cluster, ClusterArgs};
use crate::error::{Code, CommandError};
use crate::ui::{Note, Ui};

/// Objects that are named; of more, the number is.
const SHOWN: usize = 20;

/// Take a key out of use for good: what is sealed for it alone does not open any more
///
/// Refused for the sealing key, and while an object of the cluster needs the key. Git is not searched: older commits
/// and other branches may need it still. The Secret stays, so that a label brings the key back.
///
/// Example: sealwax keys retire sealwax-cluster-key-1
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name or fingerprint of the key
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    cluster: ClusterArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let cluster = Cluster::new(&args.cluster)?;
    let key = cluster.key(&args.key)?;
    let fingerprint = key.known_fingerprint()?;
    let sealing = cluster.listed()?.unwrap_or_default().sealing();
    if let Some(refusal) = refusal(&key, sealing.as_deref() == Some(fingerprint), cluster.namespace()) {
        return Err(refusal);
    }
    let looked_at = unneeded(&cluster, &key, fingerprint)?;
    cluster.relabel(&key, State::Retired)?;
    // Meanwhile another key may have been retired, or an object applied, so that now this one is needed.
    if let Err(error) = unneeded(&cluster, &key, fingerprint) {
        put_back(&cluster, &key)?;
        return Err(error);
    }
    let mut notes =
        vec![Note::Done(format!("{} is retired; {looked_at} objects were looked at, and none needs it", key.name))];
    let twins = twins(&cluster.keys()?, &key.name, fingerprint);
    if !twins.is_empty() {
        let twins = twins.join(", ");
        notes.push(Note::Warning(format!(
            "the same key goes on opening what is sealed for it, as {twins}; retire it there too"
        )));
    }
    notes.push(Note::Hint(format!("To bring it back: {}", label(cluster.namespace(), &key.name, State::Old))));
    ui.notes(&notes);
    Ok(Code::Done)
}

/// The command that gives a key a state.
pub(super) fn label(namespace: &str, name: &str, state: State) -> String {
    format!("kubectl label secret -n {namespace} {name} --overwrite {KEY}={state}")
}

/// Why a key is not to be retired, whatever needs it.
fn refusal(key: &Key, seals: bool, namespace: &str) -> Option<CommandError> {
    let name = &key.name;
    let refused = |text: &str, hint: String| Some(CommandError::refused(format!("{name} {text}")).hint(hint));
    match key.state() {
        State::Retired => Some(CommandError::refused(format!("{name} is retired already"))),
        _ if seals => refused("seals", "Rotate first: sealwax keys rotate.".to_owned()),
        State::Made => {
            refused("is about to seal", "Choose another one first: sealwax keys rotate --to NAME.".to_owned())
        }
        State::Active => refused(
            "is labelled active, though another key or none seals",
            format!("If it shall not seal, say so, and retire it then: {}", label(namespace, name, State::Old)),
        ),
        State::Waiting | State::Old => None,
    }
}

/// Makes sure that no object needs the key; how many were looked at.
fn unneeded(cluster: &Cluster, key: &Key, fingerprint: &str) -> Result<usize, CommandError> {
    // Everywhere: a key is needed or not for the whole cluster.
    let objects = cluster.objects(&[], EVERYWHERE)?;
    let usable = usable(&cluster.keys()?, &cluster.listed()?.unwrap_or_default());
    let needing: Vec<_> = objects.iter().filter(|object| object.needs(fingerprint, &usable)).collect();
    if needing.is_empty() {
        return Ok(objects.len());
    }
    let named: Vec<_> = needing.iter().take(SHOWN).map(|object| object.shown.as_str()).collect();
    let more = needing.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!("{} is needed by {} objects: {}{more}", key.name, needing.len(), named.join(", "));
    let error = CommandError::refused(message).hint(
        "Fetch the new recipients, run `sealwax rekey` on their files, and let Git be applied; then retire the key.",
    );
    Err(match unreadable(&objects) {
        Some(doubtful) => error.hint(format!("Some have {doubtful}. Restore them from Git, or delete them.")),
        None => error,
    })
}

/// Gives a key its state back.
fn put_back(cluster: &Cluster, before: &Key) -> Result<(), CommandError> {
    let now = cluster.key(&before.name)?;
    // What it was told to do meanwhile is somebody else's word.
    if now.state() == State::Retired { cluster.relabel(&now, before.state()) } else { Ok(()) }
}

/// Other Secrets with the same key, which open with it.
fn twins(keys: &[Key], name: &str, fingerprint: &str) -> Vec<String> {
    let same = |key: &&Key| {
        key.name != name && key.fingerprint.as_deref() == Some(fingerprint) && key.state() != State::Retired
    };
    keys.iter().filter(same).map(|key| key.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, label: &str) -> Key {
        Key { name: name.into(), label: label.into(), fingerprint: Some("f".into()), version: None }
    }

    #[test]
    fn says_what_a_key_does_that_cannot_be_retired() {
        let message = |label, seals| refusal(&key("k", label), seals, "keys").map(|error| error.message().to_owned());
        assert_eq!(message("old", false), None);
        assert_eq!(message("anything", false), None);
        assert_eq!(message("active", true).unwrap(), "k seals");
        assert_eq!(message("waiting", true).unwrap(), "k seals");
        assert_eq!(message("active", false).unwrap(), "k is labelled active, though another key or none seals");
        assert_eq!(message("made", false).unwrap(), "k is about to seal");
        assert_eq!(message("retired", false).unwrap(), "k is retired already");
    }

    #[test]
    fn names_other_secrets_with_the_same_key() {
        let keys = [key("k", "retired"), key("copy", "waiting"), key("gone", "retired")];
        assert_eq!(twins(&keys, "k", "f"), ["copy"]);
        assert!(twins(&keys, "k", "other").is_empty());
    }
}
