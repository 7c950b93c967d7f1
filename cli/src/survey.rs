//! Which files a command over folders works on.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sealwax_format::native::Token;
use sealwax_format::sops;

use crate::error::{Code, CommandError};
use crate::files::Store;
use crate::repo::Repository;

/// A file to look at.
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// Named on the command line, and not merely found: it must be what the command works on.
    pub(crate) named: bool,
}

/// The files that were named, and those below the folders that were named: in a Git work tree what Git tracks or would
/// add, elsewhere everything. Only YAML and JSON files are found so, and what SOPS encrypted.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<Found>, CommandError> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(Found { path: path.clone(), named: true });
            continue;
        }
        let below = match Repository::around(path) {
            Some(repository) => tracked(&repository, path)?,
            None => walked(path)?,
        };
        let below = below.into_iter().filter(|path| is_document(path) || is_of_sops(path));
        found.extend(below.map(|path| Found { path, named: false }));
    }
    if paths.len() > 1 {
        // Twice in the list, a file would be changed twice, and the second time be refused as changed by someone else.
        let mut seen = HashSet::new();
        found.retain(|file| seen.insert(file.path.canonicalize().unwrap_or_else(|_| file.path.clone())));
    }
    Ok(found)
}

/// Whether a file holds, or claims to hold, encrypted values, ours or those of SOPS. Repositories hold templates and other files that
/// are no YAML: only one that claims secrets must be sound.
pub(crate) fn claims_values(contents: &[u8]) -> bool {
    Token::occurs_in(contents) || sops::Token::occurs_in(contents)
}

/// Whether a file is YAML or JSON by its name, also with something behind it, as templates and copies have: `.yaml.tpl`,
/// `.yaml~`, `.yaml.save`, `.json5`.
pub(crate) fn is_document(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    ["yaml", "yml", "json", "jsonl", "ndjson", "jsonc"].iter().any(|kind| {
        let ends = name.match_indices(kind).filter(|(at, _)| name[..*at].ends_with('.'));
        ends.into_iter().any(|(at, _)| !name[at + kind.len()..].starts_with(|c: char| c.is_ascii_alphabetic()))
    })
}

/// Whether a file of another kind is one of SOPS: by the name of those with lines, by the first bytes of others.
fn is_of_sops(path: &Path) -> bool {
    match Store::of(path) {
        Store::Dotenv | Store::Ini => true,
        Store::Binary => {
            let mut start = [0; 64];
            let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut start));
            read.is_ok_and(|length| start[..length].starts_with(b"{") && claims_values(&start[..length]))
        }
        Store::Yaml | Store::Json => false,
    }
}

fn tracked(repository: &Repository, folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let real = folder.canonicalize().map_err(|error| unreadable(folder, &error))?;
    let inside = real.strip_prefix(repository.root()).unwrap_or(Path::new(""));
    let files = repository.files()?;
    let below = files.iter().filter_map(|path| path.strip_prefix(inside).ok());
    // As people wrote it: `clusters/prod/db.yaml` for `clusters`, and no dot before it for the folder itself.
    Ok(below.map(|path| if folder == Path::new(".") { path.to_owned() } else { folder.join(path) }).collect())
}

fn walked(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let failed = |error: std::io::Error| unreadable(folder, &error);
    let mut entries = std::fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.path();
        // Symbolic links are not followed: they lead out of the tree, or around in it.
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() && entry.file_name() != ".git" {
            files.extend(walked(&path)?);
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

fn unreadable(folder: &Path, error: &std::io::Error) -> CommandError {
    CommandError::io(Code::Unreadable, "cannot be read", folder, error)
}
