//! Where comments stand among values, as SOPS has it: go-yaml gives each to a key, a value or a collection.

use std::collections::HashMap;
use std::ops::Range;

use super::comments::{Comment, Extents};
use super::metadata::BLOCK_KEY;
use crate::document::lines::Lines;
use crate::document::rewrite::after_comments;
use crate::document::{Document, File, Kind, Node, Syntax};

/// Before which child: its document, the collection's node, and its number.
type Place = (usize, usize, usize);

/// Before which child of which collection each comment stands.
pub(super) struct Places {
    /// Comments by their number.
    before: HashMap<Place, Vec<usize>>,
    sure: Vec<bool>,
}

impl Places {
    pub(super) fn of(file: &File<'_>, found: &[Comment]) -> Self {
        let mut places = Self { before: HashMap::new(), sure: Vec::with_capacity(found.len()) };
        if file.syntax != Syntax::Yaml {
            for (index, Comment { text }) in found.iter().enumerate() {
                places.sure.push(true);
                let place = flat(file, text.end);
                places.before.entry(place).or_default().push(index);
            }
            return places;
        }
        if found.is_empty() {
            return places;
        }
        let ground = Ground::of(file);
        for (index, Comment { text }) in found.iter().enumerate() {
            let known = ground.known(text).or_else(|| ground.below(text));
            places.sure.push(known.is_some_and(|(_, sure)| sure));
            if let Some(place) = known.map(|(place, _)| place).or_else(|| ground.likely(text.start)) {
                places.before.entry(place).or_default().push(index);
            }
        }
        places
    }

    /// The comments before a child, or after the last.
    pub(super) fn before(&self, document: usize, node: usize, child: usize) -> &[usize] {
        self.before.get(&(document, node, child)).map_or(&[], Vec::as_slice)
    }

    /// Whether go-yaml takes a comment for the same.
    pub(super) fn is_sure(&self, comment: usize) -> bool {
        self.sure.get(comment) == Some(&true)
    }
}

/// The place of a comment in a file without nesting. One of INI comes after the name that it stands above, and one above
/// a section is the first in it.
fn flat(file: &File<'_>, offset: usize) -> Place {
    let Some(Document { root }) = file.documents.first() else { return (0, 0, 0) };
    let next = |node: &Node| node.entries().partition_point(|(key, _)| key.span.start < offset);
    let child = next(root);
    if file.syntax == Syntax::Dotenv {
        return (0, root.id, child);
    }
    let within = child.checked_sub(1).and_then(|section| root.entries().get(section)).map(|(_, section)| section);
    if let Some(section) = within.filter(|section| next(section) < section.entries().len()) {
        return (0, section.id, next(section) + 1);
    }
    match root.entries().get(child) {
        Some((key, _)) if key.text() == Some(BLOCK_KEY) => (0, root.id, child),
        // The first name may stand in a section without a line of its own.
        Some((key, section)) => (0, section.id, usize::from(key.span.is_empty())),
        None => (0, root.id, child),
    }
}

/// A child of a block collection.
struct Child<'d> {
    /// Of its key, or of its dash.
    start: usize,
    /// Of its key, or of its dash.
    end: usize,
    value: &'d Node,
    in_list: bool,
    is_block: bool,
    place: Place,
}

fn children<'d>(source: &str, document: usize, node: &'d Node, is_root: bool, found: &mut Vec<Child<'d>>) {
    match &node.kind {
        Kind::Mapping { flow: false, entries } => {
            for (index, (key, value)) in entries.iter().enumerate() {
                let is_block = is_root && key.text() == Some(BLOCK_KEY);
                let (start, end, place) = (key.span.start, key.span.end, (document, node.id, index));
                found.push(Child { start, end, value, in_list: false, is_block, place });
                if !is_block {
                    children(source, document, value, false, found);
                }
            }
        }
        Kind::Sequence { flow: false, items } => {
            let mut from = node.span.start;
            for (index, value) in items.iter().enumerate() {
                // Between two items stand comments and blanks, and the dash.
                let start = dash(source, from, value.span.start);
                let place = (document, node.id, index);
                found.push(Child { start, end: start + 1, value, in_list: true, is_block: false, place });
                from = value.span.end;
                children(source, document, value, false, found);
            }
        }
        _ => {}
    }
}

