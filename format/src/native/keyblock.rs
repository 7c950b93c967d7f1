//! The key block: for which place a document is sealed, the id of its key, and a wrap of the key for each reader.

use crate::base64;
use crate::document::present::{double_quoted, quote_if_needed};
use crate::document::{Node, Style, Syntax};
use crate::keys::{Label, MAX_READERS, MAX_WRAP};
use crate::primitives::{KeyId, SHORT_ID_CHARS};

/// The root key under which the block stands in everything but an `EncryptedSecret`.
pub(super) const BLOCK_KEY: &str = "sealwax";
/// The fields of `EncryptedSecret.spec` that are the key block there.
pub(super) const SPEC_FIELDS: [&str; 3] = ["sealedFor", "key", "readers"];
/// The version of the format that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;

/// The place as the block states it; the object's group and kind come from the document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SealedFor {
    /// Patterns for a Kubernetes object.
    Object {
        /// Namespace, exact or with `*`.
        namespace: String,
        /// Name, exact or with `*`.
        name: String,
    },
    /// The context of any other file.
    Context(String),
}

/// The document key's id and its wraps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentKey {
    /// The full id.
    pub id: KeyId,
    /// Reader and age file, sorted by label.
    pub wraps: Vec<(Label, Vec<u8>)>,
}

/// A parsed key block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBlock {
    /// Where the values open.
    pub sealed_for: SealedFor,
    /// The document key; absent where every value carries a key of its own.
    pub key: Option<DocumentKey>,
}

/// A key block that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyBlockError {
    /// A version that this program does not know.
    #[error("its version is not {VERSION}; a newer sealwax may read it")]
    Version,
    /// A field that this program does not know.
    #[error("it has a field that this version does not know")]
    UnknownField,
    /// A field is missing.
    #[error("the field {0} is missing")]
    Missing(&'static str),
    /// A field that is not what it should be.
    #[error("the field {0} is malformed")]
    Malformed(&'static str),
    /// A wrap of another key than `key` names.
    #[error("key and readers belong to different keys, as after a bad merge; take both from one side")]
    MixedKeys,
}

impl KeyBlock {
    /// Reads the block from the value of the root key `sealwax`.
    pub fn parse_root(node: &Node) -> Result<Self, KeyBlockError> {
        let version = node.get("version").ok_or(KeyBlockError::Missing("version"))?;
        if version.text() != Some("1") || version.scalar().is_none_or(|scalar| scalar.style != Style::Plain) {
            return Err(KeyBlockError::Version);
        }
        let known = |key: &Node| key.text().is_some_and(|k| k == "version" || SPEC_FIELDS.contains(&k));
        if !node.entries().iter().all(|(key, _)| known(key)) {
            return Err(KeyBlockError::UnknownField);
        }
        Self::parse_fields(node)
    }

    /// Reads the block from `spec` of an `EncryptedSecret`.
    pub fn parse_fields(node: &Node) -> Result<Self, KeyBlockError> {
        let sealed_for = node.get("sealedFor").ok_or(KeyBlockError::Missing("sealedFor"))?;
        let key = match (node.get("key"), node.get("readers")) {
            (None, None) => None,
            (Some(key), Some(readers)) => Some(parse_key(key, readers)?),
            (None, Some(_)) => return Err(KeyBlockError::Missing("key")),
            (Some(_), None) => return Err(KeyBlockError::Missing("readers")),
        };
        Ok(Self { sealed_for: parse_sealed_for(sealed_for)?, key })
    }

    /// The entries that state the block in block style, indented by `column`: name and whole lines without the last
    /// line break. `in_spec` gives the fields of an `EncryptedSecret`, else the one entry `sealwax`.
    pub fn block_entries(&self, in_spec: bool, column: usize, line_break: &str) -> Vec<(&'static str, String)> {
        let inner = if in_spec { column } else { column + 2 };
        let pad = " ".repeat(inner);
        let mut fields = vec![("sealedFor", format!("{pad}sealedFor: {}", self.sealed_for.yaml()))];
        if let Some(key) = &self.key {
            fields.push(("key", format!("{pad}key: {}", key.id)));
            let mut lines = vec![format!("{pad}readers:")];
            for (label, wrap) in &key.wraps {
                lines.push(format!("{pad}  {label}: >-"));
                lines.push(format!("{pad}    {}:{}", key.id.short(), base64::encode(wrap)));
            }
            fields.push(("readers", lines.join(line_break)));
        }
        if in_spec {
            return fields;
        }
        let outer = " ".repeat(column);
        let mut lines = vec![format!("{outer}{BLOCK_KEY}:"), format!("{pad}version: {VERSION}")];
        lines.extend(fields.into_iter().map(|(_, text)| text));
        vec![(BLOCK_KEY, lines.join(line_break))]
    }

    /// The same for a flow mapping and JSON: `"name": value`, everything quoted as JSON wants it.
    pub fn flow_entries(&self, in_spec: bool) -> Vec<(&'static str, String)> {
        let quote = |text: &str| double_quoted(text, Syntax::Json);
        let sealed_for = match &self.sealed_for {
            SealedFor::Object { namespace, name } => {
                format!("{{\"namespace\": {}, \"name\": {}}}", quote(namespace), quote(name))
            }
            SealedFor::Context(context) => format!("{{\"context\": {}}}", quote(context)),
        };
        let mut fields = vec![("sealedFor", format!("\"sealedFor\": {sealed_for}"))];
        if let Some(key) = &self.key {
            fields.push(("key", format!("\"key\": \"{}\"", key.id)));
            let wraps = key.wraps.iter();
            let wraps = wraps.map(|(label, w)| format!("\"{label}\": \"{}:{}\"", key.id.short(), base64::encode(w)));
            fields.push(("readers", format!("\"readers\": {{{}}}", wraps.collect::<Vec<_>>().join(", "))));
        }
        if in_spec {
            return fields;
        }
        let fields = fields.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", ");
        vec![(BLOCK_KEY, format!("\"{BLOCK_KEY}\": {{\"version\": {VERSION}, {fields}}}"))]
    }
}

