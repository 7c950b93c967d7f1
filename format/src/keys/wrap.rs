//! One data key wrapped for one reader: a binary age file with a single stanza.
//!
//! The age crate's own writer adds a random "grease" stanza to every file. The format allows one stanza of the
//! recipient's type and no other (nothing may hide in a wrap, and its size is predictable), so the few lines
//! of the age v1 layout are written here; reading goes through the age crate.

use std::io::Read;

use age::secrecy::ExposeSecret;
use age_core::format::{FileKey, Stanza, read, write};
use age_core::primitives::hkdf;
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hmac::{Hmac, Mac};
use rand::RngCore;
use rand::rngs::OsRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::primitives::{DataKey, KEY_LEN};

/// Largest wrap in bytes.
pub const MAX_WRAP: usize = 8 * 1024;

const INTRO: &[u8] = b"age-encryption.org/v1\n";
const PAYLOAD_NONCE_LEN: usize = 16;
const LAST_CHUNK_NONCE: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// Why a data key was not wrapped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WrapError {
    /// The recipient's own step failed.
    #[error("the recipient did not wrap the key")]
    Recipient(#[source] age::EncryptError),
    /// A plugin produced something else than one stanza.
    #[error("the recipient made {0} stanzas instead of one")]
    Stanzas(usize),
    /// A stanza that cannot be written as age writes it.
    #[error("the recipient made a stanza that is not valid age")]
    Layout,
    /// Above [`MAX_WRAP`].
    #[error("the wrapped key is larger than {MAX_WRAP} bytes")]
    TooLarge,
}

/// Why a wrap gave no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnwrapError {
    /// The identity is not the one that the wrap was made for.
    #[error("the wrap was not made for this identity")]
    NoMatch,
    /// Not an age file, or altered.
    #[error("the wrap is damaged or not an age file")]
    Damaged(#[source] Option<age::DecryptError>),
    /// More or fewer than one stanza, or over the size limit.
    #[error("the wrap does not hold exactly one stanza")]
    Shape,
}

/// Wraps a data key for one recipient.
pub fn wrap(key: &DataKey, recipient: &dyn age::Recipient) -> Result<Vec<u8>, WrapError> {
    let file_key = FileKey::init_with_mut(|bytes| OsRng.fill_bytes(bytes));
    let (stanzas, _labels) = recipient.wrap_file_key(&file_key).map_err(WrapError::Recipient)?;
    let [stanza] = stanzas.as_slice() else {
        return Err(WrapError::Stanzas(stanzas.len()));
    };
    let mut file = INTRO.to_vec();
    cookie_factory::gen_simple(write::age_stanza(&stanza.tag, &stanza.args, &stanza.body), &mut file)
        .map_err(|_| WrapError::Layout)?;
    file.extend_from_slice(b"---");
    let mac_key = Zeroizing::new(hkdf(&[], b"header", file_key.expose_secret()));
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&*mac_key).map_err(|_| WrapError::Layout)?;
    mac.update(&file);
    let mac = data_encoding::BASE64_NOPAD.encode(&mac.finalize().into_bytes());
    file.extend_from_slice(format!(" {mac}\n").as_bytes());

    let mut nonce = [0; PAYLOAD_NONCE_LEN];
    OsRng.fill_bytes(&mut nonce);
    file.extend_from_slice(&nonce);
    let payload_key = Zeroizing::new(hkdf(&nonce, b"payload", file_key.expose_secret()));
    // The nonce is fixed because the key is fresh: 32 bytes are one chunk, the first and the last.
    let payload = ChaCha20Poly1305::new(Key::from_slice(&*payload_key))
        .encrypt(Nonce::from_slice(&LAST_CHUNK_NONCE), key.expose().as_slice())
        .map_err(|_| WrapError::Layout)?;
    file.extend_from_slice(&payload);
    if file.len() > MAX_WRAP { Err(WrapError::TooLarge) } else { Ok(file) }
}

/// Opens a wrap; the caller compares the key's id.
pub fn unwrap(file: &[u8], identity: &dyn age::Identity) -> Result<Zeroizing<Vec<u8>>, UnwrapError> {
    single_stanza(file)?;
    let decryptor = age::Decryptor::new_buffered(file).map_err(|error| UnwrapError::Damaged(Some(error)))?;
    let mut reader = match decryptor.decrypt(std::iter::once(identity)) {
        Ok(reader) => reader,
        Err(age::DecryptError::NoMatchingKeys) => return Err(UnwrapError::NoMatch),
        Err(error) => return Err(UnwrapError::Damaged(Some(error))),
    };
    // One byte more than a key, so that a longer payload is seen; reserved, so that no copy is left by growing.
    let mut payload = Zeroizing::new(Vec::with_capacity(KEY_LEN + 1));
    let read = reader.by_ref().take(KEY_LEN as u64 + 1).read_to_end(&mut payload);
    match read {
        Ok(KEY_LEN) => Ok(payload),
        _ => Err(UnwrapError::Damaged(None)),
    }
}

/// The one stanza of a wrap, with nothing else in the header.
pub fn single_stanza(file: &[u8]) -> Result<Stanza, UnwrapError> {
    if file.len() > MAX_WRAP {
        return Err(UnwrapError::Shape);
    }
    let header = file.strip_prefix(INTRO).ok_or(UnwrapError::Damaged(None))?;
    let (rest, stanza) = read::age_stanza(header).map_err(|_| UnwrapError::Damaged(None))?;
    if !rest.starts_with(b"--- ") {
        return Err(UnwrapError::Shape);
    }
    Ok(stanza.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::pq;
    use crate::primitives::tests::Counter;

    fn key() -> DataKey {
        DataKey::mint(&mut Counter(7)).unwrap()
    }

    #[test]
    fn opens_for_its_reader_only() {
        let (alice, bob) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
        let file = wrap(&key(), &alice.to_public()).unwrap();
        assert_eq!(unwrap(&file, &alice).unwrap().as_slice(), key().expose());
        assert!(matches!(unwrap(&file, &bob), Err(UnwrapError::NoMatch)));
        let quantum = pq::Identity::generate();
        let file = wrap(&key(), &quantum.to_public()).unwrap();
        assert_eq!(unwrap(&file, &quantum).unwrap().as_slice(), key().expose());
        assert!(file.len() < 1_800, "a post-quantum wrap has {} bytes", file.len());
    }

    #[test]
    fn refuses_every_flipped_bit() {
        let alice = age::x25519::Identity::generate();
        let file = wrap(&key(), &alice.to_public()).unwrap();
        for bit in 0..file.len() * 8 {
            let mut altered = file.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(unwrap(&altered, &alice).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn refuses_a_second_stanza() {
        let alice = age::x25519::Identity::generate();
        let greased = age::encrypt(&alice.to_public(), key().expose()).unwrap();
        assert!(matches!(unwrap(&greased, &alice), Err(UnwrapError::Shape)));
    }
}
