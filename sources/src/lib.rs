//! Where plaintext comes from: Vault, AWS, other Kubernetes clusters.
//!
//! A [`Source`] is one logged-in client of one store. It does what it is told and keeps nothing. A [`Reader`] stands
//! before it and decides when to ask at all: equal reads are made once, what is fresh enough is given again, and a
//! server that wants to be left alone is.
//!
//! Nothing here knows a Kubernetes object of sealwax's. Values are [`SecretBytes`] all the way; an error says what was
//! tried and how it was answered, never a value and never what the server wrote.
//!
//! [`SecretBytes`]: sealwax_format::SecretBytes

pub mod aws;
mod error;
mod fake;
pub mod kubernetes;
mod limits;
mod names;
mod payload;
mod reader;
pub mod vault;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use sealwax_format::SecretBytes;

pub use error::{Kind, SourceError};
pub use fake::Fake;
pub use limits::{Budget, Limits};
pub use payload::{Content, Payload};
pub use reader::{Found, Observer, Outcome, Reader, Reading};

/// One secret, as its source names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// Its path or name.
    pub key: String,
    /// Which version; the newest if not said. What counts as a version is the source's own matter.
    pub version: Option<String>,
    /// Asks for its tags or custom metadata instead of its value.
    pub metadata: bool,
}

impl Address {
    /// The newest value of this key.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), version: None, metadata: false }
    }

    /// This version of it.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Its metadata instead of its value.
    #[must_use]
    pub fn with_metadata(mut self) -> Self {
        self.metadata = true;
        self
    }
}

/// What a find looks for. Whatever is not said does not narrow it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Query {
    /// Where to look: the part of the tree below this path.
    pub path: Option<String>,
    /// A regular expression that matches somewhere in the whole path.
    pub name: Option<String>,
    /// Tags that are all there, with exactly these values.
    pub tags: BTreeMap<String, String>,
}

/// One logged-in client of one store.
pub trait Source: Send + Sync {
    /// What it is, as conditions and metrics call it: `Vault`, `SecretsManager`, `ParameterStore`, `Kubernetes`, `Fake`.
    fn provider(&self) -> &'static str;

    /// The most addresses that one call of [`Source::read`] takes: at least 1.
    fn batch(&self) -> usize;

    /// Reads these, at most [`Source::batch`] of them. One result each, in the same order.
    fn read<'s>(&'s self, addresses: &'s [Address]) -> BoxFuture<'s, Vec<Result<Payload, SourceError>>>;

    /// The keys of what the query describes, each of which `read` then reads. Sorted.
    fn find<'s>(&'s self, query: &'s Query) -> BoxFuture<'s, Result<Vec<String>, SourceError>>;

    /// Whether one can log in. Cheap: it reads no secret.
    fn check(&self) -> BoxFuture<'_, Result<(), SourceError>>;
}

impl<S: Source + ?Sized> Source for Arc<S> {
    fn provider(&self) -> &'static str {
        (**self).provider()
    }

    fn batch(&self) -> usize {
        (**self).batch()
    }

    fn read<'s>(&'s self, addresses: &'s [Address]) -> BoxFuture<'s, Vec<Result<Payload, SourceError>>> {
        (**self).read(addresses)
    }

    fn find<'s>(&'s self, query: &'s Query) -> BoxFuture<'s, Result<Vec<String>, SourceError>> {
        (**self).find(query)
    }

    fn check(&self) -> BoxFuture<'_, Result<(), SourceError>> {
        (**self).check()
    }
}

/// Where a short-lived token comes from: a token request for a service account, which the controller makes.
pub trait Tokens: Send + Sync {
    /// A token that is good now.
    fn token(&self) -> BoxFuture<'_, Result<SecretBytes, SourceError>>;
}
