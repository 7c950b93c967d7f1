//! A controller that serves `ExternalSecret`s in one namespace, and what tests do with it.

use std::path::Path;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use sealwax_crds::{ExternalSecret, FRESH, READY, SecretStatus};
use sealwax_tests::{ControlPlane, Identity, Namespace, wait_for};
use serde_json::{Value, json};

use crate::served::{How, SOON, Served, condition_of, install, rights};

/// A namespace, one for keys, and a controller that serves `ExternalSecret`s in the one.
pub(crate) struct External {
    pub(crate) served: Served,
    pub(crate) objects: Api<ExternalSecret>,
    pub(crate) config_maps: Api<ConfigMap>,
}

impl External {
    pub(crate) async fn start(test: &str) -> Self {
        Self::start_with(test, &[], &[]).await
    }

    /// With further flags and environment variables.
    pub(crate) async fn start_with(test: &str, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let plane = ControlPlane::shared().await;
        install(plane);
        let namespace = Namespace::create(plane, test).await;
        let keys = Namespace::create(plane, &format!("{test}-keys")).await;
        let rights = format!("{}{}", rights(&namespace, &keys), external_rights(keys.name()));
        let identity = Identity::create(plane, keys.name(), "sealwax-controller", &rights).await;
        let flags = [&["--external", "--cluster-stores"], flags].concat();
        let served = Served::start_as(plane, namespace, keys, identity, How::Directly(environment), &flags).await;
        let client = plane.client().await;
        let (objects, config_maps) = (served.namespace.api(&client), served.namespace.api(&client));
        Self { served, objects, config_maps }
    }

    pub(crate) fn namespace(&self) -> &str {
        self.served.namespace.name()
    }

    /// Applies manifests of this namespace, as `kubectl` does.
    pub(crate) fn apply(&self, manifest: &Value) {
        let mut manifest = manifest.clone();
        if manifest["kind"] != "ClusterSecretStore" && manifest["metadata"]["namespace"].is_null() {
            manifest["metadata"]["namespace"] = json!(self.namespace());
        }
        self.served.plane.kubectl().apply(&manifest.to_string());
    }

    /// A store that holds these values itself.
    pub(crate) fn fake(&self, name: &str, values: &[(&str, &str)]) {
        let data: Vec<_> = values.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        self.store(name, &json!({"fake": {"data": data}}));
    }

    /// A store of this namespace.
    pub(crate) fn store(&self, name: &str, provider: &Value) {
        self.apply(&json!({
            "apiVersion": "sealwax.dev/v1alpha1", "kind": "SecretStore", "metadata": {"name": name},
            "spec": {"provider": provider},
        }));
    }

    /// An object with this spec.
    pub(crate) fn external(&self, name: &str, spec: &Value) {
        self.apply(&json!({
            "apiVersion": "sealwax.dev/v1alpha1", "kind": "ExternalSecret", "metadata": {"name": name}, "spec": spec,
        }));
    }

    /// Changes a part of an object.
    pub(crate) async fn change(&self, name: &str, patch: Value) {
        self.objects.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Waits until the current generation was looked at and `Ready` has this status and reason.
    pub(crate) async fn ready(&self, name: &str, status: &str, reason: &str) -> ExternalSecret {
        wait_for(SOON, &format!("{name} to be Ready={status} {reason}"), async || {
            let object = self.objects.get(name).await.ok()?;
            let common = common(&object)?;
            let seen = common.observed_generation == object.metadata.generation;
            let ready = condition_of(common, READY)?;
            (seen && ready.0 == status && ready.1 == reason).then_some(object)
        })
        .await
    }

    /// Waits until the object is Ready though its source gives nothing, for this reason; the message.
    pub(crate) async fn stale(&self, name: &str, reason: &str) -> String {
        wait_for(SOON, &format!("{name} to be stale for {reason}"), async || {
            let object = self.objects.get(name).await.ok()?;
            let (status, why, message) = condition_of(common(&object)?, FRESH)?;
            let good = condition_of(common(&object)?, READY)?.0 == "True";
            (good && status == "False" && why == reason).then_some(message)
        })
        .await
    }

    /// Waits until nothing about the object is stale.
    pub(crate) async fn fresh(&self, name: &str) -> ExternalSecret {
        wait_for(SOON, &format!("{name} to be fresh"), async || {
            let object = self.objects.get(name).await.ok()?;
            let fresh = condition_of(common(&object)?, FRESH).is_none();
            (fresh && condition_of(common(&object)?, READY)?.0 == "True").then_some(object)
        })
        .await
    }

    /// What the status says of each entry.
    pub(crate) fn entries(object: &ExternalSecret) -> Vec<String> {
        let entries = object.status.iter().flat_map(|status| &status.entries);
        entries.map(|entry| format!("{} {:?}", entry.name, entry.state)).collect()
    }
}

fn common(object: &ExternalSecret) -> Option<&SecretStatus> {
    object.status.as_ref().map(|status| &status.common)
}

/// The `ClusterRole` of `deploy/install-external.yaml`, for the controller of this namespace.
fn external_rights(keys: &str) -> String {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/install-external.yaml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    let roles = manifest
        .split("---\n")
        .filter(|text| text.contains("\nkind: ClusterRole\n") || text.contains("kind: ClusterRoleBinding\n"));
    let roles = roles.collect::<Vec<_>>().join("---\n");
    let named = roles
        .replace("sealwax-system", keys)
        .replace("metadata:\n  name: sealwax-controller\n", &format!("metadata:\n  name: {keys}\n"));
    let named =
        named.replace("kind: ClusterRole, name: sealwax-controller", &format!("kind: ClusterRole, name: {keys}"));
    format!("---\n{named}")
}
