//! A namespace for one test, which tells what was in it when the test fails.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use k8s_openapi::api::core::v1::Namespace as Object;
use kube::api::PostParams;
use kube::core::{NamespaceResourceScope, ObjectMeta};
use kube::{Api, Client, Resource};

use crate::{ControlPlane, Kubectl};

/// A namespace that is deleted with its contents when this is dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    kubectl: Kubectl,
}

impl Namespace {
    /// Makes a namespace with a name of its own that begins with `test`.
    pub async fn create(control_plane: &ControlPlane, test: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // The process id sets test programs apart that share a control plane.
        let name = format!("{test}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let object =
            Object { metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() }, ..Object::default() };
        let api = Api::<Object>::all(control_plane.client().await);
        api.create(&PostParams::default(), &object).await.expect("a namespace can be created");
        Self { name, kubectl: control_plane.kubectl() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The objects of one kind in it.
    pub fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(client.clone(), &self.name)
    }

    /// Everything in it as text, without the contents of Secrets.
    pub fn describe(&self) -> String {
        let kinds = self.get(&["api-resources", "--verbs=list", "--namespaced", "--output=name"]);
        // Secrets come as a table below; `events` of the core group are the same as those of events.k8s.io.
        let kinds: Vec<&str> =
            kinds.lines().filter(|kind| !matches!(*kind, "secrets" | "events.events.k8s.io" | "events")).collect();
        let secrets = "custom-columns=SECRET:.metadata.name,TYPE:.type,VERSION:.metadata.resourceVersion,\
                       OWNERS:.metadata.ownerReferences[*].name,LABELS:.metadata.labels";
        [
            self.get(&["get", &kinds.join(","), "--output=yaml", "--ignore-not-found"]),
            self.get(&["get", "secrets", "--output", secrets]),
            self.get(&["get", "events", "--sort-by=.metadata.creationTimestamp"]),
        ]
        .join("\n")
    }

    fn get(&self, arguments: &[&str]) -> String {
        let arguments = [&["--namespace", &self.name, "--request-timeout=5s"], arguments].concat();
        let output = self.kubectl.output(&arguments, "");
        String::from_utf8_lossy(if output.status.success() { &output.stdout } else { &output.stderr }).into_owned()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- namespace {} at the time of the failure ---\n{}\n---", self.name, self.describe());
        }
        // A namespace left over harms nobody: the whole control plane is thrown away.
        let _ = self.get(&["delete", "namespace", &self.name, "--wait=false"]);
    }
}
