//! Replacing files as a whole, several together.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sealwax_format::SecretBytes;
use tempfile::TempPath;

use super::folder_of;
use crate::error::{Code, CommandError};
use crate::unix;

/// Replacements that become visible together: first all are written and made durable, then all are renamed.
#[derive(Default)]
pub(crate) struct Batch {
    staged: Vec<Staged>,
}

/// A replacement written beside its target.
pub(crate) struct Staged {
    target: PathBuf,
    /// Closed: a batch of files is larger than the number of files that a process may have open.
    temporary: TempPath,
    /// What the target held when it was read; `None` for a new file.
    before: Option<SecretBytes>,
}

impl Staged {
    /// Writes the new contents of a file beside it, with its mode. A symbolic link stays one; its target is replaced.
    pub(crate) fn write(path: &Path, before: Option<&SecretBytes>, bytes: &[u8]) -> Result<Self, CommandError> {
        Self::write_with(path, before, bytes, unix::permissions)
    }

    /// The same for plaintext: whoever could read the ciphertext need not be able to read this.
    pub(crate) fn write_private(path: &Path, before: &SecretBytes, bytes: &[u8]) -> Result<Self, CommandError> {
        Self::write_with(path, Some(before), bytes, unix::owner_only)
    }

    fn write_with(
        path: &Path,
        before: Option<&SecretBytes>,
        bytes: &[u8],
        mode: fn(&fs::Metadata) -> fs::Permissions,
    ) -> Result<Self, CommandError> {
        let failed = |error: io::Error| CommandError::io(Code::Refused, "cannot be written", path, &error);
        let target = if before.is_some() { fs::canonicalize(path).map_err(failed)? } else { path.to_owned() };
        let folder = folder_of(&target);
        let mut temporary = tempfile::Builder::new().prefix(".sealwax-").tempfile_in(folder).map_err(failed)?;
        temporary.write_all(bytes).map_err(failed)?;
        if before.is_some() {
            let metadata = fs::metadata(&target).map_err(failed)?;
            unix::keep_owner(temporary.as_file(), &metadata);
            temporary.as_file().set_permissions(mode(&metadata)).map_err(failed)?;
        }
        Ok(Self { target, temporary: temporary.into_temp_path(), before: before.map(SecretBytes::duplicate) })
    }

    fn publish(self) -> Result<(), CommandError> {
        let failed = |error: io::Error| CommandError::io(Code::Refused, "cannot be replaced", &self.target, &error);
        match self.before {
            Some(before) => {
                // Two writers: whoever comes second must see what the first one wrote.
                let folder = File::open(self.target.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
                folder.lock().map_err(failed)?;
                let now = fs::read(&self.target).map(SecretBytes::from).map_err(failed)?;
                if now != before {
                    let shown = self.target.display();
                    return Err(CommandError::refused(format!(
                        "{shown}: changed by someone else meanwhile; nothing was written"
                    ))
                    .hint("Run the command again."));
                }
                self.temporary.persist(&self.target).map_err(|error| failed(error.error))?;
            }
            None => {
                self.temporary.persist_noclobber(&self.target).map_err(|error| failed(error.error))?;
            }
        }
        Ok(())
    }
}

impl Batch {
    /// Adds a replacement.
    pub(crate) fn add(&mut self, staged: Staged) {
        self.staged.push(staged);
    }

    /// Makes all durable and visible; an outcome for each, in order.
    pub(crate) fn commit(self) -> Vec<Result<(), CommandError>> {
        let written: Vec<&Path> = self.staged.iter().map(|staged| &*staged.temporary).collect();
        let synced = unix::sync_all(&written);
        let folders: BTreeSet<PathBuf> =
            self.staged.iter().map(|staged| folder_of(&staged.target).to_owned()).collect();
        let outcomes = self
            .staged
            .into_iter()
            .map(|staged| match &synced {
                Ok(()) => staged.publish(),
                Err(error) => Err(CommandError::io(Code::Refused, "cannot be made durable", &staged.target, error)),
            })
            .collect();
        // The new names too. Without that a crash brings the old files back, whole: no reason to call them failed.
        let _ = unix::sync_all(&folders.iter().map(PathBuf::as_path).collect::<Vec<_>>());
        outcomes
    }
}

/// Replaces one file.
pub(crate) fn replace(path: &Path, before: &SecretBytes, bytes: &[u8]) -> Result<(), CommandError> {
    let mut batch = Batch::default();
    batch.add(Staged::write(path, Some(before), bytes)?);
    batch.commit().into_iter().collect()
}
