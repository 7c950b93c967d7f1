//! What is looked at: a tree of files (on the disk, in the index, or of a commit) and which of its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealwax_format::SecretBytes;
use zeroize::Zeroizing;

use crate::error::{Code, CommandError};
use crate::policy::Origin;
use crate::repo::{Answer, Blobs, Repository};

/// Larger files are not read at all.
pub(super) const MAX_READ: usize = 64 << 20;

/// A tree of files, with paths below its root.
#[derive(Clone)]
pub(crate) enum Tree {
    /// The disk below a folder.
    Disk(Arc<Disk>),
    /// Objects of a repository.
    Objects(Arc<Objects>),
}

/// Files on the disk.
pub(crate) struct Disk {
    root: PathBuf,
    paths: Vec<PathBuf>,
}

/// Files of the index or of a commit.
pub(crate) struct Objects {
    repository: Repository,
    entries: BTreeMap<PathBuf, String>,
    links: BTreeSet<PathBuf>,
}

impl Tree {
    /// Of these files on the disk.
    pub(crate) fn disk(root: &Path, paths: Vec<PathBuf>) -> Self {
        Self::Disk(Arc::new(Disk { root: root.to_owned(), paths }))
    }

    /// Of these objects.
    pub(crate) fn objects(repository: &Repository, entries: Vec<crate::repo::Entry>) -> Self {
        let (links, files): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.is_link);
        let entries = files.into_iter().map(|entry| (entry.path, entry.object)).collect();
        let links = links.into_iter().map(|link| link.path).collect();
        Self::Objects(Arc::new(Objects { repository: repository.clone(), entries, links }))
    }

    /// Every file.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        match self {
            Self::Disk(disk) => disk.paths.iter().map(PathBuf::as_path).collect(),
            Self::Objects(objects) => objects.entries.keys().map(PathBuf::as_path).collect(),
        }
    }

    /// Files of this name in the folders around every file, also where only some files are looked at.
    pub(crate) fn named(&self, name: &str) -> Vec<PathBuf> {
        let paths = self.paths();
        let folders: BTreeSet<_> = paths.iter().flat_map(|path| path.ancestors().skip(1)).collect();
        folders.into_iter().map(|folder| folder.join(name)).filter(|path| self.holds(path)).collect()
    }

    /// The object that holds a file.
    pub(crate) fn object(&self, path: &Path) -> Option<&str> {
        match self {
            Self::Disk(_) => None,
            Self::Objects(objects) => objects.entries.get(path).map(String::as_str),
        }
    }

    /// Whether there is a file at a path, one that is not listed included.
    pub(crate) fn holds(&self, path: &Path) -> bool {
        match self {
            Self::Disk(disk) => disk.root.join(path).is_file(),
            Self::Objects(objects) => objects.entries.contains_key(path),
        }
    }

    /// Starts reading.
    pub(crate) fn reader(&self) -> Result<Reader<'_>, CommandError> {
        Ok(match self {
            Self::Disk(disk) => Reader::Disk(&disk.root),
            Self::Objects(objects) => Reader::Objects(objects.repository.blobs()?),
        })
    }
}

/// Reads files of a tree, one after the other.
pub(crate) enum Reader<'t> {
    Disk(&'t Path),
    Objects(Blobs),
}

impl Reader<'_> {
    /// The contents of files, in their order, unless they are larger than [`MAX_READ`].
    pub(crate) fn read(&mut self, files: &[Look]) -> Result<Vec<Answer>, CommandError> {
        match self {
            Self::Disk(root) => files.iter().map(|file| from_disk(root, &file.path)).collect(),
            Self::Objects(blobs) => {
                // A file without an object is an error of the caller; asking for nothing answers with nothing.
                let objects: Vec<_> = files.iter().map(|file| file.object.as_deref().unwrap_or("missing")).collect();
                blobs.read_all(&objects, MAX_READ)
            }
        }
    }
}

fn from_disk(root: &Path, path: &Path) -> Result<Answer, CommandError> {
    let full = root.join(path);
    let failed = |error: std::io::Error| CommandError::io(Code::Unreadable, "cannot be read", &full, &error);
    let file = File::open(&full).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > MAX_READ as u64 {
        return Ok(Answer::Large);
    }
    // As large as the file: thousands of small ones are read, and each is wiped as large as it was made.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1));
    file.take(MAX_READ as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(if bytes.len() <= MAX_READ { Answer::Contents(SecretBytes::from(bytes)) } else { Answer::Large })
}

/// A file that is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// Below the tree's root.
    pub(crate) path: PathBuf,
    /// The object that holds it.
    pub(crate) object: Option<String>,
    /// The object that held it before, if it changed and there was one.
    pub(crate) before: Option<String>,
    /// The object that holds it now, for a file of the past.
    pub(crate) later: Option<String>,
    /// Whether it changed.
    pub(crate) changed: bool,
}

/// A tree, and which of its files are looked at.
pub(crate) struct State {
    pub(crate) tree: Tree,
    /// The files.
    pub(crate) files: Vec<Look>,
    /// Whether these are all the files there are.
    pub(crate) whole: bool,
    /// The commit, where the last one no longer holds the files.
    pub(crate) past: Option<String>,
    /// The repository, for earlier contents.
    pub(crate) repository: Option<Repository>,
}

impl Origin for Tree {
    fn text(&self, path: &Path) -> Result<String, CommandError> {
        let file = Look {
            path: path.to_owned(),
            object: self.object(path).map(str::to_owned),
            before: None,
            later: None,
            changed: false,
        };
        let missing = || CommandError::usage(format!("{}: cannot be read: no such file", path.display()));
        if !self.holds(path) {
            return Err(missing());
        }
        let contents = self.reader()?.read(std::slice::from_ref(&file))?;
        let bytes = contents.into_iter().next().and_then(Answer::contents).ok_or_else(missing)?;
        let text = bytes.expose_str().map(str::to_owned);
        text.ok_or_else(|| CommandError::usage(format!("{}: not UTF-8 text", path.display())))
    }

    fn is_link(&self, path: &Path) -> bool {
        match self {
            Self::Disk(disk) => disk.root.join(path).is_symlink(),
            Self::Objects(objects) => objects.links.contains(path),
        }
    }
}
