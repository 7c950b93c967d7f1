//! One value in and out of a token: the whole of the cryptography that documents, manifests and objects share.

use super::place::Place;
use super::token::{Token, TokenKey};
use crate::error::Problem;
use crate::keys::{Label, MAX_READERS, Recipient};
use crate::padding::Plaintext;
use crate::path::Path;
use crate::primitives::{DataKey, KeyId, Random, ValueKey};

/// Wraps a freshly minted data key for everyone who shall read it.
pub trait Readers {
    /// Label and age file, sorted by label; never empty.
    fn wraps(&self, key: &DataKey) -> Result<Vec<(Label, Vec<u8>)>, Problem>;
}

impl Readers for [Recipient] {
    fn wraps(&self, key: &DataKey) -> Result<Vec<(Label, Vec<u8>)>, Problem> {
        if self.is_empty() {
            return Err(Problem::NoReaders);
        }
        let mut wraps = Vec::with_capacity(self.len());
        for recipient in self {
            let label = recipient.label().clone();
            match recipient.wrap(key) {
                Ok(wrap) => wraps.push((label, wrap)),
                Err(source) => return Err(Problem::Wrap { label, source }),
            }
        }
        wraps.sort_by_key(|(label, _)| label.to_string());
        wraps.dedup_by(|a, b| a.0 == b.0);
        if wraps.len() > MAX_READERS { Err(Problem::TooManyReaders) } else { Ok(wraps) }
    }
}

/// A data key that this operation minted, ready to encrypt.
///
/// There is no way to make one from a key that was found in a document: a planted key must never encrypt.
pub(super) struct FreshKey {
    data_key: DataKey,
    value_key: ValueKey,
    id: KeyId,
}

impl FreshKey {
    /// Mints a key.
    pub(super) fn mint(random: &mut dyn Random) -> Result<Self, Problem> {
        let data_key = DataKey::mint(random)?;
        Ok(Self { value_key: data_key.value_key(), id: data_key.id(), data_key })
    }

    /// Its id.
    pub(super) fn id(&self) -> &KeyId {
        &self.id
    }

    /// Wraps it.
    pub(super) fn wraps<R: Readers + ?Sized>(&self, readers: &R) -> Result<Vec<(Label, Vec<u8>)>, Problem> {
        readers.wraps(&self.data_key)
    }

    /// Encrypts one value for its place: nonce ‖ ciphertext ‖ tag.
    pub(super) fn seal(
        &self,
        random: &mut dyn Random,
        place: &Place,
        path: &Path,
        plaintext: &Plaintext,
    ) -> Result<Vec<u8>, Problem> {
        let bytes = plaintext.encode().ok_or(Problem::TooLarge)?;
        Ok(self.value_key.seal(random, &bytes, &place.associated_data(&self.id, path))?)
    }
}

/// A token that carries a key of its own, minted here.
pub fn seal_alone<R: Readers + ?Sized>(
    random: &mut dyn Random,
    readers: &R,
    place: &Place,
    path: &Path,
    plaintext: &Plaintext,
) -> Result<Token, Problem> {
    let key = FreshKey::mint(random)?;
    let sealed = key.seal(random, place, path, plaintext)?;
    let wraps = key.wraps(readers)?;
    Ok(Token { key: TokenKey::Own { id: key.id, wraps }, sealed })
}

/// Opens one value under a key whose id was compared in full.
pub fn open_sealed(
    key: &ValueKey,
    id: &KeyId,
    place: &Place,
    path: &Path,
    sealed: &[u8],
) -> Result<Plaintext, Problem> {
    let bytes = key.open(sealed, &place.associated_data(id, path)).ok_or(Problem::Altered)?;
    Plaintext::decode(&bytes).ok_or(Problem::Altered)
}
