//! What a key Secret holds: an identity file as the stock `age-keygen` writes it.
//!
//! ```text
//! # created: 2026-11-21T06:00:00Z
//! # public key: age1pq1...
//! AGE-SECRET-KEY-PQ-1...
//! ```
//!
//! So a file made offline is a valid payload, and a backup opens with the stock `age` command. The time stands in the
//! payload because a restore gives the Secret a new `creationTimestamp`.

use std::fmt;

use age::secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::{Fingerprint, pq};
use crate::secret::SecretBytes;

/// An identity that opens, and what is public about it.
pub struct IdentityFile {
    /// The recipient that belongs to the identity, computed from it: comments are only comments.
    pub recipient: String,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// When the key was made, as the file says it.
    pub created: Option<String>,
    /// What opens.
    pub identity: Box<dyn age::Identity + Send + Sync>,
}

impl fmt::Debug for IdentityFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityFile({})", self.fingerprint)
    }
}

/// What an identity file can have wrong. Says nothing about what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityFileError {
    /// Not text.
    #[error("its identity file is not text")]
    NotText,
    /// None, or more than one.
    #[error("its identity file holds {0} keys; exactly one line must start with AGE-SECRET-KEY-")]
    Keys(usize),
    /// The one key does not parse.
    #[error("its key has a character missing or mistyped")]
    Key,
}

impl IdentityFile {
    /// Reads one that holds a single key.
    pub fn parse(file: &[u8]) -> Result<Self, IdentityFileError> {
        let text = std::str::from_utf8(file).map_err(|_| IdentityFileError::NotText)?;
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
        let created = lines().find_map(|line| line.strip_prefix("# created: ")).map(|time| time.trim().to_owned());
        let keys: Vec<&str> = lines().filter(|line| !line.starts_with('#')).collect();
        let [key] = keys[..] else {
            return Err(IdentityFileError::Keys(keys.len()));
        };
        let (recipient, identity) = parse_key(key)?;
        Ok(Self { fingerprint: Fingerprint::of(&recipient), recipient, created, identity })
    }

    /// A new post-quantum key, as the file to store, and its recipient.
    pub fn generate(created: &str) -> (SecretBytes, String) {
        let identity = pq::Identity::generate();
        let recipient = identity.to_public().to_string();
        let secret = identity.to_secret_string();
        let file = format!("# created: {created}\n# public key: {recipient}\n{}\n", secret.expose_secret());
        (SecretBytes::from(Zeroizing::new(file.into_bytes())), recipient)
    }
}

type Parsed = (String, Box<dyn age::Identity + Send + Sync>);

fn parse_key(key: &str) -> Result<Parsed, IdentityFileError> {
    if key.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-PQ-1") {
        let identity: pq::Identity = key.parse().map_err(|_| IdentityFileError::Key)?;
        return Ok((identity.to_public().to_string(), Box::new(identity)));
    }
    let identity: age::x25519::Identity = key.parse().map_err(|_| IdentityFileError::Key)?;
    Ok((identity.to_public().to_string(), Box::new(identity)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_makes() {
        let (file, recipient) = IdentityFile::generate("2026-11-21T06:00:00Z");
        let read = IdentityFile::parse(file.expose()).unwrap();
        assert_eq!((read.recipient, read.created.as_deref()), (recipient, Some("2026-11-21T06:00:00Z")));
    }

    #[test]
    fn reads_the_files_of_age_keygen() {
        let identity = age::x25519::Identity::generate();
        let secret = identity.to_string();
        let file = format!("# created: 2026-01-02T03:04:05+01:00\n# public key: lies\n{}\n", secret.expose_secret());
        let read = IdentityFile::parse(file.as_bytes()).unwrap();
        assert_eq!(read.recipient, identity.to_public().to_string());
        assert_eq!(read.created.unwrap(), "2026-01-02T03:04:05+01:00");
    }

    #[test]
    fn refuses_the_rest_and_quotes_nothing() {
        let refused = |file: &[u8]| IdentityFile::parse(file).unwrap_err();
        assert_eq!(refused(b""), IdentityFileError::Keys(0));
        assert_eq!(refused(b"AGE-SECRET-KEY-1X\nAGE-SECRET-KEY-1Y"), IdentityFileError::Keys(2));
        assert_eq!(refused(b"AGE-SECRET-KEY-PQ-1QQ"), IdentityFileError::Key);
        assert_eq!(refused(b"hunter2"), IdentityFileError::Key);
        assert_eq!(refused(b"\xff"), IdentityFileError::NotText);
    }
}
