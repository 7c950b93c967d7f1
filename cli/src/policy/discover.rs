//! Finding the one policy that governs a file.

use std::borrow::Borrow;
use std::path::{Path, PathBuf};

use super::{FILE_NAME, Policy};
use crate::error::{Code, CommandError};
use crate::repo::work_tree;

/// The policy for a file: the one at the root of the Git work tree that holds the file, or, outside Git, the nearest
/// one upward. A second one below the root is an error, unless the first includes it: it would redirect honest writers
/// past the first one's owners.
pub(crate) fn discover<P: Borrow<Policy>>(
    file: &Path,
    load: impl Fn(&Path) -> Result<P, CommandError>,
) -> Result<Option<P>, CommandError> {
    let path = real_path(file)?;
    let folder = path.parent().unwrap_or(&path);
    let Some(root) = work_tree(folder) else {
        let nearest = folder.ancestors().map(|folder| folder.join(FILE_NAME)).find(|path| path.is_file());
        return nearest.map(|path| load(&path)).transpose();
    };
    let main = root.join(FILE_NAME);
    let policy = if main.is_file() || main.is_symlink() { Some(load(&main)?) } else { None };
    let below = folder.ancestors().take_while(|folder| *folder != root).map(|folder| folder.join(FILE_NAME));
    for nested in below.filter(|path| path.exists()) {
        if !policy.as_ref().is_some_and(|policy| policy.borrow().is_part(&nested)) {
            let shown = nested.display();
            return Err(CommandError::usage(format!("{shown}: a second policy below the root of the repository"))
                .hint(format!("Move its rules into {}, or name it there with `include`.", main.display())));
        }
    }
    Ok(policy)
}

/// Where a file really is, every symbolic link resolved: a link must not bring a file under another rule than its own.
/// A file that does not exist yet is in its folder.
pub(super) fn real_path(file: &Path) -> Result<PathBuf, CommandError> {
    if let Ok(path) = file.canonicalize() {
        return Ok(path);
    }
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent =
        parent.canonicalize().map_err(|error| CommandError::io(Code::Unreadable, "cannot be read", parent, &error))?;
    Ok(parent.join(file.file_name().unwrap_or_default()))
}
