//! The cryptography of format version 1 on one screen: HKDF-SHA256, AES-256-GCM, and why each use is safe.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use rand::RngCore;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of a data key, a value key and a key id.
pub(crate) const KEY_LEN: usize = 32;
/// Bytes of an AES-GCM nonce.
pub(crate) const NONCE_LEN: usize = 12;
/// Bytes of an AES-GCM tag.
pub(crate) const TAG_LEN: usize = 16;
/// Characters of a key id written out.
pub(crate) const KEY_ID_CHARS: usize = 52;
/// Characters of a key id in short form, as tokens and wraps of the key block carry it.
pub(crate) const SHORT_ID_CHARS: usize = 8;

const VALUE_KEY_INFO: &[u8] = b"sealwax/1 value key";
const KEY_ID_INFO: &[u8] = b"sealwax/1 key id";

/// Where random bytes come from: the operating system in programs, a fixed stream in the tests of the vectors.
pub trait Random {
    /// Fills the whole buffer with bytes fit for keys, or fails.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError>;
}

/// The source of random bytes gave none; nothing was written.
#[derive(Debug, thiserror::Error)]
#[error("the system has no random bytes to give")]
pub struct RandomError;

/// The random bytes of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError> {
        rand::rngs::OsRng.try_fill_bytes(buffer).map_err(|_| RandomError)
    }
}

/// Lower-case base32 (RFC 4648 §6, no padding) of 32 bytes derived from a data key: a name for the key that
/// also commits to it.
///
/// AES-GCM alone does not commit: one ciphertext can be made to open under two keys. A data key whose id was
/// compared *in full* cannot be swapped for another, so [`DataKey::committed`] does that before any decryption.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(String);

impl KeyId {
    /// Parses the 52 characters, or says no.
    pub fn parse(text: &str) -> Option<Self> {
        let canonical = text.len() == KEY_ID_CHARS && base32_decode(text).is_some_and(|bytes| bytes.len() == KEY_LEN);
        canonical.then(|| Self(text.to_owned()))
    }

    /// All 52 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 8 characters.
    pub fn short(&self) -> &str {
        &self.0[..SHORT_ID_CHARS]
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({})", self.0)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 32 random bytes from which a value key and a key id are derived; what wraps hold. Wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; KEY_LEN]);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(<redacted>)")
    }
}

impl DataKey {
    /// Makes a new key.
    pub fn mint(random: &mut dyn Random) -> Result<Self, RandomError> {
        let mut key = Self([0; KEY_LEN]);
        random.fill(&mut key.0)?;
        Ok(key)
    }

    /// Takes what a wrap held, if it is the key that `id` commits to.
    pub fn committed(bytes: &[u8], id: &KeyId) -> Option<Self> {
        let key = Self(<[u8; KEY_LEN]>::try_from(bytes).ok()?);
        let same: bool = key.id().as_str().as_bytes().ct_eq(id.as_str().as_bytes()).into();
        same.then_some(key)
    }

    /// The bytes to be wrapped for a reader.
    pub fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// The id that commits to this key.
    pub fn id(&self) -> KeyId {
        KeyId(data_encoding::BASE32_NOPAD.encode(&*self.derive(KEY_ID_INFO)).to_lowercase())
    }

    /// The key that encrypts values.
    pub fn value_key(&self) -> ValueKey {
        ValueKey { cipher: Box::new(Aes256Gcm::new((&*self.derive(VALUE_KEY_INFO)).into())) }
    }

    /// HKDF with an empty salt: the input is uniformly random already, so extraction has nothing to add, and
    /// the two `info` strings make the outputs independent of one another.
    fn derive(&self, info: &[u8]) -> Zeroizing<[u8; KEY_LEN]> {
        let mut output = Zeroizing::new([0; KEY_LEN]);
        // 32 bytes are far below the 8,160 at which HKDF-SHA256 fails; a zero key must never leave this function.
        if Hkdf::<Sha256>::new(None, &self.0).expand(info, &mut *output).is_err() {
            unreachable!("HKDF-SHA256 gives up to 8,160 bytes");
        }
        output
    }
}

