//! Files: bounded reads, atomic replacement in batches, private temporary files.
//!
//! | room | holds |
//! |---|---|
//! | `input` | a file read, and parsed |
//! | `store` | the types of files, by their names |
//! | `batch` | replacements that become visible together |

mod batch;
mod input;
mod store;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub(crate) use batch::{Batch, Staged, replace};
pub(crate) use input::{Input, MAX_INPUT, STDIN, conflict, parse, read_text, syntax_of};
pub(crate) use store::Store;

use crate::error::{Code, CommandError};
use crate::ui::Ui;
use crate::unix;

/// Does the same with every file, in parallel where there are several: starting threads for one file would take longer
/// than most files.
pub(crate) fn each<T: Sync, R: Send>(files: &[T], work: impl Fn(&T) -> R + Send + Sync) -> Vec<R> {
    match files {
        [one] => vec![work(one)],
        several => several.par_iter().map(work).collect(),
    }
}

/// The same, and how far it is on a terminal.
pub(crate) fn each_shown<T: Sync, R: Send>(
    ui: &Ui,
    doing: &'static str,
    files: &[T],
    work: impl Fn(&T) -> R + Send + Sync,
) -> Vec<R> {
    let progress = ui.progress(doing, files.len());
    let results = each(files, |file| {
        let result = work(file);
        progress.step();
        result
    });
    progress.end();
    results
}

/// Writes a file that must not exist yet.
pub(crate) fn create(path: &Path, bytes: &[u8], private: bool) -> Result<(), CommandError> {
    let failed = |error: io::Error| {
        let error = CommandError::io(Code::Refused, "cannot be created", path, &error);
        if path.exists() { error.hint("The file exists and is never overwritten; choose another name.") } else { error }
    };
    let folder = folder_of(path);
    // Beside its place and then renamed, so that a full disk leaves nothing half written. Made with mode 0600.
    let made = tempfile::Builder::new().prefix(".sealwax-").tempfile_in(folder);
    // The library names its own file in the error; the reader of ours knows only the one he asked for.
    let mut file = made.map_err(|error| failed(error.kind().into()))?;
    file.write_all(bytes).map_err(failed)?;
    if !private {
        file.as_file().set_permissions(unix::readable_by_all()).map_err(failed)?;
    }
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    let _ = unix::sync_all(&[folder]);
    Ok(())
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file that only its owner may read, with the folders above it, over what is there.
pub(crate) fn put_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".sealwax-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map(|_| ()).map_err(|error| error.error)
}

/// Writes a new file for plaintext into a private folder.
pub(crate) fn write_new_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = unix::create_private(path)?;
    file.write_all(bytes)
}

/// A folder for plaintext that nobody else can read, outside the repository, gone when dropped. In memory where
/// the system offers that.
pub(crate) fn private_folder() -> Result<tempfile::TempDir, CommandError> {
    let in_memory =
        std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).into_iter().chain([PathBuf::from("/dev/shm")]);
    let candidates = in_memory.filter(|folder| folder.is_dir()).chain([std::env::temp_dir()]);
    let mut failure = None;
    for folder in candidates {
        match tempfile::Builder::new().prefix("sealwax-").permissions(unix::private_folder()).tempdir_in(&folder) {
            Ok(made) => return Ok(made),
            Err(error) => {
                failure = Some(CommandError::io(Code::Refused, "no private folder can be made", &folder, &error));
            }
        }
    }
    Err(failure.unwrap_or_else(|| CommandError::refused("no folder for temporary files")))
}
