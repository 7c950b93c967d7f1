//! Finding the one policy that governs a file.

use std::path::{Path, PathBuf};

use super::{FILE_NAME, Policy};
use crate::error::{Code, CommandError};

/// The policy for a file: the one at the root of the Git work tree that holds the file, or, outside Git, the nearest
/// one upward. A second one below the root is an error: it would redirect honest writers past the first one's owners.
pub(crate) fn discover(file: &Path) -> Result<Option<Policy>, CommandError> {
    let folder = folder_of(file)?;
    let Some(root) = work_tree(&folder) else {
        let nearest = folder.ancestors().map(|folder| folder.join(FILE_NAME)).find(|path| path.is_file());
        return nearest.map(|path| Policy::load(&path)).transpose();
    };
    let below = folder.ancestors().take_while(|folder| *folder != root);
    if let Some(nested) = below.map(|folder| folder.join(FILE_NAME)).find(|path| path.exists()) {
        return Err(CommandError::usage(format!(
            "{}: a second policy below the root of the repository",
            nested.display()
        ))
        .hint(format!("Move its rules into {}, or name it there with `include`.", root.join(FILE_NAME).display())));
    }
    let path = root.join(FILE_NAME);
    if path.is_file() { Policy::load(&path).map(Some) } else { Ok(None) }
}

/// The folder of a file with every symbolic link resolved; for a link, the folder that it stands in.
pub(super) fn folder_of(file: &Path) -> Result<PathBuf, CommandError> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    parent.canonicalize().map_err(|error| CommandError::io(Code::Unreadable, "cannot be read", parent, &error))
}

/// The root of the Git work tree around a folder.
pub(crate) fn work_tree(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}
