//! Where a policy and the files that it names are read from: the disk, or a state of the repository.

use std::path::Path;

use crate::error::CommandError;
use crate::files;

/// A tree of files.
pub(crate) trait Origin: Send + Sync {
    /// A small text file.
    fn text(&self, path: &Path) -> Result<String, CommandError>;
    /// Whether there is a symbolic link at a path. A link in the repository could lead anywhere.
    fn is_link(&self, path: &Path) -> bool;
}

/// The file system.
pub(super) struct Disk;

impl Origin for Disk {
    fn text(&self, path: &Path) -> Result<String, CommandError> {
        files::read_text(path)
    }

    fn is_link(&self, path: &Path) -> bool {
        path.is_symlink()
    }
}
