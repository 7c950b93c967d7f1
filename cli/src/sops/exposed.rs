//! Whether something stands in the clear in a file of SOPS after a change that was encrypted, or was meant to be. For those of
//! sealwax see `exposure.rs`.

use std::collections::{HashMap, HashSet};

use sealwax_format::document::File;
use sealwax_format::document::walk::leaves;
use sealwax_format::sops::Layout;
use sealwax_format::{Path, Step};

use super::config::Selection;
use super::held::{clear_of, text_of};
use super::{Held, Opened, in_file};
use crate::commented::{TELLING, line_of};
use crate::error::CommandError;
use crate::files::{self, Store};

const EXPOSED: &str = "was encrypted and would stand in the clear";
/// What to do about it where somebody edited the file.
pub(crate) const LEAVE_IT: &str =
    "The file's selector does not select it there. Leave it where it was, or change the rule in .sops.yaml.";

/// What was encrypted in files, to be recognised where it stands in the clear.
pub(crate) struct Secrets<'h> {
    telling: HashSet<&'h [u8]>,
    places: HashSet<(usize, &'h Path)>,
    secret: HashSet<Text<'h>>,
    clear: HashSet<Text<'h>>,
    count: HashMap<(usize, Path), Count>,
}

/// How many values stand in a list, or at a path.
#[derive(Clone, Copy, Default)]
struct Count {
    all: usize,
    encrypted: usize,
}

/// A text in a document, at a path in which all items of a list are the same place: they move when another one goes.
type Text<'h> = (usize, Path, &'h [u8]);

impl<'h> Secrets<'h> {
    /// Of one file or several.
    pub(crate) fn of(held: impl IntoIterator<Item = &'h Held>) -> Self {
        let (mut telling, mut places) = (HashSet::new(), HashSet::new());
        let (mut secret, mut clear, mut count) = (HashSet::new(), HashSet::new(), HashMap::new());
        for held in held {
            for (document, path, value) in &held.secrets {
                places.insert((*document, path));
                let count: &mut Count = count.entry((*document, place(path))).or_default();
                (count.all, count.encrypted) = (count.all + 1, count.encrypted + 1);
                secret.insert((*document, place(path), value.expose()));
                // Short ones stand everywhere.
                if value.expose().len() >= TELLING {
                    telling.insert(value.expose());
                }
            }
            for (document, path, _) in &held.clear {
                count.entry((*document, place(path))).or_default().all += 1;
            }
            clear.extend(held.clear.iter().map(|(document, path, text)| (*document, place(path), text.expose())));
        }
        Self { telling, places, secret, clear, count }
    }

    /// Whether a text in the clear is one of them: a long one anywhere, a short one where it stood. What stood in the clear
    /// there before is none: an object may be called as its user is.
    pub(crate) fn tells(&self, document: usize, path: &Path, text: &[u8]) -> bool {
        let here = (document, place(path), text);
        (self.telling.contains(text) || self.secret.contains(&here)) && !self.clear.contains(&here)
    }

    /// Whether one of them stood at a path.
    pub(crate) fn stood_at(&self, document: usize, path: &Path) -> bool {
        self.places.contains(&(document, path))
    }

    /// Whether a text stood in the clear at a path, or in the same list.
    fn was_clear(&self, document: usize, path: &Path, text: &[u8]) -> bool {
        self.clear.contains(&(document, place(path), text))
    }
}

/// How many values stand in each list, or at each path.
fn count_in(file: &File<'_>, layout: &Layout<'_>) -> HashMap<(usize, Path), Count> {
    let mut counts: HashMap<_, Count> = HashMap::new();
    for (value, (document, path)) in layout.values.iter().zip(layout.plain_places()) {
        let count = counts.entry((document, place(&path))).or_default();
        count.all += usize::from(value.token.is_some() || text_of(file.syntax, &value.leaf).is_some());
        count.encrypted += usize::from(value.token.is_some());
    }
    counts
}

fn place(path: &Path) -> Path {
    let steps = path.0.iter().map(|step| match step {
        Step::Item(_) => Step::Item(0),
        key @ Step::Key(_) => key.clone(),
    });
    Path(steps.collect())
}

impl Opened {
    /// Refuses a result in which a value at one of these paths is not encrypted: the file's selector, which came with it,
    /// decides. Empty values never are.
    pub(crate) fn refuse_clear<'p>(
        &self,
        result: &str,
        places: impl IntoIterator<Item = (usize, &'p Path)>,
    ) -> Result<(), CommandError> {
        let file = files::parse(&self.shown, result, self.store.syntax())?;
        let layout = Layout::read(&file).map_err(|at| in_file(&self.shown, &at))?;
        let plain = layout.plain_places();
        let clear = layout.values.iter().zip(&plain).filter(|(value, _)| value.token.is_none());
        let clear: HashSet<(usize, &Path)> = clear
            .filter(|(value, _)| value.leaf.scalar.is_none_or(|scalar| !scalar.value.is_empty()))
            .map(|(_, (document, path))| (*document, path))
            .collect();
        let Some((_, path)) = places.into_iter().find(|place| clear.contains(place)) else { return Ok(()) };
        let (field, text) = self.metadata.selector.field();
        let message = format!("{}: {path}: the file's selector ({field}: {text}) leaves it in the clear", self.shown);
        Err(CommandError::usage(message)
            .hint("Choose another name, or change the rule in .sops.yaml and apply it with `sealwax rekey`."))
    }

