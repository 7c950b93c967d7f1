//! What stands for a value that is not shown: a keyed fingerprint where it opens, else one of its ciphertext.
//!
//! Fingerprints of values are made under a key that this machine alone has: equal values show as equal, also in other
//! files and under other data keys, and nobody who sees one can try values against it.

use std::fmt;

use hmac::{Hmac, Mac as _};
use sealwax_format::native::Token;
use sealwax_format::{OsRandom, Plaintext, Random as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{files, state};

const KEY_FILE: &str = "fingerprints.key";
const KEY_BYTES: usize = 32;
/// Enough to tell the values of a repository apart.
const SHOWN_BYTES: usize = 4;

/// What stands for one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// Of the value itself: equal ones are equal values.
    Value([u8; SHOWN_BYTES]),
    /// Of the ciphertext: equal ones are equal values, different ones may be.
    Sealed([u8; SHOWN_BYTES]),
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Value(bytes) | Self::Sealed(bytes)) = self;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Makes tags.
pub(crate) struct Tags {
    key: Option<Zeroizing<Vec<u8>>>,
}

impl Tags {
    /// With this machine's key, which is made at the first use.
    pub(crate) fn new() -> Self {
        Self { key: load().or_else(make) }
    }

    /// For a value that may have been opened.
    pub(crate) fn of(&self, token: &Token, plaintext: Option<&Plaintext>) -> Tag {
        let known = plaintext.map(|plaintext| (plaintext.value_type as u8, plaintext.value.expose()));
        // The ciphertext alone: wraps for other readers change no value.
        self.of_bytes(&token.sealed, known)
    }

    /// The same for a value of any format: its ciphertext, and its type and bytes if they are known.
    pub(crate) fn of_bytes(&self, ciphertext: &[u8], plaintext: Option<(u8, &[u8])>) -> Tag {
        let known = self.key.as_ref().zip(plaintext).and_then(|(key, (kind, value))| keyed(key, kind, value));
        known.unwrap_or_else(|| sealed(ciphertext))
    }
}

fn keyed(key: &[u8], kind: u8, value: &[u8]) -> Option<Tag> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(b"sealwax masked value\0");
    mac.update(&[kind]);
    mac.update(value);
    shorten(&mac.finalize().into_bytes()).map(Tag::Value)
}

fn sealed(ciphertext: &[u8]) -> Tag {
    Tag::Sealed(shorten(&Sha256::digest(ciphertext)).unwrap_or_default())
}

fn shorten(bytes: &[u8]) -> Option<[u8; SHOWN_BYTES]> {
    bytes.first_chunk().copied()
}

fn load() -> Option<Zeroizing<Vec<u8>>> {
    let bytes = Zeroizing::new(std::fs::read(state::folder()?.join(KEY_FILE)).ok()?);
    (bytes.len() == KEY_BYTES).then_some(bytes)
}

/// Without a place to keep it there are no fingerprints of values: another key each time would show no two as equal.
fn make() -> Option<Zeroizing<Vec<u8>>> {
    let mut key = Zeroizing::new(vec![0; KEY_BYTES]);
    OsRandom.fill(&mut key).ok()?;
    files::put_private(&state::folder()?.join(KEY_FILE), &key).ok()?;
    // Two first uses at a time: both go on with the key that stayed.
    load()
}
