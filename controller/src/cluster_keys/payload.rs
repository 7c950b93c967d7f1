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

use jiff::Timestamp;
use sealwax_format::SecretBytes;
use sealwax_format::keys::{Fingerprint, pq};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

/// The item of a key Secret that holds the identity file.
pub const ITEM: &str = "identity";

/// An identity that opens, and what is public about it.
pub struct Payload {
    /// The recipient that belongs to the identity, computed from it: comments are only comments.
    pub recipient: String,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// When the key was made, if the file says so.
    pub created: Option<Timestamp>,
    /// What opens.
    pub identity: Box<dyn age::Identity + Send + Sync>,
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Payload({})", self.fingerprint)
    }
}

/// What a payload can have wrong. Says nothing about what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The Secret lacks the item.
    #[error("it has no item named identity")]
    Missing,
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

impl Payload {
    /// Reads an identity file.
    pub fn parse(file: &[u8]) -> Result<Self, PayloadError> {
        let text = std::str::from_utf8(file).map_err(|_| PayloadError::NotText)?;
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
        let created = lines().find_map(|line| line.strip_prefix("# created: ")?.trim().parse().ok());
        let keys: Vec<&str> = lines().filter(|line| !line.starts_with('#')).collect();
        let [key] = keys[..] else {
            return Err(PayloadError::Keys(keys.len()));
        };
        let (recipient, identity) = parse_key(key)?;
        Ok(Self { fingerprint: Fingerprint::of(&recipient), recipient, created, identity })
    }

    /// A new post-quantum key, as the file to store.
    pub fn generate(now: Timestamp) -> (SecretBytes, String) {
        let identity = pq::Identity::generate();
        let recipient = identity.to_public().to_string();
        let secret = identity.to_secret_string();
        let created = now.strftime("%Y-%m-%dT%H:%M:%SZ");
        let file = format!("# created: {created}\n# public key: {recipient}\n{}\n", secret.expose_secret());
        (SecretBytes::from(Zeroizing::new(file.into_bytes())), recipient)
    }
}

type Parsed = (String, Box<dyn age::Identity + Send + Sync>);

fn parse_key(key: &str) -> Result<Parsed, PayloadError> {
    if key.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-PQ-1") {
        let identity: pq::Identity = key.parse().map_err(|_| PayloadError::Key)?;
        return Ok((identity.to_public().to_string(), Box::new(identity)));
    }
    let identity: age::x25519::Identity = key.parse().map_err(|_| PayloadError::Key)?;
    Ok((identity.to_public().to_string(), Box::new(identity)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_makes() {
        let now: Timestamp = "2026-11-21T06:00:00Z".parse().unwrap();
        let (file, recipient) = Payload::generate(now);
        let payload = Payload::parse(file.expose()).unwrap();
        assert_eq!((payload.recipient, payload.created), (recipient, Some(now)));
    }

    #[test]
    fn reads_the_files_of_age_keygen() {
        let identity = age::x25519::Identity::generate();
        let secret = identity.to_string();
        let file = format!("# created: 2026-01-02T03:04:05+01:00\n# public key: lies\n{}\n", secret.expose_secret());
        let payload = Payload::parse(file.as_bytes()).unwrap();
        assert_eq!(payload.recipient, identity.to_public().to_string());
        assert_eq!(payload.created.unwrap().to_string(), "2026-01-02T02:04:05Z");
    }

    #[test]
    fn refuses_the_rest_and_quotes_nothing() {
        assert_eq!(Payload::parse(b"").unwrap_err(), PayloadError::Keys(0));
        assert_eq!(Payload::parse(b"AGE-SECRET-KEY-1X\nAGE-SECRET-KEY-1Y").unwrap_err(), PayloadError::Keys(2));
        assert_eq!(Payload::parse(b"AGE-SECRET-KEY-PQ-1QQ").unwrap_err(), PayloadError::Key);
        assert_eq!(Payload::parse(b"hunter2").unwrap_err(), PayloadError::Key);
        assert_eq!(Payload::parse(b"\xff").unwrap_err(), PayloadError::NotText);
    }
}
