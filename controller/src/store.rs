//! What is kept of watched objects: as little as the next decision needs.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use kube::core::{ObjectMeta, PartialObjectMeta};
use sealwax_crds::{EncryptedSecret, READY, STALLED, SecretStatus};
use sealwax_format::keys::{Fingerprint, Label};

use crate::ownership::{ADOPT_BY, FEEDS};
use crate::writer::is_from_create;

/// Label of every Secret that the controller makes, by which it watches them.
pub const MANAGED_BY: &str = "sealwax.dev/managed-by";

/// Annotation of an object that asks for a look at it when it says something new.
pub const RECONCILE_AT: &str = "sealwax.dev/reconcile-at";
/// The same, as `flux reconcile` and its like set it.
pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";

/// Annotations of an `ExternalSecret` that ask for its values to be read anew when they say something new; the first ones
/// are those that people know from elsewhere.
pub const FORCE_SYNC: [&str; 3] = ["force-sync", "external-secrets.io/force-sync", "sealwax.dev/force-sync"];

/// What an object's annotations ask for: ours, and Flux's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Requests<'o> {
    /// The value of [`RECONCILE_AT`].
    pub own: Option<&'o str>,
    /// The value of [`REQUESTED_AT`].
    pub flux: Option<&'o str>,
}

impl<'o> Requests<'o> {
    /// Reads them.
    pub fn of(meta: &'o ObjectMeta) -> Self {
        let value = |key| meta.annotations.as_ref()?.get(key).map(String::as_str);
        Self { own: value(RECONCILE_AT), flux: value(REQUESTED_AT) }
    }

    /// Whether one of them has not been obeyed. One that was taken back asks for nothing.
    pub fn are_new(&self, status: &SecretStatus) -> bool {
        let new = |asked: Option<&str>, handled: &Option<String>| asked.is_some() && asked != handled.as_deref();
        new(self.own, &status.last_reconcile_at) || new(self.flux, &status.last_handled_reconcile_at)
    }
}

/// Strips an `EncryptedSecret` on its way into the store.
///
/// The ciphertext of an object that is settled, or waits for somebody, is dropped: whoever needs it after all reads it again. Objects
/// that are not settled keep theirs, because they are about to be opened: with our own wraps, not those of other readers.
pub fn strip_object(object: &mut EncryptedSecret, own: impl Fn(&Fingerprint) -> bool) {
    let meta = &mut object.metadata;
    meta.managed_fields = None;
    meta.labels = None;
    strip_annotations(meta);
    let named = !object.spec.readers.is_empty();
    object.spec.readers.retain(|label, _| label.parse::<Label>().is_ok_and(|label| own(label.fingerprint())));
    let opens = !named || !object.spec.readers.is_empty();
    let waits = object.spec.suspend == Some(true) || is_stalled(object.metadata.generation, object.status.as_ref());
    if is_settled(object.metadata.generation, object.status.as_ref()) || waits || !opens {
        object.spec.data.clear();
        object.spec.readers.clear();
        object.spec.sealed_for = sealwax_crds::SealedFor::default();
    }
}

/// Keeps the annotations that ask for something, and no others.
pub fn strip_annotations(meta: &mut ObjectMeta) {
    if let Some(annotations) = &mut meta.annotations {
        annotations.retain(|key, _| {
            [RECONCILE_AT, REQUESTED_AT].contains(&key.as_str()) || FORCE_SYNC.contains(&key.as_str())
        });
    }
    meta.annotations = meta.annotations.take().filter(|annotations| !annotations.is_empty());
}

/// Whether the ciphertext is there. `sealedFor` is never empty in an object that the API server accepted.
pub fn is_complete(object: &EncryptedSecret) -> bool {
    !object.spec.sealed_for.namespace.is_empty()
}

