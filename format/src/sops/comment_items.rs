//! Encrypted comments that are items of lists, as SOPS writes them: in the plain file they are none, and the items after them
//! count less.

use std::collections::HashMap;

use super::cipher::Type;
use super::read::{Layout, Value};
use crate::path::{Path, Step};

/// The positions of such items, by document and list; in order.
pub(super) struct CommentItems(HashMap<(usize, Path), Vec<usize>>);

impl Layout<'_> {
    /// Where each value stands in the plain file, its document and path. An encrypted comment that is an item of a list
    /// stands at the list.
    pub fn plain_places(&self) -> Vec<(usize, Path)> {
        let items = CommentItems::of(self);
        self.values.iter().map(|value| items.place(value)).collect()
    }
}

impl CommentItems {
    pub(super) fn of(layout: &Layout<'_>) -> Self {
        let mut lists: HashMap<_, Vec<_>> = HashMap::new();
        for value in layout.values.iter().filter(|value| is_comment(value)) {
            let mut list = value.leaf.path.clone();
            if let Some(Step::Item(index)) = list.0.pop() {
                lists.entry((value.document, list)).or_default().push(index);
            }
        }
        for comments in lists.values_mut() {
            comments.sort_unstable();
        }
        Self(lists)
    }

    /// The place of a value in the plain file.
    pub(super) fn place(&self, value: &Value<'_>) -> (usize, Path) {
        let mut path = self.plain(value.document, &value.leaf.path);
        if is_comment(value) {
            path.0.pop();
        }
        (value.document, path)
    }

    /// A path as it is in the plain file.
    pub(super) fn plain(&self, document: usize, path: &Path) -> Path {
        if self.0.is_empty() {
            return path.clone();
        }
        let mut list = Path::default();
        let mut plain = Path::default();
        for step in &path.0 {
            plain.0.push(match step {
                Step::Item(index) => {
                    let comments = self.0.get(&(document, list.clone())).map_or(&[][..], Vec::as_slice);
                    Step::Item(index - comments.partition_point(|comment| comment < index))
                }
                key @ Step::Key(_) => key.clone(),
            });
            list.0.push(step.clone());
        }
        plain
    }
}

fn is_comment(value: &Value<'_>) -> bool {
    let is_item = matches!(value.leaf.path.0.last(), Some(Step::Item(_)));
    is_item && value.token.as_ref().is_some_and(|token| token.kind == Type::Comment)
}
