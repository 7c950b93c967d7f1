//! A controller that serves `ExternalSecret`s in one namespace, and what tests do with it.

use std::path::Path;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use kube::{Api, Client};
use sealwax_crds::{ExternalSecret, FRESH, READY, SecretStatus, SecretStore};
use sealwax_tests::{ControlPlane, Identity, Namespace, wait_for};
use serde_json::{Value, json};

use crate::served::{How, SOON, Served, condition_of, install, rights};

/// Items of a Secret and their values.
pub(crate) type Items = &'static [(&'static str, &'static str)];

/// A namespace, one for keys, and a controller that serves `ExternalSecret`s in the one.
pub(crate) struct External {
    pub(crate) served: Served,
    pub(crate) objects: Api<ExternalSecret>,
    pub(crate) client: Client,
    /// Of the controller and of what is applied here.
    class: Option<String>,
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
        let objects = served.namespace.api(&client);
        Self { served, objects, client, class: None }
    }

    /// With a class of its own, so that its `ClusterSecretStore`s are nothing to the controllers of other tests.
    pub(crate) async fn start_classed(test: &str, environment: &[(&str, &str)]) -> Self {
        let world = Self::start_with(test, &["--class", test], environment).await;
        Self { class: Some(test.to_owned()), ..world }
    }

    /// The name of the copy of an object's values. The key that copies are encrypted with may be made just now.
    pub(crate) async fn copy_of(&self, name: &str) -> String {
        let copy = async || Some(self.objects.get(name).await.ok()?.status?.last_good?.name);
        wait_for(SOON, "a copy of the values", copy).await
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

    /// A store of the cluster; its name, which begins with that of the namespace.
    pub(crate) fn cluster_store(&self, name: &str, provider: &Value, conditions: &Value) -> String {
        let name = format!("{}-{name}", self.namespace());
        self.apply(&json!({
            "apiVersion": "sealwax.dev/v1alpha1", "kind": "ClusterSecretStore", "metadata": {"name": name},
            "spec": {"provider": provider, "conditions": conditions, "controller": self.class},
        }));
        name
    }

    /// An object with this spec.
    pub(crate) fn external(&self, name: &str, spec: &Value) {
        let mut spec = spec.clone();
        if let Some(class) = &self.class {
            spec["class"] = json!(class);
        }
        self.apply(&json!({
            "apiVersion": "sealwax.dev/v1alpha1", "kind": "ExternalSecret", "metadata": {"name": name}, "spec": spec,
        }));
    }

    /// A Secret of somebody else's.
    pub(crate) fn secret(&self, name: &str, items: &[(&str, &str)]) {
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": map(items),
        }));
    }

    /// A `ConfigMap`.
    pub(crate) fn config_map(&self, name: &str, items: &[(&str, &str)]) {
        self.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": map(items)}));
    }

    /// A service account of this namespace with these annotations.
    pub(crate) fn account(&self, name: &str, annotations: &[(&str, &str)]) {
        self.apply(&json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "annotations": map(annotations)},
        }));
    }

    /// A token of a service account of this namespace, for these audiences.
    pub(crate) async fn token(&self, account: &str, audiences: &[&str]) -> String {
        let accounts: Api<ServiceAccount> = self.served.namespace.api(&self.client);
        let audiences = audiences.iter().map(|&audience| audience.to_owned()).collect();
        let wanted = TokenRequest {
            spec: TokenRequestSpec { audiences, ..TokenRequestSpec::default() },
            ..TokenRequest::default()
        };
        let made = accounts.create_token_request(account, &PostParams::default(), &wanted).await.unwrap();
        made.status.unwrap().token
    }

    /// Where the API server is, and who vouches for it.
    pub(crate) fn api_server(&self) -> (String, String) {
        let kubeconfig = Kubeconfig::read_from(self.served.plane.kubeconfig()).unwrap();
        let url = kubeconfig.clusters[0].cluster.as_ref().unwrap().server.clone().unwrap();
        (url, self.plane_file("ca.crt"))
    }

    /// A file of the control plane.
    pub(crate) fn plane_file(&self, name: &str) -> String {
        std::fs::read_to_string(self.served.plane.directory().join(name)).unwrap()
    }

    /// Asks for a refresh, as people do.
    pub(crate) async fn force(&self, name: &str, word: &str) {
        self.change(name, json!({"metadata": {"annotations": {"force-sync": word}}})).await;
    }

    /// Waits until a store's `Ready` has this status and reason; the message.
    pub(crate) async fn store_ready(&self, name: &str, status: &str, reason: &str) -> String {
        let stores: Api<SecretStore> = self.served.namespace.api(&self.client);
        wait_for(SOON, &format!("store {name} to be Ready={status} {reason}"), async || {
            let store = stores.get(name).await.ok()?;
            let ready = store.status?.conditions.into_iter().find(|condition| condition.type_ == READY)?;
            (ready.status == status && ready.reason == reason).then_some(ready.message)
        })
        .await
    }

    /// Waits until there is no such Secret.
    pub(crate) async fn gone(&self, name: &str) {
        wait_for(SOON, &format!("Secret {name} to be gone"), async || {
            matches!(self.served.secrets.get_opt(name).await, Ok(None)).then_some(())
        })
        .await;
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

/// The message of the condition `Ready`.
pub(crate) fn message(object: &ExternalSecret) -> String {
    common(object).and_then(|status| condition_of(status, READY)).unwrap().2
}

/// The spec of an object that reads these items, each from a key: `password <- team/db password`, where the last word is
/// a property.
pub(crate) fn reads(store: &str, entries: &[&str]) -> Value {
    let data = entries.iter().map(|entry| {
        let (item, remote) = entry.split_once(" <- ").unwrap();
        let mut remote_ref = json!({"key": remote});
        if let Some((key, property)) = remote.split_once(' ') {
            remote_ref = json!({"key": key, "property": property});
        }
        json!({"secretKey": item, "remoteRef": remote_ref})
    });
    json!({"secretStoreRef": {"name": store}, "data": data.collect::<Vec<_>>()})
}

/// A spec with more in it.
pub(crate) fn with(mut spec: Value, more: &Value) -> Value {
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

fn map(items: &[(&str, &str)]) -> Value {
    items.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
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
