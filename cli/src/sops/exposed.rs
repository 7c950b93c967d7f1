//! Whether something stands in the clear in a file of SOPS after a change that was encrypted, or was meant to be. For those of
//! sealwax see `exposure.rs`.

use std::collections::HashSet;

use sealwax_format::document::File;
use sealwax_format::document::walk::{Leaf, leaves};
use sealwax_format::sops::{Layout, Value};
use sealwax_format::{Path, Step};

use super::config::Selection;
use super::{Opened, in_file};
use crate::error::CommandError;
use crate::files::{self, Store};

/// The length from which on a value that stands somewhere else is taken for the same secret, and not for chance.
const TELLING: usize = 8;

/// What was encrypted, and where; and what stood in the clear beside it.
pub(crate) struct Secrets<'s> {
    telling: HashSet<&'s [u8]>,
    places: HashSet<(usize, &'s Path)>,
    clear: HashSet<(usize, Path, Vec<u8>)>,
}

impl<'s> Secrets<'s> {
    /// Of values by their document and path.
    pub(crate) fn of(secrets: impl IntoIterator<Item = (usize, &'s Path, &'s [u8])>) -> Self {
        let (mut telling, mut places) = (HashSet::new(), HashSet::new());
        for (document, path, text) in secrets {
            places.insert((document, path));
            // Short ones stand everywhere.
            if text.len() >= TELLING {
                telling.insert(text);
            }
        }
        Self { telling, places, clear: HashSet::new() }
    }

    /// A text that stood in the clear before is no secret there: an object may be called as its user is.
    pub(crate) fn beside<'c>(mut self, clear: impl IntoIterator<Item = (usize, &'c Path, &'c [u8])>) -> Self {
        self.clear.extend(clear.into_iter().map(|(document, path, text)| (document, place(path), text.to_vec())));
        self
    }

    /// The same of all that is not one of them in the file where they stood, opened.
    pub(crate) fn within(self, file: &File<'_>) -> Self {
        let mut leaves = placed(file);
        leaves.retain(|(document, leaf)| !self.stood_at(*document, &leaf.path));
        self.beside(
            leaves.iter().filter_map(|(document, leaf)| Some((*document, &leaf.path, leaf.scalar?.value.as_bytes()))),
        )
    }

    /// Whether a text stood in the clear at this place, of a list in whatever position.
    pub(crate) fn was_clear(&self, document: usize, path: &Path, text: &[u8]) -> bool {
        self.clear.contains(&(document, place(path), text.to_vec()))
    }

    /// Whether a text in the clear is one of them, by its length and what it says.
    pub(crate) fn tells(&self, text: &[u8]) -> bool {
        self.telling.contains(text)
    }

    /// Whether one of them stood at a place.
    pub(crate) fn stood_at(&self, document: usize, path: &Path) -> bool {
        self.places.contains(&(document, path))
    }
}

/// A path in which all items of a list are the same place: they move when another one goes.
fn place(path: &Path) -> Path {
    let steps = path.0.iter().map(|step| match step {
        Step::Item(_) => Step::Item(0),
        key @ Step::Key(_) => key.clone(),
    });
    Path(steps.collect())
}

/// The values of a file, each with its document.
fn placed<'f>(file: &'f File<'_>) -> Vec<(usize, Leaf<'f>)> {
    let documents = file.documents.iter().enumerate();
    documents.flat_map(|(index, document)| leaves(document).into_iter().map(move |leaf| (index, leaf))).collect()
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
        let clear = layout.values.iter().filter(|value| value.token.is_none());
        let clear: HashSet<(usize, &Path)> = clear
            .filter(|value| value.leaf.scalar.is_none_or(|scalar| !scalar.value.is_empty()))
            .map(|value| (value.document, &value.leaf.path))
            .collect();
        let Some((_, path)) = places.into_iter().find(|place| clear.contains(place)) else { return Ok(()) };
        let (field, text) = self.metadata.selector.field();
        let message = format!("{}: {path}: the file's selector ({field}: {text}) leaves it in the clear", self.shown);
        Err(CommandError::usage(message)
            .hint("Choose another name, or change the rule in .sops.yaml and apply it with `sealwax rekey`."))
    }

    /// Refuses a result in which a value that was encrypted stands in the clear, at its path or at another.
    pub(super) fn refuse_exposed(&self, edited: &[u8], result: &str) -> Result<(), CommandError> {
        let before = (self.store != Store::Binary).then(|| self.file()).transpose()?;
        let secrets = Secrets::of(self.secrets.iter().map(|(document, path, text)| (*document, path, text.expose())));
        let secrets = if let Some(before) = &before { secrets.within(before) } else { secrets };
        self.refuse(edited, result, |value, text| {
            let (document, path, text) = (value.document, &value.leaf.path, text.as_bytes());
            let exposed = secrets.tells(text) || secrets.stood_at(document, path);
            (exposed && !secrets.was_clear(document, path, text)).then(|| {
                CommandError::refused("was encrypted and would stand in the clear").hint(
                    "The file's selector does not select it there. Keep its name, or change the rule in .sops.yaml.",
                )
            })
        })
    }

    /// Refuses a result with new values in the clear where the rule of `.sops.yaml` has another selector than the file: the
    /// file's is in no checksum, and whoever narrowed it would be shown what the next person adds.
    pub(super) fn refuse_added(&self, edited: &[u8], result: &str, rule: &Selection) -> Result<(), CommandError> {
        let ((field, text), (wanted, regex)) = (self.metadata.selector.field(), rule.selector.field());
        // Bytes are one value, which no selector leaves out.
        if (field, text) == (wanted, regex) || self.store == Store::Binary {
            return Ok(());
        }
        let before = self.file()?;
        let places: HashSet<(usize, Path)> =
            placed(&before).into_iter().map(|(document, leaf)| (document, leaf.path)).collect();
        self.refuse(edited, result, |value, _| {
            let added = !places.contains(&(value.document, value.leaf.path.clone()));
            added.then(|| {
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
        result: &str,
        against: impl Fn(&Value<'_>, &str) -> Option<CommandError>,
    ) -> Result<(), CommandError> {
        let file = files::parse(&self.shown, result, self.store.syntax())?;
        let layout = Layout::read(&file).map_err(|at| in_file(&self.shown, &at))?;
        for value in layout.values.iter().filter(|value| value.token.is_none()) {
            let Some(text) = value.leaf.scalar.map(|scalar| scalar.value.as_str()) else { continue };
            if let Some(error) = against(value, text).filter(|_| !text.is_empty()) {
                return Err(error.of(&self.place(edited, value)));
            }
        }
        Ok(())
    }

    fn place(&self, edited: &[u8], value: &Value<'_>) -> String {
        let path = &value.leaf.path;
        let file = std::str::from_utf8(edited).ok().and_then(|text| File::parse(text, self.store.syntax()).ok());
        let line = file.as_ref().and_then(|file| {
            let leaves = leaves(file.documents.get(value.document)?);
            let leaf = leaves.iter().find(|leaf| leaf.path == *path)?;
            Some(format!(":{}", file.line(leaf.node.span.start)))
        });
        format!("{}{}: {path}", self.shown, line.unwrap_or_default())
    }
}
