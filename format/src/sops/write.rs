//! From a plain file to an encrypted one: tokens where the selected values were, and a block at the end of each document.

use std::cell::LazyCell;
use std::ops::Range;

use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::cipher::{Cipher, Token, Type};
use super::comments::{Comment, Containers, stands_in_list};
use super::kept_block::{self, KeptBlock};
use super::metadata::{BLOCK_KEY, Metadata};
use super::read::{At, ReadError, associated, at, new_digest};
use super::scalar::{ScalarError, Seen, comes_back, see, takes_token};
use super::stash::{CommentState, CommentsLeft, Known, Stash, Wanted};
use super::strict;
use super::tree::{Tree, TreeComment, TreeValue, tree};
use crate::document::lines::Lines;
use crate::document::present::{Expected, Written, double_quoted};
use crate::document::resolve::BINARY_TAG;
use crate::document::rewrite::{Rewrite, RewriteError};
use crate::document::walk::{Around, Hazard, Leaf};
use crate::document::{Document, File, Kind, Scalar, Syntax};
use crate::padding::ValueType;
use crate::path::Path;
use crate::primitives::{Random, RandomError};
use crate::secret::SecretBytes;

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
    match attempt(file, request, random, true) {
        // A token in lines of its own may not fit where its value stands now.
        Err(At { error: WriteError::Value(ReadError::Rewrite(_)), .. }) if request.stash.is_some() => {
            attempt(file, request, random, false)
        }
        result => result,
    }
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
struct Selected<'l, 'd> {
    document: usize,
    leaf: &'l Leaf<'d>,
    scalar: &'d Scalar,
    around: Around,
    kind: Type,
    bytes: Zeroizing<Vec<u8>>,
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

pub(super) struct Sealing<'s, 'r, 'f, 'a> {
    file: &'f File<'a>,
    request: &'s Request<'r>,
    random: &'s mut dyn Random,
    as_before: bool,
    rewrite: Rewrite<'f, 'a>,
    sealed: usize,
    kept: usize,
}

impl<'s, 'r, 'f, 'a> Sealing<'s, 'r, 'f, 'a> {
    pub(super) fn new(
        file: &'f File<'a>,
        request: &'s Request<'r>,
        random: &'s mut dyn Random,
        as_before: bool,
    ) -> Self {
        Self { file, request, random, as_before, rewrite: Rewrite::new(file), sealed: 0, kept: 0 }
    }

    pub(super) fn finish(self) -> Result<Zeroizing<String>, RewriteError> {
        self.rewrite.finish()
    }

    fn values<'l, 'd>(&mut self, selected: &[Selected<'l, 'd>]) -> Result<(), (&'l Leaf<'d>, WriteError)> {
        let wanted = selected.iter().map(|one| Wanted {
            document: one.document,
            path: &one.leaf.path,
            kind: one.kind,
            bytes: &one.bytes,
        });
        let wanted: Vec<_> = wanted.collect();
        let syntax = self.file.syntax;
        let known = self.request.tokens().map(|stash| stash.find(&wanted, syntax)).unwrap_or_default();
        for (index, one) in selected.iter().enumerate() {
            let known = known.get(index).copied().flatten();
            let token = match known {
                Some(known) => known.token.clone(),
                None => {
                    self.seal(one.kind, &one.bytes, &associated(&one.leaf.path)).map_err(|error| (one.leaf, error))?
                }
            };
            self.kept += usize::from(known.is_some());
            self.sealed += usize::from(known.is_none());
            let text = token.to_string();
            let written = known.and_then(|known| self.as_it_was(known, one)).unwrap_or_else(|| Written {
                head: if one.around.flow { double_quoted(&text, Syntax::Json) } else { text.clone() },
                body: None,
            });
            let expected = Expected { value_type: ValueType::String, value: SecretBytes::from(text) };
            self.rewrite.replace(one.document, one.leaf.node, one.scalar, written, expected);
        }
        Ok(())
    }

