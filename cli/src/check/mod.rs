//! The gate: is everything that must be encrypted encrypted, completely, to the right readers, for the right place? Without
//! keys, network or cluster, and without ever printing a value.
//!
//! `select` finds out what is looked at, `source` reads it, `file` runs the `rules` over one file after the other, in
//! parallel; `repository` looks at what no file tells alone. `allow` and `baseline` take out what is excused, `report`
//! writes the rest.

/// Compiles an expression that this program states itself.
macro_rules! expression {
    ($text:expr) => {
        std::sync::LazyLock::new(|| {
            regex::Regex::new($text).unwrap_or_else(|_| unreachable!("a constant expression, compiled by a test"))
        })
    };
}

mod allow;
mod baseline;
mod catalog;
mod file;
mod finding;
mod private_keys;
mod repository;
mod rules;
mod select;
mod sheet;
mod source;
mod value;
mod view;

pub(crate) mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

pub(crate) use baseline::Baseline;
pub(crate) use catalog::{RULES, Rule, Severity, find as find_rule};
pub(crate) use finding::{Finding, readable};
pub(crate) use select::Scope;

use file::{Seen, Skipped};
use rules::sops::Configs;
use source::{Look, State, Tree};

use crate::error::{Code, CommandError};
use crate::policy::{FILE_NAME, Listed, Policy};
use crate::ui::{Progress, Ui};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Sorted by file and line.
    pub(crate) findings: Vec<Finding>,
    /// Whether all files were looked at.
    pub(crate) whole: bool,
    /// How many files were looked at.
    pub(crate) files: usize,
    /// How many findings comments allow.
    pub(crate) allowed: usize,
    /// How many findings the baseline excuses.
    pub(crate) excused: usize,
    /// Files that were passed over because they are no text.
    pub(crate) binary: usize,
    /// Files that were passed over because of their size.
    pub(crate) large: Vec<PathBuf>,
}

impl Outcome {
    /// How many findings weigh this much.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// The exit code: the worst of what was found.
    pub(crate) fn code(&self, threshold: Severity) -> Code {
        let unreadable = self.findings.iter().any(|finding| finding.rule.id == catalog::Id::WAX904.rule().id);
        let failed = self.findings.iter().any(|finding| finding.severity >= threshold);
        match (unreadable, failed) {
            (true, _) => Code::Unreadable,
            (false, true) => Code::Refused,
            (false, false) => Code::Done,
        }
    }

    fn take(&mut self, seen: Vec<Seen>) -> (Vec<usize>, bool) {
        let (mut selected, mut readers_changed) = (Vec::new(), false);
        for one in seen {
            self.files += 1;
            self.allowed += one.allowed;
            match one.skipped {
                Some(Skipped::Binary) => self.binary += 1,
                Some(Skipped::Large(path)) => self.large.push(path),
                None => {}
            }
            self.findings.extend(one.findings);
            selected.extend(one.selected);
            readers_changed |= one.readers_changed;
        }
        selected.sort_unstable();
        selected.dedup();
        (selected, readers_changed)
    }
}

/// What decides over the files of a state.
pub(super) struct Context<'s> {
    tree: &'s Tree,
    policy: Option<Policy>,
    rules: Vec<Listed>,
    sops: Configs,
}

impl<'s> Context<'s> {
    fn of(state: &'s State, outcome: &mut Outcome) -> Result<Self, CommandError> {
        let found = policy_of(&state.tree).and_then(|policy| {
            let rules = policy.as_ref().map(Policy::list).transpose()?.unwrap_or_default();
            Ok((policy, rules))
        });
        let (policy, rules) = match found {
            Ok(found) => found,
            // A commit whose policy was broken and has been mended must not keep the mended one from being pushed.
            Err(_) if state.past.is_some() => (None, Vec::new()),
            Err(error) => return Err(error),
        };
        let (sops, findings) = match Configs::read(&state.tree) {
            Err(_) if state.past.is_some() => Default::default(),
            read => read?,
        };
        outcome.findings.extend(findings.into_iter().filter(|_| state.past.is_none()));
        Ok(Self { tree: &state.tree, policy, rules, sops })
    }
}

