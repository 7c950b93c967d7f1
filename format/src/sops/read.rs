//! Opening a file: every encrypted value, and the checksum over all of them.

use sha2::{Digest as _, Sha512};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::cipher::{Cipher, Token, TokenError, Type};
use super::metadata::{BLOCK_KEY, Metadata, MetadataError, field};
use super::scalar::{ScalarError, Seen, normalised, see, takes_token};
use super::strict::{self, CharacterError};
use super::tree::{TreeComment, TreeValue, tree};
use crate::document::rewrite::RewriteError;
use crate::document::walk::{Hazard, Leaf};
use crate::document::{File, Kind, Node, Scalar};
use crate::path::{Path, Step};

/// What the checksum starts with where only encrypted values are in it: SHA-256 of "sops".
const MAC_ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b, 0x97, 0x5b,
    0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// A file of SOPS, laid out: its metadata, and what of it are values.
#[derive(Debug)]
pub struct Layout<'d> {
    /// The block of the first document; the others repeat it.
    pub metadata: Metadata,
    /// The values of every document in order, outside the blocks.
    pub values: Vec<Value<'d>>,
    /// The comments outside the blocks.
    pub(super) comments: Vec<TreeComment>,
}

/// One value.
#[derive(Debug)]
pub struct Value<'d> {
    /// Position of its document.
    pub document: usize,
    /// Where it stands.
    pub leaf: Leaf<'d>,
    /// Its token; `None` for one in the clear.
    pub token: Option<Token>,
    /// Whether the selector says that it is encrypted.
    pub selected: bool,
}

