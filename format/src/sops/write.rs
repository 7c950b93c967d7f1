//! From a plain file to an encrypted one: tokens where the selected values were, and a block at the end of each document.

use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::cipher::{Cipher, Type};
use super::metadata::{BLOCK_KEY, Metadata};
use super::read::{At, Layout, ReadError, at, new_digest};
use super::scalar::{ScalarError, Seen, comes_back, see, takes_token};
use super::sealing::Sealing;
use super::stash::Stash;
use super::strict;
use super::tree::{TreeValue, tree};
use crate::document::resolve::BINARY_TAG;
use crate::document::rewrite::RewriteError;
use crate::document::walk::{Around, Hazard, Leaf};
use crate::document::{Document, File, Kind, Scalar, Syntax};
use crate::primitives::{Random, RandomError};

/// How a file is to be written.
pub struct Request<'r> {
    /// Keys, selector and version; its checksum is made anew.
    pub metadata: &'r Metadata,
    /// Under the data key that the metadata's wraps hold.
    pub cipher: &'r Cipher,
    /// An earlier state: its tokens are used again, if they are under the same key, and its block stays where and how it was.
    pub stash: Option<&'r Stash>,
    /// Whether a file without a selected value is written: an edit may have taken the last one away.
    pub allow_nothing: bool,
}

impl<'r> Request<'r> {
    /// The earlier state, if its tokens open under the key of the new one.
    pub(super) fn tokens(&self) -> Option<&'r Stash> {
        self.stash.filter(|stash| stash.is_under(self.cipher))
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
    /// A value that cannot be encrypted where it stands.
    #[error("the value cannot be encrypted")]
    Hazard(#[from] Hazard),
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
pub fn encrypt(file: &File<'_>, request: &Request<'_>, random: &mut dyn Random) -> Result<Report, At<WriteError>> {
    let report = match attempt(file, request, random, true) {
        // A token in lines of its own may not fit where its value stands now.
        Err(At { error: WriteError::Value(ReadError::Rewrite(_)), .. }) if request.stash.is_some() => {
            attempt(file, request, random, false)
        }
        result => result,
    }?;
    if request.metadata.selector.is_by_comment() {
        refuse_unread(&report.text, file.syntax)?;
    }
    Ok(report)
}

/// With the block behind it, a comment that decides may no longer be one of which it is clear what it belongs to.
fn refuse_unread(text: &str, syntax: Syntax) -> Result<(), At<WriteError>> {
    let unread = |At { line, path, error }: At| At { line, path, error: WriteError::Value(error) };
    let parsed = File::parse(text, syntax).map_err(RewriteError::Parse);
    let file = parsed.map_err(|error| unread(At { line: None, path: None, error: error.into() }))?;
    Layout::read(&file).map(|_| ()).map_err(unread)
}

/// With `as_before`, tokens that are used again are written as they were.
fn attempt(
    file: &File<'_>,
    request: &Request<'_>,
    random: &mut dyn Random,
    as_before: bool,
) -> Result<Report, At<WriteError>> {
    let of_file = |error: WriteError| At { line: None, path: None, error };
    check_roots(file).map_err(of_file)?;
    let tree = strict::check(file).and_then(|()| tree(file, &request.metadata.selector));
    let tree = tree.map_err(|At { line, path, error }| At { line, path, error: error.into() })?;
    let mut digest = new_digest(request.metadata);
    let mut selected = Vec::new();
    for value in &tree.values {
        let taken = select(file, request.metadata, value, &mut digest);
        selected.extend(taken.map_err(|error| at(file, &value.leaf, error))?);
    }
    if selected.is_empty() && !request.allow_nothing {
        return Err(of_file(WriteError::NothingSelected));
    }
    let mut sealing = Sealing::new(file, request, random, as_before);
    sealing.values(&selected).map_err(|(leaf, error)| at(file, leaf, error))?;
    sealing.comments(&tree).map_err(of_file)?;
    sealing.blocks(&digest.finalize()).map_err(of_file)?;
    let (sealed, kept) = (sealing.sealed, sealing.kept);
    let text = sealing.finish().map_err(|error| of_file(ReadError::from(error).into()))?;
    Ok(Report { text, sealed, kept })
}

/// Each document is a mapping, or empty, and has no block.
fn check_roots(file: &File<'_>) -> Result<(), WriteError> {
    for Document { root } in &file.documents {
        let empty = file.syntax == Syntax::Yaml && root.scalar().is_some_and(|scalar| scalar.head.is_empty());
        if root.get(BLOCK_KEY).is_some() {
            return Err(WriteError::Encrypted);
        }
        if !empty && !matches!(root.kind, Kind::Mapping { .. }) {
            return Err(WriteError::NoMapping);
        }
    }
    if file.documents.is_empty() { Err(WriteError::NoMapping) } else { Ok(()) }
}

/// A value that is to be encrypted.
pub(super) struct Selected<'l, 'd> {
    pub(super) document: usize,
    pub(super) leaf: &'l Leaf<'d>,
    pub(super) scalar: &'d Scalar,
    pub(super) around: Around,
    pub(super) kind: Type,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

/// Adds a value to the checksum; gives it back if it is to be encrypted.
fn select<'l, 'd>(
    file: &File<'_>,
    metadata: &Metadata,
    value: &'l TreeValue<'d>,
    digest: &mut Sha512,
) -> Result<Option<Selected<'l, 'd>>, WriteError> {
    let TreeValue { document, leaf, selected } = value;
    let Some(scalar) = leaf.scalar else { return Ok(None) };
    let (kind, bytes) = match see(file.syntax, leaf.node, scalar).map_err(ReadError::from)? {
        Seen::Null => return Ok(None),
        Seen::Value(_, bytes) if bytes.is_empty() => return Ok(None),
        Seen::Value(kind, bytes) => (kind, bytes),
    };
    if *selected || !metadata.mac_only_encrypted {
        digest.update(&bytes);
    }
    // A tag stays, but for that of binary data.
    let tag = leaf.node.tag.as_ref().filter(|tag| tag.name != BINARY_TAG);
    match (leaf.hazard, leaf.around) {
        _ if !selected => Ok(None),
        _ if !takes_token(tag) => Err(ReadError::from(ScalarError::Tagged).into()),
        _ if !comes_back(file.syntax, kind, &bytes) => Err(ReadError::Unwritable.into()),
        (Some(hazard), _) => Err(hazard.into()),
        (None, None) => Err(WriteError::NoMapping),
        (None, Some(around)) => Ok(Some(Selected { document: *document, leaf, scalar, around, kind, bytes })),
    }
}