/// The policy of a tree.
pub(super) fn policy_of(tree: &Tree) -> Result<Option<Policy>, CommandError> {
    let file = Path::new(FILE_NAME);
    // A link is refused where it is read: by Git it is no file, and on the disk it is.
    let stated = tree.holds(file) || crate::policy::Origin::is_link(tree, file);
    stated.then(|| Policy::load_from(Arc::new(tree.clone()), file)).transpose()
}

/// Room for a document as deep as the parser takes, within a text of one, within a text of one: running out of it ends
/// the process.
const STACK: usize = 64 << 20;

/// Works with threads that have this much room.
fn with_room<T: Send>(work: impl FnOnce() -> Result<T, CommandError> + Send) -> Result<T, CommandError> {
    let pool = rayon::ThreadPoolBuilder::new().stack_size(STACK).build();
    pool.map_err(|error| CommandError::refused(format!("no threads can be started: {error}")))?.install(work)
}

/// Looks at everything that the command line names.
pub(crate) fn run(scope: &Scope, ui: &Ui) -> Result<Outcome, CommandError> {
    with_room(|| look_at_states(scope, ui))
}

fn look_at_states(scope: &Scope, ui: &Ui) -> Result<Outcome, CommandError> {
    let mut selected = scope.select()?;
    let mut outcome = Outcome::default();
    for state in &selected.states {
        look_at(state, &mut outcome, ui)?;
    }
    for state in selected.past() {
        look_at(&state?, &mut outcome, ui)?;
    }
    if let Some(repository) = &selected.repository {
        repository::of_git(repository, &mut outcome.findings)?;
    }
    finding::tidy(&mut outcome.findings);
    finding::number(&mut outcome.findings);
    Ok(outcome)
}

fn look_at(state: &State, outcome: &mut Outcome, ui: &Ui) -> Result<(), CommandError> {
    outcome.whole |= state.whole;
    let context = Context::of(state, outcome)?;
    let progress = ui.progress("checking", state.files.len());
    let seen = look_at_all(&context, state, &progress);
    progress.end();
    let (selected, readers_changed) = outcome.take(seen?);
    if state.past.is_none() {
        repository::of_state(&context, state, &selected, readers_changed, &mut outcome.findings);
    }
    Ok(())
}

/// Looks at manifests as Kustomize or Helm renders them: whether what is encrypted in them will open.
pub(crate) fn run_rendered(from: &Path) -> Result<Outcome, CommandError> {
    let mut outcome = Outcome { whole: false, ..Outcome::default() };
    let seen = with_room(|| Ok(select::rendered(from)?.iter().map(file::rendered).collect::<Vec<_>>()))?;
    outcome.take(seen);
    finding::tidy(&mut outcome.findings);
    finding::number(&mut outcome.findings);
    Ok(outcome)
}

/// Files that are read together: enough that Git does not wait, few enough that they do not fill the memory.
const TOGETHER: usize = 128;

fn look_at_all(context: &Context<'_>, state: &State, progress: &Progress) -> Result<Vec<Seen>, CommandError> {
    // One reader for each thread: starting a process for a handful of files would take longer than reading them.
    let share = state.files.len().div_ceil(rayon::current_num_threads()).max(TOGETHER);
    let seen: Result<Vec<Vec<Seen>>, CommandError> =
        state.files.par_chunks(share).map(|files| look_at_some(context, state, files, progress)).collect();
    Ok(seen?.into_iter().flatten().collect())
}

fn look_at_some(
    context: &Context<'_>,
    state: &State,
    files: &[Look],
    progress: &Progress,
) -> Result<Vec<Seen>, CommandError> {
    let mut reader = state.tree.reader()?;
    let changed = files.iter().any(|file| file.before.is_some() || file.later.is_some());
    let mut versions = match &state.repository {
        Some(repository) if changed => Some(repository.blobs()?),
        _ => None,
    };
    let mut seen = Vec::with_capacity(files.len());
    for some in files.chunks(TOGETHER) {
        for (file, bytes) in some.iter().zip(reader.read(some)?) {
            let mut other = |object: &Option<String>| match (&mut versions, object) {
                (Some(blobs), Some(object)) => Ok(blobs.read_all(&[object], source::MAX_READ)?.pop()),
                _ => Ok(None),
            };
            let others = [other(&file.before)?, other(&file.later)?];
            seen.push(file::look(context, state, file, bytes, others));
            progress.step();
        }
    }
    Ok(seen)
}
