//! Labels: the name a policy gives a reader, and the fingerprint of its recipient.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

const FINGERPRINT_CHARS: usize = 20;
const MAX_NAME: usize = 63;

/// The first 20 base32 characters of SHA-256 of a canonical recipient string: 100 bits, enough to tell keys apart
/// and to make a second key with the same fingerprint infeasible.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of a recipient as [`super::Recipient::canonical`] writes it.
    pub fn of(canonical_recipient: &str) -> Self {
        let digest = Sha256::digest(canonical_recipient.as_bytes());
        let mut text = data_encoding::BASE32_NOPAD.encode(&digest).to_lowercase();
        text.truncate(FINGERPRINT_CHARS);
        Self(text)
    }

    /// The 20 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// The name has other characters than it may.
    #[error("a reader's name is 1 to 63 characters of a-z, 0-9 and -, and starts with a letter or digit")]
    Name,
    /// What follows the `@` is no fingerprint.
    #[error("a label ends in @ and 20 characters of a-z and 2-7")]
    Fingerprint,
}

/// `name@fingerprint`. A claim until a wrap was opened: whoever writes a file can write any label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    name: String,
    fingerprint: Fingerprint,
}

impl Label {
    /// Joins a policy's name and a fingerprint.
    pub fn new(name: &str, fingerprint: Fingerprint) -> Result<Self, LabelError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let starts_well = name.bytes().next().is_some_and(allowed);
        if !starts_well || name.len() > MAX_NAME || !name.bytes().all(|b| allowed(b) || b == b'-') {
            return Err(LabelError::Name);
        }
        Ok(Self { name: name.to_owned(), fingerprint })
    }

    /// The name that the policy gave.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The recipient's fingerprint.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.fingerprint)
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        let (name, fingerprint) = text.split_once('@').ok_or(LabelError::Fingerprint)?;
        let base32 = |b: u8| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b);
        if fingerprint.len() != FINGERPRINT_CHARS || !fingerprint.bytes().all(base32) {
            return Err(LabelError::Fingerprint);
        }
        Self::new(name, Fingerprint(fingerprint.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let label = Label::new("ops-2", Fingerprint::of("age1x")).unwrap();
        assert_eq!(label.to_string().parse::<Label>().unwrap(), label);
    }

    #[test]
    fn refuses_other_texts() {
        let fingerprint = Fingerprint::of("age1x");
        for name in ["", "-a", "A", "a b", "a@b", &"a".repeat(64)] {
            assert_eq!(Label::new(name, fingerprint.clone()), Err(LabelError::Name), "{name}");
        }
        for text in ["ops", "ops@short", "ops@0123456789abcdefghij", "ops@ABCDEFGHIJKLMNOPQRST"] {
            assert!(text.parse::<Label>().is_err(), "{text}");
        }
    }
}