/// AES-256-GCM under the value key of one data key.
///
/// A key encrypts values in one operation only (the rule of the format), at most 2^16 or so, so that random
/// 96-bit nonces collide with a probability below 2^-64.
pub struct ValueKey {
    /// Boxed, so that moving it leaves no copy of the key schedule behind; wiped by its own `Drop`.
    cipher: Box<Aes256Gcm>,
}

impl fmt::Debug for ValueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ValueKey(<redacted>)")
    }
}

impl ValueKey {
    /// Encrypts; the result is nonce ‖ ciphertext ‖ tag.
    pub(crate) fn seal(
        &self,
        random: &mut dyn Random,
        plaintext: &[u8],
        associated: &[u8],
    ) -> Result<Vec<u8>, RandomError> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce)?;
        let mut sealed = Vec::with_capacity(NONCE_LEN + plaintext.len() + TAG_LEN);
        sealed.extend_from_slice(&nonce);
        // Fails only above 64 GiB; callers have bounded the value at 1 MiB.
        match self.cipher.encrypt(&Nonce::from(nonce), Payload { msg: plaintext, aad: associated }) {
            Ok(ciphertext) => sealed.extend_from_slice(&ciphertext),
            Err(_) => unreachable!("values are bounded far below the limit of AES-GCM"),
        }
        Ok(sealed)
    }

    /// Decrypts nonce ‖ ciphertext ‖ tag, or says no without a reason.
    pub fn open(&self, sealed: &[u8], associated: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_LEN>()?;
        self.cipher.decrypt(&Nonce::from(*nonce), Payload { msg: ciphertext, aad: associated }).ok().map(Zeroizing::new)
    }
}

/// Strict lower-case base32: no padding, no upper case, trailing bits zero.
pub(crate) fn base32_decode(text: &str) -> Option<Vec<u8>> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    data_encoding::BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A predictable stream for tests: SHA-256 in counter mode would do as well; a counter is easier to read.
    pub(crate) struct Counter(pub u8);

    impl Random for Counter {
        fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError> {
            for byte in buffer {
                *byte = self.0;
                self.0 = self.0.wrapping_add(1);
            }
            Ok(())
        }
    }

    #[test]
    fn a_key_is_known_by_its_id() {
        let key = DataKey::mint(&mut Counter(0)).unwrap();
        let id = key.id();
        assert_eq!(id.as_str().len(), KEY_ID_CHARS);
        assert!(DataKey::committed(key.expose(), &id).is_some());
        let other = DataKey::mint(&mut Counter(1)).unwrap();
        assert!(DataKey::committed(other.expose(), &id).is_none());
        assert!(DataKey::committed(&key.expose()[..31], &id).is_none());
    }

    #[test]
    fn opens_only_with_the_same_key_and_data() {
        let key = DataKey::mint(&mut Counter(0)).unwrap().value_key();
        let sealed = key.seal(&mut Counter(9), b"hunter2", b"here").unwrap();
        assert_eq!(key.open(&sealed, b"here").unwrap().as_slice(), b"hunter2");
        assert!(key.open(&sealed, b"there").is_none());
        assert!(key.open(&sealed[..20], b"here").is_none());
        assert!(DataKey::mint(&mut Counter(1)).unwrap().value_key().open(&sealed, b"here").is_none());
    }

    #[test]
    fn key_ids_are_canonical() {
        let id = DataKey::mint(&mut Counter(0)).unwrap().id();
        assert!(KeyId::parse(&id.as_str().to_uppercase()).is_none());
        assert!(KeyId::parse(&id.as_str()[1..]).is_none());
        // The last of 52 characters carries one bit; any other value there has trailing bits set.
        assert!(KeyId::parse(&format!("{}b", &id.as_str()[..51])).is_none());
    }
}
