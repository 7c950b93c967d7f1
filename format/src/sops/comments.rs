//! Comments of a YAML file, which the tree does not hold, and what they stand in: SOPS encrypts them too.

use std::collections::HashMap;
use std::ops::Range;

use super::metadata::BLOCK_KEY;
use crate::document::rewrite::after_comments;
use crate::document::walk::Leaf;
use crate::document::{Document, File, Kind, Node, Syntax};
use crate::path::Path;

/// A comment: from after its `#` to the end of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comment {
    /// In the source.
    pub(super) text: Range<usize>,
}

/// All comments of a file in order.
pub(super) fn comments(file: &File<'_>) -> Vec<Comment> {
    if file.syntax != Syntax::Yaml {
        return Vec::new();
    }
    let mut taken = Vec::new();
    file.documents.iter().for_each(|document| collect(&document.root, &mut taken));
    taken.sort_by_key(|range| range.start);
    taken.push(file.source.len()..file.source.len());
    let (mut found, mut at) = (Vec::new(), 0);
    for range in taken {
        if let Some(gap) = file.source.get(at..range.start) {
            in_gap(gap, at, file.source, &mut found);
        }
        at = at.max(range.end);
    }
    found
}

/// The document that a comment stands in; `None` within the block, whose comments are nobody's.
pub(super) fn document_at(file: &File<'_>, offset: usize) -> Option<usize> {
    let index = file.documents.iter().rposition(|document| document.root.span.start <= offset).unwrap_or(0);
    let root = &file.documents.get(index)?.root;
    let block = root.entries().iter().find(|(key, _)| key.text() == Some(BLOCK_KEY));
    let within = block.is_some_and(|(key, value)| {
        let end = value.span.end.max(key.span.end);
        let line = file.source.get(end..).and_then(|rest| rest.find('\n')).map_or(file.source.len(), |at| end + at);
        (key.span.start..line).contains(&offset)
    });
    (!within).then_some(index)
}

