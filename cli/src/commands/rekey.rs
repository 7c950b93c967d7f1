//! `sealwax rekey`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sealwax_format::OsRandom;
use sealwax_format::document::File;
use sealwax_format::document::rewrite::Rewrite;
use sealwax_format::keys::{Label, Recipient};
use sealwax_format::native::{self, Layout, Opener, TokenKey, key_of};

use crate::error::{Code, CommandError};
use crate::files::{self, Input, Outcomes, Staged};
use crate::job::{Policies, WriteArgs};
use crate::keyring::{Identities, IdentityArgs};
use crate::ui::{Note, Ui};

/// Make the readers of files match the policy
///
/// Added readers get a wrap of the keys that are there; values are not touched. If a reader is removed, every value
/// is encrypted again under a new key, and the values that he has been able to read are listed: change those at
/// their origin. A reader of the same name with a newer key is replaced quietly. You must be able to read the values.
///
/// Example: sealwax rekey clusters/prod/*.yaml
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Encrypt everything again under one new key, also where no reader was removed: makes files smaller
    #[arg(long)]
    fold: bool,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    identities: IdentityArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let policies = Policies::default();
    let identities = Identities::new(&args.identities);
    let results = files::each(&args.files, |path| one(args, &policies, &identities, path));
    let mut outcomes = Outcomes::default();
    for result in results {
        outcomes.add(result);
    }
    Ok(ui.outcomes(outcomes.commit()))
}

type Rekeyed = (Option<Staged>, Vec<Note>);

fn one(args: &Args, policies: &Policies, identities: &Identities<'_>, path: &Path) -> Result<Rekeyed, CommandError> {
    let input = Input::read(path)?;
    let shown = input.shown.as_str();
    let in_file = |error: sealwax_format::Error| CommandError::in_file(shown, &error);
    let file = File::parse(input.text()?, input.syntax()).map_err(|error| in_file(error.into()))?;
    let policy = policies.of(path)?;
    let keyring = crate::open::keyring(shown, Some(path), &file, policies, identities)?;
    let mut opener = Opener::new(&keyring);
    let mut rewrite = Rewrite::new(&file);
    let mut notes = Vec::new();
    let mut governed = false;
    for index in 0..file.documents.len() {
        let layout = Layout::read(&file, index).map_err(in_file)?;
        let Some(block) = &layout.block else { continue };
        let Some(plan) = args.write.plan(shown, Some(path), policy.as_deref(), &layout)? else { continue };
        governed = true;
        native::same_place(&layout, block, &plan.place)
            .map_err(|problem| in_file(sealwax_format::Error::of_file(problem)))?;
        let change = Change::between(&readers(&file, &layout).map_err(in_file)?, &plan.readers);
        if args.fold || !change.removed.is_empty() {
            let opened = native::open_all(&file, &layout, &mut opener).map_err(in_file)?;
            notes.extend(exposed(shown, &layout, &opened, &change.removed));
            native::fold(&file, &layout, &opened, &plan.place, plan.readers.as_slice(), &mut OsRandom, &mut rewrite)
                .map_err(in_file)?;
            notes.push(Note::Done(format!("{shown}: {} values under a new key, {}", opened.len(), plan.describe())));
        } else if change.adds {
            native::rewrap(&file, &layout, &mut opener, &plan.readers, &mut rewrite).map_err(in_file)?;
            notes.push(Note::Done(format!("{shown}: wrapped for {}", plan.describe())));
        } else {
            notes.push(Note::Done(format!("{shown}: readers match already")));
        }
    }
    if !governed {
        return Err(CommandError::usage(format!(
            "{shown}: holds no encrypted document that a rule of the policy covers"
        )));
    }
    let text = rewrite.finish().map_err(|error| in_file(sealwax_format::Error::of_file(error)))?;
    let changed = text.as_bytes() != input.bytes.expose();
    let staged = changed.then(|| Staged::write(path, Some(&input.bytes), text.as_bytes())).transpose()?;
    Ok((staged, notes))
}

/// What separates the named readers from the wanted ones.
struct Change {
    removed: BTreeSet<Label>,
    adds: bool,
}

impl Change {
    /// A reader of the same name with another key is superseded, not removed.
    fn between(named: &Named, wanted: &[Recipient]) -> Self {
        let is_wanted = |label: &Label| wanted.iter().any(|recipient| recipient.label() == label);
        let same_name = |label: &Label| wanted.iter().any(|recipient| recipient.label().name() == label.name());
        let gone = named.anywhere.iter().filter(|label| !is_wanted(label));
        Self {
            removed: gone.filter(|label| !same_name(label)).cloned().collect(),
            adds: named.anywhere.iter().any(|label| !is_wanted(label))
                || wanted.iter().any(|recipient| !named.everywhere.contains(recipient.label())),
        }
    }
}

/// The labels on a document's wraps.
struct Named {
    anywhere: BTreeSet<Label>,
    everywhere: BTreeSet<Label>,
}

fn readers(file: &File<'_>, layout: &Layout<'_>) -> Result<Named, sealwax_format::Error> {
    let mut sets: Vec<BTreeSet<Label>> = Vec::new();
    if let Some(key) = layout.block.as_ref().and_then(|block| block.key.as_ref()) {
        sets.push(key.wraps.iter().map(|(label, _)| label.clone()).collect());
    }
    for leaf in &layout.leaves {
        if let Some(token) = layout.token(file, leaf)?
            && let TokenKey::Own { wraps, .. } = token.key
        {
            sets.push(wraps.into_iter().map(|(label, _)| label).collect());
        }
    }
    let everywhere = sets.iter().skip(1).fold(sets.first().cloned().unwrap_or_default(), |all, set| &all & set);
    Ok(Named { anywhere: sets.into_iter().flatten().collect(), everywhere })
}

/// The values that a removed reader has been able to read.
fn exposed(shown: &str, layout: &Layout<'_>, opened: &[native::Opened], removed: &BTreeSet<Label>) -> Vec<Note> {
    let mut notes = Vec::new();
    for label in removed {
        let readable = opened.iter().filter(|value| {
            key_of(layout.block.as_ref(), &value.token).is_ok_and(|(_, wraps)| wraps.iter().any(|(l, _)| l == label))
        });
        let paths: Vec<_> = readable.map(|value| layout.leaves[value.leaf].path.to_string()).collect();
        if !paths.is_empty() {
            notes.push(Note::Warning(format!("{shown}: {label} has been able to read {}", paths.join(", "))));
            notes.push(Note::Hint(
                "Change these values at their origin; encrypting them again does not take them back.".to_owned(),
            ));
        }
    }
    notes
}
