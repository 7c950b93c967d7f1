//! The check of every edit: the old and the new tree walked side by side.

use super::items::items;
use super::{Inserted, Item, Replacement, Rewrite, RewriteError};
use crate::document::ini::DEFAULT as DEFAULT_SECTION;
use crate::document::present::head_range;
use crate::document::resolve::resolve;
use crate::document::{File, Kind, Node, Syntax};

/// The walk over the old and the new tree side by side.
struct Comparison<'c, 'f, 's> {
    edits: &'c Rewrite<'f, 's>,
    text: &'c str,
    document: usize,
    wrong: &'c mut Vec<(usize, usize)>,
}

impl Comparison<'_, '_, '_> {
    fn same(&mut self, old: &Node, new: &Node) -> bool {
        if let Some(Some(replacement)) = self.edits.replaced[self.document].get(old.id) {
            if !self.arrived(replacement, new) || old.anchor != new.anchor {
                self.wrong.push((self.document, old.id));
            }
            return true;
        }
        if old.anchor != new.anchor || old.tag.as_ref().map(|t| &t.name) != new.tag.as_ref().map(|t| &t.name) {
            return false;
        }
        match (&old.kind, &new.kind) {
            (Kind::Scalar(old), Kind::Scalar(new)) => old.style == new.style && old.value == new.value,
            (Kind::Alias(old), Kind::Alias(new)) => old == new,
            (Kind::Sequence { items: a, flow: f }, Kind::Sequence { items: b, flow: g }) => {
                f == g && self.same_items(old.id, a, b)
            }
            (Kind::Mapping { entries: a, flow: f }, Kind::Mapping { entries: b, flow: g }) => {
                (f == g || self.edits.turned.contains(&(self.document, old.id))) && self.same_entries(old.id, a, b)
            }
            // An empty document that became a mapping.
            (Kind::Scalar(_), Kind::Mapping { entries, .. }) => {
                self.edits.turned.contains(&(self.document, old.id)) && self.same_entries(old.id, &[], entries)
            }
            _ => false,
        }
    }

    fn same_items(&mut self, parent: usize, old: &[Node], new: &[Node]) -> bool {
        let edits = self.edits;
        let mut added = edits.items.get(&(self.document, parent)).into_iter().flatten().peekable();
        let mut new = new.iter();
        for (position, item) in old.iter().enumerate() {
            while let Some((_, written)) = added.next_if(|(before, _)| *before <= position) {
                if !new.next().is_some_and(|new| edits.is_written(written, new)) {
                    return false;
                }
            }
            let removed = edits.removed.contains(&(self.document, item.id));
            if !removed && !new.next().is_some_and(|new| self.same(item, new)) {
                return false;
            }
        }
        added.all(|(_, written)| new.next().is_some_and(|new| edits.is_written(written, new))) && new.next().is_none()
    }

    fn same_entries(&mut self, parent: usize, old: &[(Node, Node)], new: &[(Node, Node)]) -> bool {
        let inserted = self.edits.inserted.get(&(self.document, parent));
        let is_inserted = |key: &Node, value: &Node| {
            let entry = inserted.and_then(|entries| entries.iter().find(|entry| key.text() == Some(&entry.key)));
            entry.is_some_and(|entry| self.edits.reads_alike(entry, value))
        };
        let mut kept = old.iter().filter(|(key, _)| !self.edits.removed.contains(&(self.document, key.id))).peekable();
        let mut kept_pairs = Vec::with_capacity(old.len());
        for (key, value) in new {
            // An inserted key may carry the name of a removed one, so position decides, then the name.
            match kept.next_if(|(old_key, _)| old_key.text() == key.text()) {
                Some(pair) => kept_pairs.push((pair, (key, value))),
                None if is_inserted(key, value) => {}
                None => return false,
            }
        }
        kept.next().is_none()
            && kept_pairs.into_iter().all(|((ok, ov), (nk, nv))| self.same(ok, nk) && self.same(ov, nv))
    }

    /// Whether a written value reads back as expected, from exactly the text that was written: a presentation
    /// that carried a comment or a second value would have left text outside the scalar.
    fn arrived(&self, replacement: &Replacement, node: &Node) -> bool {
        let Some(scalar) = node.scalar() else {
            return false;
        };
        let head = &self.text[head_range(node, scalar)];
        let body = scalar.body.clone().map(|body| &self.text[body]);
        head == replacement.written.head
            && body == replacement.written.body.as_deref()
            && resolve(node, scalar).is_ok_and(|found| {
                found.value_type == replacement.expected.value_type && found.value == replacement.expected.value
            })
    }
}

impl Rewrite<'_, '_> {
    pub(super) fn verify(&self, text: &str) -> Result<(), RewriteError> {
        let result = File::parse(text, self.file.syntax).map_err(RewriteError::Parse)?;
        if result.documents.len() != self.file.documents.len() {
            return Err(RewriteError::Elsewhere);
        }
        let mut wrong = Vec::new();
        for (index, (old, new)) in self.file.documents.iter().zip(&result.documents).enumerate() {
            let mut comparison = Comparison { edits: self, text, document: index, wrong: &mut wrong };
            if !comparison.same(&old.root, &new.root) {
                return Err(RewriteError::Elsewhere);
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(RewriteError::Values(wrong)) }
    }

    /// Whether an item reads back as what was written.
    fn is_written(&self, item: &Item, node: &Node) -> bool {
        let text = match item {
            Item::Text(text) => return node.text() == Some(text.as_str()),
            Item::Alike(text) => text,
        };
        let alone = File::parse(text, self.file.syntax).ok();
        let expected = alone.as_ref().and_then(|alone| items(&alone.documents.first()?.root).first());
        expected.is_some_and(|expected| alike(expected, node))
    }

    /// Whether the value of a new entry is what the entry says by itself: what stands around it in the file must not
    /// have become part of it.
    fn reads_alike(&self, entry: &Inserted, value: &Node) -> bool {
        let Ok(alone) = File::parse(&entry.text, self.file.syntax) else {
            return false;
        };
        let Some(root) = alone.documents.first().map(|document| &document.root) else { return false };
        // A name of INI without a section's heading above it.
        let loose = || root.get(DEFAULT_SECTION)?.get(&entry.key).filter(|_| self.file.syntax == Syntax::Ini);
        let expected = root.get(&entry.key).or_else(loose);
        expected.is_some_and(|expected| alike(expected, value))
    }
}

/// Whether two trees hold the same values.
fn alike(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Scalar(a), Kind::Scalar(b)) => a.value == b.value,
        (Kind::Sequence { items: a, .. }, Kind::Sequence { items: b, .. }) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Kind::Mapping { entries: a, .. }, Kind::Mapping { entries: b, .. }) => {
            a.len() == b.len() && a.iter().zip(b).all(|((ka, va), (kb, vb))| alike(ka, kb) && alike(va, vb))
        }
        _ => false,
    }
}
