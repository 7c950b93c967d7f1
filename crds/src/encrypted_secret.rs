//! `EncryptedSecret`: values encrypted in Git, opened by the controller into one `Secret` of the same namespace.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{SecretStatus, rules, schema};

/// What the Secret shall hold, encrypted.
// There is deliberately no `default` in this schema: GitOps tools show what the API server adds as permanent drift.
#[expect(clippy::duplicated_attributes, reason = "the columns share a type, which clippy takes for a mistake")]
#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[kube(
    group = "sealwax.dev",
    version = "v1alpha1",
    kind = "EncryptedSecret",
    doc = "Values that are encrypted in Git and opened by the controller into a Secret of the same namespace.",
    namespaced,
    category = "sealwax",
    shortname = "esec",
    selectable = ".spec.class",
    status = "SecretStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Secret", type_ = "string", json_path = ".status.secretName"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::spec()))]
pub struct EncryptedSecretSpec {
    /// The items of the Secret: each value is a token, `ENC[wax1,...]`, as `sealwax encrypt` writes it.
    #[serde(deserialize_with = "texts")]
    #[schemars(schema_with = "schema::data")]
    pub data: BTreeMap<String, String>,

    /// The place that the values open in, authenticated in each of them.
    pub sealed_for: SealedFor,

    /// The id of the key that most values are encrypted with; absent when every token carries its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::key")]
    pub key: Option<String>,

    /// The key, wrapped for each reader; the label is the reader's name in the policy and its fingerprint.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::readers")]
    pub readers: BTreeMap<String, String>,

    /// The Secret that is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,

    /// Which controller serves this object, where several share a cluster: the one whose `--class` is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub class: Option<String>,

    /// True: the controller leaves the Secret as it is until this is false again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// Reads what is no text as an empty one, which is no token and is reported as such. The API server refuses it, but
/// where it did not (an old or edited definition), one object that cannot be read would end the watch of all others.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let values = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
    let text = |value| if let serde_json::Value::String(text) = value { text } else { String::new() };
    Ok(values.into_iter().map(|(item, value)| (item, text(value))).collect())
}

/// The place that values open in. Each part is exact, or a pattern with `*`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct SealedFor {
    /// The namespace of the EncryptedSecret.
    #[schemars(length(min = 1, max = 253))]
    pub namespace: String,
    /// The name of the EncryptedSecret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// The Secret that is made.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its name, if it is not that of the EncryptedSecret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
    /// What happens to what this object put into the Secret when the object goes; `Delete` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<OnDelete>,
    /// True: a Secret whose type or immutability must change is deleted and made again. Kubernetes changes neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recreate: Option<bool>,
    /// What it holds besides the items, or made of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
}

/// What happens to the items when their object goes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum OnDelete {
    /// They go too, and with the last of them the Secret.
    Delete,
    /// They stay.
    Retain,
}

/// What the Secret holds besides its items, or made of them. Type, labels and annotations are literal.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// The Secret's type, `Opaque` if absent. Kubernetes never changes the type of an existing Secret.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub type_: Option<String>,
    /// True: Kubernetes refuses every change of the Secret's items, this controller's too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub immutable: Option<bool>,
    /// Labels and annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMetadata>,
    /// Items made from the opened ones: item to template, in the syntax of Go templates; `{{ .password }}` is the
    /// opened item `password`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::templates")]
    pub data: BTreeMap<String, String>,
    /// Whether the Secret holds only what `data` makes (`Replace`, if absent and `data` is not), or the opened items too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge_policy: Option<MergePolicy>,
}

/// How templated items meet opened ones.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum MergePolicy {
    /// The Secret holds the templated items alone.
    Replace,
    /// The Secret holds both; a templated item replaces the opened one of its name.
    Merge,
}

/// Labels and annotations of the Secret. Nothing else is ever copied to it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct TemplateMetadata {
    /// Labels, as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub labels: BTreeMap<String, String>,
    /// Annotations, as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::annotations")]
    pub annotations: BTreeMap<String, String>,
}

/// What the controller saw and did.
pub type EncryptedSecretStatus = SecretStatus;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_no_text_does_not_keep_the_object_from_being_read() {
        let spec =
            serde_json::json!({"data": {"pin": 4711, "name": "x"}, "sealedFor": {"namespace": "n", "name": "m"}});
        let spec: EncryptedSecretSpec = serde_json::from_value(spec).unwrap();
        assert_eq!((spec.data["pin"].as_str(), spec.data["name"].as_str()), ("", "x"));
    }
}
