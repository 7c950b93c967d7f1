//! A private copy of a plain file, and an editor over it.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use sealwax_format::SecretBytes;

use crate::error::CommandError;
use crate::files::{self, Input};
use crate::unix::{self, SignalGuard};

/// The copy. Dropping it wipes it, also when this process is told to end.
pub(crate) struct Session {
    folder: tempfile::TempDir,
    file: PathBuf,
    signals: SignalGuard,
}

impl Session {
    /// Makes the copy, under the name of the file, so that the editor knows the syntax.
    pub(crate) fn start(name: &OsStr, plain: &[u8]) -> Result<Self, CommandError> {
        // Signals first: an order to end between here and the editor must still remove the copy.
        let signals = SignalGuard::new().map_err(|error| CommandError::refused(format!("signals: {error}")))?;
        let folder = files::private_folder()?;
        let file = folder.path().join(name);
        files::create(&file, plain, true)?;
        Ok(Self { folder, file, signals })
    }

    /// Where the copy is.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Runs an editor to its end; `Ok(None)` if this process was told to end meanwhile.
    pub(crate) fn run(&self, editor: &mut Command) -> io::Result<Option<ExitStatus>> {
        self.signals.wait(&mut editor.spawn()?)
    }

    /// What stands in the copy.
    pub(crate) fn read(&self) -> Result<SecretBytes, CommandError> {
        Ok(Input::read_file(&self.file)?.bytes)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The folder goes with `TempDir`; overwriting first helps where temporary files lie on a disk.
        if let Ok(length) = std::fs::metadata(&self.file).map(|metadata| metadata.len()) {
            let _ = unix::overwrite(&self.file, length);
        }
        debug_assert!(self.file.starts_with(self.folder.path()));
    }
}
