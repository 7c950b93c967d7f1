//! What a run over many files did, and which values must be changed at their origin, by who owns the files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Document, Done, Order, Step};
use crate::repo::{Owners, Repository};
use crate::ui::{Note, count};

/// Values of one file that somebody has been able to read who shall not any more.
pub(crate) struct Exposed {
    /// As people know the key.
    pub(crate) reader: String,
    pub(crate) path: PathBuf,
    pub(crate) values: Vec<String>,
}

/// Collects what was done with each file.
pub(super) struct Summary {
    dry_run: bool,
    /// Folders were searched: numbers instead of a line for each file.
    brief: bool,
    lines: Vec<Note>,
    files: usize,
    folded: (usize, usize),
    wrapped: usize,
    exposed: Vec<Exposed>,
    /// Files that were found and hold encrypted values, in documents that no rule covers or that have no key block.
    uncovered: Vec<String>,
    /// Who gets a wrap that he did not have, in how many documents: with the fingerprint, since a name is only a name.
    came: BTreeMap<String, usize>,
    /// Who is named against the policy and stays, in how many files.
    left: BTreeMap<String, usize>,
}

impl Summary {
    pub(super) fn new(order: &Order<'_>, brief: bool) -> Self {
        Self {
            dry_run: order.dry_run,
            brief,
            lines: Vec::new(),
            files: 0,
            folded: (0, 0),
            wrapped: 0,
            exposed: Vec::new(),
            uncovered: Vec::new(),
            came: BTreeMap::new(),
            left: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, file: Done) {
        if file.documents.is_empty() {
            self.uncovered.push(file.shown);
            return;
        }
        self.files += 1;
        let is = |wanted: fn(&Step) -> bool| file.documents.iter().filter(move |document| wanted(&document.step));
        let folded = is(|step| *step == Step::Fold).map(|document| document.values).collect::<Vec<_>>();
        if !folded.is_empty() {
            self.folded.0 += 1;
            self.folded.1 += folded.iter().sum::<usize>();
        } else if is(|step| matches!(step, Step::Wrap(_))).next().is_some() {
            self.wrapped += 1;
        }
        for document in file.documents {
            if !self.brief {
                self.lines.push(Note::Done(format!("{}: {}", file.shown, self.line(&document))));
            }
            for reader in document.came {
                *self.came.entry(reader).or_default() += 1;
            }
            for reader in document.left {
                *self.left.entry(reader).or_default() += 1;
            }
            let exposed = document.exposed.into_iter().filter(|(_, values)| !values.is_empty());
            self.exposed.extend(exposed.map(|(reader, values)| Exposed { reader, path: file.path.clone(), values }));
        }
    }

    fn line(&self, document: &Document) -> String {
        let would = if self.dry_run { "would be " } else { "" };
        match document.step {
            Step::Nothing if document.left.is_empty() => "readers match already".to_owned(),
            Step::Nothing => "nobody is added".to_owned(),
            Step::Wrap(_) => format!("{would}wrapped for {}", document.plan),
            Step::Fold => format!("{} {would}under a new key, {}", count(document.values, "value"), document.plan),
        }
    }

    pub(super) fn notes(mut self) -> Vec<Note> {
        let mut notes = std::mem::take(&mut self.lines);
        if self.brief {
            let rest = self.files - self.folded.0 - self.wrapped;
            let would = if self.dry_run { "would be " } else { "" };
            notes.push(Note::Done(format!(
                "{}: {} {would}folded under new keys ({}), {} {would}wrapped, {rest} left alone",
                count(self.files, "encrypted file"),
                self.folded.0,
                count(self.folded.1, "value"),
                self.wrapped
            )));
        }
        if !self.uncovered.is_empty() {
            let files = self.uncovered.join(", ");
            notes.push(Note::Warning(format!(
                "left alone, because no rule of the policy covers them or they have no key block: {files}"
            )));
        }
        let is = if self.dry_run { "would be" } else { "is" };
        for (reader, documents) in self.came {
            notes.push(Note::Done(format!("{reader} {is} a new reader of {}", count(documents, "document"))));
        }
        notes.extend(exposures(&self.exposed));
        for (reader, files) in self.left {
            notes.push(Note::Warning(format!(
                "{reader} is a reader of {} and none by the policy; `sealwax rekey` takes the right away",
                count(files, "document")
            )));
        }
        notes
    }
}

/// What must be changed at its origin: by reader, then owner, then file.
pub(crate) fn exposures(exposed: &[Exposed]) -> Vec<Note> {
    let mut owners = Owned::default();
    let mut by_reader: BTreeMap<&str, BTreeMap<String, Vec<&Exposed>>> = BTreeMap::new();
    for one in exposed {
        by_reader.entry(&one.reader).or_default().entry(owners.of(&one.path)).or_default().push(one);
    }
    let mut notes = Vec::new();
    for (reader, by_owner) in by_reader {
        let values = by_owner.values().flatten().map(|one| one.values.len()).sum();
        let mut text = format!("{reader} has been able to read {}:", count(values, "value"));
        let named = by_owner.keys().any(|owner| !owner.is_empty());
        for (owner, files) in by_owner {
            if named {
                let _ = write!(text, "\n  {}", if owner.is_empty() { "owned by nobody" } else { &owner });
            }
            let indent = if named { "    " } else { "  " };
            for one in files {
                let _ = write!(text, "\n{indent}{}: {}", owners.shown(&one.path), one.values.join(", "));
            }
        }
        notes.push(Note::Warning(text));
    }
    if !notes.is_empty() {
        let text = "Change these values at their origin; encrypting them again does not take them back.";
        notes.push(Note::Hint(text.to_owned()));
    }
    notes
}

/// The owners of files, each repository's read once.
#[derive(Default)]
struct Owned {
    repositories: Vec<(PathBuf, Owners)>,
}

impl Owned {
    /// Empty for nobody.
    fn of(&mut self, file: &Path) -> String {
        let Ok(real) = file.canonicalize() else { return String::new() };
        let known = self.repositories.iter().position(|(root, _)| real.starts_with(root));
        let index = known.or_else(|| {
            let repository = Repository::around(real.parent()?)?;
            self.repositories.push((repository.root().to_owned(), Owners::read(repository.root())));
            Some(self.repositories.len() - 1)
        });
        let found = index.and_then(|index| self.repositories.get(index));
        let owner = found.and_then(|(root, owners)| owners.of(real.strip_prefix(root).ok()?));
        owner.unwrap_or_default().to_owned()
    }

    /// As it was named, or below the root of its repository.
    fn shown(&self, file: &Path) -> String {
        let inside = self.repositories.iter().find_map(|(root, _)| file.strip_prefix(root).ok());
        inside.unwrap_or(file).display().to_string()
    }
}
