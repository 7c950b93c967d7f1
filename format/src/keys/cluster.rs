//! What a cluster's keys are called and which states they have: the names that controller and command line agree on.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::SECRET_KEY_LENGTH;
use zeroize::Zeroizing;

use super::SigningKey;
use crate::primitives::{Random, RandomError};

/// Label and type of every key Secret; the label's value is the key's state.
pub const KEY: &str = "sealwax.dev/cluster-key";
/// The item of a key Secret that holds the identity file.
pub const IDENTITY: &str = "identity";
/// How the names of key Secrets begin that a controller makes; a number follows.
pub const KEY_NAME: &str = "sealwax-cluster-key-";
/// Annotation of a key Secret: its recipient's fingerprint, for everybody who may list metadata and not read keys.
pub const FINGERPRINT: &str = "sealwax.dev/fingerprint";

/// Annotation of a key Secret in state `made`, value `true`: somebody, or the controller that made it, wants it to seal.
/// A `made` key without it came from elsewhere, a backup for one, and waits.
pub const ACTIVATE: &str = "sealwax.dev/activate";
/// Annotation that asks for a new key: on the ConfigMap the request, on the key Secret the one that it answers.
pub const ROTATE: &str = "sealwax.dev/rotate";
/// Annotation of the ConfigMap: the last request for which a key was made.
pub const ROTATED: &str = "sealwax.dev/rotated";

/// The ConfigMap that publishes the recipients.
pub const RECIPIENTS_MAP: &str = "sealwax-recipients";
/// The ConfigMap that publishes escrow copies.
pub const ESCROW_MAP: &str = "sealwax-escrow";
/// Label (the key's name) and type of a Secret with escrow copies.
pub const ESCROW: &str = "sealwax.dev/escrow";

/// Label and type of the Secret with the controller's own keys.
pub const CONTROLLER_KEY: &str = "sealwax.dev/controller-key";
/// The name of that Secret.
pub const CONTROLLER_KEY_NAME: &str = "sealwax-controller-key";
/// The value of its label.
pub const CONTROLLER_KEY_STATE: &str = "current";
/// Its item with the Ed25519 seed that endorses recipients.
pub const SIGNING: &str = "signing";
/// Its item with 32 bytes for everything symmetric.
pub const SYMMETRIC: &str = "symmetric";

/// What a cluster key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// The sealing key.
    Active,
    /// Exists and opens; becomes active by itself once its escrow copies exist, if [`ACTIVATE`] says so.
    Made,
    /// Opens; seals only when told to.
    Waiting,
    /// Has sealed; opens only.
    Old,
    /// Does not open any more.
    Retired,
}

impl State {
    /// All of them, in the order that people read them in.
    pub const ALL: [Self; 5] = [Self::Active, Self::Made, Self::Waiting, Self::Old, Self::Retired];

    /// As the label has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Made => "made",
            Self::Waiting => "waiting",
            Self::Old => "old",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A label that names no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is made, waiting, active, old or retired")]
pub struct StateError;

impl FromStr for State {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(StateError)
    }
}

/// The controller's own keys: one endorses what it publishes, the other is for everything symmetric.
pub struct ControllerKey {
    /// The Ed25519 seed.
    pub signing: Zeroizing<[u8; SECRET_KEY_LENGTH]>,
    /// Random bytes.
    pub symmetric: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for ControllerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ControllerKey({})", self.signing_key().public())
    }
}

impl ControllerKey {
    /// A new one.
    pub fn generate(random: &mut dyn Random) -> Result<Self, RandomError> {
        let mut made = Self { signing: Zeroizing::default(), symmetric: Zeroizing::default() };
        random.fill(&mut *made.signing)?;
        random.fill(&mut *made.symmetric)?;
        Ok(made)
    }

    /// From the items of its Secret; `None` unless both are there with their 32 bytes.
    pub fn read(signing: Option<&[u8]>, symmetric: Option<&[u8]>) -> Option<Self> {
        let mut read = Self { signing: Zeroizing::default(), symmetric: Zeroizing::default() };
        let fits = |item: Option<&[u8]>| item.is_some_and(|item| item.len() == 32);
        if !fits(signing) || !fits(symmetric) {
            return None;
        }
        read.signing.copy_from_slice(signing?);
        read.symmetric.copy_from_slice(symmetric?);
        Some(read)
    }

    /// What endorses.
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from_seed(&self.signing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitives::tests::Counter;

    #[test]
    fn states_read_what_they_write() {
        for state in State::ALL {
            assert_eq!(state.to_string().parse(), Ok(state));
        }
        assert_eq!("Active".parse::<State>(), Err(StateError));
    }

    #[test]
    fn a_controller_key_is_whole_or_none() {
        let made = ControllerKey::generate(&mut Counter(3)).unwrap();
        let read = ControllerKey::read(Some(&*made.signing), Some(&*made.symmetric)).unwrap();
        assert_eq!(read.signing_key().public(), made.signing_key().public());
        assert_eq!(read.symmetric, made.symmetric);
        assert!(ControllerKey::read(Some(&*made.signing), None).is_none());
        assert!(ControllerKey::read(Some(&made.signing[1..]), Some(&*made.symmetric)).is_none());
        assert!(!format!("{made:?}").contains(&crate::base64::encode(&*made.signing)));
    }
}
