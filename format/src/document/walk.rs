//! Every value of a document with its path, the collection around it, and what would make encrypting it unsafe.

use std::collections::HashMap;

use super::allowance::Allowance;
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

/// A value that programs see at a path where it does not stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Where programs see it.
    pub path: Path,
    /// Where in the source the alias or the merged value is.
    pub offset: usize,
    /// Whether an alias or a merge key brings it there.
    pub hazard: Hazard,
}

/// Deepest nesting with aliases followed, somewhat deeper than without.
const MAX_NESTING: usize = 300;

/// The values behind aliases and merge keys, at the paths where programs see them; `None` if there are too many to
/// tell, as aliases can multiply, and one can stand inside its own anchor.
pub fn hidden(document: &Document) -> Option<Vec<Hidden>> {
    let mut anchors = HashMap::new();
    collect_anchors(&document.root, &mut anchors);
    let allowance = Allowance::of(document.root.span.len());
    let mut seeker = Seeker { anchors, found: Vec::new(), allowance, depth: 0 };
    seeker.node(&document.root, &Path::default(), None)?;
    Some(seeker.found)
}

fn collect_anchors<'d>(node: &'d Node, anchors: &mut HashMap<usize, &'d Node>) {
    if node.anchor != 0 {
        anchors.insert(node.anchor, node);
    }
    match &node.kind {
        Kind::Mapping { entries, .. } => entries.iter().for_each(|(key, value)| {
            collect_anchors(key, anchors);
            collect_anchors(value, anchors);
        }),
        Kind::Sequence { items, .. } => items.iter().for_each(|item| collect_anchors(item, anchors)),
        _ => {}
    }
}

/// Walks a document as programs see it, with aliases and merges followed, as far as it is allowed.
struct Seeker<'d> {
    anchors: HashMap<usize, &'d Node>,
    found: Vec<Hidden>,
    allowance: Allowance,
    depth: usize,
}

impl<'d> Seeker<'d> {
    /// `through` is the alias or merge key that led here, if any.
    fn node(&mut self, node: &'d Node, path: &Path, through: Option<(usize, Hazard)>) -> Option<()> {
        let allowed = through.is_none() || self.allowance.aliased(node, path.weight());
        if !allowed || self.depth > MAX_NESTING {
            return None;
        }
        self.depth += 1;
        self.inside(node, path, through)?;
        self.depth -= 1;
        Some(())
    }

    fn inside(&mut self, node: &'d Node, path: &Path, through: Option<(usize, Hazard)>) -> Option<()> {
        match &node.kind {
            Kind::Scalar(_) => {
                if let Some((offset, hazard)) = through {
                    self.found.push(Hidden { path: path.clone(), offset, hazard });
                }
                Some(())
            }
            Kind::Alias(target) => {
                let through = through.unwrap_or((node.span.start, Hazard::Alias));
                if let Some(target) = self.anchors.get(target) {
                    return self.node(target, path, Some(through));
                }
                self.found.push(Hidden { path: path.clone(), offset: through.0, hazard: through.1 });
                Some(())
            }
            Kind::Mapping { entries, .. } => entries.iter().try_for_each(|(key, value)| {
                if key_hazard(key) == Some(Hazard::Merge) {
                    return self.merged(value, path, through.unwrap_or((key.span.start, Hazard::Merge)));
                }
                let step = Step::Key(key.text().unwrap_or("?").to_owned());
                self.node(value, &path.child(step), through)
            }),
            Kind::Sequence { items, .. } => {
                let mut items = items.iter().enumerate();
                items.try_for_each(|(index, item)| self.node(item, &path.child(Step::Item(index)), through))
            }
        }
    }

    /// The value of a merge key: a mapping or a list of mappings, whose entries appear around it.
    fn merged(&mut self, value: &'d Node, path: &Path, through: (usize, Hazard)) -> Option<()> {
        match &value.kind {
            Kind::Sequence { items, .. } => items.iter().try_for_each(|item| self.node(item, path, Some(through))),
            _ => self.node(value, path, Some(through)),
        }
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
