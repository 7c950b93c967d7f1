//! `sealwax keys`: the keys of a cluster. One file for each kind of work.

mod backup;
mod create;
mod list;
mod restore;
mod retire;
mod rotate;

use std::collections::BTreeSet;

use clap::Subcommand;

use crate::cluster::Listed;
use crate::cluster::keys::Key;
use crate::error::{Code, CommandError};
use crate::ui::Ui;
use sealwax_format::keys::cluster::State;
use sealwax_format::keys::{Fingerprint, Label};

/// Keys of clusters: make, list, rotate, retire, back up, restore
///
/// Works through kubeconfig, with your own rights. Private keys are read by backup and restore only.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(create::Args),
    List(list::Args),
    NeededBy(list::NeededByArgs),
    Rotate(rotate::Args),
    Retire(retire::Args),
    Backup(backup::Args),
    VerifyBackup(backup::VerifyArgs),
    Restore(restore::Args),
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    match &args.command {
        Command::Create(args) => create::run(args, ui),
        Command::List(args) => list::run(args, ui),
        Command::NeededBy(args) => list::needed_by(args, ui),
        Command::Rotate(args) => rotate::run(args, ui),
        Command::Retire(args) => retire::run(args, ui),
        Command::Backup(args) => backup::run(args, ui),
        Command::VerifyBackup(args) => backup::verify(args, ui),
        Command::Restore(args) => restore::run(args, ui),
    }
}

/// A name for a key Secret: it becomes a label's value too, on the key's escrow copies, and those have 63 characters.
fn key_name(text: &str) -> Result<String, String> {
    let fits = Label::new(text, Fingerprint::of("")).is_ok() && !text.ends_with('-');
    let wanted = "1 to 63 characters of a-z, 0-9 and -, with a letter or digit at both ends";
    if fits { Ok(text.to_owned()) } else { Err(wanted.to_owned()) }
}

/// The fingerprints of the keys that open: their Secrets are there, and the controller lists them, which it does for
/// those that it can read.
fn usable(keys: &[Key], listed: &Listed) -> BTreeSet<String> {
    let open: BTreeSet<_> =
        keys.iter().filter(|key| key.state() != State::Retired).filter_map(|key| key.fingerprint.clone()).collect();
    listed.published.entries().map(|entry| entry.fingerprint().to_string()).filter(|one| open.contains(one)).collect()
}
