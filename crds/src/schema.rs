//! The parts of the schemas that the derive cannot say: bounds of maps, the condition list, defaults of the status.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::rules::{MAX_ITEMS, MAX_READERS, MAX_TEMPLATE, MAX_TOKEN, MAX_WRAP};
use crate::{ClusterSecretStore, EncryptedSecret, ExternalSecret, SecretStore};

/// Every custom resource definition, with the name of the file that it is generated into.
pub fn all() -> Vec<(&'static str, CustomResourceDefinition)> {
    let definitions = [
        ("encryptedsecrets.sealwax.dev.yaml", EncryptedSecret::crd()),
        ("externalsecrets.sealwax.dev.yaml", ExternalSecret::crd()),
        ("secretstores.sealwax.dev.yaml", SecretStore::crd()),
        ("clustersecretstores.sealwax.dev.yaml", ClusterSecretStore::crd()),
    ];
    definitions.into_iter().map(|(file, crd)| (file, without_null(crd))).collect()
}

/// Takes back the derive's `nullable`: absent is the one way to leave a field out, and CEL's `has` is true for null.
fn without_null(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        if let Some(root) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            refuse_null(root);
        }
    }
    crd
}

fn refuse_null(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(refuse_null);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        refuse_null(items);
    }
}

/// A status that no consumer takes for a finished object: Flux and Helm read "no status" as done.
pub(crate) fn unseen() -> Value {
    json!({ "observedGeneration": -1 })
}

fn map(max: usize, values: &Value) -> Schema {
    json_schema!({ "type": "object", "maxProperties": max, "additionalProperties": values })
}

/// Values are strings, and the schema says "integer or string" on purpose: the rule on `spec` then refuses everything
/// else. A mere `type: string` makes server-side apply, which Flux uses, print a value of another type in its error
/// (`expected string, got &value.valueUnstructured{Value:4711}`), and a PIN without quotes is such a value.
pub(crate) fn data(_: &mut SchemaGenerator) -> Schema {
    map(MAX_ITEMS, &json!({ "x-kubernetes-int-or-string": true, "maxLength": MAX_TOKEN }))
}

pub(crate) fn key(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 52, "maxLength": 52 })
}

pub(crate) fn readers(_: &mut SchemaGenerator) -> Schema {
    map(MAX_READERS, &json!({ "type": "string", "maxLength": MAX_WRAP }))
}

pub(crate) fn labels(_: &mut SchemaGenerator) -> Schema {
    map(MAX_ITEMS, &json!({ "type": "string", "maxLength": 63 }))
}

pub(crate) fn templates(_: &mut SchemaGenerator) -> Schema {
    map(MAX_ITEMS, &json!({ "type": "string", "maxLength": MAX_TEMPLATE }))
}

pub(crate) fn annotations(_: &mut SchemaGenerator) -> Schema {
    map(MAX_ITEMS, &json!({ "type": "string" }))
}

/// What CEL can compare in bounded time, and more than anyone writes.
pub(crate) fn few_templates(_: &mut SchemaGenerator) -> Schema {
    map(256, &json!({ "type": "string", "maxLength": MAX_TEMPLATE }))
}

pub(crate) fn tags(_: &mut SchemaGenerator) -> Schema {
    map(50, &json!({ "type": "string", "maxLength": 512 }))
}

pub(crate) fn headers(_: &mut SchemaGenerator) -> Schema {
    map(64, &json!({ "type": "string", "maxLength": 4096 }))
}

/// `metav1.Time`.
pub(crate) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// A number of seconds, or a duration like `5m`.
pub(crate) fn int_or_duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-int-or-string": true, "maxLength": 64 })
}

/// `metav1.LabelSelector`.
pub(crate) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "properties": {
            "matchLabels": {
                "description": "Labels with exactly these values.",
                "type": "object",
                "maxProperties": 64,
                "additionalProperties": { "type": "string", "maxLength": 63 },
            },
            "matchExpressions": {
                "description": "Conditions that hold, all of them.",
                "type": "array",
                "maxItems": 64,
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": { "description": "The label.", "type": "string", "maxLength": 317 },
                        "operator": {
                            "description": "How it relates to the values.",
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "description": "The values; none for `Exists` and `DoesNotExist`.",
                            "type": "array",
                            "maxItems": 64,
                            "items": { "type": "string", "maxLength": 63 },
                        },
                    },
                },
            },
        },
    })
}

/// `metav1.Condition`, as a list that server-side apply merges by type.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": { "type": "string", "maxLength": 316 },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"] },
                "observedGeneration": { "type": "integer", "format": "int64", "minimum": 0 },
                "lastTransitionTime": { "type": "string", "format": "date-time" },
                "reason": { "type": "string", "minLength": 1, "maxLength": 1024 },
                "message": { "type": "string", "maxLength": 32768 },
            },
        },
    })
}
