//! A Git repository as the commands see it: its files now, in the index and in commits. The only room that runs `git`.

mod blobs;
mod entries;
mod git;
mod merge_file;
mod owners;
mod range;

use std::path::{Path, PathBuf};

pub(crate) use blobs::{Answer, Blobs};
pub(crate) use entries::{Change, Entry};
use git::Git;
pub(crate) use merge_file::{MergedText, merge_file, shows_base};
pub(crate) use owners::Owners;
pub(crate) use range::Introduced;

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

    /// The same, or a repository without a work tree: hooks on a server are called in its folder.
    pub(crate) fn here_or_bare() -> Result<Self, CommandError> {
        let folder = Path::new(".").canonicalize().unwrap_or_default();
        let is_git = ["HEAD", "objects", "refs"].iter().all(|name| folder.join(name).exists());
        if is_git { Ok(Self { root: folder }) } else { Self::here() }
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

    /// The commit where two lines of work parted.
    pub(crate) fn merge_base(&self, a: &str, b: &str) -> Result<String, CommandError> {
        let name = self.git(["merge-base", a, b]).quiet().text();
        name.map(|name| name.trim_end().to_owned()).map_err(|_| {
            CommandError::usage("the two commits have no common ancestor here")
                .hint("In CI, fetch the whole history: a shallow clone has one commit only.")
        })
    }

    /// The value of a setting, from any of Git's configuration files.
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        let value = self.git(["config", "--get", name]).quiet().text().ok()?;
        Some(value.trim_end_matches('\n').to_owned())
    }

    /// Sets a value in the configuration of this clone.
    pub(crate) fn set(&self, name: &str, value: &str) -> Result<(), CommandError> {
        self.git(["config", "--local", name, value]).output().map(|_| ())
    }

    /// The value of an attribute of a path.
    pub(crate) fn attribute(&self, name: &str, path: &str) -> Result<String, CommandError> {
        // path NUL attribute NUL value NUL
        let told = self.git(["check-attr", "-z", name, "--", path]).text()?;
        Ok(told.split('\0').nth(2).unwrap_or_default().to_owned())
    }

    /// Where Git keeps something of its own, such as hooks.
    pub(crate) fn git_path(&self, name: &str) -> Result<PathBuf, CommandError> {
        let path = self.git(["rev-parse", "--git-path", name]).text()?;
        Ok(self.root.join(path.trim_end_matches('\n')))
    }

    /// Major and minor version of Git.
    pub(crate) fn git_version(&self) -> Result<(u32, u32), CommandError> {
        let text = self.git(["version"]).text()?;
        let mut numbers = text.split_whitespace().nth(2).unwrap_or_default().split('.').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
            _ => Err(CommandError::refused("git version: is not understood")),
        }
    }

    /// The settings whose names match a regular expression, and their values.
    pub(crate) fn settings(&self, pattern: &str) -> Vec<(String, String)> {
        let listed = self.git(["config", "-z", "--get-regexp", pattern]).quiet().text().unwrap_or_default();
        let pairs = listed.split('\0').filter(|pair| !pair.is_empty());
        // A setting without a value is true.
        let pairs = pairs.map(|pair| pair.split_once('\n').unwrap_or((pair, "true")));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The names of the refs below a prefix.
    pub(crate) fn refs(&self, prefix: &str) -> Result<Vec<String>, CommandError> {
        let listed = self.git(["for-each-ref", "--format=%(refname)", prefix]).text()?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    fn git<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Git {
        Git::new(&self.root, arguments)
    }
}

/// The root of the Git work tree around a folder.
pub(crate) fn work_tree(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}
