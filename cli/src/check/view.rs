//! A document as programs see it: aliases followed and merge keys merged, one look-up at a time, so that aliases that
//! multiply cost nothing.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use sealwax_format::document::resolve::resolve;
use sealwax_format::document::{Document, Kind, Node, Style};
use sealwax_format::{Path, Step};
use zeroize::Zeroizing;

/// Deepest chain of merge keys that is followed.
const MAX_MERGES: usize = 16;
/// Most entries of merged mappings that are looked at in one document: far above any manifest, and done in a second.
const MAX_MERGED: usize = 1_000_000;

/// A document and its anchors.
pub(crate) struct View<'d> {
    /// The document's root.
    pub(crate) root: &'d Node,
    anchors: HashMap<usize, &'d Node>,
    /// Entries of merged mappings that were looked at.
    merged: Cell<usize>,
}

/// What a mapping and those that it merges hold, while it is put together.
#[derive(Default)]
struct Gathered<'d> {
    entries: Vec<(String, &'d Node)>,
    keys: HashSet<String>,
    /// Mappings that were merged: merged again they bring nothing new.
    seen: HashSet<*const Node>,
}

impl<'d> View<'d> {
    /// Looks at a document.
    pub(crate) fn new(document: &'d Document) -> Self {
        let mut anchors = HashMap::new();
        every(&document.root, &mut |node| {
            if node.anchor != 0 {
                anchors.insert(node.anchor, node);
            }
        });
        Self { root: &document.root, anchors, merged: Cell::new(0) }
    }

    /// What a node is once an alias is followed.
    pub(crate) fn follow(&self, node: &'d Node) -> &'d Node {
        match node.kind {
            // An anchor is never on an alias, so one step is enough.
            Kind::Alias(target) => self.anchors.get(&target).copied().unwrap_or(node),
            _ => node,
        }
    }

    /// Keys and values of a mapping as programs see them; those that a merge key brings come last, and only where the
    /// mapping has no such key itself.
    pub(crate) fn entries(&self, node: &'d Node) -> Vec<(String, &'d Node)> {
        let mut gathered = Gathered::default();
        self.collect(self.follow(node), &mut gathered, 0);
        gathered.entries
    }

    /// Whether merge keys lead to more than was followed, so that not all is known.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.merged.get() > MAX_MERGED
    }

    fn collect(&self, node: &'d Node, gathered: &mut Gathered<'d>, depth: usize) {
        if depth > 0 {
            self.merged.set(self.merged.get() + 1 + node.entries().len());
        }
        if self.is_exhausted() || !gathered.seen.insert(node) {
            return;
        }
        let mut merged = Vec::new();
        for (key, value) in node.entries() {
            match self.text(key) {
                _ if is_merge(key) => merged.push(self.follow(value)),
                Some(key) if gathered.keys.insert(key.to_string()) => {
                    gathered.entries.push((key.to_string(), value));
                }
                _ => {}
            }
        }
        for source in merged {
            let items = self.items(source);
            let sources = if items.is_empty() { std::slice::from_ref(source) } else { items };
            for source in sources {
                if depth < MAX_MERGES {
                    self.collect(self.follow(source), gathered, depth + 1);
                } else {
                    self.merged.set(MAX_MERGED + 1);
                }
            }
        }
    }

    /// The value under a key, before an alias is followed: its place in the file is where the mapping is.
    pub(crate) fn entry(&self, node: &'d Node, key: &str) -> Option<&'d Node> {
        let own = self.follow(node).entries();
        let found = own.iter().find(|(k, _)| self.text(k).is_some_and(|text| *text == key)).map(|(_, value)| value);
        let merges = || own.iter().any(|(key, _)| is_merge(key));
        found.or_else(|| {
            let entries = if merges() { self.entries(node) } else { Vec::new() };
            entries.into_iter().find(|(k, _)| k == key).map(|(_, value)| value)
        })
    }

    /// The value under a key.
    pub(crate) fn get(&self, node: &'d Node, key: &str) -> Option<&'d Node> {
        self.entry(node, key).map(|value| self.follow(value))
    }

    /// The items of a list.
    pub(crate) fn items(&self, node: &'d Node) -> &'d [Node] {
        if let Kind::Sequence { items, .. } = &self.follow(node).kind { items } else { &[] }
    }

    /// The text of a scalar; `!!binary` is decoded, as programs do.
    pub(crate) fn text(&self, node: &'d Node) -> Option<Zeroizing<String>> {
        let node = self.follow(node);
        let scalar = node.scalar()?;
        let binary = node.tag.as_ref().is_some_and(|tag| tag.name.ends_with(":binary"));
        let resolved = binary.then(|| resolve(node, scalar).ok()).flatten();
        let decoded =
            resolved.and_then(|resolved| resolved.value.expose_str().map(|text| Zeroizing::new(text.to_owned())));
        Some(decoded.unwrap_or_else(|| scalar.value.clone()))
    }

    /// Whether a value under a key has this text.
    pub(crate) fn is(&self, node: &'d Node, key: &str, text: &str) -> bool {
        self.get(node, key).and_then(|value| self.text(value)).is_some_and(|found| *found == text)
    }
}

fn is_merge(key: &Node) -> bool {
    let tagged = key.tag.as_ref().is_some_and(|tag| tag.name.ends_with(":merge"));
    key.scalar().is_some_and(|scalar| tagged || (scalar.style == Style::Plain && *scalar.value == "<<"))
}

/// Calls a function with every node of a tree, keys included; aliases are not followed.
pub(crate) fn every<'d>(node: &'d Node, visit: &mut dyn FnMut(&'d Node)) {
    visit(node);
    match &node.kind {
        Kind::Mapping { entries, .. } => entries.iter().for_each(|(key, value)| {
            every(key, visit);
            every(value, visit);
        }),
        Kind::Sequence { items, .. } => items.iter().for_each(|item| every(item, visit)),
        _ => {}
    }
}

/// The same with mappings alone, and their paths.
pub(crate) fn every_mapping<'d>(node: &'d Node, path: &Path, visit: &mut dyn FnMut(&'d Node, &Path)) {
    match &node.kind {
        Kind::Mapping { entries, .. } => {
            visit(node, path);
            for (key, value) in entries {
                every_mapping(value, &path.child(Step::Key(key.text().unwrap_or("?").to_owned())), visit);
            }
        }
        Kind::Sequence { items, .. } => {
            for (index, item) in items.iter().enumerate() {
                every_mapping(item, &path.child(Step::Item(index)), visit);
            }
        }
        _ => {}
    }
}
