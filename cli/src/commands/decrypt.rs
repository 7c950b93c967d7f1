//! `sealwax decrypt`.

use std::path::{Path, PathBuf};

use sealwax_format::document::File;
use sealwax_format::native::{self, Layout, Opener};
use sealwax_format::sops;
use zeroize::Zeroizing;

use crate::error::{Code, CommandError};
use crate::files::{self, Input, Staged, Store};
use crate::job::Policies;
use crate::keyring::{Identities, IdentityArgs};
use crate::outcomes::Outcomes;
use crate::repo::work_tree;
use crate::sops::keys::Keys;
use crate::ui::{Note, Ui};
use crate::{mask, values};

/// Print files with their values opened, exactly as they were before they were encrypted
///
/// Nothing is printed of a file of which one value does not open. Files of SOPS with an age key of
/// yours are opened too, if their checksum fits.
///
/// Examples:
///   sealwax decrypt secret.yaml | kubectl apply -f -
///   sealwax decrypt --in-place --force values.yaml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the command line")]
pub(crate) struct Args {
    /// The files; - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Replace the file by its plain form
    #[arg(long)]
    in_place: bool,
    /// Write plaintext even into a Git work tree
    #[arg(long, requires = "in_place")]
    force: bool,
    /// Of files of SOPS: open them even if their checksum does not fit
    #[arg(long)]
    ignore_mac: bool,
    /// Hide the values in the log of GitHub Actions
    #[arg(long)]
    mask: bool,
    #[command(flatten)]
    identities: IdentityArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let policies = Policies::default();
    let identities = Identities::new(&args.identities);
    let keys = Keys::new(&identities);
    let access = (&policies, &identities, &keys);
    let results = files::each_shown(ui, "decrypting", &args.files, |path| one(args, access, path, ui));
    let mut outcomes = Outcomes::default();
    for (path, result) in args.files.iter().zip(results) {
        outcomes.add(result.and_then(|(input, text, notes)| {
            if args.in_place {
                let staged = Staged::write_private(path, &input.bytes, &text)?;
                return Ok((Some(staged), notes));
            }
            ui.data(&text)?;
            Ok((None, notes))
        }));
    }
    Ok(ui.outcomes(outcomes.commit()))
}

type Decrypted = (Input, Zeroizing<Vec<u8>>, Vec<Note>);

fn one(
    args: &Args,
    (policies, identities, keys): (&Policies, &Identities<'_>, &Keys<'_>),
    path: &Path,
    ui: &Ui,
) -> Result<Decrypted, CommandError> {
    let input = Input::read(path)?;
    let shown = input.shown.clone();
    if args.in_place {
        refuse_in_place(args, &input)?;
    }
    let in_file = |error: sealwax_format::Error| CommandError::in_file(&shown, &error);
    let file = input.parse()?;
    if sops::Layout::is_one(&file) {
        let store = Store::of_text(input.path.as_deref(), file.source);
        let (text, notes) = of_sops(args, &shown, (store, &file), keys, ui)?;
        return Ok((input, text, notes));
    }
    let keyring = crate::open::keyring(&shown, input.path.as_deref(), &file, policies, identities)?;
    let opened = native::decrypt(&file, &mut Opener::new(&keyring)).map_err(in_file)?;
    if opened.values == 0 && !has_block(&file) {
        return Err(CommandError::refused(format!("{shown}: holds no encrypted values")));
    }
    if args.mask {
        let sealed = values::sealed(&file, &mut Opener::new(&keyring)).map_err(in_file)?;
        mask::on_github(&sealed, ui)?;
    }
    let mut notes: Vec<_> = opened
        .rewritten
        .iter()
        .map(|path| {
            Note::Warning(format!("{shown}: {path}: written in another style; the recorded one no longer fits"))
        })
        .collect();
    if args.in_place {
        notes.push(opened_in_place(&shown, opened.values));
    }
    Ok((input, Zeroizing::new(opened.text.as_bytes().to_vec()), notes))
}

fn of_sops(
    args: &Args,
    shown: &str,
    (store, file): (Store, &File<'_>),
    keys: &Keys<'_>,
    ui: &Ui,
) -> Result<(Zeroizing<Vec<u8>>, Vec<Note>), CommandError> {
    let open = crate::sops::open(shown, file, keys, !args.ignore_mac)?;
    if args.mask {
        let secrets: Vec<_> = open.held(file).secrets.into_iter().map(|(.., secret)| secret).collect();
        mask::on_github(&secrets, ui)?;
    }
    let mut notes = Vec::new();
    if args.ignore_mac {
        notes.push(Note::Warning(format!("{shown}: its checksum was not held against its values")));
    }
    notes.extend(args.in_place.then(|| opened_in_place(shown, open.values.len())));
    Ok((open.plain(shown, store, file)?.1, notes))
}

fn opened_in_place(shown: &str, values: usize) -> Note {
    Note::Done(format!("{shown}: opened {values} values; they now stand in the clear"))
}

/// Plaintext in a work tree is one `git add` away from everyone.
fn refuse_in_place(args: &Args, input: &Input) -> Result<(), CommandError> {
    let Some(path) = &input.path else {
        return Err(CommandError::usage("--in-place needs a file, not standard input"));
    };
    let folder = path.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned));
    let inside = folder.is_some_and(|folder| work_tree(&folder).is_some());
    if inside && !args.force {
        let message = format!("{}: lies in a Git work tree, where plaintext is easily committed", path.display());
        return Err(CommandError::refused(message).hint("Use `sealwax edit`, or pass --force."));
    }
    Ok(())
}

fn has_block(file: &File<'_>) -> bool {
    (0..file.documents.len()).any(|index| Layout::read(file, index).is_ok_and(|layout| layout.block.is_some()))
}
