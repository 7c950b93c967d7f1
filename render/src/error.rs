//! Why an object's values cannot be opened, in words that tell its owner what to do and hold no value.

use sealwax_format::keys::{Label, OpenKeyError};
use sealwax_format::native::{KeyBlockError, TokenError};

/// Why not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The object is not where its values are sealed for.
    #[error(
        "the values are sealed for {sealed_for}, not for this object; `sealwax copy` or `sealwax rebind` them for this place"
    )]
    WrongPlace {
        /// Patterns for namespace and name.
        sealed_for: String,
    },
    /// No key at hand opens it.
    #[error("no key of this cluster is a reader (named readers: {}); add the cluster's recipient to the policy and run `sealwax rekey`, or restore the key that it was sealed for", list(.readers))]
    NoIdentity {
        /// Who the wraps are labelled for.
        readers: Vec<Label>,
    },
    /// A value in the clear.
    #[error(
        "item {item} is not encrypted; run `sealwax encrypt` on the manifest and replace the value, which has been readable in the cluster"
    )]
    NotAToken {
        /// The item.
        item: String,
    },
    /// Not a token of this format.
    #[error("item {item} is not a valid token")]
    MalformedToken {
        /// The item.
        item: String,
        /// What is wrong with it.
        #[source]
        source: TokenError,
    },
    /// `spec.key` is not a key id.
    #[error("spec.key is not a key id; restore the manifest from Git")]
    MalformedKey,
    /// `spec.readers` cannot be read.
    #[error("spec.readers cannot be read; restore the manifest from Git")]
    KeyBlock(#[source] KeyBlockError),
    /// A token of another key than the block's, as after a bad merge.
    #[error("item {item} belongs to another key than spec.key; take the key and its items from one side of the merge")]
    OtherKey {
        /// The item.
        item: String,
    },
    /// A wrap for one of our keys does not open.
    #[error("the data key is damaged; restore the manifest from Git")]
    DamagedKey(#[source] OpenKeyError),
    /// The authenticated decryption said no.
    #[error("item {item}: altered, or sealed for another place")]
    Altered {
        /// The item.
        item: String,
    },
}

impl OpenError {
    /// The variant's name: the reason of a condition and the only label of a metric.
    pub fn category(&self) -> &'static str {
        match self {
            Self::WrongPlace { .. } => "WrongPlace",
            Self::NoIdentity { .. } => "NoIdentity",
            Self::NotAToken { .. } => "NotAToken",
            Self::MalformedToken { .. } => "MalformedToken",
            Self::MalformedKey => "MalformedKey",
            Self::KeyBlock(_) => "KeyBlock",
            Self::OtherKey { .. } => "OtherKey",
            Self::DamagedKey(_) => "DamagedKey",
            Self::Altered { .. } => "Altered",
        }
    }
}

fn list(labels: &[Label]) -> String {
    labels.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
