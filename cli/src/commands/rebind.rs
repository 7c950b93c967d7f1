//! `sealwax rebind`.

use std::path::{Path, PathBuf};

use sealwax_format::OsRandom;
use sealwax_format::document::rewrite::Rewrite;
use sealwax_format::native::{self, Layout, Opener, Place, SealedFor};

use crate::error::{Code, CommandError};
use crate::files::{self, Input};
use crate::job::{Policies, WriteArgs};
use crate::keyring::{Identities, IdentityArgs};
use crate::ui::{Note, Ui};

/// Seal a file's values for another place: after a rename, a move, or a change of scope
///
/// The new place is what policy, command line and manifest say now. You must be able to read the values; they are
/// encrypted again under a new key.
///
/// Example: sealwax rebind db.yaml --scope namespace
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    identities: IdentityArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let input = Input::read(&args.file)?;
    let shown = input.shown.as_str();
    let path = input.path.as_deref().ok_or_else(|| CommandError::usage("rebind needs a file, not standard input"))?;
    let in_file = |error: sealwax_format::Error| CommandError::in_file(shown, &error);
    let file = input.parse()?;
    let policies = Policies::default();
    let policy = policies.of(path)?;
    let identities = Identities::new(&args.identities);
    let keyring = crate::open::keyring(shown, Some(path), &file, &policies, &identities)?;
    let mut opener = Opener::new(&keyring);
    let mut rewrite = Rewrite::new(&file);
    let mut notes = Vec::new();
    for index in 0..file.documents.len() {
        let layout = Layout::read(&file, index).map_err(in_file)?;
        let Some(place) = sealed_place(&layout) else { continue };
        let Some(plan) = args.write.plan(shown, Some(path), policy.as_deref(), &layout)? else { continue };
        let opened = native::open_all_at(&file, &layout, &mut opener, &place).map_err(in_file)?;
        native::fold(&file, &layout, &opened, &plan.place, plan.readers.as_slice(), &mut OsRandom, &mut rewrite)
            .map_err(in_file)?;
        notes.push(Note::Done(format!("{shown}: {} values moved from {place} to {}", opened.len(), plan.describe())));
    }
    if notes.is_empty() {
        return Err(CommandError::refused(format!("{shown}: holds no encrypted values")));
    }
    let text = rewrite.finish().map_err(|error| in_file(sealwax_format::Error::of_file(error)))?;
    files::replace(Path::new(path), &input.bytes, text.as_bytes())?;
    ui.notes(&notes);
    Ok(Code::Done)
}

/// The place that the block states, whatever the manifest says now: a renamed object no longer fits it, and moving
/// its values is what this command is for.
fn sealed_place(layout: &Layout<'_>) -> Option<Place> {
    let block = layout.block.as_ref()?;
    Some(match (&block.sealed_for, &layout.object) {
        (SealedFor::Object { namespace, name }, Some(object)) => Place::Object {
            group: object.group.clone(),
            kind: object.kind.clone(),
            namespace: namespace.clone(),
            name: name.clone(),
        },
        (SealedFor::Context(context), _) => Place::Context(context.clone()),
        (SealedFor::Object { .. }, None) => return None,
    })
}
