//! Every value of a document with its path, the collection around it, and what would make encrypting it unsafe.

use super::resolve::plain_type;
use super::{Document, Kind, Node, Scalar, Style};
use crate::padding::ValueType;
use crate::path::{MAX_DEPTH, Path, Step};

/// Why a value cannot be encrypted where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hazard {
    /// An alias would show the ciphertext elsewhere, where it does not open.
    #[error("an anchor (&name) stands on it or around it; write the value out at each place and remove the anchor")]
    Anchor,
    /// The value is elsewhere.
    #[error("it is an alias (*name); write the value out")]
    Alias,
    /// The value would be merged into other mappings.
    #[error("it is reached through a merge key (<<); write the value out")]
    Merge,
    /// Programs turn such keys into text in different ways.
    #[error("a key on its path is not a string; put the key in quotes")]
    Key,
    /// The limit of the format.
    #[error("it lies deeper than {MAX_DEPTH} levels")]
    Depth,
}

/// The collection that a value stands in: where its replacement goes and how far it is indented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Around {
    /// Within braces or brackets: everything stays on its line, in quotes.
    pub flow: bool,
    /// Columns before the collection's content.
    pub column: usize,
}

/// One value.
#[derive(Clone, Debug)]
pub struct Leaf<'d> {
    /// Where it is.
    pub path: Path,
    /// The node.
    pub node: &'d Node,
    /// Its scalar; `None` for an alias.
    pub scalar: Option<&'d Scalar>,
    /// The collection around it; `None` when the document is this one scalar.
    pub around: Option<Around>,
    /// What speaks against encrypting it.
    pub hazard: Option<Hazard>,
}

/// The values of a document in source order. Keys and empty collections are none.
pub fn leaves(document: &Document) -> Vec<Leaf<'_>> {
    let mut walk = Walk { leaves: Vec::new() };
    walk.node(&document.root, &Path::default(), None, None);
    walk.leaves
}

struct Walk<'d> {
    leaves: Vec<Leaf<'d>>,
}

impl<'d> Walk<'d> {
    fn node(&mut self, node: &'d Node, path: &Path, around: Option<Around>, hazard: Option<Hazard>) {
        let hazard = hazard.or((node.anchor != 0).then_some(Hazard::Anchor));
        match &node.kind {
            Kind::Scalar(scalar) => self.leaf(node, Some(scalar), path, around, hazard),
            Kind::Alias(_) => self.leaf(node, None, path, around, hazard.or(Some(Hazard::Alias))),
            Kind::Mapping { flow, entries } => {
                let around = Some(Around { flow: *flow, column: node.column });
                for (key, value) in entries {
                    let text = key.text().unwrap_or("?");
                    self.node(value, &path.child(Step::Key(text.to_owned())), around, hazard.or(key_hazard(key)));
                }
            }
            Kind::Sequence { flow, items } => {
                let around = Some(Around { flow: *flow, column: node.column });
                for (index, item) in items.iter().enumerate() {
                    self.node(item, &path.child(Step::Item(index)), around, hazard);
                }
            }
        }
    }

    fn leaf(
        &mut self,
        node: &'d Node,
        scalar: Option<&'d Scalar>,
        path: &Path,
        around: Option<Around>,
        hazard: Option<Hazard>,
    ) {
        let hazard = hazard.or((path.0.len() > MAX_DEPTH).then_some(Hazard::Depth));
        self.leaves.push(Leaf { path: path.clone(), node, scalar, around, hazard });
    }
}

fn key_hazard(key: &Node) -> Option<Hazard> {
    let Some(scalar) = key.scalar() else {
        return Some(Hazard::Key);
    };
    let plain = scalar.style == Style::Plain && key.tag.is_none();
    if plain && scalar.value.as_str() == "<<" {
        return Some(Hazard::Merge);
    }
    let string = !plain || plain_type(&scalar.value) == ValueType::String;
    let untagged = key.tag.as_ref().is_none_or(|tag| tag.name == "tag:yaml.org,2002:str");
    (!string || !untagged).then_some(Hazard::Key)
}
