//! What the measurements work with: a control plane, the released controller, and objects that read from sources.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, PostParams};
use sealwax_crds::ExternalSecret;
use sealwax_tests::{ControlPlane, Controller, Identity};
use serde_json::{Value, json};
use xtask::tools::workspace_root;

use crate::cluster::until_ready;

/// The namespace of the controller, as everybody has it.
const SYSTEM: &str = "sealwax-system";
/// Longer than anything here takes but the outage.
const LONG: Duration = Duration::from_mins(10);

pub(crate) struct World {
    pub(crate) plane: ControlPlane,
    pub(crate) controller: Controller,
    /// Its kubeconfig lasts as long as this.
    _identity: Identity,
    pub(crate) client: Client,
}

impl World {
    /// Installs what `deploy/` says, and starts the controller with the rights and the limits of it.
    pub(crate) async fn begin(program: PathBuf, aws: &str) -> Self {
        let plane = ControlPlane::start().await;
        for manifest in ["crds", "deploy/install-external.yaml"] {
            let path = workspace_root().join(manifest);
            plane.kubectl().run(&["apply", "--server-side", "--force-conflicts", "-f", &path.display().to_string()]);
        }
        let identity = Identity::create(&plane, SYSTEM, "sealwax-controller", "").await;
        let flags = ["--listen", "127.0.0.1:0", "--external", "--cluster-stores"];
        let controller = Controller::start_program(program, &identity, &flags, &[("AWS_ENDPOINT_URL", aws)]);
        let client = plane.client().await;
        Self { plane, controller, _identity: identity, client }
    }

    pub(crate) fn objects(&self) -> Api<ExternalSecret> {
        Api::namespaced(self.client.clone(), "default")
    }

    pub(crate) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), "default")
    }

    /// A Secret that a store logs in with.
    pub(crate) fn credentials(&self, name: &str, items: &Value) {
        let metadata = json!({"name": name, "namespace": "default"});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": items});
        self.plane.kubectl().apply(&secret.to_string());
    }

    pub(crate) fn store(&self, name: &str, provider: &Value) {
        let metadata = json!({"name": name, "namespace": "default"});
        let spec = json!({"provider": provider});
        let api = "sealwax.dev/v1alpha1";
        let store = json!({"apiVersion": api, "kind": "SecretStore", "metadata": metadata, "spec": spec});
        self.plane.kubectl().apply(&store.to_string());
    }

    /// Creates these while the controller is away, starts it, and says how long until they are all Ready.
    pub(crate) async fn first_sync(&mut self, objects: &[ExternalSecret], all: usize) -> Duration {
        self.controller.terminate(Duration::from_secs(15));
        let (api, parameters) = (self.objects(), PostParams::default());
        stream::iter(objects)
            .for_each_concurrent(16, |object| {
                let (api, parameters) = (&api, &parameters);
                async move { drop(api.create(parameters, object).await.unwrap()) }
            })
            .await;
        let start = Instant::now();
        self.controller.restart();
        self.all(all, is_ready).await.saturating_duration_since(start)
    }

    /// Waits until this is so for so many objects.
    pub(crate) async fn all(&self, wanted: usize, is_so: impl Fn(&ExternalSecret) -> bool) -> Instant {
        tokio::time::timeout(LONG, until_ready(&self.objects(), wanted, is_so)).await.expect("all become so")
    }
}

/// An object that reads three properties of one secret, if it has properties.
pub(crate) fn object(name: &str, store: &str, key: &str, properties: Option<[&str; 3]>, every: &str) -> ExternalSecret {
    let entry = |item: &str, reference: Value| json!({"secretKey": item, "remoteRef": reference});
    let data: Vec<_> = match properties {
        Some(properties) => properties.map(|item| entry(item, json!({"key": key, "property": item}))).to_vec(),
        None => vec![entry("value", json!({"key": key}))],
    };
    let metadata = json!({"name": name, "namespace": "default"});
    let spec = json!({"refreshInterval": every, "secretStoreRef": {"name": store}, "data": data});
    let object =
        json!({"apiVersion": "sealwax.dev/v1alpha1", "kind": "ExternalSecret", "metadata": metadata, "spec": spec});
    serde_json::from_value(object).unwrap()
}

fn condition(object: &ExternalSecret, kind: &str) -> Option<String> {
    let status = &object.status.as_ref()?.common;
    let found = status.conditions.iter().find(|condition| condition.type_ == kind)?;
    (status.observed_generation == object.metadata.generation).then(|| found.status.clone())
}

/// Whether the controller has dealt with the object as it is now, and it is Ready.
pub(crate) fn is_ready(object: &ExternalSecret) -> bool {
    condition(object, "Ready").as_deref() == Some("True")
}

/// Whether what the object fed is older than it should be.
pub(crate) fn is_stale(object: &ExternalSecret) -> bool {
    condition(object, "Fresh").as_deref() == Some("False")
}

/// Whether it is Ready, and its values are as new as they should be.
pub(crate) fn is_fresh(object: &ExternalSecret) -> bool {
    is_ready(object) && !is_stale(object)
}
