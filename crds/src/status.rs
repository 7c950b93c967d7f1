//! What the controller reports about every object that feeds a Secret.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// What the controller saw and did.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = schema::unseen()))]
pub struct SecretStatus {
    /// The generation of the spec that the conditions speak of; -1 before the controller saw the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`; while it tries again by itself `Reconciling`, or, with a good Secret, `Fresh` as `False`; while somebody must
    /// act `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The Secret that was last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,
    /// Its uid: a Secret of that name with another uid is not the one that was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_uid: Option<String>,
    /// Its resourceVersion after that write: any other one means that somebody has changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_resource_version: Option<String>,
    /// A keyed hash of what was last written: changes when and only when the content does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    /// True while workloads that asked to be restarted for this content have not been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts_pending: Option<bool>,
    /// The last value of the annotation `reconcile.fluxcd.io/requestedAt` that was obeyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// The last value of the annotation `sealwax.dev/reconcile-at` that was obeyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reconcile_at: Option<String>,
}

/// What the controller saw and did, and read from where.
// A field `lease` will stand here once values are served that end: how long they hold, and what renews them.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = schema::unseen()))]
pub struct ExternalSecretStatus {
    /// What every object that feeds a Secret reports.
    #[serde(flatten)]
    pub common: SecretStatus,
    /// When the values were last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub refresh_time: Option<Time>,
    /// The generation of the spec that they were read for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refreshed_generation: Option<i64>,
    /// Since when reading fails while the Secret keeps what was read before; absent while reading goes well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub stale_since: Option<Time>,
    /// The last value of the annotation `force-sync` that was obeyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_force_sync: Option<String>,
    /// A short hash of the stores that the values were read through, as they were then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_versions: Option<String>,
    /// Where the values that were last read are kept, encrypted, so that the Secret comes back without its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<LastGood>,
    /// The Secret, as the Service Binding specification wants it named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// What became of each entry of the spec, `dataFrom` first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 320))]
    pub entries: Vec<EntryStatus>,
}

/// The encrypted copy of the values that were last read.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct LastGood {
    /// The name of the Secret that holds the copy.
    pub name: String,
    /// Counts the copies: an older one is never restored.
    pub generation: i64,
}

/// The Secret, as the Service Binding specification wants it named.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Binding {
    /// Its name.
    pub name: String,
}

/// What became of an entry of the spec.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
pub struct EntryStatus {
    /// The entry's `secretKey`, or its place: `dataFrom[0]`.
    #[schemars(length(max = 253))]
    pub name: String,
    /// What became of it.
    pub state: EntryState,
    /// What is wrong, without any value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// Since when it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub since: Option<Time>,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum EntryState {
    /// The Secret holds what the source holds.
    Synced,
    /// The source has nothing there.
    Missing,
    /// The source has nothing there, and the entry is optional.
    Skipped,
    /// The source could not be read; the Secret holds what it gave before.
    Stale,
    /// The source could not be read, or what it gave could not be used, and there is nothing from before.
    Failed,
}
