//! A file as SOPS walks it: values and comments in its order, and which of them its selector has encrypted.

use std::collections::HashMap;
use std::ops::Range;

use super::cipher::Type;
use super::comments::{Comment, comments};
use super::metadata::BLOCK_KEY;
use super::places::Places;
use super::read::{At, ReadError};
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
    let decides = |comment: &Comment| {
        let text = file.source.get(comment.text.clone()).unwrap_or_default();
        selector.is_by_comment() && selector.matches_comment(text)
    };
    let deciding: Vec<_> = found.iter().map(decides).collect();
    refuse_unsure(file, &found, &deciding, &places)?;
    let mut tree = Tree { values: Vec::new(), comments: Vec::new() };
    let mut allowance = Allowance::of(file.source.len());
    for (index, document) in file.documents.iter().enumerate() {
        let mut anchors = HashMap::new();
        collect_anchors(&document.root, &mut anchors);
        let mut walk = Walk {
            file,
            selector,
            unmatched: selector.selects([], []),
            found: &found,
            deciding: &deciding,
            places: &places,
            document: index,
            anchors,
            active: Active::default(),
            allowance: &mut allowance,
            tree: &mut tree,
        };
        walk.node(&document.root, &Path::default(), State { around: None, hazard: None, alias: None, named: false })?;
    }
    Ok(tree)
}

/// Where it is not certain what go-yaml takes a comment for, a comment that decides must not stand.
fn refuse_unsure(file: &File<'_>, found: &[Comment], deciding: &[bool], places: &Places) -> Result<(), At> {
    let mut comments = found.iter().zip(deciding).enumerate();
    match comments.find(|(index, (_, decides))| **decides && !places.is_sure(*index)) {
        Some((_, (Comment { text }, _))) => {
            Err(At { line: Some(file.line(text.start)), path: None, error: ReadError::UnclearComment })
        }
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
    /// Whether the selector takes a value above which nothing matches; what matches says the opposite.
    unmatched: bool,
    found: &'w [Comment],
    /// Whether they match.
    deciding: &'w [bool],
    places: &'w Places,
    document: usize,
    anchors: HashMap<usize, &'d Node>,
    active: Active,
    allowance: &'w mut Allowance,
    tree: &'w mut Tree<'d>,
}

/// How many comments that match stand since the last item that is none, on each level and on all together.
#[derive(Default)]
struct Active {
    levels: Vec<usize>,
    all: usize,
}

impl Active {
    fn open_level(&mut self) {
        self.levels.push(0);
    }

    fn add(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            *level += 1;
            self.all += 1;
        }
    }

    fn clear_level(&mut self) {
        self.close_level();
        self.open_level();
    }

    fn close_level(&mut self) {
        self.all -= self.levels.pop().unwrap_or_default();
    }
}

/// What is known of a node from those around it.
#[derive(Clone, Copy)]
struct State<'d> {
    around: Option<Around>,
    hazard: Option<Hazard>,
    /// The alias that leads to it.
    alias: Option<&'d Node>,
    /// Whether a name on its path matches.
    named: bool,
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
                self.active.open_level();
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.comments(node, index, path, state)?;
                    if path.0.is_empty() && key.text() == Some(BLOCK_KEY) {
                        continue;
                    }
                    let name = self.name(key, path)?;
                    let named = state.named || self.selector.selects([name], []) != self.unmatched;
                    self.node(value, &path.child(Step::Key(name.to_owned())), State { named, ..state })?;
                    self.active.clear_level();
                }
                self.comments(node, entries.len(), path, state)?;
                self.active.close_level();
                Ok(())
            }
            Kind::Sequence { flow, items } => {
                let state = State { around: Some(Around { flow: *flow, column: node.column }), ..state };
                self.active.open_level();
                for (index, item) in items.iter().enumerate() {
                    self.comments(node, index, path, state)?;
                    self.node(item, &path.child(Step::Item(index)), state)?;
                    self.active.clear_level();
                }
                self.comments(node, items.len(), path, state)?;
                self.active.close_level();
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
        let selected = self.selects(state, None);
        let depth = (path.0.len() > MAX_DEPTH).then_some(Hazard::Depth);
        let hazard = state.hazard.or(depth);
        let leaf = Leaf { path: path.clone(), node, scalar: node.scalar(), around: state.around, hazard };
        self.tree.values.push(TreeValue { document: self.document, leaf, selected });
        Ok(())
    }

    /// The comments before a child of a collection.
    fn comments(&mut self, node: &Node, child: usize, path: &Path, state: State<'d>) -> Result<(), At> {
        for index in self.places.before(self.document, node.id, child) {
            let decides = self.deciding.get(*index) == Some(&true);
            if decides {
                self.active.add();
            }
            let Some(Comment { text }) = self.found.get(*index).cloned() else { continue };
            // Whoever looks for a comment's collection goes through all around it.
            let allowed = match state.alias {
                Some(_) => self.allowance.aliased(node, 0),
                None => self.allowance.copy((path.0.len() + 1) * path.weight()),
            };
            if !allowed {
                let line = Some(self.file.line(text.start));
                return Err(At { line, path: Some(path.clone()), error: ReadError::TooMuch });
            }
            let selected = self.selects(state, Some(decides));
            if state.alias.is_none() {
                let container = path.clone();
                self.tree.comments.push(TreeComment { document: self.document, text, container, selected });
            }
        }
        Ok(())
    }

    /// Whether a value is selected, or a comment, of which it is known whether it matches.
    fn selects(&self, state: State<'d>, comment: Option<bool>) -> bool {
        // A comment that asks for encryption is not encrypted by itself; one that asks to be left alone is.
        let own = comment == Some(true) && matches!(self.selector, Selector::EncryptedComment(_));
        let decided = state.named || self.active.all > usize::from(own);
        decided != self.unmatched
    }

    fn at(&self, node: &Node, path: &Path, error: ReadError) -> At {
        At { line: Some(self.file.line(node.span.start)), path: Some(path.clone()), error }
    }
}
