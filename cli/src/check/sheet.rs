//! A parsed file with what the rules need to know of it.

use std::path::Path;

use sealwax_format::document::{File, Node};

use super::Context;
use super::rules::sops::Metadata;
use super::view::View;

/// One file, read.
pub(super) struct Sheet<'f> {
    /// Below the root of what is looked at.
    pub(super) path: &'f Path,
    /// Its documents.
    pub(super) file: &'f File<'f>,
    /// What decides over it; `None` for rendered manifests.
    pub(super) context: Option<&'f Context<'f>>,
    /// The metadata of a SOPS file.
    pub(super) sops: Option<Metadata>,
}

impl Sheet<'_> {
    /// The line of a node.
    pub(super) fn line(&self, node: &Node) -> usize {
        self.file.line(node.span.start)
    }

    /// What a key of a document starts with where the file holds several: its object, or its number.
    pub(super) fn prefix(&self, index: usize, view: &View<'_>) -> String {
        if self.file.documents.len() < 2 {
            return String::new();
        }
        let text = |node, key| view.get(node, key).and_then(|value| view.text(value));
        let name = view.get(view.root, "metadata").and_then(|metadata| text(metadata, "name"));
        match (text(view.root, "kind"), name) {
            (Some(kind), Some(name)) => format!("{}/{} ", kind.as_str(), name.as_str()),
            _ => format!("document {} ", index + 1),
        }
    }
}
