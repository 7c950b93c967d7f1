//! What a file may take up while it is read: aliases multiply values, and each value holds a copy of the keys above it.
//!
//! Without bounds, a file of a few thousand bytes would fill the memory.

use super::{Kind, Node};
use crate::path::STEP_WEIGHT;

/// Deepest nesting of mappings and lists: every walk over a tree calls itself for each level, and the stack has an end.
pub(super) const MAX_NESTING: usize = 255;
/// Most nodes behind aliases.
const MAX_ALIASED: usize = 10_000;
/// Bytes of copies that every file may have. A million values five levels down stay below.
const COPIES: usize = 1 << 28;
/// Those that a larger file may have for each of its own: bundles of resource definitions are long and deep.
const COPIES_PER_BYTE: usize = 32;

/// What is left to one walk over a file.
pub(crate) struct Allowance {
    aliased: usize,
    copies: usize,
}

impl Allowance {
    /// For a file of this many bytes.
    pub(crate) fn of(bytes: usize) -> Self {
        Self { aliased: MAX_ALIASED, copies: COPIES.max(bytes.saturating_mul(COPIES_PER_BYTE)) }
    }

    /// Takes for a node behind an alias and what it is copied with; whether it was left.
    pub(crate) fn aliased(&mut self, node: &Node, above: usize) -> bool {
        let left = self.aliased.checked_sub(1);
        self.aliased = left.unwrap_or_default();
        left.is_some() && self.copy(above + node.text().map_or(0, str::len))
    }

    /// Takes for a copy; whether it was left.
    pub(crate) fn copy(&mut self, bytes: usize) -> bool {
        let left = self.copies.checked_sub(bytes);
        self.copies = left.unwrap_or_default();
        left.is_some()
    }

    /// Takes for the paths of a node and of all below it; else the node for which nothing was left.
    pub(super) fn paths<'n>(&mut self, node: &'n Node, above: usize) -> Result<(), &'n Node> {
        if !self.copy(above) {
            return Err(node);
        }
        match &node.kind {
            Kind::Mapping { entries, .. } => entries.iter().try_for_each(|(key, value)| {
                let key = key.text().map_or(0, str::len);
                self.paths(value, above + STEP_WEIGHT + key)
            }),
            Kind::Sequence { items, .. } => items.iter().try_for_each(|item| self.paths(item, above + STEP_WEIGHT)),
            Kind::Scalar(_) | Kind::Alias(_) => Ok(()),
        }
    }
}
