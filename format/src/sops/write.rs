//! From a plain file to an encrypted one: tokens where the selected values were, and a block at the end of each document.

use std::collections::HashMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::cipher::{Cipher, Token, Type};
use super::comments::{Comment, comments};
use super::metadata::{BLOCK_KEY, Group, Metadata, Wrap};
use super::read::{At, Layout, MAC_ONLY_ENCRYPTED, Opened, ReadError, associated, names};
use super::scalar::{Seen, see};
use crate::document::present::{Expected, Written, double_quoted, quote_if_needed};
use crate::document::rewrite::Rewrite;
use crate::document::walk::{Leaf, leaves};
use crate::document::{File, Kind, Node, Syntax};
use crate::padding::ValueType;
use crate::path::{Path, Step};
use crate::primitives::{Random, RandomError};
use crate::secret::SecretBytes;

/// How a file is to be written.
pub struct Request<'r> {
    /// Keys, selector and version; its checksum is made anew.
    pub metadata: &'r Metadata,
    /// Under the data key that the metadata's wraps hold.
    pub cipher: &'r Cipher,
    /// Tokens of an earlier state, which are used again.
    pub stash: Option<&'r Stash>,
}

/// The tokens of an earlier state of a file, by what is in them and where.
#[derive(Default)]
pub struct Stash {
    /// By associated data and type.
    tokens: HashMap<(Vec<u8>, Type), Vec<Known>>,
}

/// A value and its token.
type Known = (Zeroizing<Vec<u8>>, Token);

impl Stash {
    /// Of a file that was opened.
    pub fn of(layout: &Layout<'_>, opened: &[Opened]) -> Self {
        let mut stash = Self::default();
        for one in opened {
            let value = layout.values.get(one.value);
            if let Some((path, token)) = value.and_then(|value| Some((&value.leaf.path, value.token.clone()?))) {
                let known = stash.tokens.entry((associated(path), one.kind)).or_default();
                known.push((one.plaintext.clone(), token));
            }
        }
        stash
    }

    fn find(&self, path: &[u8], kind: Type, plaintext: &[u8]) -> Option<Token> {
        // A float without a fraction reads as an integer in the plain file.
        let kinds: &[Type] = if kind == Type::Int { &[Type::Int, Type::Float] } else { std::slice::from_ref(&kind) };
        let mut known = kinds.iter().filter_map(|kind| self.tokens.get(&(path.to_vec(), *kind))).flatten();
        known.find(|(value, _)| value.as_slice() == plaintext).map(|(_, token)| token.clone())
    }
}

