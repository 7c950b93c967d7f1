//! What a document is, for the native format: its object, its key block, and its values outside the block.

use super::keyblock::{BLOCK_KEY, KeyBlock, SPEC_FIELDS, SealedFor};
use super::place::{LiveObject, Place, Scope};
use super::token::{Token, TokenKey};
use crate::document::present::Target;
use crate::document::walk::{Around, Leaf, leaves};
use crate::document::{File, Node};
use crate::error::{Error, Problem};
use crate::path::{Path, Step};

/// The API group of our own resources.
pub const API_GROUP: &str = "sealwax.dev";
/// The kind that holds tokens under `spec.data` and its key block in `spec`.
pub const ENCRYPTED_SECRET: &str = "EncryptedSecret";

/// A Kubernetes object as its manifest states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// API group, empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// `metadata.namespace`, if it is there.
    pub namespace: Option<String>,
    /// `metadata.name`, if it is there.
    pub name: Option<String>,
}

impl Object {
    fn read(root: &Node) -> Option<Self> {
        let text =
            |node: &Node, key: &str| node.get(key).and_then(Node::text).filter(|t| !t.is_empty()).map(str::to_owned);
        let version = text(root, "apiVersion")?;
        let group = version.split_once('/').map_or(String::new(), |(group, _)| group.to_owned());
        let metadata = root.get("metadata");
        Some(Self {
            group,
            kind: text(root, "kind")?,
            namespace: metadata.and_then(|metadata| text(metadata, "namespace")),
            name: metadata.and_then(|metadata| text(metadata, "name")),
        })
    }

    /// Whether it is ours.
    pub fn is_encrypted_secret(&self) -> bool {
        self.group == API_GROUP && self.kind == ENCRYPTED_SECRET
    }

    /// The place of this object under a scope, with names that override the manifest's.
    pub fn place(&self, scope: Scope, namespace: Option<&str>, name: Option<&str>) -> Result<Place, Problem> {
        let namespace = namespace.or(self.namespace.as_deref());
        let name = name.or(self.name.as_deref());
        let namespace = if scope == Scope::Cluster { "" } else { namespace.ok_or(Problem::NoNamespace)? };
        let name = if scope == Scope::Strict { name.ok_or(Problem::NoName)? } else { "" };
        if namespace.contains('*') || name.contains('*') {
            return Err(Problem::Wildcard);
        }
        let (namespace, name) = scope.patterns(namespace, name);
        Ok(Place::Object { group: self.group.clone(), kind: self.kind.clone(), namespace, name })
    }

    /// Kind, namespace and name for people, with control characters escaped.
    pub fn shown(&self) -> String {
        let part = |part: &Option<String>| part.as_deref().unwrap_or("?").escape_debug().to_string();
        format!("{} {}/{}", self.kind.escape_debug(), part(&self.namespace), part(&self.name))
    }
}

/// How many tokens of a document carry a key of their own, and the characters that they take up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnTokens {
    /// Tokens.
    pub count: usize,
    /// Characters.
    pub chars: usize,
}

impl OwnTokens {
    pub(super) fn add(&mut self, token: &str) {
        if Token::names_readers(token) {
            self.count += 1;
            self.chars += token.len();
        }
    }

    /// Whether they have become so many or so long that folding them under one key is worth it.
    pub fn want_fold(&self) -> bool {
        self.count > 8 || self.chars > 64 * 1024
    }
}

/// A document, read.
#[derive(Debug)]
pub struct Layout<'d> {
    /// Position of the document in its file.
    pub index: usize,
    /// The object, if it is one.
    pub object: Option<Object>,
    /// The key block, if there is one.
    pub block: Option<KeyBlock>,
    /// The mapping that holds the block or would: `spec` of an `EncryptedSecret`, else the root.
    pub host: Option<&'d Node>,
    /// The values outside the block.
    pub leaves: Vec<Leaf<'d>>,
}

impl<'d> Layout<'d> {
    /// Reads one document of a file.
    pub fn read(file: &'d File<'_>, index: usize) -> Result<Self, Error> {
        let root = &file.documents[index].root;
        let object = Object::read(root);
        for key in ["apiVersion", "kind", "metadata"] {
            // Behind an alias a document would pass for something that it is not, and miss its rule.
            if let Some(node) = root.get(key).filter(|node| matches!(node.kind, crate::document::Kind::Alias(_))) {
                return Err(Error {
                    line: Some(file.line(node.span.start)),
                    path: Some(Path::of_keys(&[key])),
                    problem: crate::document::walk::Hazard::Alias.into(),
                });
            }
        }
        let in_spec = object.as_ref().is_some_and(Object::is_encrypted_secret);
        let mapping = |node: &Node| {
            !matches!(node.kind, crate::document::Kind::Scalar(_) | crate::document::Kind::Sequence { .. })
        };
        let host = if in_spec { root.get("spec") } else { Some(root) }.filter(|node| mapping(node));
        let stated = match host {
            Some(spec) if in_spec => SPEC_FIELDS.iter().any(|f| spec.get(f).is_some()).then_some(spec),
            Some(root) => root.get(BLOCK_KEY),
            None => None,
        };
        let parse = if in_spec { KeyBlock::parse_fields } else { KeyBlock::parse_root };
        let block = stated.map(parse).transpose();
        let block = block.map_err(|e| Error::at_line(file.line(stated.map_or(0, |node| node.span.start)), e))?;
        let all = leaves(&file.documents[index]);
        let leaves = all.into_iter().filter(|leaf| !in_block(&leaf.path, in_spec)).collect();
        Ok(Self { index, object, block, host, leaves })
    }

