//! `ExternalSecret`: values that stay in Vault, AWS or another cluster, read by the controller into one `Secret`.
//!
//! The names and meanings of the fields are those of `external-secrets.io/v1`, so that a manifest moves over by changing
//! its `apiVersion`. What a manifest leaves out stays out of the object: every default is the reader's, never the schema's.

mod entry;
mod target;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use entry::{
    ConversionStrategy, DataEntry, DataFromEntry, DecodingStrategy, Find, FindName, MetadataPolicy, NullBytePolicy,
    RemoteRef, Rewrite, RewriteRegexp, SourceRef,
};
pub use target::{
    CreationPolicy, DeletionPolicy, EngineVersion, ExternalTarget, ExternalTemplate, TemplateAs, TemplateFrom,
    TemplateItem, TemplateRef, TemplateTarget,
};

use crate::{ExternalSecretStatus, rules};

/// What the Secret shall hold, and where it is read.
#[expect(clippy::duplicated_attributes, reason = "the columns share a type, which clippy takes for a mistake")]
#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[kube(
    group = "sealwax.dev",
    version = "v1alpha1",
    kind = "ExternalSecret",
    doc = "Values that are kept in Vault, AWS or another cluster and read by the controller into a Secret of the same namespace.",
    namespaced,
    category = "sealwax",
    shortname = "xsec",
    selectable = ".spec.class",
    selectable = ".spec.secretStoreRef.name",
    selectable = ".spec.secretStoreRef.kind",
    selectable = ".spec.target.name",
    status = "ExternalSecretStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Store", type_ = "string", json_path = ".spec.secretStoreRef.name"),
    printcolumn(name = "Refresh", type_ = "string", json_path = ".spec.refreshInterval"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Secret", type_ = "string", json_path = ".status.secretName"),
    printcolumn(name = "Last Sync", type_ = "date", json_path = ".status.refreshTime"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::external_secret()))]
pub struct ExternalSecretSpec {
    /// The store that values are read through; an entry may name another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_store_ref: Option<StoreRef>,

    /// How often the values are read again, like `1h`, `15m` or `1h30m`; `1h` if absent. `0`: only when the spec or a store changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub refresh_interval: Option<String>,

    /// When the values are read again; `Periodic` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_policy: Option<RefreshPolicy>,

    /// The Secret that is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ExternalTarget>,

    /// Single items. They replace those of the same name that `dataFrom` gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub data: Vec<DataEntry>,

    /// Many items at once, in order: a later entry replaces what an earlier one gave under the same name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub data_from: Vec<DataFromEntry>,

    /// Which controller serves this object, where several share a cluster: the one whose `--class` is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub class: Option<String>,

    /// True: the controller leaves the Secret as it is until this is false again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// A store.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct StoreRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its kind; `SecretStore`, of the same namespace, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<StoreKind>,
}

/// The kind of a store.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreKind {
    /// One namespace's own.
    #[default]
    SecretStore,
    /// For every namespace that its conditions admit.
    ClusterSecretStore,
}

/// When values are read again. A repair of the Secret never waits for it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum RefreshPolicy {
    /// After each refresh interval, and when the object or its stores change.
    #[default]
    Periodic,
    /// When the object changes.
    OnChange,
    /// Never after the first time.
    CreatedOnce,
}

impl ExternalSecretSpec {
    /// The store of an entry: its own, or else the one that the object names.
    pub fn store_of<'a>(&'a self, own: Option<&'a SourceRef>) -> Option<&'a StoreRef> {
        own.and_then(|source| source.store_ref.as_ref()).or(self.secret_store_ref.as_ref())
    }
}
