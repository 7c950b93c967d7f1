//! From a plain file to an encrypted one: tokens where the selected values were, and a block at the end of each document.

use std::collections::HashMap;

use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::block::block;
use super::cipher::{Cipher, Token, Type};
use super::comments::{Comment, comments, container};
use super::metadata::{BLOCK_KEY, Metadata};
use super::read::{At, Layout, MAC_ONLY_ENCRYPTED, Opened, ReadError, associated, at, names};
use super::scalar::{Seen, see};
use crate::document::present::{Expected, Written, double_quoted};
use crate::document::rewrite::Rewrite;
use crate::document::walk::{Hazard, Leaf, leaves};
use crate::document::{File, Kind, Syntax};
use crate::padding::ValueType;
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
    let of_file = |error: WriteError| At { line: None, path: None, error };
    if request.metadata.selector.is_by_comment() {
        return Err(of_file(ReadError::ByComment.into()));
    }
    let mut sealing = Sealing { request, random, digest: Sha512::new(), sealed: 0, kept: 0 };
    if request.metadata.mac_only_encrypted {
        sealing.digest.update(MAC_ONLY_ENCRYPTED);
    }
    let mut rewrite = Rewrite::new(file);
    for (index, document) in file.documents.iter().enumerate() {
        if document.root.get(BLOCK_KEY).is_some() {
            return Err(of_file(WriteError::Encrypted));
        }
        for leaf in leaves(document) {
            sealing.leaf(file, index, &leaf, &mut rewrite).map_err(|error| at(file, &leaf, error))?;
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
        if let Some(hazard) = leaf.hazard {
            return Err(hazard.into());
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
