//! A Git repository as the commands see it: its files now, in the index and in commits. The only room that runs `git`.

mod blobs;
mod entries;
mod git;
mod merge_file;

use std::path::{Path, PathBuf};

pub(crate) use blobs::Blobs;
pub(crate) use entries::{Change, Entry};
use git::Git;
pub(crate) use merge_file::{MergedText, merge_file, shows_base};

use crate::error::CommandError;

/// The repository around a folder.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    root: PathBuf,
}

impl Repository {
    /// The one whose work tree holds this folder.
    pub(crate) fn around(folder: &Path) -> Option<Self> {
        let folder = folder.canonicalize().ok()?;
        work_tree(&folder).map(|root| Self { root })
    }

    /// The one that the command was called in.
    pub(crate) fn here() -> Result<Self, CommandError> {
        Self::around(Path::new(".")).ok_or_else(|| {
            CommandError::usage("this folder is in no Git repository")
                .hint("Go to a clone of one, or make one with `git init`.")
        })
    }

    /// The root of its work tree, absolute, every symbolic link resolved.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What a commit holds at a path below the root; `None` if there is nothing, or no such commit.
    pub(crate) fn at(&self, revision: &str, path: &Path) -> Option<Vec<u8>> {
        let spec = format!("{revision}:{}", path.to_str()?);
        self.git(["cat-file", "blob", &spec]).quiet().output().ok()
    }

    /// The full name of the commit that a revision means.
    pub(crate) fn commit(&self, revision: &str) -> Result<String, CommandError> {
        // A revision that starts with a dash would be an option.
        let spec = format!("{revision}^{{commit}}");
        let name = self.git(["rev-parse", "--verify", "--quiet", "--end-of-options", &spec]).quiet().text();
        name.map(|name| name.trim_end().to_owned()).map_err(|_| {
            CommandError::usage(format!("{revision}: no commit of this repository has this name"))
                .hint("In CI, fetch the whole history: a shallow clone has one commit only.")
        })
    }

    /// The value of a setting, from any of Git's configuration files.
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        let value = self.git(["config", "--get", name]).quiet().text().ok()?;
        Some(value.trim_end_matches('\n').to_owned())
    }

    fn git<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Git {
        Git::new(&self.root, arguments)
    }
}

/// The root of the Git work tree around a folder.
pub(crate) fn work_tree(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}