    /// A token as it was written in the earlier state, if it can stand so here.
    fn as_it_was(&self, known: &Known, one: &Selected<'_, '_>) -> Option<Written> {
        let plain = !known.written.head.starts_with(['"', '\'']);
        let fits =
            !one.around.flow || (!plain && self.file.syntax == Syntax::Yaml) || known.written.head.starts_with('"');
        (self.as_before && fits).then(|| Written { head: known.written.head.clone(), body: known.written.body.clone() })
    }

    fn comments(&mut self, tree: &Tree<'_>) -> Result<(), WriteError> {
        let source = self.file.source;
        let mut left = CommentsLeft::default();
        let tokens = self.request.tokens();
        let mut containers = Containers::among(tree.values.iter().map(|value| &value.leaf));
        let lines = LazyCell::new(|| Lines::of(source));
        for TreeComment { document, text: range, container, selected } in &tree.comments {
            let text = source.get(range.clone()).unwrap_or_default();
            let text = &Zeroizing::new(Comment::said(text, self.file.syntax).into_owned());
            let known = tokens.and_then(|stash| {
                stash.find_comment(*document, containers.of(container, range.start), text, &mut left)
            });
            match known.map(|known| (&known.state, &known.container)) {
                Some((CommentState::Token(token), _)) => self.rewrite.comment(range.clone(), &token.to_string()),
                Some((CommentState::Item(token), list)) => self.item((*document, list), range.clone(), token, &lines),
                // An empty one stays: SOPS reads no token of nothing.
                Some((CommentState::Clear, _)) | None if text.is_empty() || !selected => {}
                // Nor is one of somebody else's encrypted twice.
                Some((CommentState::Clear, _)) if Token::parse(text).is_ok() => {}
                // One that stood in the clear and is selected was left so by somebody; SOPS encrypts it when it writes.
                Some((CommentState::Clear, _)) | None => {
                    let token = self.seal(Type::Comment, text.as_bytes(), &associated(container))?;
                    self.rewrite.comment(range.clone(), &token.to_string());
                }
            }
        }
        Ok(())
    }

    /// A comment that SOPS had made an item of a list is one again if its list is there; it is as good as a comment.
    fn item(&mut self, (document, list): (usize, &Path), text: Range<usize>, token: &Token, lines: &Lines) {
        let whole = text.start - 1..text.end;
        let root = self.file.documents.get(document).map(|document| &document.root);
        let list =
            root.and_then(|root| root.at(list)).filter(|list| stands_in_list(self.file.source, lines, list, &whole));
        match list {
            Some(list) => self.rewrite.comment_to_item(document, list, whole, &token.to_string()),
            None => self.rewrite.comment(text, &token.to_string()),
        }
    }

    pub(super) fn blocks(&mut self, digest: &[u8]) -> Result<(), WriteError> {
        let metadata = self.request.metadata;
        let text = Zeroizing::new(data_encoding::HEXUPPER.encode(digest));
        let bound_to = metadata.last_modified.as_bytes();
        let kept = self.request.stash.and_then(|stash| stash.block(0)).and_then(KeptBlock::mac);
        let kept = kept.filter(|(mac, time)| {
            *time == metadata.last_modified
                && self.request.cipher.open(mac, bound_to).is_some_and(|old| old.as_slice() == text.as_bytes())
        });
        let mac = match kept {
            Some((mac, _)) => mac.clone(),
            None => self.seal(Type::Text, text.as_bytes(), bound_to)?,
        };
        for document in 0..self.file.documents.len() {
            let kept = self.request.stash.and_then(|stash| stash.block(document));
            kept_block::put(kept, metadata, &mac, self.file, document, &mut self.rewrite);
        }
        Ok(())
    }

    fn seal(&mut self, kind: Type, bytes: &[u8], bound_to: &[u8]) -> Result<Token, WriteError> {
        Ok(self.request.cipher.seal(self.random, kind, bytes, bound_to)?)
    }
}
