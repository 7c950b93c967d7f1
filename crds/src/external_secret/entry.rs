//! What an ExternalSecret reads, and under which names and in which form it becomes items.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::StoreRef;
use crate::schema;

/// One item of the Secret.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DataEntry {
    /// The item's name in the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub secret_key: String,
    /// What is read.
    pub remote_ref: RemoteRef,
    /// Where it is read, if not through `spec.secretStoreRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceRef>,
    /// True: the item is left out while the source has nothing there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// Many items of the Secret: exactly one of `extract` and `find`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DataFromEntry {
    /// Every field of one secret of the source becomes an item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract: Option<RemoteRef>,
    /// Every secret of the source that fits becomes an item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub find: Option<Find>,
    /// Changes of the names, one after the other. With any, names are not converted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub rewrite: Vec<Rewrite>,
    /// Where they are read, if not through `spec.secretStoreRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceRef>,
    /// True: nothing is amiss while the source has nothing there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// A secret of the source, or a part of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RemoteRef {
    /// Its name or path there.
    #[schemars(length(min = 1, max = 2048))]
    pub key: String,
    /// The part of it, as a path in the syntax of gjson: `password`, `db.hosts.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub property: Option<String>,
    /// Its version; the current one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub version: Option<String>,
    /// Whether what the source keeps about the secret is read instead of the secret; `None`, which is no, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_policy: Option<MetadataPolicy>,
    /// How characters that no item's name may have are written; `Default` if absent. Of no effect in `data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion_strategy: Option<ConversionStrategy>,
    /// Whether values are decoded; `None`, which is no, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoding_strategy: Option<DecodingStrategy>,
    /// Whether a value may hold a null byte; `Ignore`, which is yes, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_byte_policy: Option<NullBytePolicy>,
}

/// Secrets of the source. What is given must fit, all of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Find {
    /// Where the search begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub path: Option<String>,
    /// What their names are like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<FindName>,
    /// Tags that they have, with exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::tags")]
    pub tags: BTreeMap<String, String>,
    /// How characters that no item's name may have are written; `Default` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion_strategy: Option<ConversionStrategy>,
    /// Whether values are decoded; `None`, which is no, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoding_strategy: Option<DecodingStrategy>,
    /// Whether a value may hold a null byte; `Ignore`, which is yes, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_byte_policy: Option<NullBytePolicy>,
}

/// What names are like.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct FindName {
    /// A regular expression that matches somewhere in the name; `^` and `$` tie it to the ends.
    #[schemars(length(min = 1, max = 1024))]
    pub regexp: String,
}

/// A change of names.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Rewrite {
    /// Replaces every match of a regular expression.
    pub regexp: RewriteRegexp,
}

/// What is replaced, by what.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct RewriteRegexp {
    /// The regular expression; it matches anywhere in the name.
    #[schemars(length(max = 1024))]
    pub source: String,
    /// What takes the place of each match; `$1` and `${name}` are its groups.
    #[schemars(length(max = 1024))]
    pub target: String,
}

/// Where an entry is read.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SourceRef {
    /// The store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_ref: Option<StoreRef>,
}

/// Whether what the source keeps about a secret is read.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum MetadataPolicy {
    /// The secret itself.
    #[default]
    None,
    /// Its tags or metadata, as JSON.
    Fetch,
}

/// How characters that no item's name may have are written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum ConversionStrategy {
    /// As `_`.
    #[default]
    Default,
    /// As `_U` and their number in hexadecimal and `_`.
    Unicode,
}

/// How values are decoded.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum DecodingStrategy {
    /// Not at all.
    #[default]
    None,
    /// As base64 of either alphabet if that is what they look like. A password may happen to look like it.
    Auto,
    /// As base64.
    Base64,
    /// As base64 of the alphabet for URLs.
    #[serde(rename = "Base64URL")]
    Base64Url,
}

/// Whether values may hold null bytes, which environment variables cannot.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum NullBytePolicy {
    /// They may.
    #[default]
    Ignore,
    /// They may not.
    Fail,
}
