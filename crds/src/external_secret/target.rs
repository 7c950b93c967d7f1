//! The Secret that an ExternalSecret makes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MergePolicy, TemplateMetadata, schema};

/// The Secret that is made.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ExternalTarget {
    /// Its name, if it is not that of the ExternalSecret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
    /// Whose the Secret is; `Owner` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_policy: Option<CreationPolicy>,
    /// What becomes of items whose values are gone from the source; `Retain` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// True: Kubernetes refuses every change of the Secret's items, this controller's too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub immutable: Option<bool>,
    /// What it holds besides the values that are read, or made of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<ExternalTemplate>,
    /// True: a Secret whose type or immutability must change is deleted and made again. Kubernetes changes neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recreate: Option<bool>,
}

/// Whose the Secret is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum CreationPolicy {
    /// The ExternalSecret's: it makes the Secret, which goes when it goes.
    #[default]
    Owner,
    /// Nobody's: it makes the Secret, which stays when it goes.
    Orphan,
    /// Somebody else's: it adds its items to a Secret that is there, and makes none.
    Merge,
    /// As `Merge` while there is a Secret, else as `Orphan`.
    CreateOrMerge,
    /// There is none: values are read, to see that they can be, and not written.
    None,
}

/// What becomes of items whose values are gone from the source.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// The Secret stays as it is, all of it, and the status tells which values are gone.
    #[default]
    Retain,
    /// They go, and with the last of them the Secret.
    Delete,
    /// They go; the Secret stays.
    Merge,
}

/// What the Secret holds besides the values that are read, or made of them. Type, labels and annotations are literal.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ExternalTemplate {
    /// The Secret's type, `Opaque` if absent. Kubernetes never changes the type of an existing Secret.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub type_: Option<String>,
    /// The syntax of the templates: `v2`, as there is no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_version: Option<EngineVersion>,
    /// Labels and annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMetadata>,
    /// Items made from the values that are read: item to template, in the syntax of Go templates; `{{ .password }}` is
    /// the value `password`. They replace those of the same name that `templateFrom` gives.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::few_templates")]
    pub data: BTreeMap<String, String>,
    /// Whether the Secret holds only what templates make (`Replace`, if absent and there are templates), or the values
    /// that are read too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge_policy: Option<MergePolicy>,
    /// Templates that stand elsewhere, or that make several items at once. A later one wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub template_from: Vec<TemplateFrom>,
}

/// The syntax of templates.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum EngineVersion {
    /// Go templates.
    #[default]
    #[serde(rename = "v2")]
    V2,
}

/// Templates that stand elsewhere, or that make several items at once: exactly one of `configMap`, `secret` and `literal`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TemplateFrom {
    /// Templates in a ConfigMap of the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<TemplateRef>,
    /// Templates in a Secret of the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<TemplateRef>,
    /// A template of several items: what it makes is a YAML mapping of items to values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65_536))]
    pub literal: Option<String>,
    /// What is made: `Data`, which are items, if absent. Labels and annotations are literal here, so that there is no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TemplateTarget>,
}

/// Templates in a ConfigMap or Secret.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct TemplateRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Which of its items are templates.
    #[schemars(length(min = 1, max = 64))]
    pub items: Vec<TemplateItem>,
}

/// A template in a ConfigMap or Secret.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TemplateItem {
    /// The item that holds it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// What it makes; `Values` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_as: Option<TemplateAs>,
}

/// What a template makes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum TemplateAs {
    /// The value of one item, which has the name of the item that holds the template.
    #[default]
    Values,
    /// A YAML mapping of items to values.
    KeysAndValues,
}

/// What is made of the output of templates.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum TemplateTarget {
    /// Items.
    #[default]
    Data,
    /// Annotations. Refused.
    Annotations,
    /// Labels. Refused.
    Labels,
}