    /// Whether the block's fields stand in `spec`.
    pub fn in_spec(&self) -> bool {
        self.object.as_ref().is_some_and(Object::is_encrypted_secret)
    }

    /// The place that the block states, if the document's own object fits it.
    pub fn stated_place(&self) -> Result<Option<Place>, Problem> {
        let Some(block) = &self.block else {
            return Ok(None);
        };
        let place = match (&block.sealed_for, &self.object) {
            (SealedFor::Object { namespace, name }, Some(object)) => Place::Object {
                group: object.group.clone(),
                kind: object.kind.clone(),
                namespace: namespace.clone(),
                name: name.clone(),
            },
            (SealedFor::Context(context), None) => return Ok(Some(Place::Context(context.clone()))),
            (SealedFor::Context(context), Some(object)) => {
                let sealed_for = Place::Context(context.clone()).to_string();
                return Err(Problem::WrongPlace { sealed_for, object: object.shown() });
            }
            (SealedFor::Object { namespace, name }, None) => {
                let sealed_for = format!("an object {namespace}/{name}");
                return Err(Problem::WrongPlace { sealed_for, object: "no Kubernetes object".to_owned() });
            }
        };
        self.admit(&place)?;
        Ok(Some(place))
    }

    /// Checks the manifest's names against a place; a name that the manifest leaves out is checked in the cluster.
    pub fn admit(&self, place: &Place) -> Result<(), Problem> {
        let (Some(object), Place::Object { namespace, name, .. }) = (&self.object, place) else {
            return Ok(());
        };
        let live = LiveObject {
            group: &object.group,
            kind: &object.kind,
            namespace: object.namespace.as_deref().unwrap_or(namespace),
            name: object.name.as_deref().unwrap_or(name),
        };
        if place.admits(&live) {
            return Ok(());
        }
        Err(Problem::WrongPlace { sealed_for: place.to_string(), object: object.shown() })
    }

    /// The token at a leaf; `None` for a value in the clear.
    pub fn token(&self, file: &File<'_>, leaf: &Leaf<'_>) -> Result<Option<Token>, Error> {
        let Some(scalar) = leaf.scalar.filter(|scalar| Token::is_claimed_by(&scalar.value)) else {
            return Ok(None);
        };
        let token = Token::parse(&scalar.value).map_err(|error| at(file, leaf, error))?;
        if let TokenKey::Document(short) = &token.key {
            let key = self.block.as_ref().and_then(|block| block.key.as_ref());
            let key = key.ok_or_else(|| at(file, leaf, Problem::NoBlock))?;
            if key.id.short() != short {
                return Err(at(file, leaf, Problem::MixedKeys));
            }
        }
        Ok(Some(token))
    }

    /// The tokens with keys of their own.
    pub fn own_tokens(&self) -> OwnTokens {
        let mut own = OwnTokens::default();
        self.leaves.iter().filter_map(|leaf| leaf.scalar).for_each(|scalar| own.add(&scalar.value));
        own
    }

    /// Where and how a leaf's text is written.
    pub fn target(&self, file: &File<'_>, around: Around) -> Target {
        Target { syntax: file.syntax, around, line_break: file.line_break() }
    }

    /// The leaf at a path.
    pub fn leaf(&self, path: &Path) -> Option<&Leaf<'d>> {
        self.leaves.iter().find(|leaf| leaf.path == *path)
    }
}

pub(super) fn in_block(path: &Path, in_spec: bool) -> bool {
    let key = |index: usize| match path.0.get(index) {
        Some(Step::Key(key)) => Some(key.as_str()),
        _ => None,
    };
    if in_spec {
        key(0) == Some("spec") && key(1).is_some_and(|field| SPEC_FIELDS.contains(&field))
    } else {
        key(0) == Some(BLOCK_KEY)
    }
}

/// An error about the value at a leaf.
pub(crate) fn at(file: &File<'_>, leaf: &Leaf<'_>, problem: impl Into<Problem>) -> Error {
    Error { line: Some(file.line(leaf.node.span.start)), path: Some(leaf.path.clone()), problem: problem.into() }
}

/// Whether an object would be another one, or none, without the value at this path.
pub(super) fn is_identifying(layout: &Layout<'_>, path: &Path) -> bool {
    let key = |index: usize| match path.0.get(index) {
        Some(Step::Key(key)) => Some(key.as_str()),
        _ => None,
    };
    layout.object.is_some()
        && match key(0) {
            Some("apiVersion" | "kind") => true,
            Some("metadata") => matches!(key(1), None | Some("namespace" | "name" | "generateName")),
            _ => false,
        }
}
