//! `sealwax get`.

use std::path::PathBuf;

use sealwax_format::document::resolve::resolve;
use sealwax_format::native::{self, Opener};
use sealwax_format::{Problem, SecretBytes};

use crate::error::{Code, CommandError};
use crate::files::Input;
use crate::job::Policies;
use crate::keyring::{Identities, IdentityArgs};
use crate::paths::{self, DocumentArgs};
use crate::sops::Opened;
use crate::ui::Ui;

/// Print one value, exactly, without a line break added
///
/// On a terminal, control characters are escaped. Items of a Secret's data are printed decoded.
///
/// Examples:
///   sealwax get db.yaml password
///   sealwax get all.yaml --doc Secret/db 'data."tls.key"' > tls.key
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The file; - for standard input
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
    let in_file = |error: sealwax_format::Error| CommandError::in_file(shown, &error);
    let identities = Identities::new(&args.identities);
    let opened = Opened::of(&input, &identities)?;
    let file = match &opened {
        // What a file of SOPS says is what its plain form says.
        Some(opened) => opened.file()?,
        None => input.parse()?,
    };
    let layout = args.document.choose(shown, &file)?;
    let path = paths::existing(shown, &layout, &args.path)?;
    let fail = |problem| in_file(sealwax_format::Error { line: None, path: Some(path.clone()), problem });
    let leaf = layout.leaf(&path).ok_or_else(|| fail(Problem::NoSuchPath))?;
    let scalar = leaf.scalar.ok_or_else(|| fail(Problem::NotAValue))?;
    let value = match layout.token(&file, leaf).map_err(in_file)? {
        Some(token) => {
            let keyring = crate::open::keyring(shown, input.path.as_deref(), &file, &Policies::default(), &identities)?;
            native::open_leaf(&file, &layout, &mut Opener::new(&keyring), leaf, &token).map_err(in_file)?.value
        }
        None => resolve(leaf.node, scalar).map_err(|error| fail(error.into()))?.value,
    };
    let decoded = paths::is_base64_item(&layout, &path).then(|| decode(&value)).flatten();
    ui.value(&decoded.unwrap_or(value))?;
    Ok(Code::Done)
}

fn decode(value: &SecretBytes) -> Option<SecretBytes> {
    sealwax_format::base64::decode(value.expose_str()?.trim_end()).map(SecretBytes::from)
}
