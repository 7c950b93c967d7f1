//! Recipients and identities: who data keys are wrapped for, and who opens them.
//!
//! What needs I/O (age plugins, passphrases) implements the age crate's traits outside and comes in as a
//! [`Recipient::external`] or through [`Keyring::add`].

mod age_file;
pub mod cluster;
mod endorsement;
mod identity_file;
mod label;
pub mod pq;
pub mod published;
mod ssh;
mod wrap;
mod xwing;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use age_file::{DecryptFileError, EncryptFileError, decrypt_file, encrypt_file};
pub use endorsement::{EndorsementError, ParseSigningKeyError, PublicSigningKey, SigningKey};
pub use identity_file::{IdentityFile, IdentityFileError};
pub use label::{Fingerprint, Label, LabelError};
pub use ssh::SshRecipientError;
pub use wrap::{MAX_WRAP, UnwrapError, WrapError, single_stanza, unwrap, wrap};

use crate::primitives::{DataKey, KeyId};

/// Most readers that a key block or self-contained token may have.
pub const MAX_READERS: usize = 64;

/// Whether a recipient withstands a quantum computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// X25519, SSH, or unknown (plugins).
    Classical,
    /// ML-KEM-768 with X25519.
    PostQuantum,
}

/// Someone for whom data keys are wrapped, with the label that says so.
#[derive(Clone)]
pub struct Recipient {
    label: Label,
    canonical: String,
    strength: Strength,
    wraps: Arc<dyn age::Recipient + Send + Sync>,
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({})", self.label)
    }
}

/// A text that is no recipient. Never holds the text: people paste private keys by mistake.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipientError {
    /// A private key where a public one belongs.
    #[error("this is a private key; a recipient is the public half, and the private one should be replaced now")]
    PrivateKey,
    /// The name cannot stand in a label.
    #[error(transparent)]
    Name(#[from] LabelError),
    /// Not a valid X25519 or plugin recipient.
    #[error("not a valid age recipient: a character is missing or mistyped")]
    Age,
    /// Not a valid post-quantum recipient.
    #[error("not a valid post-quantum age recipient")]
    PostQuantum(#[source] pq::ParseKeyError),
    /// Not a usable SSH public key.
    #[error("not a usable SSH public key")]
    Ssh(#[source] SshRecipientError),
    /// An `age1name1…` recipient, for which a program `age-plugin-name` is needed.
    #[error("the recipient needs the age plugin {0}")]
    Plugin(String),
    /// None of the known kinds.
    #[error("a recipient starts with age1, ssh-ed25519 or ssh-rsa")]
    Unknown,
}

impl Recipient {
    /// Reads `age1…`, `age1pq1…`, `ssh-ed25519 …` or `ssh-rsa …`.
    pub fn parse(name: &str, text: &str) -> Result<Self, RecipientError> {
        let text = text.trim();
        let upper = text.get(..15).unwrap_or(text).to_ascii_uppercase();
        if upper.starts_with("AGE-SECRET-KEY-") || upper.starts_with("AGE-PLUGIN-") || upper.starts_with("-----BEGIN") {
            return Err(RecipientError::PrivateKey);
        }
        if text.starts_with("ssh-") {
            let (canonical, recipient) = ssh::parse_recipient(text).map_err(RecipientError::Ssh)?;
            return Self::external(name, canonical, Strength::Classical, Box::new(recipient));
        }
        if text.starts_with("age1pq1") {
            let recipient: pq::Recipient = text.parse().map_err(RecipientError::PostQuantum)?;
            return Self::external(name, recipient.to_string(), Strength::PostQuantum, Box::new(recipient));
        }
        if let Some(plugin) = plugin_name(text) {
            return Err(RecipientError::Plugin(plugin.to_owned()));
        }
        if !text.starts_with("age1") {
            return Err(RecipientError::Unknown);
        }
        let recipient: age::x25519::Recipient = text.parse().map_err(|_| RecipientError::Age)?;
        Self::external(name, recipient.to_string(), Strength::Classical, Box::new(recipient))
    }

    /// A recipient implemented elsewhere, such as one of an age plugin.
    pub fn external(
        name: &str,
        canonical: String,
        strength: Strength,
        wraps: Box<dyn age::Recipient + Send + Sync>,
    ) -> Result<Self, RecipientError> {
        let label = Label::new(name, Fingerprint::of(&canonical))?;
        Ok(Self { label, canonical, strength, wraps: wraps.into() })
    }

    /// Name and fingerprint.
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// The recipient as text: Bech32, or an SSH key without its comment.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// Whether it withstands a quantum computer.
    pub fn strength(&self) -> Strength {
        self.strength
    }

    /// Wraps a data key.
    pub fn wrap(&self, key: &DataKey) -> Result<Vec<u8>, WrapError> {
        wrap(key, &*self.wraps)
    }
}

/// The plugin's name in `age1name1…`. Bech32 data has no `1`, so the last one ends the prefix.
pub fn plugin_name(recipient: &str) -> Option<&str> {
    let (prefix, _) = recipient.rsplit_once('1')?;
    let name = prefix.strip_prefix("age1")?;
    let valid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b));
    valid.then_some(name)
}

