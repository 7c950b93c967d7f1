//! age's post-quantum hybrid recipients and identities (`age1pq1…`, `AGE-SECRET-KEY-PQ-1…`), both directions.
//!
//! The stock `age` tool reads and writes the same keys and stanzas; the test vectors of the age project pass.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use age::secrecy::{ExposeSecret, SecretString};
use age::{DecryptError, EncryptError};
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::{bech32_decode, bech32_encode, hpke_open, hpke_seal};
use bech32::Hrp;
use hpke::{Deserializable, HpkeError, Kem, Serializable};
use rand::RngCore;
use rand::rngs::OsRng;
use zeroize::{Zeroize, Zeroizing};

use super::xwing::{EncappedKey, PrivateKey, PublicKey, XWing};

const RECIPIENT_PREFIX: Hrp = Hrp::parse_unchecked("age1pq");
const IDENTITY_PREFIX: Hrp = Hrp::parse_unchecked("age-secret-key-pq-");
const STANZA_TAG: &str = "mlkem768x25519";
const HPKE_INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
const SEALED_FILE_KEY_LEN: usize = FILE_KEY_BYTES + 16;
/// Stanzas with this label are refused beside ones without it: one classical recipient would undo the protection.
const POST_QUANTUM_LABEL: &str = "postquantum";

/// A text that is not a post-quantum key of this kind. Says nothing of the text, which may be a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseKeyError {
    /// The checksum or the alphabet is wrong.
    #[error("the key is not valid Bech32: a character is missing or mistyped")]
    Bech32,
    /// Another kind of key.
    #[error("the key is of another kind")]
    Prefix,
    /// The right kind with the wrong contents.
    #[error("the key has the wrong length or contents")]
    Contents,
}

/// A private key; wiped when dropped.
pub struct Identity(PrivateKey);

impl Identity {
    /// Makes a new key from the operating system's random bytes.
    pub fn generate() -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(&mut *seed);
        Self(XWing::derive_keypair(&*seed).0)
    }

    /// The recipient that wraps for this identity.
    pub fn to_public(&self) -> Recipient {
        Recipient(XWing::sk_to_pk(&self.0))
    }

    /// `AGE-SECRET-KEY-PQ-1…`, as identity files hold it.
    pub fn to_secret_string(&self) -> SecretString {
        let mut lower = bech32_encode(IDENTITY_PREFIX, &self.0.to_bytes());
        let upper = lower.to_uppercase();
        lower.zeroize();
        SecretString::from(upper)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pq::Identity(<redacted>)")
    }
}

impl FromStr for Identity {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let mut bytes = decode(text, IDENTITY_PREFIX)?;
        let key = PrivateKey::from_bytes(&bytes).map(Self).map_err(|_| ParseKeyError::Contents);
        bytes.zeroize();
        key
    }
}

impl age::Identity for Identity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != STANZA_TAG {
            return None;
        }
        let Some(encapped) = encapsulated_key(stanza) else {
            return Some(Err(DecryptError::InvalidHeader));
        };
        match hpke_open::<XWing>(&encapped, &self.0, HPKE_INFO, &stanza.body) {
            Ok(mut opened) => {
                let key = FileKey::try_init_with_mut(|key| {
                    let fits = opened.len() == key.len();
                    fits.then(|| key.copy_from_slice(&opened)).ok_or(DecryptError::InvalidHeader)
                });
                opened.zeroize();
                Some(key)
            }
            // Not ours, or altered: indistinguishable, and not fatal while other identities may fit.
            Err(HpkeError::OpenError) => None,
            Err(_) => Some(Err(DecryptError::InvalidHeader)),
        }
    }
}

/// The one argument of a stanza, strictly decoded, if the stanza has the right shape.
fn encapsulated_key(stanza: &Stanza) -> Option<EncappedKey> {
    let [argument] = stanza.args.as_slice() else {
        return None;
    };
    if stanza.body.len() != SEALED_FILE_KEY_LEN {
        return None;
    }
    let bytes = data_encoding::BASE64_NOPAD.decode(argument.as_bytes()).ok()?;
    EncappedKey::from_bytes(&bytes).ok()
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient(PublicKey);

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32_encode(RECIPIENT_PREFIX, &self.0.to_bytes()))
    }
}

impl FromStr for Recipient {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let bytes = decode(text, RECIPIENT_PREFIX)?;
        PublicKey::from_bytes(&bytes).map(Self).map_err(|_| ParseKeyError::Contents)
    }
}

impl age::Recipient for Recipient {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let (encapped, body) = hpke_seal::<XWing, _>(&self.0, HPKE_INFO, file_key.expose_secret(), &mut OsRng);
        let stanza = Stanza {
            tag: STANZA_TAG.to_owned(),
            args: vec![data_encoding::BASE64_NOPAD.encode(&encapped.to_bytes())],
            body,
        };
        Ok((vec![stanza], HashSet::from([POST_QUANTUM_LABEL.to_owned()])))
    }
}

fn decode(text: &str, prefix: Hrp) -> Result<Vec<u8>, ParseKeyError> {
    bech32_decode(
        text,
        |_| ParseKeyError::Bech32,
        |found| if found == prefix { Ok(()) } else { Err(ParseKeyError::Prefix) },
        |_, bytes| Ok(bytes.collect()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_being_written_and_read() {
        let identity = Identity::generate();
        let again: Identity = identity.to_secret_string().expose_secret().parse().unwrap();
        assert_eq!(again.to_public(), identity.to_public());
        let recipient: Recipient = identity.to_public().to_string().parse().unwrap();
        assert_eq!(recipient, identity.to_public());
        assert!(identity.to_public().to_string().starts_with("age1pq1"));
    }

    #[test]
    fn refuses_other_keys_without_repeating_them() {
        let x25519 = age::x25519::Identity::generate();
        let error = x25519.to_string().expose_secret().parse::<Identity>().unwrap_err();
        assert_eq!(error, ParseKeyError::Prefix);
        assert_eq!("age1pq1qqqq".parse::<Recipient>(), Err(ParseKeyError::Bech32));
    }
}