/// The dash of an item, which stands before it and is not in a comment.
fn dash(source: &str, from: usize, item: usize) -> usize {
    let mut at = from;
    for line in source.get(from..item).unwrap_or_default().split_inclusive('\n') {
        let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
        if line[blanks..].starts_with('-') {
            return at + blanks;
        }
        at += line.len();
    }
    from
}

/// A file with what the places of its comments are found by. No comment is compared with all others.
struct Ground<'f> {
    file: &'f File<'f>,
    lines: Lines,
    extents: Extents,
    /// In the order of the file.
    children: Vec<Child<'f>>,
}

impl<'f> Ground<'f> {
    fn of(file: &'f File<'_>) -> Self {
        let mut found = Vec::new();
        for (document, Document { root }) in file.documents.iter().enumerate() {
            children(file.source, document, root, true, &mut found);
            // Comments at the end are followed by the block, as soon as there is one.
            if let Kind::Mapping { flow: false, entries } = &root.kind
                && root.get(BLOCK_KEY).is_none()
            {
                let start = after_comments(file.source, root);
                let place = (document, root.id, entries.len());
                found.push(Child { start, end: start, value: root, in_list: false, is_block: true, place });
            }
        }
        found.sort_by_key(|child| child.start);
        Self { file, lines: Lines::of(file.source), extents: Extents::of(file), children: found }
    }

    /// The place of a comment as go-yaml has been seen to take it, and whether that is certain.
    fn known(&self, comment: &Range<usize>) -> Option<(Place, bool)> {
        let hash = comment.start - 1;
        let before = self.file.source.get(self.lines.start(hash)..hash)?.trim_start_matches('\u{feff}');
        let next = self.children.partition_point(|child| child.start < hash);
        let last = next.checked_sub(1).and_then(|last| self.children.get(last));
        if before.trim().is_empty() {
            return self.above(self.children.get(next)?, last, before.len(), comment.end);
        }
        let child = last?;
        if before.trim_matches([' ', '-']).is_empty() {
            // Behind a dash, above what the item holds.
            return self.above(self.children.get(next)?, None, before.len(), comment.end);
        }
        beside(self.file.source, child, hash).map(|place| (place, true))
    }

    /// A comment on a line of its own: before the next key or dash, if that is as far in.
    fn above(&self, next: &Child<'_>, last: Option<&Child<'_>>, column: usize, end: usize) -> Option<(Place, bool)> {
        let (line, next_line) = (self.lines.number(end), self.lines.number(next.start));
        let indent = if line < next_line {
            self.file.source.get(self.lines.start(next.start)..next.start)?
        } else {
            // The block that is not there yet may follow a line without its break.
            (end <= next.start && next.start == self.file.source.len()).then_some("")?
        };
        let aligned = indent.trim_end_matches(['-', ' ']).is_empty() && indent.len() == column;
        // A line that holds something may be of another document, but not above the first value of the first.
        let is_first = self.children.first().is_some_and(|first| first.start == next.start);
        let within = (is_first && next.place.0 == 0) || !self.lines.has_solid(line, next_line);
        let comments = within && self.lines.start_in(line, next_line, column);
        // A blank line may make the comment one of what ends above it: a deeper collection, a key without a colon, the
        // mark of a document if the file does not begin with it.
        let blank = self.lines.has_blank(line, next_line);
        let source = self.file.source;
        let mark = usize::from(source.lines().next().map(str::trim_end) == Some("---"));
        let goes_on = last.map_or(!is_first || !self.lines.has_solid(mark, line), |last| {
            (last.place.0, last.place.1) == (next.place.0, next.place.1) && has_colon(source, last)
        });
        let ends_list = blank && !next.in_list && last.is_some_and(|last| last.in_list && self.column(last) == column);
        // Above an item of which nothing is written, go-yaml keeps the comment for what follows.
        let nothing = next.in_list && next.value.span.is_empty();
        (aligned && comments && !ends_list).then_some((next.place, (goes_on || !blank) && !nothing))
    }

    /// A comment on a line of its own, right below a value and followed by nothing as far in: at the end of the
    /// collection that the value stands in, however far in it is itself.
    fn below(&self, comment: &Range<usize>) -> Option<(Place, bool)> {
        let next = self.children.partition_point(|child| child.start < comment.start);
        let last = self.children.get(next.checked_sub(1)?).filter(|last| !last.is_block)?;
        let hash = comment.start - 1;
        let end = last.value.span.end.max(last.end);
        let (end_line, line) = (self.lines.number(end), self.lines.number(hash));
        let indent = self.file.source.get(self.lines.start(hash)..hash)?;
        let own = indent.len();
        let same = end_line < line
            && indent.trim_start_matches(' ').is_empty()
            && self.lines.start_in_after_spaces(end_line, line, own)
            && !(own > 0 && self.lines.has_empty(end_line, line));
        let (document, node, child) = last.place;
        let ends = self.children.get(next).is_none_or(|next| self.column(next) < own);
        let in_document = self.extents.document(comment.start) == Some(document);
        (same && in_document).then_some(((document, node, child + 1), ends && self.column(last) == own))
    }

