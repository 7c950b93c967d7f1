//! `sealwax migrate`.

use std::path::PathBuf;

use crate::error::{Code, CommandError};
use crate::keyring::IdentityArgs;
use crate::migrate::{self, Comments, Order, Target};
use crate::ui::Ui;

/// Turn the encrypted files of a repository into another form: from SOPS to sealwax, and back
///
/// Every file is opened, encrypted in its new form, opened again and compared before any is written; then
/// all are replaced, as one commit's worth of changes, or none. Files that have the wanted form already are
/// left alone. To sealwax, the policy decides; where there is none, it is proposed from .sops.yaml. Back,
/// .sops.yaml decides.
///
/// Examples:
///   sealwax migrate --to sealwax .
///   sealwax migrate --to encrypted-secret clusters/prod     Secrets become EncryptedSecrets
///   sealwax migrate --to sops .
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The wanted form
    #[arg(long, value_enum, value_name = "FORM")]
    to: Target,
    /// What becomes of comments that SOPS encrypted, which have no encrypted form elsewhere
    #[arg(long, value_enum, value_name = "WHAT")]
    comments: Option<Comments>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Encrypt for the readers that the policy names, also where they are others than when this machine last wrote
    #[arg(long)]
    accept_recipients: bool,
    #[command(flatten)]
    identities: IdentityArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let Args { paths, to, comments, dry_run, accept_recipients, identities } = args;
    let order = Order {
        paths,
        to: *to,
        comments: *comments,
        dry_run: *dry_run,
        accept_recipients: *accept_recipients,
        identities,
    };
    migrate::run(&order, ui)
}
