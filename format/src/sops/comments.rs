//! Comments, which a document's tree does not hold: SOPS encrypts them too.

use std::borrow::Cow;
use std::ops::Range;

use super::metadata::BLOCK_KEY;
use crate::document::lines::Lines;
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
    match file.syntax {
        Syntax::Yaml => {}
        Syntax::Json => return Vec::new(),
        Syntax::Dotenv => {
            return lines(file.source).filter(|(_, line)| line.starts_with('#')).map(after_mark).collect();
        }
        Syntax::Ini => return of_ini(file),
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

/// The texts of a file's comments, from after their marks; in INI all lines above a name are one.
pub fn comment_texts<'d>(file: &File<'d>) -> impl Iterator<Item = &'d str> + use<'d> {
    let source = file.source;
    comments(file).into_iter().filter_map(|comment| source.get(comment.text))
}

/// Lines without their breaks, and where they begin.
fn lines(source: &str) -> impl Iterator<Item = (usize, &str)> {
    source.split_inclusive('\n').scan(0, |at, line| {
        let from = *at;
        *at += line.len();
        Some((from, line.trim_end_matches('\n')))
    })
}

fn after_mark((from, line): (usize, &str)) -> Comment {
    Comment { text: from + 1..from + line.len() }
}

/// Comments of INI: all lines above a name or section are one, from after its first marks.
fn of_ini(file: &File<'_>) -> Vec<Comment> {
    let mut values = Vec::new();
    file.documents.iter().for_each(|document| collect(&document.root, &mut values));
    let mut found: Vec<Comment> = Vec::new();
    let mut goes_on = false;
    for (from, line) in lines(file.source) {
        let text = line.trim_start_matches('\u{feff}').trim_start();
        let start = from + line.len() - text.len();
        let inside = values.partition_point(|value| value.start <= start).checked_sub(1);
        let inside = inside.and_then(|index| values.get(index)).is_some_and(|value| start < value.end);
        if !text.starts_with(['#', ';']) || inside {
            goes_on = goes_on && text.trim().is_empty();
            continue;
        }
        let end = start + text.trim_end().len();
        if let Some(comment) = found.last_mut().filter(|_| goes_on) {
            comment.text.end = end;
        } else {
            let marks = if text.starts_with(';') { [';', ' '] } else { ['#', ' '] };
            let begin = start + text.len() - text.trim_start_matches(marks).len();
            found.push(Comment { text: begin.min(end)..end });
        }
        goes_on = true;
    }
    found
}

impl Comment {
    /// What SOPS has for it: of several lines of INI, those that are not empty.
    pub(super) fn said(text: &str, syntax: Syntax) -> Cow<'_, str> {
        if syntax != Syntax::Ini || !text.contains('\n') {
            return Cow::Borrowed(text);
        }
        let lines = text.split('\n').map(str::trim).filter(|line| !line.is_empty());
        Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
    }
}

/// Where the documents of a file and their blocks are.
pub(super) struct Extents(Vec<(usize, Range<usize>)>);

impl Extents {
    pub(super) fn of(file: &File<'_>) -> Self {
        let extents = file.documents.iter().map(|Document { root }| {
            let block = root.entries().iter().find(|(key, _)| key.text() == Some(BLOCK_KEY));
            let block = block.map_or(0..0, |(key, value)| {
                let end = value.span.end.max(key.span.end);
                let line = file.source.get(end..).and_then(|rest| rest.find('\n'));
                key.span.start..line.map_or(file.source.len(), |length| end + length)
            });
            (root.span.start, block)
        });
        Self(extents.collect())
    }

    /// The document that a comment stands in; `None` within the block, whose comments are nobody's.
    pub(super) fn document(&self, offset: usize) -> Option<usize> {
        let index = self.0.partition_point(|(start, _)| *start <= offset).saturating_sub(1);
        let (_, block) = self.0.get(index)?;
        (!block.contains(&offset)).then_some(index)
    }
}

