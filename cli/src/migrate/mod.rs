//! Encrypted files in another form: opened, encrypted anew, opened again and compared, and only then replaced, all or none.

mod forms;

use std::path::PathBuf;

use sealwax_format::sops;
use zeroize::Zeroizing;

use crate::error::{Code, CommandError};
use crate::files::{self, Batch, Input, Staged};
use crate::job::Policies;
use crate::keyring::{Identities, IdentityArgs};
use crate::policy::{self, FILE_NAME};
use crate::repo::Repository;
use crate::setup;
use crate::sops::config::Configs;
use crate::sops::keys::Keys;
use crate::survey::{self, Found};
use crate::ui::{Note, Ui, count};

/// The form that files are to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Target {
    /// Encrypted by the policy, each value for itself
    Sealwax,
    /// The same, and Secrets become EncryptedSecrets
    EncryptedSecret,
    /// Encrypted as SOPS does, by .sops.yaml
    Sops,
}

/// What becomes of encrypted comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Comments {
    /// They stand in the clear
    Reveal,
    /// They are taken out
    Drop,
}

/// What was asked for.
pub(crate) struct Order<'a> {
    pub(crate) paths: &'a [PathBuf],
    pub(crate) to: Target,
    pub(crate) comments: Option<Comments>,
    pub(crate) dry_run: bool,
    pub(crate) accept_recipients: bool,
    pub(crate) identities: &'a IdentityArgs,
}

/// A file in its new form.
struct Migrated {
    text: Zeroizing<String>,
    values: usize,
    notes: Vec<Note>,
}

struct Work<'a> {
    order: &'a Order<'a>,
    policies: Policies,
    configs: Configs,
    identities: &'a Identities<'a>,
    keys: Keys<'a>,
}

/// Carries out an order.
pub(crate) fn run(order: &Order<'_>, ui: &Ui) -> Result<Code, CommandError> {
    let found = survey::files(order.paths)?;
    if order.to != Target::Sops {
        propose_policy(order, ui)?;
    }
    let identities = Identities::new(order.identities);
    let work = Work {
        order,
        policies: Policies::default(),
        configs: Configs::default(),
        identities: &identities,
        keys: Keys::new(&identities),
    };
    let results = files::each_shown(ui, "migrating", &found, |file| work.file(file));
    let (mut batch, mut notes, mut code) = (Batch::default(), Vec::new(), Code::Done);
    let (mut files, mut values) = (0, 0);
    for result in results {
        match result {
            Ok(Some((staged, migrated))) => {
                if let Some(staged) = staged {
                    batch.add(staged);
                }
                notes.extend(migrated.notes);
                files += 1;
                values += migrated.values;
            }
            Ok(None) => {}
            Err(error) => code = code.max(ui.failed(&error)),
        }
    }
    if code != Code::Done {
        // Dropping the batch takes what was prepared away.
        return Err(CommandError::refused("nothing was written, because some files cannot be migrated")
            .hint("Mend those, or name only the others."));
    }
    for written in batch.commit() {
        written?;
    }
    let did = if order.dry_run { "would be migrated" } else { "migrated" };
    notes.push(Note::Done(format!("{} in {} {did}", count(values, "value"), count(files, "file"))));
    ui.notes(&notes);
    Ok(Code::Done)
}

/// Without a policy, what `.sops.yaml` says becomes one.
fn propose_policy(order: &Order<'_>, ui: &Ui) -> Result<(), CommandError> {
    let first = order.paths.first().map_or_else(|| PathBuf::from("."), PathBuf::clone);
    let inside = if first.is_dir() { first.join(FILE_NAME) } else { first };
    if policy::discover(&inside, policy::Policy::load)?.is_some() {
        return Ok(());
    }
    let missing = || {
        CommandError::usage("there is no policy, and no Git repository in which one could be proposed")
            .hint(format!("Write a {FILE_NAME} first."))
    };
    let folder = inside.parent().and_then(|folder| folder.canonicalize().ok());
    let repository = folder.and_then(|folder| Repository::around(&folder)).ok_or_else(missing)?;
    if order.dry_run {
        return Err(CommandError::usage(format!("there is no {FILE_NAME} yet"))
            .hint("`sealwax init` proposes one from .sops.yaml; so does migrate without --dry-run."));
    }
    let note = setup::propose_policy(repository)?;
    ui.notes(&[Note::Done(note)]);
    Ok(())
}

impl Work<'_> {
    /// A file in its new form, waiting; `None` for one that has it, or nothing encrypted.
    fn file(&self, found: &Found) -> Result<Option<(Option<Staged>, Migrated)>, CommandError> {
        let input = Input::read(&found.path)?;
        if !survey::claims_values(input.bytes.expose()) {
            return Ok(None);
        }
        let file = input.parse()?;
        let is_sops = sops::Layout::is_one(&file);
        let migrated = match (self.order.to, is_sops) {
            (Target::Sops, true) | (Target::Sealwax, false) => return Ok(None),
            (Target::Sops, false) => self.to_sops(found, &input, &file)?,
            (Target::Sealwax | Target::EncryptedSecret, _) => self.to_ours(found, &input, &file)?,
        };
        let Some(migrated) = migrated else { return Ok(None) };
        let staged = if self.order.dry_run {
            None
        } else {
            Some(Staged::write(&found.path, Some(&input.bytes), migrated.text.as_bytes())?)
        };
        Ok(Some((staged, migrated)))
    }
}
