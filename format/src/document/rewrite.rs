//! Edits to a file: all splices at once, one parse of the result, and a refusal if anything else changed.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use zeroize::Zeroizing;

use super::present::{Expected, Written, head_range};
use super::resolve::resolve;
use super::{File, Kind, Node, ParseError, Scalar, Style, Syntax};

/// Why an edit was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RewriteError {
    /// The values at these paths did not come out as they should; the caller may write them differently.
    #[error("a value would not read back as it was written")]
    Values(Vec<(usize, usize)>),
    /// The result is not a valid file.
    #[error("the edited file would not be valid")]
    Parse(#[source] ParseError),
    /// Something besides the edited values would change.
    #[error("something besides the edited values would change")]
    Elsewhere,
    /// An entry that shares its line with something else.
    #[error("the entry shares its line with something else; put it on a line of its own")]
    SharedLine,
    /// A mapping left without entries would turn into null.
    #[error("it is the only entry of its mapping; remove the mapping instead")]
    LastEntry,
}

/// Edits in the making.
pub struct Rewrite<'f, 's> {
    file: &'f File<'s>,
    splices: Vec<(Range<usize>, Zeroizing<String>)>,
    /// By document and node: looked up for every node, so a table.
    replaced: Vec<Vec<Option<Replacement>>>,
    inserted: HashMap<(usize, usize), Vec<Inserted>>,
    removed: HashSet<(usize, usize)>,
}

/// An entry that was written, for the check that it reads back as what it is by itself.
struct Inserted {
    key: String,
    text: Zeroizing<String>,
}

struct Replacement {
    written: Written,
    expected: Expected,
}

impl<'f, 's> Rewrite<'f, 's> {
    /// No edits yet.
    pub fn new(file: &'f File<'s>) -> Self {
        let replaced = file.documents.iter().map(|_| Vec::new()).collect();
        Self { file, splices: Vec::new(), replaced, inserted: HashMap::new(), removed: HashSet::new() }
    }

    /// Writes another value in the place of a scalar. `expected` is what must be read there afterwards.
    pub fn replace(&mut self, document: usize, node: &Node, scalar: &Scalar, written: Written, expected: Expected) {
        self.splice(head_range(node, scalar), written.head.clone());
        match (&scalar.body, &written.body) {
            (Some(old), Some(new)) => self.splice(old.clone(), new.clone()),
            (None, Some(new)) => {
                let at = end_of_line(self.file.source, scalar.head.end);
                self.splice(at..at, format!("{}{new}", self.file.line_break()));
            }
            (Some(old), None) => {
                let at = end_of_line(self.file.source, scalar.head.end);
                self.splice(at..old.end, String::new());
            }
            (None, None) => {}
        }
        let table = &mut self.replaced[document];
        if table.len() <= node.id {
            table.resize_with(node.id + 1, || None);
        }
        table[node.id] = Some(Replacement { written, expected });
    }

    /// Adds an entry after the last one of a mapping. `text` is the entry as it is to stand: in block style whole
    /// lines without the last line break, in flow style `key: value`.
    pub fn insert(&mut self, document: usize, mapping: &Node, key: &str, text: &str) {
        let source = self.file.source;
        let entry = text;
        let (at, text) = if mapping.is_flow() {
            match mapping.entries().last() {
                Some((key, value)) => (entry_end(key, value), format!("{}{text}", self.flow_separator(mapping))),
                None => (mapping.span.start + 1, text.to_owned()),
            }
        } else {
            let at = after_content(source, mapping);
            let line_break = self.file.line_break();
            let open_end = at == source.len() && !source.ends_with('\n');
            (at, if open_end { format!("{line_break}{text}") } else { format!("{text}{line_break}") })
        };
        self.splice(at..at, text);
        self.expect_entry(document, mapping, key, entry);
    }

