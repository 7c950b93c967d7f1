//! `sealwax rekey`.

use std::path::PathBuf;

use crate::error::{Code, CommandError};
use crate::job::WriteArgs;
use crate::keyring::IdentityArgs;
use crate::rekey::{self, Mode, Order};
use crate::ui::Ui;

/// Make the readers of files match the policy
///
/// Added readers get a wrap of the keys that are there; values are not touched. If a reader is
/// removed, every value is encrypted again under a new key, and the values that he has been able to
/// read are listed, by who owns the files (CODEOWNERS): change those at their origin. A reader of the
/// same name with a newer key is replaced quietly. You must be able to read the values.
///
/// In folders all encrypted files are found. Each file is replaced as a whole or not at all; files
/// that fit are left alone, so a run that was interrupted is taken up by running it again.
///
/// Examples:
///   sealwax rekey --dry-run .          what would be done; needs no key
///   sealwax rekey .                    the whole repository
///   sealwax rekey --superseded .       after a cluster's key was rotated
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the command line")]
pub(crate) struct Args {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Only wrap keys for readers that are missing; nobody loses a wrap and no value changes
    #[arg(long, conflicts_with_all = ["fold", "superseded"])]
    add_only: bool,
    /// Only replace the wraps for older keys of a name
    #[arg(long, conflicts_with = "fold")]
    superseded: bool,
    /// Encrypt everything again under one new key, also where no reader was removed: makes files smaller
    #[arg(long)]
    fold: bool,
    /// Also encrypt files of SOPS again whose rule leaves in the clear what is encrypted in them now
    #[arg(long)]
    accept_clear: bool,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    identities: IdentityArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let mode = match args {
        Args { fold: true, .. } => Mode::Fold,
        Args { add_only: true, .. } => Mode::Add,
        Args { superseded: true, .. } => Mode::Supersede,
        _ => Mode::Match,
    };
    let Args { paths, dry_run, accept_clear, write, identities, .. } = args;
    let write = WriteArgs { preview: *dry_run, ..write.clone() };
    rekey::run(&Order { paths, mode, dry_run: *dry_run, accept_clear: *accept_clear, write, identities }, ui)
}