/// Whether a comment, its mark included, stands among the items of a list in block style, where a dash would stand.
pub(super) fn stands_in_list(source: &str, lines: &Lines, list: &Node, comment: &Range<usize>) -> bool {
    let before = source.get(lines.start(comment.start)..comment.start).unwrap_or_default();
    // Above the first item, or after the last.
    let gap = if comment.start < list.span.start {
        comment.end..list.span.start
    } else {
        list.span.end.min(comment.start)..comment.start
    };
    let (first, last) = (lines.number(gap.start), lines.number(gap.end));
    let ends = source.get(gap).unwrap_or_default();
    let mut ends = [ends.split('\n').next(), ends.rsplit('\n').next()].into_iter().flatten().map(str::trim);
    // The list may begin on the line of an item around it.
    matches!(list.kind, Kind::Sequence { flow: false, .. })
        && list.column == before.len()
        && before.trim_start_matches([' ', '-']).is_empty()
        && ends.all(|line| line.is_empty() || line.starts_with('#'))
        && !lines.has_solid(first, last)
}

/// The collections that comments may stand in besides the likeliest: of the values before and after them, all around.
pub(super) struct Containers<'l, 'd> {
    leaves: Vec<&'l Leaf<'d>>,
    /// Those of the last comment that was asked for, before which value it stands, and its likeliest: of many comments
    /// in a row, each has the same.
    last: Option<(usize, Vec<Path>)>,
}

impl<'l, 'd> Containers<'l, 'd> {
    /// Among values in the order of the file.
    pub(super) fn among(leaves: impl IntoIterator<Item = &'l Leaf<'d>>) -> Self {
        Self { leaves: leaves.into_iter().collect(), last: None }
    }

    /// Those of a comment, the likeliest first.
    pub(super) fn of(&mut self, likeliest: &Path, offset: usize) -> &[Path] {
        let after = self.leaves.partition_point(|leaf| leaf.node.span.start < offset);
        let known = self.last.take().filter(|(same, paths)| *same == after && paths.first() == Some(likeliest));
        let known = known.unwrap_or_else(|| (after, self.around(likeliest, after)));
        &self.last.insert(known).1
    }

    fn around(&self, likeliest: &Path, after: usize) -> Vec<Path> {
        let neighbours = [after.checked_sub(1), Some(after)].into_iter().flatten();
        let neighbours = neighbours.filter_map(|position| self.leaves.get(position)).map(|leaf| &leaf.path);
        let mut paths = vec![likeliest.clone()];
        let mut done: Vec<&Path> = Vec::new();
        for path in neighbours.chain([likeliest]) {
            // What two paths begin with is around both.
            let shared = |other: &&Path| path.0.iter().zip(&other.0).take_while(|(a, b)| a == b).count();
            let from = done.iter().map(shared).max().map_or(0, |shared| shared + 1);
            for length in from..=path.0.len() {
                let steps = path.0.get(..length).unwrap_or_default();
                if steps != likeliest.0 {
                    paths.push(Path(steps.to_vec()));
                }
            }
            done.push(path);
        }
        paths
    }
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
        if !before.is_none_or(|c| matches!(c, ' ' | '\t' | '\n' | '\u{feff}')) {
            at = position + 1;
            continue;
        }
        let line = gap.get(position..).unwrap_or_default().split('\n').next().unwrap_or_default();
        let end = offset + position + line.trim_end_matches('\r').len();
        found.push(Comment { text: offset + position + 1..end });
        at = position + line.len().max(1);
    }
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

    #[test]
    fn each_collection_around_is_looked_at_once() {
        let source = "a:\n  b: [1, [2, 3]]\n  c:\n  - d: 4\n    e: 5\nf: 6\n";
        let file = File::parse(source, Syntax::Yaml).unwrap();
        let leaves = crate::document::walk::leaves(&file.documents[0]);
        let mut containers = Containers::among(&leaves);
        for likeliest in ["a", "a.c", "a.c[0]", "a.b[1]", "a.x.y", "f"].map(|text| Path::parse(text).unwrap()) {
            for offset in 0..=source.len() {
                let after = leaves.iter().filter(|leaf| leaf.node.span.start < offset).count();
                let neighbours = [after.checked_sub(1).and_then(|before| leaves.get(before)), leaves.get(after)];
                let neighbours = neighbours.into_iter().flatten().map(|leaf| &leaf.path);
                let mut expected = vec![likeliest.clone()];
                for path in neighbours.chain([&likeliest]) {
                    let around = (0..=path.0.len()).map(|length| Path(path.0[..length].to_vec()));
                    around.for_each(|path| {
                        if !expected.contains(&path) {
                            expected.push(path);
                        }
                    });
                }
                assert_eq!(containers.of(&likeliest, offset), expected, "{likeliest} {offset}");
            }
        }
    }
}