impl SealedFor {
    fn yaml(&self) -> String {
        match self {
            Self::Object { namespace, name } => {
                format!("{{namespace: {}, name: {}}}", quote_if_needed(namespace), quote_if_needed(name))
            }
            Self::Context(context) => format!("{{context: {}}}", quote_if_needed(context)),
        }
    }
}

fn parse_sealed_for(node: &Node) -> Result<SealedFor, KeyBlockError> {
    let malformed = KeyBlockError::Malformed("sealedFor");
    let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
    match (node.entries().len(), text("namespace"), text("name"), text("context")) {
        (2, Some(namespace), Some(name), None) if !namespace.is_empty() && !name.is_empty() => {
            Ok(SealedFor::Object { namespace, name })
        }
        (1, None, None, Some(context)) => Ok(SealedFor::Context(context)),
        _ => Err(malformed),
    }
}

fn parse_key(key: &Node, readers: &Node) -> Result<DocumentKey, KeyBlockError> {
    let id = key.text().and_then(KeyId::parse).ok_or(KeyBlockError::Malformed("key"))?;
    let readers = readers.entries().iter().map(|(label, wrap)| label.text().zip(wrap.text()));
    let readers = readers.collect::<Option<Vec<_>>>().ok_or(KeyBlockError::Malformed("readers"))?;
    parse_readers(id, readers)
}

/// Reads the wraps of a document key: label, and `8 characters of the id:base64`.
pub fn parse_readers<'a>(
    id: KeyId,
    readers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<DocumentKey, KeyBlockError> {
    let malformed = KeyBlockError::Malformed("readers");
    let mut wraps = Vec::new();
    for (label, wrap) in readers {
        let label: Label = label.parse().map_err(|_| malformed.clone())?;
        let (short, wrap) = wrap.split_once(':').ok_or_else(|| malformed.clone())?;
        if short.len() != SHORT_ID_CHARS {
            return Err(malformed);
        }
        if short != id.short() {
            return Err(KeyBlockError::MixedKeys);
        }
        let wrap = base64::decode(wrap).filter(|wrap| (1..=MAX_WRAP).contains(&wrap.len()));
        wraps.push((label, wrap.ok_or_else(|| malformed.clone())?));
    }
    if wraps.is_empty() || wraps.len() > MAX_READERS {
        return Err(malformed);
    }
    wraps.sort_by_key(|(label, _)| label.to_string());
    Ok(DocumentKey { id, wraps })
}