/// Why a file does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no block.
    #[error("the file has no sops block")]
    NoBlock,
    /// The block.
    #[error("the sops block cannot be read")]
    Metadata(#[from] MetadataError),
    /// A token.
    #[error("the encrypted value cannot be read")]
    Token(#[from] TokenError),
    /// A value that SOPS takes for none.
    #[error("the value cannot be read")]
    Scalar(#[from] ScalarError),
    /// A character that SOPS reads in another way.
    #[error("the file cannot be read as SOPS reads it")]
    Character(#[from] CharacterError),
    /// Selected and behind an alias, where its token would not open: SOPS writes none.
    #[error("the value is an alias; write it out")]
    Alias,
    /// Selected, and in the clear.
    #[error("the value stands in the clear, and the file's selector says that it is encrypted")]
    Clear,
    /// The authenticated decryption said no.
    #[error("the value was altered, or moved from another path or file")]
    Altered,
    /// An opened value that is none of its type.
    #[error("the opened value is none of the type that it claims")]
    Content,
    /// A value whose contents cannot stand in this file.
    #[error("the value cannot be written into this file")]
    Unwritable,
    /// The edit was not made.
    #[error("the file was left as it is")]
    Rewrite(#[from] RewriteError),
    /// A comment that decides, where it is not certain for what.
    #[error(
        "the selector goes by this comment, and it is not clear what it belongs to; \
         put it on the line of a value, or right above its key and as far in"
    )]
    UnclearComment,
    /// Aliases and keys that would fill the memory.
    #[error("too much stands behind aliases, or below long keys; write values out, and shorten keys")]
    TooMuch,
    /// SOPS takes no file with such a key.
    #[error("a key is not a string; put it in quotes")]
    Key,
    /// There is no checksum.
    #[error("the file has no checksum (mac)")]
    NoMac,
    /// The checksum is another.
    #[error("the checksum (mac) does not fit: values were added, removed, moved or changed outside of SOPS")]
    Mac,
}

/// An error, and where it is.
#[derive(Debug)]
pub struct At<E = ReadError> {
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// The value's path.
    pub path: Option<Path>,
    /// What is wrong.
    pub error: E,
}

/// An opened value.
#[derive(Debug)]
pub struct OpenedValue {
    /// Its position among [`Layout::values`].
    pub value: usize,
    /// What it was.
    pub kind: Type,
    /// Its text, as it was encrypted.
    pub plaintext: Zeroizing<Vec<u8>>,
}

impl<'d> Layout<'d> {
    /// Whether a file has a block, so that it is one of SOPS.
    pub fn is_one(file: &File<'_>) -> bool {
        // Other programs have such a key too. One whose checksum was taken out is still one of SOPS, and does not open.
        let states = |block: &Node| ["mac", "version", "lastmodified"].iter().any(|name| field(block, name).is_some());
        file.documents.iter().any(|document| document.root.get(BLOCK_KEY).is_some_and(states))
    }

    /// Reads a file's metadata and lists its values.
    pub fn read(file: &'d File<'_>) -> Result<Self, At> {
        strict::check(file)?;
        let block = file.documents.iter().find_map(|document| document.root.get(BLOCK_KEY));
        let block = block.ok_or(At { line: None, path: None, error: ReadError::NoBlock })?;
        let line = Some(file.line(block.span.start));
        let metadata = Metadata::parse(block).map_err(|error| At { line, path: None, error: error.into() })?;
        let tree = tree(file, &metadata.selector)?;
        let mut values = Vec::with_capacity(tree.values.len());
        for TreeValue { document, leaf, selected } in tree.values {
            let claims = leaf.scalar.filter(|scalar| selected && Token::is_claimed_by(&scalar.value));
            if claims.is_some() && !takes_token(leaf.node.tag.as_ref()) {
                return Err(at(file, &leaf, ScalarError::Tagged));
            }
            let token = claims.map(|scalar| Token::parse(&scalar.value)).transpose();
            let token = token.map_err(|error| at(file, &leaf, error))?;
            values.push(Value { document, leaf, token, selected });
        }
        Ok(Self { metadata, values, comments: tree.comments })
    }

    /// The scalars that hold wrapped data keys, in every block of the file.
    pub fn wraps<'f>(&self, file: &'f File<'_>) -> Vec<&'f Scalar> {
        let mut found = Vec::new();
        for document in &file.documents {
            if let Some(block) = document.root.get(BLOCK_KEY) {
                collect_wraps(block, &mut found);
            }
        }
        found
    }

    /// Opens every value and checks the checksum, in constant time. Without `check_mac` what was moved, added or taken
    /// away outside of SOPS stays unseen.
    pub fn open(&self, file: &File<'_>, cipher: &Cipher, check_mac: bool) -> Result<Vec<OpenedValue>, At> {
        let mut digest = new_digest(&self.metadata);
        let mut opened = Vec::new();
        for (position, value) in self.values.iter().enumerate() {
            let in_mac = value.selected || !self.metadata.mac_only_encrypted;
            let bytes = match content(file, cipher, value)? {
                Content::Nothing => continue,
                Content::Clear(bytes) => bytes,
                Content::Opened(kind, plaintext) => {
                    let bytes =
                        normalised(kind, &plaintext).ok_or_else(|| at(file, &value.leaf, ReadError::Content))?;
                    opened.push(OpenedValue { value: position, kind, plaintext });
                    // A comment that became an item of a list.
                    if kind == Type::Comment {
                        continue;
                    }
                    bytes
                }
            };
            if in_mac {
                digest.update(&bytes);
            }
        }
        if check_mac {
            self.check(cipher, &digest.finalize()).map_err(|error| At { line: None, path: None, error })?;
        }
        Ok(opened)
    }

    fn check(&self, cipher: &Cipher, digest: &[u8]) -> Result<(), ReadError> {
        let mac = self.metadata.mac.as_ref().ok_or(ReadError::NoMac)?;
        let stated = cipher.open(mac, self.metadata.last_modified.as_bytes()).ok_or(ReadError::Mac)?;
        let computed = Zeroizing::new(data_encoding::HEXUPPER.encode(digest));
        if bool::from(stated.as_slice().ct_eq(computed.as_bytes())) { Ok(()) } else { Err(ReadError::Mac) }
    }
}

/// The beginning of a checksum.
pub(super) fn new_digest(metadata: &Metadata) -> Sha512 {
    let mut digest = Sha512::new();
    if metadata.mac_only_encrypted {
        digest.update(MAC_ONLY_ENCRYPTED);
    }
    digest
}

fn collect_wraps<'f>(node: &'f Node, found: &mut Vec<&'f Scalar>) {
    match &node.kind {
        Kind::Mapping { entries, .. } => entries.iter().for_each(|(key, value)| match value.scalar() {
            Some(scalar) if key.text() == Some("enc") => found.push(scalar),
            _ => collect_wraps(value, found),
        }),
        Kind::Sequence { items, .. } => items.iter().for_each(|item| collect_wraps(item, found)),
        Kind::Scalar(_) | Kind::Alias(_) => {}
    }
}

fn content(file: &File<'_>, cipher: &Cipher, value: &Value<'_>) -> Result<Content, At> {
    let leaf = &value.leaf;
    if let Some(token) = value.token.as_ref().filter(|_| leaf.hazard != Some(Hazard::Alias)) {
        let opened = cipher.open(token, &associated(&leaf.path));
        return opened
            .map(|plaintext| Content::Opened(token.kind, plaintext))
            .ok_or_else(|| at(file, leaf, ReadError::Altered));
    }
    let scalar = leaf.scalar.ok_or_else(|| at(file, leaf, ReadError::Alias))?;
    if value.selected && leaf.hazard == Some(Hazard::Alias) {
        return Err(at(file, leaf, ReadError::Alias));
    }
    match see(file.syntax, leaf.node, scalar).map_err(|error| at(file, leaf, error))? {
        Seen::Null => Ok(Content::Nothing),
        Seen::Value(_, bytes) if bytes.is_empty() => Ok(Content::Nothing),
        Seen::Value(..) if value.selected => Err(at(file, leaf, ReadError::Clear)),
        Seen::Value(_, bytes) => Ok(Content::Clear(bytes)),
    }
}

/// What a value adds.
enum Content {
    /// Null and empty text: not encrypted, and not in the checksum.
    Nothing,
    Clear(Zeroizing<Vec<u8>>),
    Opened(Type, Zeroizing<Vec<u8>>),
}

pub(super) fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.0.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Item(_) => None,
    })
}

/// The mapping keys from the root, each followed by a colon. Positions in lists are not bound.
pub(super) fn associated(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for name in names(path) {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b':');
    }
    if bytes.is_empty() { b":".to_vec() } else { bytes }
}

pub(super) fn at<E>(file: &File<'_>, leaf: &Leaf<'_>, error: impl Into<E>) -> At<E> {
    At { line: Some(file.line(leaf.node.span.start)), path: Some(leaf.path.clone()), error: error.into() }
}
