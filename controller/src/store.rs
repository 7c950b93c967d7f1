//! What is kept of watched objects: as little as the next decision needs.

use k8s_openapi::api::core::v1::Secret;
use kube::core::{ObjectMeta, PartialObjectMeta};
use sealwax_crds::{EncryptedSecret, EncryptedSecretStatus, READY};

use crate::ownership::ADOPT_BY;
use crate::writer::is_from_create;

/// Label of every Secret that the controller makes, by which it watches them.
pub const MANAGED_BY: &str = "sealwax.dev/managed-by";

/// Strips an `EncryptedSecret` on its way into the store.
///
/// The ciphertext of an object that is settled is dropped: whoever needs it after all, to heal, reads it again. Objects
/// that are not settled keep theirs, because they are about to be opened, or wait for a key.
pub fn strip_object(object: &mut EncryptedSecret) {
    let meta = &mut object.metadata;
    meta.managed_fields = None;
    meta.annotations = None;
    meta.labels = None;
    if is_settled(object.metadata.generation, object.status.as_ref()) {
        object.spec.data.clear();
        object.spec.readers.clear();
        object.spec.sealed_for = sealwax_crds::SealedFor::default();
    }
}

/// Whether the ciphertext is there. `sealedFor` is never empty in an object that the API server accepted.
pub fn is_complete(object: &EncryptedSecret) -> bool {
    !object.spec.sealed_for.namespace.is_empty()
}

/// Whether the status says that this generation is in the Secret.
pub fn is_settled(generation: Option<i64>, status: Option<&EncryptedSecretStatus>) -> bool {
    let Some(status) = status else { return false };
    let ready = status.conditions.iter().any(|condition| condition.type_ == READY && condition.status == "True");
    ready && status.observed_generation.is_some() && status.observed_generation == generation
}

/// Strips the metadata of a Secret of ours on its way into the store.
pub fn strip_secret(secret: &mut PartialObjectMeta<Secret>) {
    let meta = std::mem::take(&mut secret.metadata);
    let adopt = meta.annotations.and_then(|mut annotations| annotations.remove_entry(ADOPT_BY));
    let mut from_create = meta.managed_fields.unwrap_or_default();
    from_create.retain(is_from_create);
    for entry in &mut from_create {
        entry.fields_v1 = None;
    }
    secret.metadata = ObjectMeta {
        namespace: meta.namespace,
        name: meta.name,
        uid: meta.uid,
        resource_version: meta.resource_version,
        owner_references: meta.owner_references,
        annotations: adopt.map(|entry| [entry].into()),
        managed_fields: (!from_create.is_empty()).then_some(from_create),
        ..ObjectMeta::default()
    };
}

/// Whether resource version `a` is later than `b`. Kubernetes orders them as numbers since 1.35; what is no number is
/// never later, which costs a look at the API server and no more.
pub fn is_later(a: &str, b: &str) -> bool {
    matches!((a.parse::<u128>(), b.parse::<u128>()), (Ok(a), Ok(b)) if a > b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_ciphertext_until_the_object_is_settled() {
        let manifest = |status: serde_json::Value| -> EncryptedSecret {
            serde_json::from_value(serde_json::json!({
                "apiVersion": "sealwax.dev/v1alpha1", "kind": "EncryptedSecret",
                "metadata": {"name": "db", "generation": 2},
                "spec": {"data": {"a": "ENC[wax1,x]"}, "sealedFor": {"namespace": "n", "name": "db"}},
                "status": status,
            }))
            .unwrap()
        };
        let condition = serde_json::json!([{"type": "Ready", "status": "True", "reason": "Synced", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
        let mut behind = manifest(serde_json::json!({"observedGeneration": 1, "conditions": condition}));
        strip_object(&mut behind);
        assert!(is_complete(&behind));
        let mut settled = manifest(serde_json::json!({"observedGeneration": 2, "conditions": condition}));
        strip_object(&mut settled);
        assert!(!is_complete(&settled) && settled.spec.data.is_empty());
    }

    #[test]
    fn orders_resource_versions_as_numbers() {
        assert!(is_later("10", "9"));
        assert!(!is_later("9", "9") && !is_later("x", "9"));
    }
}
