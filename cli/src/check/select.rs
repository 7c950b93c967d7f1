//! From the command line to the states that are looked at.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::policy_of;
use super::source::{Look, State, Tree};
use crate::error::{Code, CommandError};
use crate::files::{Input, STDIN};
use crate::policy::FILE_NAME;
use crate::repo::{Change, Introduced, Repository, work_tree};
use crate::survey;

/// What to look at.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    /// The files of the work tree.
    Worktree,
    /// What is staged for the next commit.
    Staged,
    /// Everything in a commit.
    Revision(String),
    /// What the commits of a range brought.
    Range(String),
    /// Files and folders on the disk.
    Paths(Vec<PathBuf>),
}

/// What there is to look at.
pub(crate) struct Selected {
    /// The repository, if it is one.
    pub(crate) repository: Option<Repository>,
    /// States that stand.
    pub(crate) states: Vec<State>,
    /// What commits brought and later ones took away.
    past: Vec<(String, Vec<Look>)>,
}

impl Selected {
    /// The states of the past, made one after the other: each lists all files of its commit.
    pub(crate) fn past(&mut self) -> impl Iterator<Item = Result<State, CommandError>> {
        let repository = self.repository.clone();
        std::mem::take(&mut self.past).into_iter().filter_map(move |(commit, files)| {
            let repository = repository.clone()?;
            let state = repository.tree(&commit).map(|entries| {
                let tree = Tree::objects(&repository, entries);
                State { tree, files, whole: false, past: Some(commit), repository: Some(repository) }
            });
            Some(state)
        })
    }
}

impl Scope {
    /// Finds out what the command line means.
    pub(crate) fn select(&self) -> Result<Selected, CommandError> {
        if let Self::Paths(paths) = self {
            return Ok(Selected { repository: None, states: from_paths(paths)?, past: Vec::new() });
        }
        let repository = match self {
            Self::Revision(_) | Self::Range(_) => Repository::here_or_bare()?,
            _ => Repository::here()?,
        };
        let (states, past) = match self {
            Self::Range(range) => brought(&repository, range)?,
            Self::Worktree => (vec![worktree(&repository)?], Vec::new()),
            Self::Staged => (vec![staged(&repository)?], Vec::new()),
            Self::Revision(revision) => {
                let tree = Tree::objects(&repository, repository.tree(&repository.commit(revision)?)?);
                (vec![everything(tree, &HashMap::new(), &repository)], Vec::new())
            }
            Self::Paths(_) => Default::default(),
        };
        Ok(Selected { repository: Some(repository), states, past })
    }
}

/// The files that changed, each with the object that held it before, if there was one.
type Changed<'c> = HashMap<&'c Path, Option<&'c str>>;

/// All files of a tree, with what changed of them.
fn everything(tree: Tree, changed: &Changed<'_>, repository: &Repository) -> State {
    let look = |path: &Path| Look {
        path: path.to_owned(),
        object: tree.object(path).map(str::to_owned),
        before: changed.get(path).copied().flatten().map(str::to_owned),
        later: None,
        changed: changed.contains_key(path),
    };
    let files = tree.paths().into_iter().map(look).collect();
    State { tree, files, whole: true, past: None, repository: Some(repository.clone()) }
}

fn worktree(repository: &Repository) -> Result<State, CommandError> {
    let tree = Tree::disk(repository.root(), repository.files()?);
    let changes = repository.unstaged_changes()?;
    Ok(everything(tree, &changed(&changes), repository))
}

fn changed(changes: &[Change]) -> Changed<'_> {
    changes.iter().map(|change| (change.path.as_path(), change.before.as_deref())).collect()
}

/// What differs from the last commit; everything if that includes what decides over other files.
fn staged(repository: &Repository) -> Result<State, CommandError> {
    let tree = Tree::objects(repository, repository.staged()?);
    let changes = repository.staged_changes()?;
    if decides(&tree, changes.iter().map(|change| change.path.as_path())) {
        return Ok(everything(tree, &changed(&changes), repository));
    }
    let files = changes.into_iter().filter(|change| change.after.is_some());
    let look = |change: Change| Look {
        path: change.path,
        object: change.after,
        before: change.before,
        later: None,
        changed: true,
    };
    let files = files.map(look).collect();
    Ok(State { tree, files, whole: false, past: None, repository: Some(repository.clone()) })
}

