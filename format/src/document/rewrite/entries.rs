//! Entries of mappings: added, taken out, replaced, and put back where they stood.

use std::ops::Range;

use zeroize::Zeroizing;

use super::items::items;
use super::{Inserted, Rewrite, RewriteError};
use crate::document::lines::line_start;
use crate::document::{Kind, Node, Style, Syntax};

impl Rewrite<'_, '_> {
    /// Whole lines at the start of a line; at the end of a text without a line break, after one and without one.
    pub(super) fn splice_lines(&mut self, at: usize, text: &str, line_break: &str) {
        let open_end = at == self.file.source.len() && !self.file.source.ends_with('\n');
        self.splice(at..at, if open_end { [line_break, text].concat() } else { [text, line_break].concat() });
    }

    /// Adds an entry after the last one of a mapping. `text` is the entry as it is to stand: in block style whole
    /// lines without the last line break, in flow style `key: value`.
    pub fn insert(&mut self, document: usize, mapping: &Node, key: &str, text: &str) {
        if mapping.is_flow() {
            let (at, text) = match mapping.entries().last() {
                Some((key, value)) => (entry_end(key, value), [&*self.separator(mapping), text].concat()),
                None => (mapping.span.start + 1, text.to_owned()),
            };
            self.splice(at..at, text);
        } else {
            self.splice_lines(after_content(self.file.source, mapping), text, self.file.line_break());
        }
        self.expect_entry(document, mapping, key, text);
    }

    /// The same, but below the comments at the end of a block mapping.
    pub fn append(&mut self, document: usize, mapping: &Node, key: &str, text: &str) {
        if mapping.is_flow() {
            return self.insert(document, mapping, key, text);
        }
        self.splice_lines(after_comments(self.file.source, mapping), text, self.file.line_break());
        self.expect_entry(document, mapping, key, text);
    }

    /// Removes an entry with its lines.
    pub fn remove(&mut self, document: usize, mapping: &Node, index: usize) -> Result<(), RewriteError> {
        let (key, value) = &mapping.entries()[index];
        // Where nothing has to be written for it, a mapping may be empty.
        let may_be_empty = matches!(self.file.syntax, Syntax::Dotenv | Syntax::Ini);
        if mapping.entries().len() == 1 && !may_be_empty {
            return Err(RewriteError::LastEntry);
        }
        let range = if mapping.is_flow() { in_flow(mapping, index) } else { self.block_entry(key, value)? };
        self.splice(range, String::new());
        self.removed.insert((document, key.id));
        Ok(())
    }

    /// Writes other text in the place of an entry, under the same key; `text` as for [`Self::insert`].
    pub fn replace_entry(
        &mut self,
        document: usize,
        mapping: &Node,
        index: usize,
        key: &str,
        text: &str,
    ) -> Result<(), RewriteError> {
        let (old_key, old_value) = &mapping.entries()[index];
        let range = if mapping.is_flow() {
            old_key.span.start..entry_end(old_key, old_value)
        } else {
            let end = end_of_line(self.file.source, entry_end(old_key, old_value));
            self.line_start(old_key)?..end
        };
        self.splice(range, text.to_owned());
        self.removed.insert((document, old_key.id));
        self.expect_entry(document, mapping, key, text);
        Ok(())
    }

    /// Remembers an entry as a document of its own.
    pub(super) fn expect_entry(&mut self, document: usize, mapping: &Node, key: &str, text: &str) {
        // A text of several lines may end with a line break, which is that of its last line.
        let text = if mapping.is_flow() { ["{", text, "}"] } else { [text, self.file.line_break(), ""] }.concat();
        let inserted = Inserted { key: key.to_owned(), text: Zeroizing::new(text) };
        self.inserted.entry((document, mapping.id)).or_default().push(inserted);
    }

    /// What stands before something added to a flow collection: a line of its own in JSON that has lines.
    pub(super) fn separator(&self, collection: &Node) -> String {
        let first = parts(collection).next().map_or(collection.span.end, |part| part.start);
        let before = self.file.source.get(collection.span.start + 1..first).unwrap_or_default();
        let lines = self.file.syntax == Syntax::Json && before.trim().is_empty() && before.contains('\n');
        if lines { format!(",{before}") } else { ", ".to_owned() }
    }

