//! What a controller does for `ExternalSecret`s: it logs in as service accounts, reads, restores from its copies.

use kube::Api;
use kube::api::DeleteParams;
use kube::config::Kubeconfig;
use sealwax_crds::{ExternalSecret, READY, SecretStatus};
use sealwax_tests::wait_for;
use serde_json::{Value, json};

use super::{Life, SOON};

/// May read the Secret `origin`, of which the stores here are made.
const READER: &str = "external-reader";

impl Life {
    /// Reads a Secret of this namespace through stores of the Kubernetes provider; the cluster's own, if it is served.
    pub(crate) async fn syncs(&self, cluster_stores: bool) {
        self.has_an_origin();
        self.manifest("SecretStore", "near", &json!({"provider": {"kubernetes": self.provider("")}}));
        self.external("near", &json!({"name": "near"}));
        self.external_ready("near", "Synced").await;
        self.holds("near", "password", "hunter2").await;
        self.comes_back_without_its_source().await;
        self.asks_for_a_role().await;
        self.takes_its_items_out().await;
        if cluster_stores {
            self.reads_through_a_store_of_the_cluster().await;
        }
    }

    /// A Secret, who may read it, and the certificate of the API server.
    fn has_an_origin(&self) {
        let name = self.served.name();
        let rules = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}]);
        let subjects = json!([{"kind": "ServiceAccount", "name": READER, "namespace": name}]);
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": READER});
        let authority = std::fs::read_to_string(self.plane.directory().join("ca.crt")).unwrap();
        let rbac = "rbac.authorization.k8s.io/v1";
        for (version, kind, called, body) in [
            ("v1", "ServiceAccount", READER, json!({})),
            (rbac, "Role", READER, json!({"rules": rules})),
            (rbac, "RoleBinding", READER, json!({"roleRef": role, "subjects": subjects})),
            ("v1", "ConfigMap", "authority", json!({"data": {"ca.crt": authority}})),
            ("v1", "Secret", "origin", json!({"stringData": {"password": "hunter2"}})),
        ] {
            let mut manifest = body;
            manifest["apiVersion"] = version.into();
            manifest["kind"] = kind.into();
            manifest["metadata"] = json!({"name": called, "namespace": name});
            self.plane.kubectl().apply(&manifest.to_string());
        }
    }

    /// The source goes, and then what it fed: the copy makes it again.
    async fn comes_back_without_its_source(&self) {
        self.secrets.delete("origin", &DeleteParams::default()).await.unwrap();
        self.secrets.delete("near", &DeleteParams::default()).await.unwrap();
        self.holds("near", "password", "hunter2").await;
        self.has_an_origin();
    }

    /// A login to AWS by a service account that names no role.
    async fn asks_for_a_role(&self) {
        let auth = json!({"jwt": {"serviceAccountRef": {"name": READER}}});
        let aws = json!({"service": "SecretsManager", "region": "eu-central-1", "auth": auth});
        self.manifest("SecretStore", "far", &json!({"provider": {"aws": aws}}));
        self.external("far", &json!({"name": "far"}));
        self.external_ready("far", "StoreInvalid").await;
    }

    /// Two objects feed one Secret; then one of them goes.
    async fn takes_its_items_out(&self) {
        for (name, item) in [("first-of-two", "one"), ("second-of-two", "two")] {
            let reference = json!({"key": "origin", "property": "password"});
            let spec = json!({
                "secretStoreRef": {"name": "near"}, "target": {"name": "of-two"},
                "data": [{"secretKey": item, "remoteRef": reference}],
            });
            self.manifest("ExternalSecret", name, &spec);
            self.holds("of-two", item, "hunter2").await;
        }
        let objects: Api<ExternalSecret> = self.served.api(&self.plane.client().await);
        objects.delete("second-of-two", &DeleteParams::default()).await.unwrap();
        wait_for(SOON, "the items of an object that is gone to go", async || {
            let data = self.secrets.get("of-two").await.ok()?.data?;
            data.keys().eq(["one"]).then_some(())
        })
        .await;
    }

    /// Whose conditions ask for the namespace's labels, and whose account allows it.
    async fn reads_through_a_store_of_the_cluster(&self) {
        let name = self.served.name();
        let kubectl = self.plane.kubectl();
        kubectl.run(&["label", "namespace", name, "team=external"]);
        let allow = "sealwax.dev/allow-cluster-stores=shared";
        kubectl.run(&["annotate", "serviceaccount", READER, "--namespace", name, allow]);
        let mut store = json!({
            "conditions": [{"namespaceSelector": {"matchLabels": {"team": "external"}}}],
            "provider": {"kubernetes": self.provider(name)},
        });
        store["provider"]["kubernetes"]["server"]["caProvider"]["namespace"] = name.into();
        self.manifest("ClusterSecretStore", "shared", &store);
        self.external("through-the-cluster", &json!({"name": "shared", "kind": "ClusterSecretStore"}));
        self.external_ready("through-the-cluster", "Synced").await;
    }

    /// The Secrets of this namespace, read as the account that may.
    fn provider(&self, namespace: &str) -> Value {
        let kubeconfig = Kubeconfig::read_from(self.plane.kubeconfig()).unwrap();
        let url = kubeconfig.clusters[0].cluster.as_ref().unwrap().server.clone();
        let mut account = json!({"name": READER});
        if !namespace.is_empty() {
            account["namespace"] = namespace.into();
        }
        json!({
            "remoteNamespace": self.served.name(),
            "server": {"url": url, "caProvider": {"type": "ConfigMap", "name": "authority", "key": "ca.crt"}},
            "auth": {"serviceAccount": account},
        })
    }

    fn external(&self, name: &str, store: &Value) {
        let reference = json!({"key": "origin", "property": "password"});
        let data = json!([{"secretKey": "password", "remoteRef": reference}]);
        let spec = json!({"refreshInterval": "1s", "secretStoreRef": store, "data": data});
        self.manifest("ExternalSecret", name, &spec);
    }

    fn manifest(&self, kind: &str, name: &str, spec: &Value) {
        let mut metadata = json!({"name": name});
        if kind != "ClusterSecretStore" {
            metadata["namespace"] = self.served.name().into();
        }
        let manifest = json!({"apiVersion": "sealwax.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec});
        self.plane.kubectl().apply(&manifest.to_string());
    }

    async fn external_ready(&self, name: &str, reason: &str) {
        let objects: Api<ExternalSecret> = self.served.api(&self.plane.client().await);
        wait_for(SOON, &format!("{name} to be {reason}"), async || {
            let status: SecretStatus = objects.get(name).await.ok()?.status?.common;
            let ready = status.conditions.into_iter().find(|condition| condition.type_ == READY)?;
            (ready.reason == reason).then_some(())
        })
        .await;
    }
}
