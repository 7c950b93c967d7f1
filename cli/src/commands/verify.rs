//! `sealwax verify`.

use std::path::{Path, PathBuf};

use sealwax_format::document::File;
use sealwax_format::native::{self, Layout, Opener};

use crate::error::{Code, CommandError};
use crate::files::{self, Input};
use crate::job::Policies;
use crate::keyring::{Identities, IdentityArgs};
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
    let mut files = Vec::new();
    for path in &args.paths {
        if path.is_dir() { collect(path, &mut files)? } else { files.push((path.clone(), true)) }
    }
    let policies = Policies::default();
    let identities = Identities::new(&args.identities);
    let counts = files::each(&files, |(path, named)| one(&policies, &identities, path, *named));
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

fn one(policies: &Policies, identities: &Identities<'_>, path: &Path, named: bool) -> Result<usize, CommandError> {
    let input = Input::read(path)?;
    // Repositories hold templates and other files that are no YAML; only a file that claims secrets must be sound.
    let claims = input.bytes.expose().windows(9).any(|window| window == b"ENC[wax1,");
    if !claims && !named {
        return Ok(0);
    }
    let in_file = |error: sealwax_format::Error| CommandError::in_file(&input.shown, &error);
    let file = File::parse(input.text()?, input.syntax()).map_err(|error| in_file(error.into()))?;
    let keyring = crate::open::keyring(&input.shown, Some(path), &file, policies, identities)?;
    let mut opener = Opener::new(&keyring);
    let mut values = 0;
    for index in 0..file.documents.len() {
        let layout = Layout::read(&file, index).map_err(in_file)?;
        values += native::open_all(&file, &layout, &mut opener).map_err(in_file)?.len();
    }
    Ok(values)
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, bool)>) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| CommandError::io(Code::Unreadable, "cannot be read", folder, &error);
    let mut entries = std::fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // Symbolic links are not followed: they lead out of the tree, or around in it.
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() && entry.file_name() != ".git" {
            collect(&path, files)?;
        } else if kind.is_file() && path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json") {
            files.push((path, false));
        }
    }
    Ok(())
}