/// Why a file is not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Something about a value.
    #[error(transparent)]
    Value(#[from] ReadError),
    /// No random bytes.
    #[error("no nonce could be made")]
    Random(#[from] RandomError),
    /// Nothing was selected: a selector that is mistyped, or the wrong one for this file.
    #[error("the selector selects no value of this file")]
    NothingSelected,
    /// The root is no mapping, so there is no place for a block.
    #[error("the document is not a mapping, so there is no place for its sops block")]
    NoMapping,
    /// There is one already.
    #[error("the file has a sops block already")]
    Encrypted,
}

/// What was done.
#[derive(Debug)]
pub struct Report {
    /// The encrypted file.
    pub text: Zeroizing<String>,
    /// Values encrypted anew.
    pub sealed: usize,
    /// Tokens used again.
    pub kept: usize,
}

/// Encrypts the selected values and comments of a plain file.
pub fn encrypt(
    file: &File<'_>,
    request: &Request<'_>,
    random: &mut dyn Random,
) -> Result<Report, (Option<usize>, Option<Path>, WriteError)> {
    let mut sealing = Sealing { request, random, digest: Sha512::new(), sealed: 0, kept: 0 };
    if request.metadata.selector.is_by_comment() {
        return Err((None, None, ReadError::ByComment.into()));
    }
    if request.metadata.mac_only_encrypted {
        sealing.digest.update(MAC_ONLY_ENCRYPTED);
    }
    let of_file = |error: WriteError| (None, None, error);
    let mut rewrite = Rewrite::new(file);
    for (index, document) in file.documents.iter().enumerate() {
        if document.root.get(BLOCK_KEY).is_some() {
            return Err(of_file(WriteError::Encrypted));
        }
        for leaf in leaves(document) {
            let place = (Some(file.line(leaf.node.span.start)), Some(leaf.path.clone()));
            sealing.leaf(file, index, &leaf, &mut rewrite).map_err(|error| (place.0, place.1, error))?;
        }
    }
    if sealing.sealed + sealing.kept == 0 {
        return Err(of_file(WriteError::NothingSelected));
    }
    for comment in comments(file) {
        sealing.comment(file, &comment, &mut rewrite).map_err(of_file)?;
    }
    let mac = sealing.mac().map_err(of_file)?;
    for (index, document) in file.documents.iter().enumerate() {
        if !matches!(document.root.kind, Kind::Mapping { .. }) {
            return Err(of_file(WriteError::NoMapping));
        }
        let text = block(request.metadata, &mac, file, &document.root);
        rewrite.insert(index, &document.root, BLOCK_KEY, &text);
    }
    let text = rewrite.finish().map_err(|error| of_file(ReadError::from(error).into()))?;
    Ok(Report { text, sealed: sealing.sealed, kept: sealing.kept })
}

struct Sealing<'s, 'r> {
    request: &'s Request<'r>,
    random: &'s mut dyn Random,
    digest: Sha512,
    sealed: usize,
    kept: usize,
}

impl Sealing<'_, '_> {
    fn leaf(
        &mut self,
        file: &File<'_>,
        document: usize,
        leaf: &Leaf<'_>,
        rewrite: &mut Rewrite<'_, '_>,
    ) -> Result<(), WriteError> {
        let metadata = self.request.metadata;
        let selected = metadata.selector.selects(names(&leaf.path), std::iter::empty());
        let (Some(scalar), Some(around)) = (leaf.scalar, leaf.around) else {
            return Err(if leaf.scalar.is_none() { ReadError::Alias.into() } else { WriteError::NoMapping });
        };
        let (kind, bytes) = match see(file.syntax, leaf.node, scalar).map_err(ReadError::from)? {
            Seen::Null => return Ok(()),
            Seen::Value(_, bytes) if bytes.is_empty() => return Ok(()),
            Seen::Value(kind, bytes) => (kind, bytes),
        };
        if selected || !metadata.mac_only_encrypted {
            self.digest.update(&bytes);
        }
        if !selected {
            return Ok(());
        }
        if leaf.hazard.is_some() {
            return Err(ReadError::Alias.into());
        }
        let token = self.token(kind, &bytes, &associated(&leaf.path))?.to_string();
        let quoted = around.flow || file.syntax == Syntax::Json;
        let head = if quoted { double_quoted(&token, Syntax::Json) } else { token.clone() };
        let expected = Expected { value_type: ValueType::String, value: SecretBytes::from(token) };
        rewrite.replace(document, leaf.node, scalar, Written { head, body: None }, expected);
        Ok(())
    }

    fn comment(&mut self, file: &File<'_>, comment: &Comment, rewrite: &mut Rewrite<'_, '_>) -> Result<(), WriteError> {
        let text = file.source.get(comment.text.clone()).unwrap_or_default();
        let path = container(file, comment.text.start);
        let selected = self.request.metadata.selector.selects(names(&path), std::iter::empty());
        if text.is_empty() || !selected {
            return Ok(());
        }
        let token = self.seal(Type::Comment, text.as_bytes(), &associated(&path))?;
        rewrite.comment(comment.text.start - 1..comment.text.end, &token.to_string());
        Ok(())
    }

    fn token(&mut self, kind: Type, bytes: &[u8], path: &[u8]) -> Result<Token, WriteError> {
        if let Some(token) = self.request.stash.and_then(|stash| stash.find(path, kind, bytes)) {
            self.kept += 1;
            return Ok(token);
        }
        self.sealed += 1;
        self.seal(kind, bytes, path)
    }

    fn seal(&mut self, kind: Type, bytes: &[u8], path: &[u8]) -> Result<Token, WriteError> {
        Ok(self.request.cipher.seal(self.random, kind, bytes, path)?)
    }

    fn mac(&mut self) -> Result<Token, WriteError> {
        let digest = std::mem::take(&mut self.digest).finalize();
        let text = data_encoding::HEXUPPER.encode(&digest);
        let last_modified = self.request.metadata.last_modified.clone();
        self.seal(Type::Text, text.as_bytes(), last_modified.as_bytes())
    }
}

/// The collection that a comment stands in: of the value on its line, else the innermost around it that is not indented
/// further than the comment.
fn container(file: &File<'_>, offset: usize) -> Path {
    let line = file.source.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let before = file.source.get(line..offset.saturating_sub(1)).unwrap_or_default();
    let inline = !before.trim().is_empty();
    let column = before.len();
    let document = file.documents.iter().rev().find(|document| document.root.span.start <= offset);
    let Some(document) = document.or(file.documents.first()) else { return Path::default() };
    let mut path = Path::default();
    let mut node = &document.root;
    while let Some((step, child)) = around(node, offset, inline, column) {
        path = path.child(step);
        node = child;
    }
    path
}

/// The collection within a node that reaches to an offset.
fn around(node: &Node, offset: usize, inline: bool, column: usize) -> Option<(Step, &Node)> {
    // A comment below `key:` and above the first value stands in what the key holds.
    let begins = |key: &Node, value: &Node| if inline { value.span.start } else { key.span.start };
    let last = match &node.kind {
        Kind::Mapping { entries, .. } => {
            let (key, value) = entries.iter().rev().find(|(key, value)| begins(key, value) < offset)?;
            (Step::Key(key.text().unwrap_or_default().to_owned()), value)
        }
        Kind::Sequence { items, .. } => {
            let (index, item) = items.iter().enumerate().rev().find(|(_, item)| item.span.start < offset)?;
            (Step::Item(index), item)
        }
        _ => return None,
    };
    let is_collection = !matches!(last.1.kind, Kind::Scalar(_) | Kind::Alias(_));
    let fits = if inline { offset <= last.1.span.end + 1 || !last.1.is_flow() } else { last.1.column <= column };
    (is_collection && fits).then_some(last)
}

/// The block as SOPS 3.13 writes it: names in alphabetical order at every level.
fn block(metadata: &Metadata, mac: &Token, file: &File<'_>, root: &Node) -> String {
    let fields = fields(metadata, mac);
    if file.syntax == Syntax::Json || root.is_flow() {
        let body = fields.iter().map(|(name, field)| format!("\"{name}\": {}", field.json())).collect::<Vec<_>>();
        return format!("\"{BLOCK_KEY}\": {{{}}}", body.join(", "));
    }
    let line_break = file.line_break();
    let mut text = format!("{BLOCK_KEY}:");
    for (name, field) in &fields {
        text.push_str(line_break);
        let _ = write!(text, "    {name}:");
        field.yaml(4, line_break, &mut text);
    }
    text
}

/// A piece of the block.
enum Field {
    Text(String),
    Number(usize),
    True,
    List(Vec<Vec<(&'static str, Field)>>),
    Map(Vec<(String, String)>),
}

fn fields(metadata: &Metadata, mac: &Token) -> Vec<(&'static str, Field)> {
    let mut fields = vec![
        ("lastmodified", Field::Text(metadata.last_modified.clone())),
        ("mac", Field::Text(mac.to_string())),
        ("version", Field::Text(metadata.version.clone())),
    ];
    match metadata.groups.as_slice() {
        [group] => fields.extend(lists(group)),
        groups => fields.push(("key_groups", Field::List(groups.iter().map(lists).collect()))),
    }
    if let Some(threshold) = metadata.threshold {
        fields.push(("shamir_threshold", Field::Number(threshold)));
    }
    if metadata.mac_only_encrypted {
        fields.push(("mac_only_encrypted", Field::True));
    }
    let (name, text) = metadata.selector.field();
    fields.push((name, Field::Text(text.to_owned())));
    fields.sort_by_key(|(name, _)| *name);
    fields
}

fn lists(group: &Group) -> Vec<(&'static str, Field)> {
    let mut lists: Vec<(&'static str, Vec<_>)> = Vec::new();
    for wrap in &group.wraps {
        let name = wrap.service.list();
        match lists.iter_mut().find(|(known, _)| *known == name) {
            Some((_, entries)) => entries.push(entry(wrap)),
            None => lists.push((name, vec![entry(wrap)])),
        }
    }
    lists.sort_by_key(|(name, _)| *name);
    lists.into_iter().map(|(name, entries)| (name, Field::List(entries))).collect()
}

fn entry(wrap: &Wrap) -> Vec<(&'static str, Field)> {
    let mut fields = vec![("enc", Field::Text(wrap.enc.clone())), (wrap.service.key(), Field::Text(wrap.key.clone()))];
    fields.extend(wrap.fields.iter().map(|(name, text)| (*name, Field::Text(text.clone()))));
    if !wrap.context.is_empty() {
        let mut context = wrap.context.clone();
        context.sort();
        fields.push(("context", Field::Map(context)));
    }
    fields.sort_by_key(|(name, _)| *name);
    fields
}

impl Field {
    fn json(&self) -> String {
        match self {
            Self::Text(text) => double_quoted(text, Syntax::Json),
            Self::Number(number) => number.to_string(),
            Self::True => "true".to_owned(),
            Self::Map(pairs) => {
                let quote = |text: &String| double_quoted(text, Syntax::Json);
                let pairs = pairs.iter().map(|(name, text)| format!("{}: {}", quote(name), quote(text)));
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
            }
            Self::List(entries) => {
                let entries = entries.iter().map(|fields| {
                    let fields = fields.iter().map(|(name, field)| format!("\"{name}\": {}", field.json()));
                    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
                });
                format!("[{}]", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// After `name:`, whose column is given.
    fn yaml(&self, column: usize, line_break: &str, out: &mut String) {
        match self {
            Self::Text(text) if text.trim_end_matches('\n').contains('\n') => {
                out.push_str(if text.ends_with('\n') { " |" } else { " |-" });
                for line in text.trim_end_matches('\n').split('\n') {
                    let _ = write!(out, "{line_break}{}{line}", " ".repeat(column + 4));
                }
            }
            Self::Text(text) if text.starts_with("ENC[") => {
                let _ = write!(out, " {text}");
            }
            Self::Text(text) => {
                let _ = write!(out, " {}", quote_if_needed(text));
            }
            Self::Number(number) => {
                let _ = write!(out, " {number}");
            }
            Self::True => out.push_str(" true"),
            Self::Map(pairs) => {
                for (name, text) in pairs {
                    let (name, text) = (quote_if_needed(name), quote_if_needed(text));
                    let _ = write!(out, "{line_break}{}{name}: {text}", " ".repeat(column + 4));
                }
            }
            Self::List(entries) => {
                for fields in entries {
                    for (position, (name, field)) in fields.iter().enumerate() {
                        let dash = if position == 0 { "- " } else { "  " };
                        let _ = write!(out, "{line_break}{}{dash}{name}:", " ".repeat(column + 4));
                        field.yaml(column + 6, line_break, out);
                    }
                }
            }
        }
    }
}

/// The place of an error of reading, as writing tells it.
impl From<At> for (Option<usize>, Option<Path>, WriteError) {
    fn from(at: At) -> Self {
        (at.line, at.path, at.error.into())
    }
}