/// Whether the status says that this generation is in the Secret.
pub fn is_settled(generation: Option<i64>, status: Option<&SecretStatus>) -> bool {
    let Some(status) = status else { return false };
    let ready = status.conditions.iter().any(|condition| condition.type_ == READY && condition.status == "True");
    ready && status.observed_generation.is_some() && status.observed_generation == generation
}

/// Whether the status says that somebody must act on this generation.
fn is_stalled(generation: Option<i64>, status: Option<&SecretStatus>) -> bool {
    let Some(status) = status else { return false };
    status.observed_generation == generation && status.conditions.iter().any(|condition| condition.type_ == STALLED)
}

/// Strips the metadata of a Secret of ours on its way into the store.
pub fn strip_secret(secret: &mut PartialObjectMeta<Secret>) {
    let meta = std::mem::take(&mut secret.metadata);
    let mut annotations = meta.annotations.unwrap_or_default();
    annotations.retain(|key, _| key == ADOPT_BY || key.starts_with(FEEDS));
    let mut from_create = meta.managed_fields.unwrap_or_default();
    from_create.retain(|entry| entry.manager.as_deref().is_some_and(|manager| is_from_create(entry, manager)));
    for entry in &mut from_create {
        entry.fields_v1 = None;
    }
    secret.metadata = ObjectMeta {
        namespace: meta.namespace,
        name: meta.name,
        uid: meta.uid,
        resource_version: meta.resource_version,
        owner_references: meta.owner_references,
        annotations: (!annotations.is_empty()).then_some(annotations),
        managed_fields: (!from_create.is_empty()).then_some(from_create),
        ..ObjectMeta::default()
    };
}

/// Objects that wait for a Secret which others hold, by namespace and name of the Secret: no owner reference leads to
/// them.
#[derive(Debug, Default)]
pub struct Contended(Mutex<HashMap<(String, String), BTreeSet<String>>>);

impl Contended {
    /// The object waits for this Secret.
    pub fn wait(&self, object: &ObjectMeta, secret: &str) {
        let key = (object.namespace.clone().unwrap_or_default(), secret.to_owned());
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entry(key).or_default().insert(object.name.clone().unwrap_or_default());
    }

    /// The object is gone.
    pub fn forget(&self, object: &ObjectMeta, secret: &str) {
        let key = (object.namespace.clone().unwrap_or_default(), secret.to_owned());
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(names) = waiting.get_mut(&key) else { return };
        names.remove(object.name.as_deref().unwrap_or_default());
        if names.is_empty() {
            waiting.remove(&key);
        }
    }

    /// Who has waited for this Secret. They look, and wait again if they must.
    pub fn take(&self, namespace: &str, secret: &str) -> BTreeSet<String> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(&(namespace.to_owned(), secret.to_owned())).unwrap_or_default()
    }
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
        strip_object(&mut behind, |_| false);
        assert!(is_complete(&behind));
        let mut settled = manifest(serde_json::json!({"observedGeneration": 2, "conditions": condition}));
        strip_object(&mut settled, |_| false);
        assert!(!is_complete(&settled) && settled.spec.data.is_empty());
    }

    #[test]
    fn a_request_counts_until_it_is_obeyed() {
        let mut meta = ObjectMeta::default();
        let mut status = SecretStatus::default();
        assert!(!Requests::of(&meta).are_new(&status));
        let annotations = [(RECONCILE_AT, "now"), (REQUESTED_AT, "2026-02-01T00:00:00Z")];
        meta.annotations = Some(annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        assert!(Requests::of(&meta).are_new(&status));
        status.last_reconcile_at = Some("now".into());
        assert!(Requests::of(&meta).are_new(&status), "the one does not stand for the other");
        status.last_handled_reconcile_at = Some("2026-02-01T00:00:00Z".into());
        assert!(!Requests::of(&meta).are_new(&status));
    }

    #[test]
    fn orders_resource_versions_as_numbers() {
        assert!(is_later("10", "9"));
        assert!(!is_later("9", "9") && !is_later("x", "9"));
    }
}
