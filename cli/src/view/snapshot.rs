//! What a file says in encrypted form, and what differs between two states of it.

use std::collections::{BTreeMap, BTreeSet};

use sealwax_format::document::File;
use sealwax_format::keys::Keyring;
use sealwax_format::native::{Layout, Object, Opener, TokenKey, open_leaf};
use sealwax_format::{Error, SecretBytes};
use sha2::{Digest as _, Sha256};

use super::tags::{Tag, Tags};
use crate::readers::Named;

/// The documents of one state of a file, by what they are.
#[derive(Default)]
pub(crate) struct Snapshot {
    pub(crate) documents: BTreeMap<String, Document>,
}

/// One document.
#[derive(Default)]
pub(crate) struct Document {
    /// Where its values open.
    pub(crate) place: Option<String>,
    pub(crate) readers: BTreeSet<String>,
    /// Encrypted values by path.
    pub(crate) values: BTreeMap<String, Value>,
    /// Paths of values in the clear.
    pub(super) clear: BTreeSet<String>,
}

/// One encrypted value.
pub(crate) struct Value {
    pub(crate) tag: Tag,
    /// The value itself, where it was opened and is to be shown.
    pub(crate) plain: Option<SecretBytes>,
    pub(super) sealed: [u8; 32],
    pub(super) own: bool,
}

impl Snapshot {
    /// Reads a file; `reveal` keeps the values that open.
    pub(crate) fn of(file: &File<'_>, keyring: &Keyring, tags: &Tags, reveal: bool) -> Result<Self, Error> {
        let mut documents = BTreeMap::new();
        for index in 0..file.documents.len() {
            let layout = Layout::read(file, index)?;
            let mut title = match &layout.object {
                Some(object) => Object::shown(object),
                None => format!("document {}", index + 1),
            };
            while documents.contains_key(&title) {
                title.push_str(" (again)");
            }
            documents.insert(title, Document::of(file, &layout, keyring, tags, reveal)?);
        }
        Ok(Self { documents })
    }
}

impl Document {
    fn of(file: &File<'_>, layout: &Layout<'_>, keyring: &Keyring, tags: &Tags, reveal: bool) -> Result<Self, Error> {
        let mut opener = Opener::new(keyring);
        let (mut values, mut clear) = (BTreeMap::new(), BTreeSet::new());
        for leaf in &layout.leaves {
            let Some(token) = layout.token(file, leaf)? else {
                clear.insert(leaf.path.to_string());
                continue;
            };
            let opened = open_leaf(file, layout, &mut opener, leaf, &token).ok();
            let value = Value {
                tag: tags.of(&token, opened.as_ref()),
                sealed: Sha256::digest(&token.sealed).into(),
                own: matches!(token.key, TokenKey::Own { .. }),
                plain: opened.filter(|_| reveal).map(|plaintext| plaintext.value),
            };
            values.insert(leaf.path.to_string(), value);
        }
        let place = match layout.stated_place() {
            Ok(place) => place.map(|place| place.to_string()),
            Err(problem) => Some(problem.to_string()),
        };
        let readers = Named::of(file, layout)?.anywhere.iter().map(ToString::to_string).collect();
        Ok(Self { place, readers, values, clear })
    }
}

/// What differs between two states of a document.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
    /// Written anew, with another value as far as can be told.
    pub(crate) changed: Vec<String>,
    /// The same values, encrypted again.
    pub(crate) same: Vec<String>,
    /// Encrypted again, and not opened: the same or other values.
    pub(crate) unknown: Vec<String>,
    /// They were encrypted and stand in the clear.
    pub(crate) exposed: Vec<String>,
    pub(crate) came: BTreeSet<String>,
    pub(crate) went: BTreeSet<String>,
    /// Before and after.
    pub(crate) place: Option<(String, String)>,
}

impl Difference {
    /// Between two states, of which one may be missing.
    pub(crate) fn between(before: Option<&Document>, after: Option<&Document>) -> Self {
        let none = Document::default();
        let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
        let mut found = Self {
            came: after.readers.difference(&before.readers).cloned().collect(),
            went: before.readers.difference(&after.readers).cloned().collect(),
            ..Self::default()
        };
        for (path, old) in &before.values {
            match after.values.get(path) {
                None if after.clear.contains(path) => found.exposed.push(path.clone()),
                None => found.removed.push(path.clone()),
                Some(new) => found.compare(path, old, new),
            }
        }
        found.added = after.values.keys().filter(|path| !before.values.contains_key(*path)).cloned().collect();
        if let (Some(old), Some(new)) = (&before.place, &after.place)
            && old != new
        {
            found.place = Some((old.clone(), new.clone()));
        }
        found
    }

    fn compare(&mut self, path: &str, old: &Value, new: &Value) {
        let list = match (&old.tag, &new.tag) {
            _ if old.sealed == new.sealed => return,
            (Tag::Value(old), Tag::Value(new)) if old == new => &mut self.same,
            (Tag::Value(_), Tag::Value(_)) => &mut self.changed,
            // A key of its own means that somebody wrote this value; the document's, that all were encrypted again.
            _ if new.own => &mut self.changed,
            _ => &mut self.unknown,
        };
        list.push(path.to_owned());
    }

    /// Whether nothing differs.
    pub(crate) fn is_none(&self) -> bool {
        let lists = [&self.added, &self.removed, &self.changed, &self.same, &self.unknown, &self.exposed];
        lists.iter().all(|list| list.is_empty()) && self.came.is_empty() && self.went.is_empty() && self.place.is_none()
    }
}
