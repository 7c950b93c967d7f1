//! `sealwax rotate`.

use std::path::PathBuf;

use crate::error::{Code, CommandError};
use crate::job::WriteArgs;
use crate::keyring::IdentityArgs;
use crate::rekey::{self, Mode, Order};
use crate::ui::Ui;

/// Encrypt every value again, each document under a new data key
///
/// The values stay what they are, and the readers become those of the policy. This protects what is
/// written from now on; it takes nothing back that somebody has read, and nothing out of Git's
/// history. You must be able to read the values.
///
/// Examples:
///   sealwax rotate .
///   sealwax rotate --resume .          after an interruption: what was not rotated since the last commit
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave documents alone whose key is another one than at Git's HEAD: they were rotated before the interruption
    #[arg(long)]
    resume: bool,
    /// Also encrypt files of SOPS again whose rule leaves in the clear what is encrypted in them now
    #[arg(long)]
    accept_clear: bool,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    identities: IdentityArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let mode = if args.resume { Mode::Resume } else { Mode::Fold };
    let Args { paths, dry_run, accept_clear, write, identities, .. } = args;
    let write = WriteArgs { preview: *dry_run, ..write.clone() };
    rekey::run(&Order { paths, mode, dry_run: *dry_run, accept_clear: *accept_clear, write, identities }, ui)
}