    /// Where the line of a key starts that has it to itself.
    pub(super) fn line_start(&self, key: &Node) -> Result<usize, RewriteError> {
        let source = self.file.source;
        let start = line_start(source, key.span.start);
        let before = source[start..key.span.start].trim_start_matches(' ');
        if before.is_empty() || before == "? " { Ok(start) } else { Err(RewriteError::SharedLine) }
    }

    fn block_entry(&self, key: &Node, value: &Node) -> Result<Range<usize>, RewriteError> {
        let source = self.file.source;
        let start = self.line_start(key)?;
        let end = end_of_line(source, entry_end(key, value));
        if let Some(length) = source[end..].find('\n') {
            return Ok(start..end + length + 1);
        }
        // The last line without a line break: the one before it goes instead.
        let before = source[..start].strip_suffix('\n').unwrap_or(&source[..start]);
        Ok(before.strip_suffix('\r').unwrap_or(before).len()..source.len())
    }
}

pub(super) fn entry_end(key: &Node, value: &Node) -> usize {
    value.span.end.max(key.span.end)
}

/// The offset of the line break after an offset, or the end of the text.
pub(super) fn end_of_line(source: &str, from: usize) -> usize {
    let end = source[from..].find('\n').map_or(source.len(), |length| from + length);
    if source[from..end].ends_with('\r') { end - 1 } else { end }
}

/// The start of the line after the last line of a block mapping's or list's content.
pub(super) fn after_content(source: &str, mapping: &Node) -> usize {
    let last_item = items(mapping).last().map(|item| item.span.end);
    let last_entry = mapping.entries().last().map(|(key, value)| entry_end(key, value));
    let end = last_entry.or(last_item).unwrap_or(mapping.span.end);
    let mut at = source[end..].find('\n').map_or(source.len(), |length| end + length + 1);
    let keeps = keeps_blank_lines(mapping, source);
    let mut next = at;
    for line in source[at..].split_inclusive('\n') {
        let text = line.trim_end_matches(['\n', '\r']);
        let indent = text.len() - text.trim_start_matches([' ', '\t']).len();
        let comment = text[indent..].starts_with('#');
        if indent < text.len() && !(comment && indent > mapping.column) {
            break;
        }
        next += line.len();
        // Blanks and indented comments right after the new entry would become part of its last scalar.
        if keeps || indent > 0 {
            at = next;
        }
    }
    at
}

/// The same, after the last comment below the content.
pub(crate) fn after_comments(source: &str, mapping: &Node) -> usize {
    let mut at = after_content(source, mapping);
    let mut next = at;
    for line in source.get(at..).unwrap_or_default().split_inclusive('\n') {
        let text = line.trim();
        if !(text.is_empty() || text.starts_with(['#', ';'])) {
            break;
        }
        next += line.len();
        if !text.is_empty() {
            at = next;
        }
    }
    at
}

/// Whether the last scalar below a node is a block scalar whose value includes the blank lines after it.
fn keeps_blank_lines(node: &Node, source: &str) -> bool {
    match &node.kind {
        Kind::Scalar(scalar) => {
            matches!(scalar.style, Style::Literal | Style::Folded) && source[scalar.head.clone()].contains('+')
        }
        Kind::Mapping { flow: false, entries } => {
            entries.last().is_some_and(|(_, value)| keeps_blank_lines(value, source))
        }
        Kind::Sequence { flow: false, items } => items.last().is_some_and(|item| keeps_blank_lines(item, source)),
        _ => false,
    }
}

/// Where the entries of a mapping stand, or the items of a list.
fn parts(collection: &Node) -> impl Iterator<Item = Range<usize>> {
    let entries = collection.entries().iter().map(|(key, value)| key.span.start..entry_end(key, value));
    entries.chain(items(collection).iter().map(|item| item.span.clone()))
}

/// An entry of a flow mapping, or an item of a flow list, with the comma that goes with it.
pub(super) fn in_flow(collection: &Node, index: usize) -> Range<usize> {
    let mut parts = parts(collection).skip(index.saturating_sub(1));
    let previous = if index > 0 { parts.next() } else { None };
    let own = parts.next().unwrap_or_default();
    match previous {
        Some(previous) => previous.end..own.end,
        None => own.start..parts.next().map_or(own.end, |next| next.start),
    }
}
