//! Entries that come and go: put back where they stood, and documents that they leave empty.

use std::ops::Range;

use zeroize::Zeroizing;

use super::entries::{end_of_line, entry_end};
use super::{Inserted, Rewrite, RewriteError};
use crate::document::lines::line_start;
use crate::document::{File, Node};

/// Where an entry of a mapping stands among its neighbours, so that it can be put back after it was taken out.
#[derive(Clone, Debug)]
pub struct EntryPlace {
    /// The key of the entry before it.
    after: Option<String>,
    /// Whether it is the only entry.
    alone: bool,
    /// In block style: the lines of comments and blanks between that entry and this one; for the first entry, between
    /// this one and the next.
    lines: usize,
    /// In flow style: what stands there instead. For the only entry, what stands before it and after it.
    between: (String, String),
    /// Of the file: without the entry it may have no line break that shows which it uses.
    line_break: &'static str,
}

impl EntryPlace {
    /// Of an entry that stands in a mapping.
    pub fn of(file: &File<'_>, mapping: &Node, index: usize) -> Option<Self> {
        let entries = mapping.entries();
        let (key, value) = entries.get(index)?;
        let own = key.span.start..entry_end(key, value);
        let previous = index.checked_sub(1).and_then(|previous| entries.get(previous));
        let next = entries.get(index + 1);
        let gap = match (previous, next) {
            (Some((key, value)), _) => entry_end(key, value)..own.start,
            (None, Some((next, _))) => own.end..next.span.start,
            (None, None) => own.end..own.end,
        };
        let text = |range: Range<usize>| file.source.get(range).unwrap_or_default().to_owned();
        let between = match (previous, next, mapping.is_flow()) {
            (None, None, true) => (text(mapping.span.start + 1..own.start), text(own.end..mapping.span.end - 1)),
            _ => (text(gap.clone()), String::new()),
        };
        let after = previous.map(|(key, _)| key.text().map(str::to_owned));
        if after == Some(None) {
            return None;
        }
        let lines = between.0.matches('\n').count().saturating_sub(1);
        Some(Self { after: after.flatten(), alone: entries.len() == 1, lines, between, line_break: file.line_break() })
    }
}

impl Rewrite<'_, '_> {
    /// Adds an entry where it stood in an earlier state of the mapping, or after the last one if its neighbour is gone.
    pub fn put_back(&mut self, document: usize, mapping: &Node, place: &EntryPlace, key: &str, text: &str) {
        let entries = mapping.entries();
        let neighbour = match &place.after {
            Some(after) => entries.iter().position(|(key, _)| key.text() == Some(after)),
            None => (!place.alone).then_some(0),
        };
        let Some((neighbour_key, neighbour_value)) = neighbour.and_then(|index| entries.get(index)) else {
            if entries.is_empty() && mapping.is_flow() {
                let at = mapping.span.start + 1..mapping.span.end - 1;
                self.splice(at, [&*place.between.0, text, &*place.between.1].concat());
                return self.expect_entry(document, mapping, key, text);
            }
            return self.insert(document, mapping, key, text);
        };
        let first = place.after.is_none();
        if mapping.is_flow() {
            let between = place.between.0.as_str();
            let (at, text) = if first {
                (neighbour_key.span.start, [text, between].concat())
            } else {
                (entry_end(neighbour_key, neighbour_value), [between, text].concat())
            };
            self.splice(at..at, text);
        } else if first {
            let at = lines_up(self.file.source, neighbour_key.span.start, place.lines);
            self.splice(at..at, [text, place.line_break].concat());
        } else {
            let source = self.file.source;
            let end = entry_end(neighbour_key, neighbour_value);
            // Comments that become items of a list are part of the entry above.
            let below = end..lines_down(source, end, usize::MAX);
            let items = self.item_ends.iter().filter(|end| below.contains(*end)).max();
            let at = lines_down(source, items.map_or(end, |items| end.max(*items)), place.lines);
            self.splice_lines(at, text, place.line_break);
        }
        self.expect_entry(document, mapping, key, text);
    }

    /// Makes a block mapping of an empty document, `{}` or nothing; `text` are the lines of its only entry.
    pub fn fill(&mut self, document: usize, root: &Node, key: &str, text: &str) {
        let source = self.file.source;
        let line_break = self.file.line_break();
        let before = source.get(..root.span.start).unwrap_or_default();
        let after = source.get(root.span.end..).unwrap_or_default();
        let lead =
            if before.trim_start_matches('\u{feff}').is_empty() || before.ends_with('\n') { "" } else { line_break };
        // Nothing stands in a document without a root: the line that its place is on belongs to what follows.
        let trail = if root.span.is_empty() && !after.starts_with(['\n', '\r']) { line_break } else { "" };
        self.splice(root.span.clone(), [lead, text, trail].concat());
        self.turned.insert((document, root.id));
        let text = Zeroizing::new(text.to_owned());
        self.inserted.entry((document, root.id)).or_default().push(Inserted { key: key.to_owned(), text });
    }

    /// The reverse, for the only entry of a document's root.
    pub fn empty(&mut self, document: usize, root: &Node) -> Result<(), RewriteError> {
        let [(key, value)] = root.entries() else { return Err(RewriteError::Elsewhere) };
        let range = if root.is_flow() {
            root.span.start + 1..root.span.end - 1
        } else {
            self.line_start(key)?..end_of_line(self.file.source, entry_end(key, value))
        };
        self.splice(range, if root.is_flow() { String::new() } else { "{}".to_owned() });
        self.removed.insert((document, key.id));
        self.turned.insert((document, root.id));
        Ok(())
    }
}

/// The start of the line after the one that an offset is on, and after as many lines of comments and blanks as there
/// are below it, up to a number.
fn lines_down(source: &str, from: usize, lines: usize) -> usize {
    let next =
        |at: usize| source.get(at..).and_then(|rest| rest.find('\n')).map_or(source.len(), |length| at + length + 1);
    let mut at = next(from);
    for _ in 0..lines {
        let end = next(at);
        let line = source.get(at..end).unwrap_or_default().trim();
        if at == end || !(line.is_empty() || line.starts_with(['#', ';'])) {
            break;
        }
        at = end;
    }
    at
}

/// The same upwards: the start of the line that an offset is on, or of one as far above it.
fn lines_up(source: &str, from: usize, lines: usize) -> usize {
    let mut at = line_start(source, from);
    for _ in 0..lines {
        let above = line_start(source, at.saturating_sub(1));
        let line = source.get(above..at).unwrap_or_default().trim();
        if at == 0 || !(line.is_empty() || line.starts_with(['#', ';'])) {
            break;
        }
        at = above;
    }
    at
}
