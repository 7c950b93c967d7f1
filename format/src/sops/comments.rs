//! Comments of a YAML file, which the tree does not hold, and what they stand in: SOPS encrypts them too.

use std::ops::Range;

use super::metadata::BLOCK_KEY;
use crate::document::walk::Leaf;
use crate::document::{File, Kind, Node, Syntax};
use crate::path::{Path, Step};

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

/// The collections that a comment may stand in, the likeliest first: of the values before it and after it, all around.
pub(super) fn containers(file: &File<'_>, leaves: &[&Leaf<'_>], offset: usize) -> Vec<Path> {
    let after = leaves.partition_point(|leaf| leaf.node.span.start < offset);
    let neighbours = [after.checked_sub(1), Some(after)].into_iter().flatten();
    let likeliest = container(file, offset);
    let mut paths = vec![likeliest.clone()];
    for path in neighbours.filter_map(|position| leaves.get(position)).map(|leaf| &leaf.path).chain([&likeliest]) {
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

/// The collection that a comment stands in: of the value on its line, else the innermost around it that is not indented
/// further than the comment.
pub(super) fn container(file: &File<'_>, offset: usize) -> Path {
    let line = file.source.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let before = file.source.get(line..offset.saturating_sub(1)).unwrap_or_default();
    let inline = !before.trim().is_empty();
    let column = before.len();
    let document = file.documents.iter().rev().find(|document| document.root.span.start <= offset);
    let Some(document) = document.or(file.documents.first()) else { return Path::default() };
    let mut path = Path::default();
    let mut node = &document.root;
    while let Some((step, child)) = around(node, offset, inline, column) {
        path = path.child(step);
        node = child;
    }
    path
}

/// The collection within a node that reaches to an offset.
fn around(node: &Node, offset: usize, inline: bool, column: usize) -> Option<(Step, &Node)> {
    // A comment below `key:` and above the first value stands in what the key holds.
    let begins = |key: &Node, value: &Node| if inline { value.span.start } else { key.span.start };
    let last = match &node.kind {
        Kind::Mapping { entries, .. } => {
            // The block is nobody's container: what stands after it belongs to what stands before it.
            let mut above = entries.iter().rev().filter(|(key, _)| key.text() != Some(BLOCK_KEY));
            let (key, value) = above.find(|(key, value)| begins(key, value) < offset)?;
            (Step::Key(key.text().unwrap_or_default().to_owned()), value)
        }
        Kind::Sequence { items, .. } => {
            let (index, item) = items.iter().enumerate().rev().find(|(_, item)| item.span.start < offset)?;
            (Step::Item(index), item)
        }
        _ => return None,
    };
    let is_collection = !matches!(last.1.kind, Kind::Scalar(_) | Kind::Alias(_));
    let fits = match (last.1.is_flow(), inline) {
        // From the brace to the end of its line, where nothing else stands there.
        (true, true) => offset <= last.1.span.end + 1,
        (true, false) => offset <= last.1.span.end,
        (false, true) => true,
        (false, false) => last.1.column <= column,
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
