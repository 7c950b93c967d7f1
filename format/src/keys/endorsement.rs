//! A cluster's word that recipients are its own: an Ed25519 signature over the published list, by a key whose public
//! half is pinned in the repository with the first fetch.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{SECRET_KEY_LENGTH, Signature, Signer, VerifyingKey};

use super::Fingerprint;
use crate::base64;

/// What this signature is for: no other message that the key may ever sign begins like this.
const DOMAIN: &[u8] = b"sealwax/1 recipients";

/// The private half; wiped when dropped.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public())
    }
}

impl SigningKey {
    /// From 32 random bytes.
    pub fn from_seed(seed: &[u8; SECRET_KEY_LENGTH]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// What people pin.
    pub fn public(&self) -> PublicSigningKey {
        PublicSigningKey(self.0.verifying_key())
    }

    /// The signature of a list of recipients, as base64. The same list always has the same one.
    pub fn endorse(&self, cluster: &str, recipients: &str) -> String {
        base64::encode(&self.0.sign(&message(cluster, recipients)).to_bytes())
    }
}

/// The public half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicSigningKey(VerifyingKey);

/// A text that is no public signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signing key is 32 bytes of an Ed25519 key in base64")]
pub struct ParseSigningKeyError;

/// Why recipients are not endorsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndorsementError {
    /// Not 64 bytes of base64.
    #[error("the signature is no Ed25519 signature in base64")]
    Layout,
    /// Another key's, or of another text.
    #[error("the signature is not that of this signing key over this cluster's recipients")]
    Signature,
}

impl PublicSigningKey {
    /// Checks what [`SigningKey::endorse`] made.
    pub fn check(&self, cluster: &str, recipients: &str, signature: &str) -> Result<(), EndorsementError> {
        let signature = base64::decode(signature).and_then(|bytes| Signature::from_slice(&bytes).ok());
        let signature = signature.ok_or(EndorsementError::Layout)?;
        // Strict: a signature that only some programs accept is none.
        let checked = self.0.verify_strict(&message(cluster, recipients), &signature);
        checked.map_err(|_| EndorsementError::Signature)
    }

    /// For comparing by eye.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.to_string())
    }
}

impl fmt::Display for PublicSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64::encode(self.0.as_bytes()))
    }
}

impl FromStr for PublicSigningKey {
    type Err = ParseSigningKeyError;

    fn from_str(text: &str) -> Result<Self, ParseSigningKeyError> {
        let bytes: [u8; 32] =
            base64::decode(text).and_then(|bytes| bytes.try_into().ok()).ok_or(ParseSigningKeyError)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| ParseSigningKeyError)
    }
}

/// Every part with its length, so that no two pairs of texts give the same message.
fn message(cluster: &str, recipients: &str) -> Vec<u8> {
    let mut message = Vec::new();
    for part in [DOMAIN, cluster.as_bytes(), recipients.as_bytes()] {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endorses_exactly_what_it_signed() {
        let (key, other) = (SigningKey::from_seed(&[7; 32]), SigningKey::from_seed(&[8; 32]));
        let signature = key.endorse("prod", "age1x\n");
        let public: PublicSigningKey = key.public().to_string().parse().unwrap();
        assert_eq!(public.check("prod", "age1x\n", &signature), Ok(()));
        let cases = [("prod", "age1y\n"), ("pro", "dage1x\n"), ("proda", "ge1x\n"), ("prod", "age1x")];
        for (cluster, recipients) in cases {
            assert_eq!(public.check(cluster, recipients, &signature), Err(EndorsementError::Signature), "{cluster}");
        }
        assert_eq!(other.public().check("prod", "age1x\n", &signature), Err(EndorsementError::Signature));
        assert_eq!(public.check("prod", "age1x\n", "AAAA"), Err(EndorsementError::Layout));
    }

    #[test]
    fn reads_keys_strictly_and_shows_no_private_one() {
        let key = SigningKey::from_seed(&[7; 32]);
        assert_eq!("AAAA".parse::<PublicSigningKey>(), Err(ParseSigningKeyError));
        assert!(!format!("{key:?}").contains(&base64::encode(&[7; 32])));
    }
}
