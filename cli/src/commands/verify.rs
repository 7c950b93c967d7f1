//! `sealwax verify`.

use std::path::PathBuf;

use sealwax_format::native::{self, Layout, Opener};
use sealwax_format::sops;

use crate::error::{Code, CommandError};
use crate::files::{self, Input};
use crate::job::Policies;
use crate::keyring::{Identities, IdentityArgs};
use crate::sops::keys::Keys;
use crate::survey::{self, Found};
use crate::ui::{Note, Ui};

/// Open every value of files and folders and say how many there are; prints no value
///
/// Folders are searched for .yaml, .yml and .json files; files without encrypted values are passed over there.
///
/// Example: sealwax verify .
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    identities: IdentityArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let files = survey::files(&args.paths)?;
    let policies = Policies::default();
    let identities = Identities::new(&args.identities);
    let keys = Keys::new(&identities);
    let counts = files::each_shown(ui, "opening", &files, |file| one(&policies, &identities, &keys, file));
    let (mut opened, mut values) = (0, 0);
    let mut outcomes = Vec::new();
    for count in counts {
        match count {
            Ok(0) => {}
            Ok(count) => {
                opened += 1;
                values += count;
            }
            Err(error) => outcomes.push(Err(error)),
        }
    }
    let failed = outcomes.len();
    outcomes.push(Ok(vec![Note::Done(format!("{values} values in {opened} files open; {failed} files failed"))]));
    Ok(ui.outcomes(outcomes))
}

fn one(
    policies: &Policies,
    identities: &Identities<'_>,
    keys: &Keys<'_>,
    found: &Found,
) -> Result<usize, CommandError> {
    let input = Input::read(&found.path)?;
    if !found.named && !survey::claims_values(input.bytes.expose()) {
        return Ok(0);
    }
    let in_file = |error: sealwax_format::Error| CommandError::in_file(&input.shown, &error);
    let file = input.parse()?;
    if sops::Layout::is_one(&file) {
        return Ok(crate::sops::open(&input.shown, &file, keys, true)?.values.len());
    }
    let keyring = crate::open::keyring(&input.shown, Some(&found.path), &file, policies, identities)?;
    let mut opener = Opener::new(&keyring);
    let mut values = 0;
    for index in 0..file.documents.len() {
        let layout = Layout::read(&file, index).map_err(in_file)?;
        values += native::open_all(&file, &layout, &mut opener).map_err(in_file)?.len();
    }
    Ok(values)
}
