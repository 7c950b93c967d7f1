//! `sealwax git textconv`.

use std::path::{Path, PathBuf};

use sealwax_format::document::File;
use sealwax_format::keys::Keyring;
use sealwax_format::sops;

use crate::error::{Code, CommandError};
use crate::files::{Input, syntax_of};
use crate::job::Policies;
use crate::keyring::{Identities, IdentityArgs};
use crate::sops::keys::Keys;
use crate::survey;
use crate::ui::Ui;
use crate::view::{Tags, masked, of_sops, revealed};

/// Print a file for `git diff`: one line for each value, and every value masked
///
/// With a key, a value is shown as a fingerprint under a secret of this machine: equal values have equal ones. Without,
/// as a fingerprint of its ciphertext. Always ends with success, asks nothing and uses no network, since Git gives up
/// the whole diff otherwise.
///
/// Example: git config diff.sealwax.textconv 'sealwax git textconv'
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file, or Git's copy of an earlier state of it
    file: PathBuf,
    /// Show values: they also reach the pager, the terminal's history and whoever looks on
    #[arg(long)]
    reveal: bool,
    #[command(flatten)]
    identities: IdentityArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    // What cannot be read or printed is left out: an error would end the whole diff.
    if let Ok(input) = Input::read_file(&args.file) {
        let shown = input.bytes.expose_str().and_then(|text| view(args, text));
        let _ = match &shown {
            Some(text) => ui.data(text.as_bytes()),
            None => ui.data(input.bytes.expose()),
        };
    }
    Ok(Code::Done)
}

fn view(args: &Args, text: &str) -> Option<zeroize::Zeroizing<String>> {
    if !survey::claims_values(text.as_bytes()) {
        return None;
    }
    let file = File::parse(text, syntax_of(Some(&args.file))).ok()?;
    let identities = Identities::unattended(&args.identities);
    if sops::Layout::is_one(&file) {
        let keys = Keys::new(&identities);
        let revealed = args.reveal.then(|| of_sops::revealed(&file, &keys)).flatten();
        return revealed.or_else(|| of_sops::masked(&file, &keys, &Tags::new()).map(Into::into));
    }
    let ring = keyring(&file, &args.file, &identities);
    let none = Keyring::default();
    let ring = ring.as_deref().unwrap_or(&none);
    let revealed = args.reveal.then(|| revealed(&file, ring)).flatten();
    revealed.or_else(|| masked(&file, ring, &Tags::new()).ok().map(Into::into))
}

/// Git's copies lie outside of the repository, and Git calls from its root: the policy there knows the teams.
fn keyring(file: &File<'_>, path: &Path, identities: &Identities<'_>) -> Option<std::sync::Arc<Keyring>> {
    let policy_of = if path.is_absolute() { Path::new(crate::policy::FILE_NAME) } else { path };
    crate::open::keyring("", Some(policy_of), file, &Policies::default(), identities).ok()
}
