//! `sealwax unset`.

use std::path::PathBuf;

use sealwax_format::native;

use crate::error::{Code, CommandError};
use crate::files::{self, Input};
use crate::paths::{self, DocumentArgs};
use crate::ui::{Note, Ui};

/// Take a value with its key out of a file; no private key is needed
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
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let input = Input::read(&args.file)?;
    let shown = input.shown.as_str();
    let Some(path) = input.path.as_deref() else {
        return Err(CommandError::usage("unset needs a file, not standard input"));
    };
    let in_file = |error: sealwax_format::Error| CommandError::in_file(shown, &error);
    let file = input.parse()?;
    let layout = args.document.choose(shown, &file)?;
    let target = paths::existing(shown, &layout, &args.path)?;
    let is_token = layout.leaf(&target).map(|leaf| layout.token(&file, leaf)).transpose().map_err(in_file)?.flatten();
    if is_token.is_none() {
        return Err(CommandError::refused(format!("{shown}: {target}: the value is not encrypted"))
            .hint("Edit the file to remove what stands in the clear."));
    }
    let text = native::unset_value(&file, &layout, &target).map_err(in_file)?;
    files::replace(path, &input.bytes, text.as_bytes())?;
    ui.notes(&[Note::Done(format!("{shown}: removed {target}; Git's history still holds it, encrypted"))]);
    Ok(Code::Done)
}
