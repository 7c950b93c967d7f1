//! Edits to a file: all splices at once, one parse of the result, and a refusal if anything else changed.

mod compare;
mod entries;
mod items;
mod place;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use zeroize::Zeroizing;

use super::present::{Expected, Written, head_range};
use super::{File, Kind, Node, ParseError, Scalar};

pub(crate) use entries::after_comments;
pub use place::EntryPlace;

use entries::end_of_line;

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
    /// Items added to lists: how many of the old ones stand before each, and what it is.
    items: HashMap<(usize, usize), Vec<(usize, Item)>>,
    /// The ends of the comments that they were.
    item_ends: Vec<usize>,
    /// Mappings that change between braces and lines, because their only entry comes or goes.
    turned: HashSet<(usize, usize)>,
}

/// An entry that was written, for the check that it reads back as what it is by itself.
struct Inserted {
    key: String,
    text: Zeroizing<String>,
}

/// An item that was written.
enum Item {
    /// A scalar with this text.
    Text(String),
    /// The only item of this flow list.
    Alike(Zeroizing<String>),
}

struct Replacement {
    written: Written,
    expected: Expected,
}

impl<'f, 's> Rewrite<'f, 's> {
    /// No edits yet.
    pub fn new(file: &'f File<'s>) -> Self {
        let replaced = file.documents.iter().map(|_| Vec::new()).collect();
        Self {
            file,
            splices: Vec::new(),
            replaced,
            inserted: HashMap::new(),
            removed: HashSet::new(),
            items: HashMap::new(),
            item_ends: Vec::new(),
            turned: HashSet::new(),
        }
    }

    /// Writes another value in the place of a scalar. `expected` is what must be read there afterwards.
    pub fn replace(&mut self, document: usize, node: &Node, scalar: &Scalar, written: Written, expected: Expected) {
        self.splice(head_range(node, scalar), written.head.clone());
        match (&scalar.body, &written.body) {
            (Some(old), Some(new)) => self.splice(old.clone(), new.clone()),
            (None, Some(new)) => {
                let at = end_of_line(self.file.source, scalar.head.end);
                self.splice(at..at, [self.file.line_break(), new].concat());
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

    /// Writes another text in the place of a comment's, which is given without its mark. The tree knows no comments, so
    /// all that is checked of the result is that nothing but a comment became of it.
    pub fn comment(&mut self, range: Range<usize>, text: &str) {
        self.splice(range, text.to_owned());
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
        let item = items.get(index).ok_or(RewriteError::LastEntry)?;
        let before = self.file.source.get(..item.span.start).unwrap_or_default();
        let dash = before.trim_end_matches(' ').strip_suffix('-').ok_or(RewriteError::SharedLine)?.len();
        self.splice(dash..item.span.end, ["#", text].concat());
        self.removed.insert((document, item.id));
        Ok(())
    }

    /// The reverse: an item in the place of a comment that stands in a list, where its dash would stand.
    pub fn comment_to_item(&mut self, document: usize, list: &Node, range: Range<usize>, text: &str) {
        let before = match &list.kind {
            Kind::Sequence { items, .. } => items.partition_point(|item| item.span.start < range.start),
            _ => 0,
        };
        self.item_ends.push(range.end);
        self.splice(range, format!("- {text}"));
        self.items.entry((document, list.id)).or_default().push((before, Item::Text(text.to_owned())));
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

    /// `text` is put together by `concat`, which takes a buffer of the right size: one that grows leaves copies.
    fn splice(&mut self, range: Range<usize>, text: String) {
        self.splices.push((range, Zeroizing::new(text)));
    }
}
