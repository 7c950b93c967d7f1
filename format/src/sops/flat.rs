//! The block in files without nesting: `age__list_0__map_enc` stands for the field `enc` of the first item of `age`.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::metadata::MetadataError;
use crate::document::{Kind, Node, Scalar, Style};

const MAP: &str = "__map_";
const LIST: &str = "__list_";
/// Most steps of a name. SOPS has six at most: `key_groups__list_0__map_kms__list_0__map_context__map_name`.
const MAX_STEPS: usize = 8;

/// One step from a name to what it stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Name(String),
    Item(usize),
}

/// What stands under a step.
enum Tree {
    Value(Zeroizing<String>),
    Below(BTreeMap<Step, Tree>),
}

/// Whether the fields of a block are flat.
pub(super) fn is_flat(block: &Node) -> bool {
    block.entries().iter().any(|(key, _)| key.text().is_some_and(|name| name.contains(MAP) || name.contains(LIST)))
}

/// The block as it would stand in a nested file.
pub(super) fn unflatten(block: &Node) -> Result<Node, MetadataError> {
    let mut root = BTreeMap::new();
    for (key, value) in block.entries() {
        let (Some(name), Some(text)) = (key.text(), value.text()) else { continue };
        // INI has no line breaks in names and values; SOPS writes them like this, and dotenv was read so already.
        let text = Zeroizing::new(text.replace("\\n", "\n"));
        let steps = steps(name).ok_or(MetadataError::Flat)?;
        put(&mut root, &steps, text).ok_or(MetadataError::Flat)?;
    }
    node(Tree::Below(root)).ok_or(MetadataError::Flat)
}

/// A name taken apart; `None` for one with more steps than there are, each of which would be a level of the tree.
fn steps(name: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = name;
    let mut list = false;
    for _ in 0..MAX_STEPS {
        let end = [rest.find(MAP), rest.find(LIST)].into_iter().flatten().min().unwrap_or(rest.len());
        let (step, after) = rest.split_at(end);
        steps.push(if list { Step::Item(step.parse().ok()?) } else { Step::Name(step.to_owned()) });
        let Some(next) = after.strip_prefix(MAP).map(|after| (false, after)) else {
            let Some(after) = after.strip_prefix(LIST) else { return Some(steps) };
            (list, rest) = (true, after);
            continue;
        };
        (list, rest) = next;
    }
    None
}

fn put(tree: &mut BTreeMap<Step, Tree>, steps: &[Step], text: Zeroizing<String>) -> Option<()> {
    let (first, rest) = steps.split_first()?;
    if rest.is_empty() {
        return tree.insert(first.clone(), Tree::Value(text)).is_none().then_some(());
    }
    match tree.entry(first.clone()).or_insert_with(|| Tree::Below(BTreeMap::new())) {
        Tree::Below(below) => put(below, rest, text),
        Tree::Value(_) => None,
    }
}

/// A tree as nodes that stand nowhere: names or items, never both, and items without gaps.
fn node(tree: Tree) -> Option<Node> {
    let kind = match tree {
        Tree::Value(value) => Kind::Scalar(Scalar { style: Style::Double, value, head: 0..0, body: None }),
        Tree::Below(below) if below.keys().all(|step| matches!(step, Step::Name(_))) => {
            let entry = |(step, tree)| {
                let Step::Name(name) = step else { return None };
                Some((node(Tree::Value(Zeroizing::new(name)))?, node(tree)?))
            };
            Kind::Mapping { flow: true, entries: below.into_iter().map(entry).collect::<Option<_>>()? }
        }
        Tree::Below(below) => {
            let item = |(index, (step, tree))| if step == Step::Item(index) { node(tree) } else { None };
            Kind::Sequence { flow: true, items: below.into_iter().enumerate().map(item).collect::<Option<_>>()? }
        }
    };
    Some(Node { id: 0, span: 0..0, column: 0, anchor: 0, tag: None, kind })
}

/// The name of a field below another.
pub(super) fn below(name: &str, field: &str) -> String {
    format!("{name}{MAP}{field}")
}

/// The name of an item of a list.
pub(super) fn item(name: &str, index: usize) -> String {
    format!("{name}{LIST}{index}")
}
