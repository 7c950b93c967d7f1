//! `sealwax unset`.

use std::path::PathBuf;

use sealwax_format::document::File;
use sealwax_format::{Path, native};
use zeroize::Zeroizing;

use crate::error::{Code, CommandError};
use crate::files::{self, Input};
use crate::keyring::{Identities, IdentityArgs};
use crate::paths::{self, DocumentArgs};
use crate::sops::Opened;
use crate::ui::{Note, Ui};

/// Take a value with its key out of a file; no private key is needed
///
/// Only files of SOPS need one: their checksum is over all of their values.
///
/// Example: sealwax unset db.yaml old-password
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file
    file: PathBuf,
    /// Path of the value, or its end where that is unambiguous
    path: String,
    #[command(flatten)]
    document: DocumentArgs,
    #[command(flatten)]
    identities: IdentityArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let input = Input::read(&args.file)?;
    let shown = input.shown.as_str();
    let Some(path) = input.path.as_deref() else {
        return Err(CommandError::usage("unset needs a file, not standard input"));
    };
    let (target, text) = if let Some(opened) = Opened::of(&input, &Identities::new(&args.identities))? {
        let (target, plain) = removed(args, shown, &opened.file()?)?;
        let (text, _) = opened.reseal(plain.as_bytes(), None)?;
        (target, text)
    } else {
        let file = input.parse()?;
        refuse_clear(args, shown, &file)?;
        removed(args, shown, &file)?
    };
    files::replace(path, &input.bytes, text.as_bytes())?;
    ui.notes(&[Note::Done(format!("{shown}: removed {target}; Git's history still holds it, encrypted"))]);
    Ok(Code::Done)
}

/// What was removed, and what is left.
fn removed(args: &Args, shown: &str, file: &File<'_>) -> Result<(Path, Zeroizing<String>), CommandError> {
    let layout = args.document.choose(shown, file)?;
    let target = paths::existing(shown, &layout, &args.path)?;
    let text = native::unset_value(file, &layout, &target);
    Ok((target, text.map_err(|error| CommandError::in_file(shown, &error))?))
}

fn refuse_clear(args: &Args, shown: &str, file: &File<'_>) -> Result<(), CommandError> {
    let in_file = |error: sealwax_format::Error| CommandError::in_file(shown, &error);
    let layout = args.document.choose(shown, file)?;
    let target = paths::existing(shown, &layout, &args.path)?;
    let token = layout.leaf(&target).map(|leaf| layout.token(file, leaf)).transpose().map_err(in_file)?.flatten();
    if token.is_some() {
        return Ok(());
    }
    Err(CommandError::refused(format!("{shown}: {target}: the value is not encrypted"))
        .hint("Edit the file to remove what stands in the clear."))
}