/// The collections that a comment may stand in besides the likeliest: of the values before it and after it, all around.
pub(super) fn containers(likeliest: &Path, leaves: &[&Leaf<'_>], offset: usize) -> Vec<Path> {
    let after = leaves.partition_point(|leaf| leaf.node.span.start < offset);
    let neighbours = [after.checked_sub(1), Some(after)].into_iter().flatten();
    let neighbours = neighbours.filter_map(|position| leaves.get(position)).map(|leaf| &leaf.path);
    let mut paths = vec![likeliest.clone()];
    for path in neighbours.chain([likeliest]) {
        for length in 0..=path.0.len() {
            let path = Path(path.0.iter().take(length).cloned().collect());
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    paths
}

/// The pieces of source that are scalars: a `#` in them is none.
fn collect(node: &Node, taken: &mut Vec<Range<usize>>) {
    match &node.kind {
        Kind::Scalar(scalar) => {
            taken.push(scalar.head.clone());
            taken.extend(scalar.body.clone());
        }
        Kind::Alias(_) => taken.push(node.span.clone()),
        Kind::Mapping { entries, .. } => entries.iter().for_each(|(key, value)| {
            collect(key, taken);
            collect(value, taken);
        }),
        Kind::Sequence { items, .. } => items.iter().for_each(|item| collect(item, taken)),
    }
}

/// Comments between two scalars: a `#` at the beginning of a line or after a blank, to the end of the line.
fn in_gap(gap: &str, offset: usize, source: &str, found: &mut Vec<Comment>) {
    let mut at = 0;
    while let Some(position) = gap.get(at..).and_then(|rest| rest.find('#')).map(|length| at + length) {
        let before = source.get(..offset + position).and_then(|before| before.chars().next_back());
        let starts = before.is_none_or(|c| matches!(c, ' ' | '\t' | '\n' | '\u{feff}'));
        let line = gap.get(position..).unwrap_or_default().split('\n').next().unwrap_or_default();
        if starts {
            let end = offset + position + line.trim_end_matches('\r').len();
            found.push(Comment { text: offset + position + 1..end });
        }
        at = position + if starts { line.len().max(1) } else { 1 };
    }
}

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
        let mut lines = Vec::new();
        for (document, Document { root }) in file.documents.iter().enumerate() {
            children(file.source, document, root, true, &mut lines);
            // Comments at the end are followed by the block, as soon as there is one.
            if let Kind::Mapping { flow: false, entries } = &root.kind
                && root.get(BLOCK_KEY).is_none()
            {
                let start = after_comments(file.source, root);
                let place = (document, root.id, entries.len());
                lines.push(Child { start, end: start, value: root, in_list: false, is_block: true, place });
            }
        }
        lines.sort_by_key(|child| child.start);
        for (index, Comment { text }) in found.iter().enumerate() {
            let known = known(file, &lines, text).or_else(|| below(file, &lines, text));
            places.sure.push(known.is_some_and(|(_, sure)| sure));
            let place = known.map(|(place, _)| place).or_else(|| {
                let document = document_at(file, text.start)?;
                let (node, child) = likely(file, document, text.start)?;
                Some((document, node, child))
            });
            if let Some(place) = place {
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

/// The place of a comment as go-yaml has been seen to take it, and whether that is certain.
fn known(file: &File<'_>, children: &[Child<'_>], comment: &Range<usize>) -> Option<(Place, bool)> {
    let source = file.source;
    let hash = comment.start - 1;
    let line = source.get(..hash)?.rfind('\n').map_or(0, |at| at + 1);
    let before = source.get(line..hash)?.trim_start_matches('\u{feff}');
    let next = children.partition_point(|child| child.start < hash);
    if before.trim().is_empty() {
        let last = next.checked_sub(1).and_then(|last| children.get(last));
        return above(source, children.get(next)?, last, before.len(), comment.end);
    }
    let child = children.get(next.checked_sub(1)?)?;
    if before.trim_matches([' ', '-']).is_empty() {
        // Behind a dash, above what the item holds.
        return above(source, children.get(next)?, None, before.len(), comment.end);
    }
    beside(source, child, hash).map(|place| (place, true))
}

/// A comment on a line of its own: before the next key or dash, if that is as far in.
fn above(source: &str, next: &Child<'_>, last: Option<&Child<'_>>, column: usize, end: usize) -> Option<(Place, bool)> {
    let gap = source.get(end..next.start)?;
    // The block that is not there yet may follow a line without its break.
    let (above, indent) = gap.rsplit_once('\n').or_else(|| (next.start == source.len()).then_some((gap, "")))?;
    let aligned = indent.trim_end_matches(['-', ' ']).is_empty() && indent.len() == column;
    let mut lines = above.split('\n').skip(1);
    let comments = lines.clone().all(|line| line.trim().is_empty() || line.find(|c| c != ' ') == Some(column));
    // A blank line may make the comment one of a deeper collection that ends above it.
    let blank = lines.any(|line| line.trim().is_empty());
    let goes_on = last.is_none_or(|last| last.place.1 == next.place.1 && last.place.0 == next.place.0);
    let ends_list =
        blank && !next.in_list && last.is_some_and(|last| last.in_list && self::column(source, last) == column);
    // Above an item of which nothing is written, go-yaml keeps the comment for what follows.
    let nothing = next.in_list && next.value.span.is_empty();
    (aligned && comments && !ends_list).then_some((next.place, (goes_on || !blank) && !nothing))
}

/// A comment on a line of its own, right below a value and followed by nothing as far in: at the end of the collection
/// that the value stands in, however far in it is itself.
fn below(file: &File<'_>, children: &[Child<'_>], comment: &Range<usize>) -> Option<(Place, bool)> {
    let source = file.source;
    let next = children.partition_point(|child| child.start < comment.start);
    let last = children.get(next.checked_sub(1)?).filter(|last| !last.is_block)?;
    let end = last.value.span.end.max(last.end);
    let (_, gap) = source.get(end..comment.start - 1)?.split_once('\n')?;
    let own = gap.rsplit('\n').next()?.len();
    let same = gap.lines().all(|line| line.find(|c| c != ' ').unwrap_or(own) == own && !(line.is_empty() && own > 0));
    let (document, node, child) = last.place;
    let ends = children.get(next).is_none_or(|next| column(source, next) < own);
    let in_document = document_at(file, comment.start) == Some(document);
    (same && in_document).then_some(((document, node, child + 1), ends && column(source, last) == own))
}

/// Columns before a child.
fn column(source: &str, child: &Child<'_>) -> usize {
    let line = source.get(..child.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    child.start - line
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

/// Where a comment is likely to stand: in the collection of the value on its line, else in the innermost that is not
/// indented further than the comment. A node's number, and the child after the comment.
fn likely(file: &File<'_>, document: usize, offset: usize) -> Option<(usize, usize)> {
    let line = file.source.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let before = file.source.get(line..offset.saturating_sub(1)).unwrap_or_default();
    let inline = !before.trim().is_empty();
    let mut node = &file.documents.get(document)?.root;
    while let Some(child) = around(node, offset, inline.then_some(line), before.len()) {
        node = child;
    }
    let starts = |node: &Node| node.span.start;
    let child = match &node.kind {
        Kind::Mapping { entries, .. } => entries.partition_point(|(key, _)| starts(key) < offset),
        Kind::Sequence { items, .. } => items.partition_point(|item| starts(item) < offset),
        Kind::Scalar(_) | Kind::Alias(_) => return None,
    };
    Some((node.id, if inline { child.saturating_sub(1) } else { child }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_comments_and_no_hash_within_a_value() {
        let source = "# head\na: \"x # no\" # inline\nb: |\n  # text\n  more\n# between\nc: [1, # in a list\n  2]\nd#e: f#g\n---\n#last";
        let file = File::parse(source, Syntax::Yaml).unwrap();
        let texts: Vec<_> = comments(&file).into_iter().map(|comment| &source[comment.text]).collect();
        assert_eq!(texts, [" head", " inline", " between", " in a list", "last"]);
    }
}
