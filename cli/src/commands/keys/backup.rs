//! `sealwax keys backup` and `sealwax keys verify-backup`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sealwax_format::keys::cluster::State;
use sealwax_format::keys::{IdentityFile, decrypt_file, encrypt_file};

use super::create::recipients;
use crate::cluster::bundle::{Bundle, KeySecret};
use crate::cluster::keys::Key;
use crate::cluster::{Cluster, ClusterArgs};
use crate::error::{Code, CommandError, chain};
use crate::files::{self, Input};
use crate::keyring::{Identities, IdentityArgs};
use crate::ui::{Note, Ui};

/// Write all keys of a cluster, and the controller's own, into one file for your recipients
///
/// The file is an ordinary armored age file. Opened, it is a manifest: `age -d -i KEY FILE | kubectl create -f -`
/// restores it without this program. Never apply it: kubectl would note the private keys in an annotation too.
///
/// Example: sealwax keys backup -r age1… -o prod-keys.age
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Public key of who can open it (repeatable)
    #[arg(short, long = "recipient", value_name = "RECIPIENT", required = true)]
    recipients: Vec<String>,
    /// Where to write it; never overwritten
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    cluster: ClusterArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let recipients = recipients("backup", &args.recipients)?;
    let cluster = Cluster::new(&args.cluster)?;
    let (bundle, broken) = cluster.private_keys()?;
    if bundle.keys.is_empty() {
        let message = format!("there is no usable key in namespace {}; nothing was written", cluster.namespace());
        return Err(CommandError::refused(message).hint("Pass the controller's namespace with --namespace."));
    }
    let file = encrypt_file(&recipients, bundle.manifest(cluster.namespace()).as_bytes());
    let file = file.map_err(|error| CommandError::refused(format!("the backup: {}", chain(&error))))?;
    files::create(&args.output, file.as_bytes(), true)?;
    let mut notes: Vec<_> = bundle.keys.iter().map(|key| Note::Done(shown(key))).collect();
    notes.extend(broken.iter().map(|name| Note::Warning(format!("{name} is malformed and not in the backup"))));
    if bundle.controller.is_none() {
        notes.push(Note::Warning("the controller's own key is not there, and not in the backup".to_owned()));
    }
    notes.push(Note::Done(format!("{} keys written to {}", bundle.keys.len(), args.output.display())));
    notes.push(Note::Hint(format!("Try it: sealwax keys verify-backup {} -i IDENTITY", args.output.display())));
    ui.notes(&notes);
    Ok(if broken.is_empty() { Code::Done } else { Code::Refused })
}

/// Open a backup or an escrow copy and compare it with the cluster's keys
///
/// Says which keys the file holds, and which keys of the cluster it lacks; then the exit code is 1. Of an escrow copy, its one key
/// is compared. Prints no key.
///
/// Example: sealwax keys verify-backup prod-keys.age -i ~/offline.txt
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// The backup or escrow copy; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only show what the file holds; ask no cluster
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    identities: IdentityArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