    /// Refuses a result in which a value that was encrypted stands in the clear, at its path, at another or in a comment, or
    /// in which an encrypted comment does; `hint` is what to do about it.
    pub(crate) fn refuse_exposed(&self, edited: &[u8], result: &str, hint: &str) -> Result<(), CommandError> {
        if self.store == Store::Binary {
            return Ok(());
        }
        let secrets = Secrets::of([&self.held]);
        let after = files::parse(&self.shown, result, self.store.syntax())?;
        let layout = Layout::read(&after).map_err(|at| in_file(&self.shown, &at))?;
        let is = count_in(&after, &layout);
        self.refuse(edited, (&after, &layout), |(document, path), text| {
            let here = (document, place(path));
            // It may have moved, as an item has come before it: there are more, and as many encrypted ones.
            let (was, is) =
                (secrets.count.get(&here).copied().unwrap_or_default(), is.get(&here).copied().unwrap_or_default());
            let gone = || is.all <= was.all || is.encrypted < was.encrypted;
            let stood = || secrets.stood_at(document, path) && !secrets.was_clear(document, path, text) && gone();
            let exposed = secrets.tells(document, path, text) || stood();
            exposed.then(|| CommandError::refused(EXPOSED).hint(hint))
        })?;
        let (anywhere, opened) = (Path::default(), self.comments.new_in(&self.file()?));
        let opened = opened.iter().map(|comment| (&anywhere, comment.as_bytes()));
        let values = self.held.secrets.iter().map(|(_, path, text)| (path, text.expose()));
        let Some(comment) = self.comments.exposing(&after, values.chain(opened)) else { return Ok(()) };
        let line = line_of(&String::from_utf8_lossy(edited), comment);
        let message = format!("{}:{line}: what the comment says {EXPOSED}", self.shown);
        Err(CommandError::refused(message).hint(hint))
    }

    /// Refuses a result with new values in the clear where the rule of `.sops.yaml` has another selector than the file: the
    /// file's is in no checksum, and whoever narrowed it would be shown what the next person adds.
    pub(super) fn refuse_added(&self, edited: &[u8], result: &str, rule: &Selection) -> Result<(), CommandError> {
        let ((field, text), (wanted, regex)) = (self.metadata.selector.field(), rule.selector.field());
        // Bytes are one value, which no selector leaves out.
        if (field, text) == (wanted, regex) || self.store == Store::Binary {
            return Ok(());
        }
        let known = self.held.secrets.iter().chain(&self.held.clear);
        let places: HashSet<(usize, &Path)> = known.map(|(document, path, _)| (*document, path)).collect();
        let after = files::parse(&self.shown, result, self.store.syntax())?;
        let layout = Layout::read(&after).map_err(|at| in_file(&self.shown, &at))?;
        self.refuse(edited, (&after, &layout), |place, _| {
            (!places.contains(&place)).then(|| {
                let rule = &rule.rule;
                let message = format!(
                    "is new and would stand in the clear: the file says {field}: {text}, {rule} says {wanted}: {regex}"
                );
                CommandError::refused(message).hint("Apply the rule first, with `sealwax rekey`.")
            })
        })
    }

    /// The first reason against a value in the clear, with its path and its line in the edited file, which people see.
    fn refuse(
        &self,
        edited: &[u8],
        (file, layout): (&File<'_>, &Layout<'_>),
        against: impl Fn((usize, &Path), &[u8]) -> Option<CommandError>,
    ) -> Result<(), CommandError> {
        for (document, path, text) in clear_of(file, layout) {
            if let Some(error) = against((document, &path), text.expose()).filter(|_| !text.expose().is_empty()) {
                return Err(error.of(&self.place(edited, document, &path)));
            }
        }
        Ok(())
    }

    fn place(&self, edited: &[u8], document: usize, path: &Path) -> String {
        let file = std::str::from_utf8(edited).ok().and_then(|text| File::parse(text, self.store.syntax()).ok());
        let line = file.as_ref().and_then(|file| {
            let leaves = leaves(file.documents.get(document)?);
            let leaf = leaves.iter().find(|leaf| leaf.path == *path)?;
            Some(format!(":{}", file.line(leaf.node.span.start)))
        });
        format!("{}{}: {path}", self.shown, line.unwrap_or_default())
    }
}
