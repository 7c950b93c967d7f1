//! A file as SOPS walks it: values and comments in its order, and which of them its selector has encrypted.

use std::collections::HashMap;
use std::ops::Range;

use super::cipher::Type;
use super::comments::{Comment, comments};
use super::metadata::BLOCK_KEY;
use super::places::Places;
use super::read::{At, ReadError, names};
use super::scalar::{Seen, see};
use super::selector::Selector;
use crate::document::allowance::Allowance;
use crate::document::walk::{Around, Hazard, Leaf};
use crate::document::{File, Kind, Node};
use crate::path::{MAX_DEPTH, Path, Step};

/// What SOPS sees of a file.
pub(super) struct Tree<'d> {
    /// Outside the blocks.
    pub(super) values: Vec<TreeValue<'d>>,
    /// The same.
    pub(super) comments: Vec<TreeComment>,
}

/// A value, also one that stands there by an alias.
pub(super) struct TreeValue<'d> {
    pub(super) document: usize,
    pub(super) leaf: Leaf<'d>,
    pub(super) selected: bool,
}

/// A comment.
#[derive(Debug)]
pub(super) struct TreeComment {
    pub(super) document: usize,
    /// After its `#`.
    pub(super) text: Range<usize>,
    /// The mapping or list that it stands in.
    pub(super) container: Path,
    pub(super) selected: bool,
}

/// Walks a file.
pub(super) fn tree<'d>(file: &'d File<'_>, selector: &Selector) -> Result<Tree<'d>, At> {
    let found = comments(file);
    let places = Places::of(file, &found);
    if selector.is_by_comment() {
        refuse_unsure(file, selector, &found, &places)?;
    }
    let mut tree = Tree { values: Vec::new(), comments: Vec::new() };
    let mut allowance = Allowance::new();
    for (index, document) in file.documents.iter().enumerate() {
        let mut anchors = HashMap::new();
        collect_anchors(&document.root, &mut anchors);
        let mut walk = Walk {
            file,
            selector,
            found: &found,
            places: &places,
            document: index,
            anchors,
            active: Vec::new(),
            allowance: &mut allowance,
            tree: &mut tree,
        };
        walk.node(&document.root, &Path::default(), State { around: None, hazard: None, alias: None })?;
    }
    Ok(tree)
}

/// Where it is not certain what go-yaml takes a comment for, a comment that decides must not stand.
fn refuse_unsure(file: &File<'_>, selector: &Selector, found: &[Comment], places: &Places) -> Result<(), At> {
    let decides = |comment: &&Comment| {
        let text = file.source.get(comment.text.clone()).unwrap_or_default();
        selector.matches_comment(text)
    };
    let unsure = found.iter().enumerate().filter(|(index, _)| !places.is_sure(*index)).map(|(_, comment)| comment);
    match unsure.filter(decides).map(|comment| comment.text.start).next() {
        Some(offset) => Err(At { line: Some(file.line(offset)), path: None, error: ReadError::UnclearComment }),
        None => Ok(()),
    }
}

pub(super) fn collect_anchors<'d>(node: &'d Node, anchors: &mut HashMap<usize, &'d Node>) {
    if node.anchor != 0 {
        anchors.insert(node.anchor, node);
    }
    match &node.kind {
        Kind::Mapping { entries, .. } => entries.iter().for_each(|(_, value)| collect_anchors(value, anchors)),
        Kind::Sequence { items, .. } => items.iter().for_each(|item| collect_anchors(item, anchors)),
        Kind::Scalar(_) | Kind::Alias(_) => {}
    }
}

struct Walk<'w, 'd, 's> {
    file: &'d File<'s>,
    selector: &'w Selector,
    found: &'w [Comment],
    places: &'w Places,
    document: usize,
    anchors: HashMap<usize, &'d Node>,
    /// For each level, the comments since the last item that is none.
    active: Vec<Vec<usize>>,
    allowance: &'w mut Allowance,
    tree: &'w mut Tree<'d>,
}

/// What is known of a node from those around it.
#[derive(Clone, Copy)]
struct State<'d> {
    around: Option<Around>,
    hazard: Option<Hazard>,
    /// The alias that leads to it.
    alias: Option<&'d Node>,
}