    /// Columns before a child.
    fn column(&self, child: &Child<'_>) -> usize {
        child.start - self.lines.start(child.start)
    }

    /// Where a comment is likely to stand: in the collection of the value on its line, else in the innermost that is not
    /// indented further than the comment.
    fn likely(&self, offset: usize) -> Option<Place> {
        let document = self.extents.document(offset)?;
        let line = self.lines.start(offset);
        let before = self.file.source.get(line..offset.saturating_sub(1)).unwrap_or_default();
        let inline = !before.trim().is_empty();
        let mut node = &self.file.documents.get(document)?.root;
        while let Some(child) = around(node, offset, inline.then_some(line), before.len()) {
            node = child;
        }
        let starts = |node: &Node| node.span.start;
        let child = match &node.kind {
            Kind::Mapping { entries, .. } => entries.partition_point(|(key, _)| starts(key) < offset),
            Kind::Sequence { items, .. } => items.partition_point(|item| starts(item) < offset),
            Kind::Scalar(_) | Kind::Alias(_) => return None,
        };
        Some((document, node.id, if inline { child.saturating_sub(1) } else { child }))
    }
}

/// Whether a key has its colon on its line; a dash needs none.
fn has_colon(source: &str, child: &Child<'_>) -> bool {
    let after = source.get(child.end..).unwrap_or_default().trim_start_matches([' ', '\t']);
    child.in_list || after.starts_with(':')
}

/// A comment behind something on its line.
fn beside(source: &str, child: &Child<'_>, hash: usize) -> Option<Place> {
    let blank = |from: usize| {
        source.get(from..hash).is_some_and(|gap| !gap.is_empty() && gap.trim_matches([' ', '\t']).is_empty())
    };
    match &child.value.kind {
        Kind::Scalar(scalar) if scalar.head.is_empty() => None,
        Kind::Scalar(scalar) => blank(scalar.head.end).then_some(child.place),
        Kind::Alias(_) => blank(child.value.span.end).then_some(child.place),
        // Of a collection in braces it is the first comment within.
        Kind::Mapping { flow: true, .. } | Kind::Sequence { flow: true, .. } => {
            blank(child.value.span.end).then_some((child.place.0, child.value.id, 0))
        }
        Kind::Mapping { .. } | Kind::Sequence { .. } => {
            let key = source.get(child.end..hash)?.trim_start().strip_prefix(':')?;
            (!child.in_list && !key.is_empty() && key.trim_matches([' ', '\t']).is_empty()).then_some(child.place)
        }
    }
}

/// The collection within a node that reaches to an offset; `inline` is the start of the line if something stands there.
fn around(node: &Node, offset: usize, inline: Option<usize>, column: usize) -> Option<&Node> {
    // A comment below `key:` and above the first value stands in what the key holds.
    let begins = |key: &Node, value: &Node| if inline.is_some() { value.span.start } else { key.span.start };
    let last = match &node.kind {
        Kind::Mapping { entries, .. } => {
            let above = entries.get(..entries.partition_point(|(key, value)| begins(key, value) < offset))?;
            // The block is nobody's container: what stands after it belongs to what stands before it.
            &above.iter().rev().find(|(key, _)| key.text() != Some(BLOCK_KEY))?.1
        }
        Kind::Sequence { items, .. } => {
            items.get(items.partition_point(|item| item.span.start < offset).checked_sub(1)?)?
        }
        Kind::Scalar(_) | Kind::Alias(_) => return None,
    };
    let is_collection = !matches!(last.kind, Kind::Scalar(_) | Kind::Alias(_));
    let fits = match (last.is_flow(), inline) {
        // Behind the closing brace too.
        (true, Some(line)) => last.span.end > line,
        (true, None) => offset <= last.span.end,
        (false, Some(_)) => true,
        (false, None) => last.column <= column,
    };
    (is_collection && fits).then_some(last)
}
