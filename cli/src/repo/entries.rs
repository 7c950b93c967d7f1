//! Which files there are: in the work tree, in the index, in a commit, and between two of those.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use super::Repository;
use crate::error::CommandError;

/// A regular file of the index or a commit, or a symbolic link. Submodules hold no values and are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Below the root of the repository.
    pub(crate) path: PathBuf,
    /// The object that holds its contents.
    pub(crate) object: String,
    /// Whether it is a symbolic link.
    pub(crate) is_link: bool,
}

/// A file that differs between two states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Below the root of the repository. A renamed file is one that went and one that came.
    pub(crate) path: PathBuf,
    /// The object that held its contents; `None` for a new file.
    pub(crate) before: Option<String>,
    /// The object that holds them; `None` for one that is gone.
    pub(crate) after: Option<String>,
}

impl Repository {
    /// The files of the work tree that Git tracks or would add, below the root, as they lie on the disk.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, CommandError> {
        let listed = self.git(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).output()?;
        let mut paths: Vec<_> = fields(&listed).map(path).collect();
        // A path with a conflict is listed once for each side.
        paths.dedup();
        paths.retain(|path| self.root.join(path).symlink_metadata().is_ok_and(|metadata| metadata.is_file()));
        Ok(paths)
    }

    /// Everything in the index that hooks see (`GIT_INDEX_FILE`).
    pub(crate) fn staged(&self) -> Result<Vec<Entry>, CommandError> {
        let listed = self.git(["ls-files", "-z", "--stage"]).output()?;
        // mode SP object SP stage TAB path
        Ok(fields(&listed).filter_map(|field| entry(field, 1)).collect())
    }

    /// Everything that a commit holds.
    pub(crate) fn tree(&self, commit: &str) -> Result<Vec<Entry>, CommandError> {
        let listed = self.git(["ls-tree", "-r", "-z", commit]).output()?;
        // mode SP type SP object TAB path
        Ok(fields(&listed).filter_map(|field| entry(field, 2)).collect())
    }

    /// What is staged for the next commit.
    pub(crate) fn staged_changes(&self) -> Result<Vec<Change>, CommandError> {
        changes(&self.git(["diff-index", "--cached", "--no-renames", "-z", "--raw", &self.head()?]).output()?)
    }

    /// What differs between the last commit and the files on the disk. What these hold is in no object yet.
    pub(crate) fn unstaged_changes(&self) -> Result<Vec<Change>, CommandError> {
        self.changes_on_disk(&self.head()?)
    }

    /// What differs between two commits.
    pub(crate) fn changes(&self, before: &str, after: &str) -> Result<Vec<Change>, CommandError> {
        changes(&self.git(["diff-tree", "-r", "--no-renames", "-z", "--raw", before, after]).output()?)
    }

    /// What differs between a commit and the disk. An object of nothing but zeros is what lies there now.
    pub(crate) fn changes_on_disk(&self, commit: &str) -> Result<Vec<Change>, CommandError> {
        changes(&self.git(["diff-index", "--no-renames", "-z", "--raw", commit]).output()?)
    }

    /// The commit that is checked out; in a repository without any, the name of the empty tree.
    fn head(&self) -> Result<String, CommandError> {
        self.commit("HEAD").or_else(|_| {
            let empty = self.git(["hash-object", "-t", "tree", "--stdin"]).text()?;
            Ok(empty.trim_end().to_owned())
        })
    }
}

pub(super) fn fields(listed: &[u8]) -> impl Iterator<Item = &[u8]> {
    listed.split(|byte| *byte == 0).filter(|field| !field.is_empty())
}

pub(super) fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// Words, of which the first is the mode and one the object's name, then a tab and the path.
fn entry(field: &[u8], object: usize) -> Option<Entry> {
    let tab = field.iter().position(|byte| *byte == b'\t')?;
    let words = std::str::from_utf8(&field[..tab]).ok()?;
    let object = words.split(' ').nth(object)?.to_owned();
    let is_link = words.starts_with("120");
    (is_link || is_regular(words)).then(|| Entry { path: path(&field[tab + 1..]), object, is_link })
}

pub(super) fn is_regular(mode: &str) -> bool {
    mode.starts_with("100")
}

/// Pairs of `:mode mode object object status` and a path.
fn changes(listed: &[u8]) -> Result<Vec<Change>, CommandError> {
    let mut found = Vec::new();
    let mut fields = fields(listed);
    while let (Some(words), Some(name)) = (fields.next(), fields.next()) {
        let words = std::str::from_utf8(words).unwrap_or_default().trim_start_matches(':');
        let words: Vec<_> = words.split(' ').collect();
        let [before_mode, after_mode, before, after, _] = words.as_slice() else {
            return Err(CommandError::refused("git: what changed is listed in a form that is not known"));
        };
        let side = |mode: &str, object: &str| is_regular(mode).then(|| object.to_owned());
        let change = Change { path: path(name), before: side(before_mode, before), after: side(after_mode, after) };
        if change.before.is_some() || change.after.is_some() {
            found.push(change);
        }
    }
    Ok(found)
}