impl<'d> Walk<'_, 'd, '_> {
    fn node(&mut self, node: &'d Node, path: &Path, state: State<'d>) -> Result<(), At> {
        let hazard = state.hazard.or((node.anchor != 0).then_some(Hazard::Anchor));
        let state = State { hazard, ..state };
        if let Some(alias) = state.alias
            && !self.allowance.aliased(node, path.weight())
        {
            return Err(self.at(alias, path, ReadError::TooMuch));
        }
        match &node.kind {
            Kind::Scalar(_) => self.leaf(node, path, state),
            Kind::Alias(target) => {
                let target = self.anchors.get(target).copied().ok_or_else(|| self.at(node, path, ReadError::Alias))?;
                let alias = state.alias.unwrap_or(node);
                // One within its own anchor.
                if path.0.len() > 2 * MAX_DEPTH {
                    return Err(self.at(alias, path, ReadError::Alias));
                }
                let hazard = Some(state.hazard.filter(|hazard| *hazard != Hazard::Anchor).unwrap_or(Hazard::Alias));
                self.node(target, path, State { hazard, alias: Some(alias), ..state })
            }
            Kind::Mapping { flow, entries } => {
                let state = State { around: Some(Around { flow: *flow, column: node.column }), ..state };
                self.active.push(Vec::new());
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.comments(node, index, path, state);
                    if path.0.is_empty() && key.text() == Some(BLOCK_KEY) {
                        continue;
                    }
                    let name = self.name(key, path)?;
                    self.node(value, &path.child(Step::Key(name.to_owned())), state)?;
                    self.active.last_mut().map(Vec::clear);
                }
                self.comments(node, entries.len(), path, state);
                self.active.pop();
                Ok(())
            }
            Kind::Sequence { flow, items } => {
                let state = State { around: Some(Around { flow: *flow, column: node.column }), ..state };
                self.active.push(Vec::new());
                for (index, item) in items.iter().enumerate() {
                    self.comments(node, index, path, state);
                    self.node(item, &path.child(Step::Item(index)), state)?;
                    self.active.last_mut().map(Vec::clear);
                }
                self.comments(node, items.len(), path, state);
                self.active.pop();
                Ok(())
            }
        }
    }

    /// A key as SOPS has it: a string by go-yaml's rules, so that `y` and `no` are names.
    fn name(&self, key: &'d Node, path: &Path) -> Result<&'d str, At> {
        let text =
            key.scalar().filter(|scalar| matches!(see(self.file.syntax, key, scalar), Ok(Seen::Value(Type::Text, _))));
        text.map(|scalar| scalar.value.as_str()).ok_or_else(|| self.at(key, path, ReadError::Key))
    }

    fn leaf(&mut self, node: &'d Node, path: &Path, state: State<'d>) -> Result<(), At> {
        let selected = self.selects(path, None);
        let depth = (path.0.len() > MAX_DEPTH).then_some(Hazard::Depth);
        let hazard = state.hazard.or(depth);
        let leaf = Leaf { path: path.clone(), node, scalar: node.scalar(), around: state.around, hazard };
        self.tree.values.push(TreeValue { document: self.document, leaf, selected });
        Ok(())
    }

    /// The comments before a child of a collection.
    fn comments(&mut self, node: &Node, child: usize, path: &Path, state: State<'d>) {
        for index in self.places.before(self.document, node.id, child) {
            if let Some(level) = self.active.last_mut() {
                level.push(*index);
            }
            let selected = self.selects(path, Some(*index));
            let Some(Comment { text }) = self.found.get(*index).cloned() else { continue };
            if state.alias.is_none() {
                self.tree.comments.push(TreeComment {
                    document: self.document,
                    text,
                    container: path.clone(),
                    selected,
                });
            }
        }
    }

    fn selects(&self, path: &Path, comment: Option<usize>) -> bool {
        // A comment that asks for encryption is not encrypted by itself; one that asks to be left alone is.
        let own = comment.filter(|_| matches!(self.selector, Selector::EncryptedComment(_)));
        let active = self.active.iter().flatten().filter(|index| Some(**index) != own);
        let texts = active.filter_map(|index| self.file.source.get(self.found.get(*index)?.text.clone()));
        self.selector.selects(names(path), texts)
    }

    fn at(&self, node: &Node, path: &Path, error: ReadError) -> At {
        At { line: Some(self.file.line(node.span.start)), path: Some(path.clone()), error }
    }
}
