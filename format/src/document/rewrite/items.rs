//! Items of lists: added at the end, replaced, and taken out. Each is written on one line.

use std::ops::Range;

use zeroize::Zeroizing;

use super::entries::{after_content, end_of_line, in_flow};
use super::{Item, Rewrite, RewriteError};
use crate::document::lines::line_start;
use crate::document::{Kind, Node};

impl Rewrite<'_, '_> {
    /// Adds an item after the last one; `text` is the item as it stands in a flow list.
    pub fn append_item(&mut self, document: usize, list: &Node, text: &str) {
        let items = items(list);
        if list.is_flow() {
            let (at, text) = match items.last() {
                Some(last) => (last.span.end, [&*self.separator(list), text].concat()),
                None => (list.span.start + 1, text.to_owned()),
            };
            self.splice(at..at, text);
        } else {
            let line = Zeroizing::new([&*" ".repeat(list.column), "- ", text].concat());
            self.splice_lines(after_content(self.file.source, list), &line, self.file.line_break());
        }
        self.expect_item(document, list, items.len(), text);
    }

    /// Writes another item in the place of one; `text` as for [`Self::append_item`].
    pub fn replace_item(&mut self, document: usize, list: &Node, index: usize, text: &str) -> Result<(), RewriteError> {
        let item = items(list).get(index).filter(|item| item.tag.is_none()).ok_or(RewriteError::Elsewhere)?;
        self.splice(item.span.clone(), text.to_owned());
        self.removed.insert((document, item.id));
        self.expect_item(document, list, index, text);
        Ok(())
    }

    /// Takes an item out, with its lines.
    pub fn remove_item(&mut self, document: usize, list: &Node, index: usize) -> Result<(), RewriteError> {
        let items = items(list);
        let item = items.get(index).ok_or(RewriteError::Elsewhere)?;
        if items.len() == 1 {
            return Err(RewriteError::LastEntry);
        }
        let range = if list.is_flow() { in_flow(list, index) } else { self.item_lines(item)? };
        self.splice(range, String::new());
        self.removed.insert((document, item.id));
        Ok(())
    }

    fn expect_item(&mut self, document: usize, list: &Node, before: usize, text: &str) {
        let item = Item::Alike(Zeroizing::new(["[", text, "]"].concat()));
        self.items.entry((document, list.id)).or_default().push((before, item));
    }

    /// From the dash of an item that has its lines to itself to the beginning of the next line.
    fn item_lines(&self, item: &Node) -> Result<Range<usize>, RewriteError> {
        let source = self.file.source;
        let start = line_start(source, item.span.start);
        if source.get(start..item.span.start).unwrap_or_default().trim() != "-" {
            return Err(RewriteError::SharedLine);
        }
        let end = end_of_line(source, item.span.end);
        match source.get(end..).and_then(|rest| rest.find('\n')) {
            Some(length) => Ok(start..end + length + 1),
            // The last line without a line break: the one before it goes instead.
            None => Ok(source.get(..start).unwrap_or_default().trim_end_matches(['\n', '\r']).len()..source.len()),
        }
    }
}

pub(super) fn items(list: &Node) -> &[Node] {
    if let Kind::Sequence { items, .. } = &list.kind { items } else { &[] }
}