/// Whether one of these files says how others are encrypted.
fn decides<'p>(tree: &Tree, mut paths: impl Iterator<Item = &'p Path>) -> bool {
    // A policy that is broken is told later; here it only decides how much is looked at.
    let policy = policy_of(tree).ok().flatten();
    let sources = policy.map(|policy| policy.sources()).unwrap_or_default();
    let name = |path: &Path| path.file_name().is_some_and(|name| name == FILE_NAME || name == ".sops.yaml");
    paths.any(|path| name(path) || sources.iter().any(|source| source == path))
}

/// States that stand, and, by commit, files that do not.
type States = (Vec<State>, Vec<(String, Vec<Look>)>);

/// The last state with what the range brought, and, for each commit, what it brought and later ones took away.
fn brought(repository: &Repository, range: &str) -> Result<States, CommandError> {
    let Some(range) = repository.range(range)? else { return Ok(States::default()) };
    let brought = repository.introduced(&range)?;
    let tip = Tree::objects(repository, repository.tree(&range.tip)?);
    let is_there = |one: &Introduced| tip.object(&one.path) == Some(one.after.as_str());
    // The oldest version counts as what was there before.
    let before: Changed<'_> = brought.iter().rev().map(|one| (one.path.as_path(), one.before.as_deref())).collect();
    let mut past: BTreeMap<&str, Vec<Look>> = BTreeMap::new();
    let mut now = BTreeMap::new();
    for one in &brought {
        let was = if is_there(one) { before.get(one.path.as_path()).copied().flatten() } else { one.before.as_deref() };
        let was = was.map(str::to_owned);
        let (path, object) = (one.path.clone(), Some(one.after.clone()));
        let look = Look { path, object, before: was, later: None, changed: true };
        if is_there(one) {
            now.insert(one.path.clone(), look);
        } else {
            let later = tip.object(&one.path).map(str::to_owned);
            past.entry(&one.commit).or_default().push(Look { later, ..look });
        }
    }
    let newest = if decides(&tip, brought.iter().map(|one| one.path.as_path())) {
        everything(tip.clone(), &before, repository)
    } else {
        let files = now.into_values().collect();
        let repository = Some(repository.clone());
        State { tree: tip.clone(), files, whole: false, past: None, repository }
    };
    let past = past.into_iter().map(|(commit, files)| (commit.to_owned(), files)).collect();
    Ok((vec![newest], past))
}

/// Files and folders, each with the repository around it, or, outside Git, the folder of the nearest policy.
fn from_paths(paths: &[PathBuf]) -> Result<Vec<State>, CommandError> {
    let mut roots: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in paths {
        let failed = |error| CommandError::io(Code::Unreadable, "cannot be read", path, &error);
        let path = path.canonicalize().map_err(failed)?;
        let folder = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(&path) };
        let nearest = || folder.ancestors().find(|folder| folder.join(FILE_NAME).is_file()).map(Path::to_owned);
        let root = work_tree(folder).or_else(nearest).unwrap_or_else(|| folder.to_owned());
        let mut files = Vec::new();
        collect(&path, &mut files)?;
        let below = files.iter().filter_map(|file| Some(file.strip_prefix(&root).ok()?.to_owned()));
        roots.entry(root.clone()).or_default().extend(below);
    }
    let state = |(root, mut paths): (PathBuf, Vec<PathBuf>)| {
        paths.sort();
        paths.dedup();
        let look =
            |path: &PathBuf| Look { path: path.clone(), object: None, before: None, later: None, changed: false };
        let files = paths.iter().map(look).collect();
        let tree = Tree::disk(&root, paths);
        State { tree, files, whole: false, past: None, repository: None }
    };
    Ok(roots.into_iter().map(state).collect())
}

/// Rendered manifests: the YAML and JSON files of a folder, a file, or standard input.
pub(super) fn rendered(from: &Path) -> Result<Vec<Input>, CommandError> {
    if from.as_os_str() == STDIN {
        return Ok(vec![Input::read(from)?]);
    }
    let mut files = Vec::new();
    collect(from, &mut files)?;
    files.sort();
    let manifests = files.iter().filter(|file| from.is_file() || survey::is_document(file));
    manifests.map(|file| Input::read(file)).collect()
}

/// The regular files below a path. Links are not followed: they lead out of the tree, or around in it.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| CommandError::io(Code::Unreadable, "cannot be read", path, &error);
    let kind = path.symlink_metadata().map_err(failed)?.file_type();
    if kind.is_file() {
        files.push(path.to_owned());
    } else if kind.is_dir() && path.file_name().is_none_or(|name| name != ".git") {
        for entry in std::fs::read_dir(path).map_err(failed)? {
            collect(&entry.map_err(failed)?.path(), files)?;
        }
    }
    Ok(())
}