/// The identities at hand, found by the fingerprint of their recipient.
#[derive(Default)]
pub struct Keyring {
    known: BTreeMap<Fingerprint, Box<dyn age::Identity + Send + Sync>>,
    unlabelled: Vec<Box<dyn age::Identity + Send + Sync>>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("known", &self.known.keys()).field("others", &self.unlabelled.len()).finish()
    }
}

/// Why no identity gave the wanted key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenKeyError {
    /// None of the named readers is an identity at hand.
    #[error("none of the identities at hand is a reader")]
    NoIdentity,
    /// A wrap named one of our identities and did not open.
    #[error("the wrap for {label} does not open")]
    Unwrap {
        /// The label of the wrap.
        label: Label,
        /// Why not.
        #[source]
        source: UnwrapError,
    },
    /// A wrap opened and held another key than the id commits to.
    #[error("the wrap for {0} holds another data key than the one named")]
    OtherKey(Label),
}

impl Keyring {
    /// Adds an identity whose recipient is known.
    pub fn add(&mut self, fingerprint: Fingerprint, identity: Box<dyn age::Identity + Send + Sync>) {
        self.known.insert(fingerprint, identity);
    }

    /// Adds an identity whose recipient cannot be told (plugins): it is tried on every wrap that no known identity fits.
    pub fn add_unlabelled(&mut self, identity: Box<dyn age::Identity + Send + Sync>) {
        self.unlabelled.push(identity);
    }

    /// Whether there is no identity at all.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() && self.unlabelled.is_empty()
    }

    /// The identities, for age files other than wraps (such as a team's).
    pub fn identities(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.known.values().chain(&self.unlabelled).map(|identity| &**identity as &dyn age::Identity)
    }

    /// The fingerprints of the known identities.
    pub fn fingerprints(&self) -> impl Iterator<Item = &Fingerprint> {
        self.known.keys()
    }

    /// Opens the wrap that names one of our identities and checks that it holds the wanted key.
    ///
    /// Wraps under other labels are not tried, except with identities whose recipient cannot be told.
    pub fn open(&self, wanted: &KeyId, wraps: &[(Label, Vec<u8>)]) -> Result<DataKey, OpenKeyError> {
        let mut failure = OpenKeyError::NoIdentity;
        let ours = wraps.iter().filter_map(|(label, wrap)| Some((label, wrap, self.known.get(label.fingerprint())?)));
        let others = self.unlabelled.iter().flat_map(|identity| wraps.iter().map(move |(l, w)| (l, w, identity)));
        for (label, wrap, identity) in ours.chain(others) {
            match unwrap(wrap, &**identity) {
                Ok(bytes) => match DataKey::committed(&bytes, wanted) {
                    Some(key) => return Ok(key),
                    None => failure = OpenKeyError::OtherKey(label.clone()),
                },
                Err(UnwrapError::NoMatch) if !self.known.contains_key(label.fingerprint()) => {}
                Err(source) => failure = OpenKeyError::Unwrap { label: label.clone(), source },
            }
        }
        Err(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitives::tests::Counter;

    fn recipient(identity: &age::x25519::Identity) -> Recipient {
        Recipient::parse("alice", &identity.to_public().to_string()).unwrap()
    }

    #[test]
    fn opens_by_label_and_compares_the_id() {
        let identity = age::x25519::Identity::generate();
        let recipient = recipient(&identity);
        let (key, other) = (DataKey::mint(&mut Counter(1)).unwrap(), DataKey::mint(&mut Counter(2)).unwrap());
        let wraps = [(recipient.label().clone(), recipient.wrap(&key).unwrap())];
        let mut ring = Keyring::default();
        assert!(matches!(ring.open(&key.id(), &wraps), Err(OpenKeyError::NoIdentity)));
        ring.add(recipient.label().fingerprint().clone(), Box::new(identity));
        assert_eq!(ring.open(&key.id(), &wraps).unwrap().id(), key.id());
        assert!(matches!(ring.open(&other.id(), &wraps), Err(OpenKeyError::OtherKey(_))));
    }

    #[test]
    fn tells_the_kinds_of_recipients_apart() {
        let parse = |text: &str| Recipient::parse("x", text);
        assert!(matches!(parse("AGE-SECRET-KEY-1QQ"), Err(RecipientError::PrivateKey)));
        assert!(
            matches!(parse("age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t"), Err(RecipientError::Plugin(name)) if name == "yubikey")
        );
        assert!(matches!(parse("age1qqqq"), Err(RecipientError::Age)));
        assert!(matches!(parse("alice"), Err(RecipientError::Unknown)));
        let quantum = pq::Identity::generate().to_public().to_string();
        assert_eq!(parse(&quantum).unwrap().strength(), Strength::PostQuantum);
    }
}