    /// Removes an entry with its lines.
    pub fn remove(&mut self, document: usize, mapping: &Node, index: usize) -> Result<(), RewriteError> {
        let (key, value) = &mapping.entries()[index];
        if mapping.entries().len() == 1 {
            return Err(RewriteError::LastEntry);
        }
        let range = if mapping.is_flow() { flow_entry(mapping, index) } else { self.block_entry(key, value)? };
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

    /// Writes another comment in the place of one. `range` is from its `#` to the end of its line; the tree knows no
    /// comments, so all that is checked of the result is that nothing but a comment became of it.
    pub fn comment(&mut self, range: Range<usize>, text: &str) {
        self.splice(range, format!("#{text}"));
    }

    /// Writes a comment in the place of an item of a list in block style that has others.
    pub fn item_to_comment(
        &mut self,
        document: usize,
        list: &Node,
        index: usize,
        text: &str,
    ) -> Result<(), RewriteError> {
        let Kind::Sequence { flow: false, items } = &list.kind else {
            return Err(RewriteError::SharedLine);
        };
        let item = &items[index];
        if items.len() == 1 {
            return Err(RewriteError::LastEntry);
        }
        let before = &self.file.source[..item.span.start];
        let dash = before.trim_end_matches(' ').strip_suffix('-').ok_or(RewriteError::SharedLine)?.len();
        self.splice(dash..item.span.end, format!("#{text}"));
        self.removed.insert((document, item.id));
        Ok(())
    }

    /// Remembers an entry as a document of its own.
    fn expect_entry(&mut self, document: usize, mapping: &Node, key: &str, text: &str) {
        let text = if mapping.is_flow() { format!("{{{text}}}") } else { text.to_owned() };
        let inserted = Inserted { key: key.to_owned(), text: Zeroizing::new(text) };
        self.inserted.entry((document, mapping.id)).or_default().push(inserted);
    }

    /// The edited text, if it differs from the old one in nothing but the edits.
    pub fn finish(mut self) -> Result<Zeroizing<String>, RewriteError> {
        let text = self.apply()?;
        self.verify(&text)?;
        Ok(text)
    }

    /// The edited text, unverified: for comparing it with another.
    pub(crate) fn apply(&mut self) -> Result<Zeroizing<String>, RewriteError> {
        self.splices.sort_by_key(|(range, _)| (range.start, range.end));
        let source = self.file.source;
        let mut text = Zeroizing::new(String::with_capacity(
            source.len() + self.splices.iter().map(|(_, text)| text.len()).sum::<usize>(),
        ));
        let mut at = 0;
        for (range, replacement) in &self.splices {
            // Overlapping edits would corrupt the file; they come from entries that share lines.
            let kept = source.get(at..range.start).ok_or(RewriteError::SharedLine)?;
            text.push_str(kept);
            text.push_str(replacement);
            at = range.end;
        }
        text.push_str(&source[at..]);
        Ok(text)
    }

    fn splice(&mut self, range: Range<usize>, text: String) {
        self.splices.push((range, Zeroizing::new(text)));
    }

    fn verify(&self, text: &str) -> Result<(), RewriteError> {
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

    /// Whether the value of a new entry is what the entry says by itself: what stands around it in the file must not
    /// have become part of it.
    fn reads_alike(&self, entry: &Inserted, value: &Node) -> bool {
        let Ok(alone) = File::parse(&entry.text, self.file.syntax) else {
            return false;
        };
        let expected = alone.documents.first().and_then(|document| document.root.get(&entry.key));
        expected.is_some_and(|expected| alike(expected, value))
    }

    /// What stands before an entry added to a flow mapping: a line of its own in JSON that has lines.
    fn flow_separator(&self, mapping: &Node) -> String {
        let first = mapping.entries().first().map_or(mapping.span.end, |(key, _)| key.span.start);
        let before = &self.file.source[mapping.span.start + 1..first];
        let lines = self.file.syntax == Syntax::Json && before.trim().is_empty() && before.contains('\n');
        if lines { format!(",{before}") } else { ", ".to_owned() }
    }

    /// Where the line of a key starts that has it to itself.
    fn line_start(&self, key: &Node) -> Result<usize, RewriteError> {
        let source = self.file.source;
        let start = source[..key.span.start].rfind('\n').map_or(0, |at| at + 1);
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

fn entry_end(key: &Node, value: &Node) -> usize {
    value.span.end.max(key.span.end)
}

/// The offset of the line break after an offset, or the end of the text.
fn end_of_line(source: &str, from: usize) -> usize {
    let end = source[from..].find('\n').map_or(source.len(), |length| from + length);
    if source[from..end].ends_with('\r') { end - 1 } else { end }
}

/// The start of the line after the last line of a block mapping's content.
fn after_content(source: &str, mapping: &Node) -> usize {
    let end = mapping.entries().last().map_or(mapping.span.end, |(key, value)| entry_end(key, value));
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

/// An entry of a flow mapping with the comma that goes with it.
fn flow_entry(mapping: &Node, index: usize) -> Range<usize> {
    let entries = mapping.entries();
    let (key, value) = &entries[index];
    match index.checked_sub(1).map(|previous| &entries[previous]) {
        Some((previous_key, previous)) => entry_end(previous_key, previous)..entry_end(key, value),
        None => key.span.start..entries.get(1).map_or(entry_end(key, value), |(next, _)| next.span.start),
    }
}

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
                let edits = self.edits;
                let kept = |item: &&Node| !edits.removed.contains(&(self.document, item.id));
                let kept: Vec<_> = a.iter().filter(kept).collect();
                f == g && kept.len() == b.len() && kept.into_iter().zip(b).all(|(a, b)| self.same(a, b))
            }
            (Kind::Mapping { entries: a, flow: f }, Kind::Mapping { entries: b, flow: g }) => {
                f == g && self.same_entries(old.id, a, b)
            }
            _ => false,
        }
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
