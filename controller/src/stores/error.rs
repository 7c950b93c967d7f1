//! Why a store cannot be read through, in words for whoever owns the object or the store.

use std::fmt;

use sealwax_crds::StoreKind;
use sealwax_sources::SourceError;

use super::admission::Refusal;
use super::references::{Reference, ReferenceKind};

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such store yet.
    #[error("there is no {} {name}: apply it, or correct spec.secretStoreRef", kind_name(*.kind))]
    NoStore {
        /// Its kind.
        kind: StoreKind,
        /// Its name.
        name: String,
    },
    /// Cluster stores are not served by this controller.
    #[error("this controller does not serve ClusterSecretStores: use a SecretStore of this namespace")]
    NoClusterStores,
    /// The store is not for this namespace, or not for this key.
    #[error("ClusterSecretStore {name}: {refusal}")]
    Refused {
        /// The store's name.
        name: String,
        /// Why.
        refusal: Refusal,
    },
    /// The store states no provider, or several.
    #[error("spec.provider of the store names not exactly one provider; correct it")]
    NoProvider,
    /// A store of one namespace names something in another.
    #[error("the SecretStore names something in another namespace: remove `namespace`, or use a ClusterSecretStore")]
    OtherNamespace,
    /// What the store names is looked up in the namespace of each user: there is nothing to look at without one.
    #[error("its credentials are those of each namespace that uses it")]
    Referent,
    /// Something that the store names is not there.
    #[error("{0} is not there: apply it, or correct the store")]
    NoReference(Reference),
    /// It lacks an item.
    #[error("{reference} has no item {key}: add it, or correct the store")]
    NoItem {
        /// The Secret or ConfigMap.
        reference: Reference,
        /// The item.
        key: String,
    },
    /// The Secret is the controller's own.
    #[error("{0} is the controller's own and not for stores; name another one")]
    NotForStores(Reference),
    /// The API server did not give it.
    #[error("cannot read {reference}: {message}")]
    Read {
        /// The Secret or ConfigMap.
        reference: Reference,
        /// The API server's words.
        message: String,
    },
    /// A store of one namespace wants to act as the controller.
    #[error(
        "a SecretStore may not use the controller's own identity: name credentials or a service account in it, use a \
         ClusterSecretStore, or allow it for all by --allow-ambient-credentials"
    )]
    Ambient,
    /// What the store says makes no sense.
    #[error("the store: {0}; correct it")]
    Invalid(String),
    /// The namespace's labels could not be read.
    #[error("cannot read the labels of the namespace: {0}")]
    Namespace(String),
    /// The source said no, or nothing.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl StoreError {
    /// One word for conditions and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoStore { .. } => "StoreMissing",
            Self::Refused { .. } | Self::NoClusterStores => "StoreRefused",
            Self::NoReference(_) | Self::NoItem { .. } => "CredentialsMissing",
            Self::OtherNamespace | Self::NotForStores(_) | Self::Ambient => "CredentialsRefused",
            Self::NoProvider | Self::Invalid(_) | Self::Referent => "StoreInvalid",
            Self::Read { .. } | Self::Namespace(_) => "ApiServer",
            Self::Source(error) => error.reason(),
        }
    }

    /// Whether the store does not admit who asks.
    pub fn refuses(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// Whether somebody must act, and no time heals it.
    pub fn is_final(&self) -> bool {
        match self {
            Self::NoStore { .. } | Self::Read { .. } | Self::Namespace(_) | Self::NoReference(_) => false,
            Self::Source(error) => !error.is_transient(),
            _ => true,
        }
    }
}

fn kind_name(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::SecretStore => "SecretStore",
        StoreKind::ClusterSecretStore => "ClusterSecretStore",
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ReferenceKind::Secret => "Secret",
            ReferenceKind::ConfigMap => "ConfigMap",
            ReferenceKind::SecretStore => "SecretStore",
            ReferenceKind::ClusterSecretStore => "ClusterSecretStore",
        };
        match self.namespace.as_str() {
            "" => write!(f, "{kind} {}", self.name),
            namespace => write!(f, "{kind} {namespace}/{}", self.name),
        }
    }
}