pub(crate) fn verify(args: &VerifyArgs, ui: &Ui) -> Result<Code, CommandError> {
    let opened = open(&args.file, &args.identities)?;
    let mut text: String = opened.bundle.keys.iter().map(|key| shown(key) + "\n").collect();
    if let Some(controller) = &opened.bundle.controller {
        text.push_str(&format!("signing key, fingerprint {}\n", controller.signing_key().public().fingerprint()));
    }
    ui.data(text.as_bytes())?;
    if args.offline {
        return Ok(Code::Done);
    }
    let cluster = Cluster::new(&args.cluster)?;
    let held: BTreeSet<_> = opened.bundle.keys.iter().map(|key| key.fingerprint.to_string()).collect();
    let keys = cluster.keys()?;
    if !opened.whole {
        return Ok(verify_copy(&keys, &held, ui));
    }
    let missing: Vec<_> =
        keys.iter().filter(|key| key.fingerprint.as_ref().is_none_or(|one| !held.contains(one))).collect();
    let mut notes: Vec<_> = missing
        .iter()
        .map(|key| match &key.fingerprint {
            Some(one) => Note::Warning(format!("{} ({one}, {}) is not in the file", key.name, key.label)),
            None => Note::Warning(format!("{} has no fingerprint that could be compared", key.name)),
        })
        .collect();
    let listed = cluster.listed()?.unwrap_or_default();
    let signing = opened.bundle.controller.as_ref().map(|key| key.signing_key().public());
    let mut complete = missing.is_empty();
    if listed.published.signing_key().is_ok_and(|published| Some(published) != signing) {
        notes.push(Note::Warning("the cluster's signing key is not in the file".to_owned()));
        complete = false;
    }
    let found = keys.len() - missing.len();
    notes.push(Note::Done(format!("the file holds {found} of the cluster's {} keys", keys.len())));
    ui.notes(&notes);
    Ok(if complete { Code::Done } else { Code::Refused })
}

/// An escrow copy holds one key and no more: that one is compared.
fn verify_copy(keys: &[Key], held: &BTreeSet<String>, ui: &Ui) -> Code {
    let found = keys.iter().find(|key| key.fingerprint.as_ref().is_some_and(|one| held.contains(one)));
    let Some(key) = found else {
        ui.notes(&[Note::Warning("the key of the file is none of the cluster's".to_owned())]);
        return Code::Refused;
    };
    ui.notes(&[Note::Done(format!("the file holds {}, {}", key.name, key.label))]);
    Code::Done
}

/// What a backup or an escrow copy holds.
pub(super) struct Opened {
    pub(super) bundle: Bundle,
    /// A backup; an escrow copy has neither names nor states.
    pub(super) whole: bool,
}

/// Opens one. The key of an escrow copy gets the beginning of its fingerprint for a name.
pub(super) fn open(path: &Path, identities: &IdentityArgs) -> Result<Opened, CommandError> {
    let input = Input::read(path)?;
    let in_file =
        |error: &dyn std::error::Error| CommandError::unreadable(format!("{}: {}", input.shown, chain(error)));
    let text =
        decrypt_file(input.bytes.expose(), &Identities::new(identities).own()?).map_err(|error| match error {
            sealwax_format::keys::DecryptFileError::NoIdentity => {
                CommandError::refused(format!("{}: {error}", input.shown)).hint("Pass the identity with -i FILE.")
            }
            error => in_file(&error),
        })?;
    if let Ok(file) = IdentityFile::parse(text.expose()) {
        let short: String = file.fingerprint.as_str().chars().take(8).collect();
        let name = format!("sealwax-cluster-key-{short}");
        let key = KeySecret::new(name, State::Active, text).map_err(|error| in_file(&error))?;
        return Ok(Opened { bundle: Bundle { keys: vec![key], ..Bundle::default() }, whole: false });
    }
    let bundle = Bundle::parse(&text).map_err(|error| in_file(&error))?;
    if bundle.keys.is_empty() {
        return Err(CommandError::refused(format!("{}: holds no key", input.shown)));
    }
    Ok(Opened { bundle, whole: true })
}

fn shown(key: &KeySecret) -> String {
    let created = key.created.as_deref().unwrap_or("at an unknown time");
    format!("{}, {}, fingerprint {}, created {created}", key.name, key.state, key.fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escrow_copy_is_compared_with_its_own_key() {
        let key = |one: &str| Key {
            name: one.to_owned(),
            label: "old".to_owned(),
            fingerprint: Some(one.to_owned()),
            version: None,
        };
        let keys = [key("one"), key("two")];
        let verify = |held: &str| verify_copy(&keys, &BTreeSet::from([held.to_owned()]), &Ui::new());
        assert_eq!(verify("two"), Code::Done);
        assert_eq!(verify("three"), Code::Refused);
    }
}
