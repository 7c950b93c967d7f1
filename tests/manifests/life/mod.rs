//! Everything that a controller does in its life. Extend it with what the controller learns.

mod external;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use sealwax_crds::{EncryptedSecret, EncryptedSecretSpec, READY, SealedFor};
use sealwax_format::keys::Recipient;
use sealwax_format::native::{self, Place};
use sealwax_format::{OsRandom, Path, Plaintext, SecretBytes, ValueType};
use sealwax_tests::{ControlPlane, Controller, Namespace, scrape, wait_for};
use serde_json::{Value, json};

use crate::installed::{Installed, SOON};

const FIRST: &str = "sealwax-cluster-key-1";
const SECOND: &str = "sealwax-cluster-key-2";

/// A controller and what it works on.
pub(crate) struct Life {
    plane: &'static ControlPlane,
    pub(crate) served: Namespace,
    pub(crate) installed: Installed,
    controller: Controller,
    objects: Api<EncryptedSecret>,
    secrets: Api<Secret>,
    keys: Api<Secret>,
    config_maps: Api<ConfigMap>,
    reader: Recipient,
}

impl Life {
    /// Its first start: it makes a key, and its copies, and publishes both.
    pub(crate) async fn begin(plane: &'static ControlPlane, served: Namespace, installed: Installed) -> Self {
        let controller = installed.start();
        let client = plane.client().await;
        let config_maps: Api<ConfigMap> = installed.own.api(&client);
        let reader = wait_for(SOON, "a published recipient", async || {
            let data = config_maps.get_opt("sealwax-recipients").await.ok()??.data?;
            Recipient::parse("cluster", data.get("recipients")?.lines().find(|line| !line.starts_with('#'))?).ok()
        })
        .await;
        let (objects, secrets, keys) = (served.api(&client), served.api(&client), installed.own.api(&client));
        Self { plane, served, installed, controller, objects, secrets, keys, config_maps, reader }
    }

    pub(crate) async fn run_through(&mut self) {
        self.makes_heals_and_renames().await;
        self.shares().await;
        self.restarts_workloads().await;
        self.meets_a_secret_that_is_not_its_own().await;
        self.meets_one_fault_twice().await;
        self.loses_its_key_twice().await;
        self.rotates().await;
        self.hands_over().await;
        self.comes_back().await;
    }

    async fn makes_heals_and_renames(&self) {
        self.apply("db", "first", None).await;
        self.holds("db", "item", "first").await;
        self.reason("db", "Synced").await;
        for _ in 0..2 {
            let edit = json!({"stringData": {"item": "changed"}});
            self.secrets.patch("db", &PatchParams::default(), &Patch::Merge(edit)).await.unwrap();
            self.holds("db", "item", "first").await;
        }
        self.secrets.delete("db", &DeleteParams::default()).await.unwrap();
        self.holds("db", "item", "first").await;
        self.apply("db", "second", Some("elsewhere")).await;
        self.holds("elsewhere", "item", "second").await;
        wait_for(SOON, "the Secret of the former name to go", async || {
            matches!(self.secrets.get_opt("db").await, Ok(None)).then_some(())
        })
        .await;
    }

    /// Two objects feed one Secret; then one of them goes.
    async fn shares(&self) {
        for (name, item) in [("one", "item"), ("other", "second")] {
            let mut object = self.seal(name, item, "value");
            object["spec"]["target"] = json!({"name": "shared"});
            self.put(name, &object).await;
            self.holds("shared", item, "value").await;
        }
        self.objects.delete("other", &DeleteParams::default()).await.unwrap();
        wait_for(SOON, "the items of an object that is gone to go", async || {
            let data = self.secrets.get("shared").await.ok()?.data?;
            data.keys().eq(["item"]).then_some(())
        })
        .await;
    }

    async fn restarts_workloads(&self) {
        self.apply("app", "1", None).await;
        self.reason("app", "Synced").await;
        let kubectl = self.plane.kubectl();
        let kinds = ["Deployment", "StatefulSet", "DaemonSet"];
        for kind in kinds {
            let workload = json!({
                "apiVersion": "apps/v1", "kind": kind,
                "metadata": {"name": "app", "namespace": self.served.name(),
                    "annotations": {"sealwax.dev/restart-on": "app"}},
                "spec": {
                    "selector": {"matchLabels": {"app": "app"}},
                    "template": {
                        "metadata": {"labels": {"app": "app"}},
                        "spec": {"containers": [{"name": "c", "image": "example.com/x"}]},
                    },
                },
            });
            kubectl.apply(&workload.to_string());
        }
        self.apply("app", "2", None).await;
        let annotation = "jsonpath={.spec.template.metadata.annotations.restart\\.sealwax\\.dev/app}";
        for kind in kinds {
            wait_for(SOON, &format!("the restart of the {kind}"), async || {
                let read = ["get", kind, "app", "--namespace", self.served.name(), "--output", annotation];
                (!kubectl.run(&read).is_empty()).then_some(())
            })
            .await;
        }
    }

    async fn meets_a_secret_that_is_not_its_own(&self) {
        let taken: Secret = serde_json::from_value(json!({"metadata": {"name": "taken"}})).unwrap();
        self.secrets.create(&PostParams::default(), &taken).await.unwrap();
        self.apply("taken", "value", None).await;
        self.reason("taken", "NotOwned").await;
    }

    /// An event that repeats is patched, not created.
    async fn meets_one_fault_twice(&self) {
        let good = self.seal("moved", "item", "value");
        let mut moved = good.clone();
        moved["spec"]["sealedFor"]["name"] = "other".into();
        for _ in 0..2 {
            self.put("moved", &moved).await;
            self.reason("moved", "WrongPlace").await;
            self.put("moved", &good).await;
            self.reason("moved", "Synced").await;
        }
    }

    async fn loses_its_key_twice(&self) {
        let mut key = self.keys.get(FIRST).await.unwrap();
        key.metadata = ObjectMeta { name: key.metadata.name, labels: key.metadata.labels, ..ObjectMeta::default() };
        for round in ["once", "twice"] {
            let before = self.controller.log().matches("there is no key to seal with").count();
            self.keys.delete(FIRST, &DeleteParams::default()).await.unwrap();
            wait_for(SOON, "the controller to miss its key", async || {
                let after = self.controller.log().matches("there is no key to seal with").count();
                (after > before).then_some(())
            })
            .await;
            self.keys.create(&PostParams::default(), &key).await.unwrap();
            self.apply("db", round, Some("elsewhere")).await;
            self.holds("elsewhere", "item", round).await;
        }
    }

    /// Somebody asks for a new key, as `sealwax keys rotate` does.
    async fn rotates(&self) {
        let ask = json!({"metadata": {"annotations": {"sealwax.dev/rotate": "now"}}});
        self.config_maps.patch("sealwax-recipients", &PatchParams::default(), &Patch::Merge(ask)).await.unwrap();
        for (name, state) in [(FIRST, "old"), (SECOND, "active")] {
            wait_for(SOON, &format!("{name} to be {state}"), async || {
                let labels = self.keys.get_opt(name).await.ok()??.metadata.labels?;
                (labels.get("sealwax.dev/cluster-key")? == state).then_some(())
            })
            .await;
        }
        wait_for(SOON, "the copies of both keys", async || {
            let data = self.config_maps.get_opt("sealwax-escrow").await.ok()??.data?;
            let copied = |key: &str| data.keys().any(|item| item.starts_with(&format!("{key}.")));
            (copied(FIRST) && copied(SECOND)).then_some(())
        })
        .await;
    }

    /// A second replica waits, and leads when the first one ends.
    async fn hands_over(&mut self) {
        let next = self.installed.start();
        next.wait_for_log(SOON, "waiting to lead").await;
        assert!(self.controller.terminate(SOON).success());
        next.wait_for_log(SOON, "\"leading\"").await;
        self.controller = next;
        self.apply("taken-over", "value", None).await;
        self.holds("taken-over", "item", "value").await;
    }

    async fn comes_back(&mut self) {
        self.controller.restart();
        self.apply("late", "value", None).await;
        self.holds("late", "item", "value").await;
    }

    /// Who serves every namespace tells that it does not serve this one.
    pub(crate) async fn meets_an_object_beside_its_keys(&self) {
        let objects: Api<EncryptedSecret> = self.installed.own.api(&self.plane.client().await);
        let object = self.seal("beside", "item", "value");
        objects.patch("beside", &PatchParams::apply("git").force(), &Patch::Apply(object)).await.unwrap();
        wait_for(SOON, "the object to be refused", async || {
            let status = objects.get("beside").await.ok()?.status?;
            status.conditions.iter().any(|condition| condition.reason == "OwnNamespace").then_some(())
        })
        .await;
    }

    /// Starts again without the rights where it serves, gets them back, and meets a Secret that was edited and one that is
    /// not its own; what it tells of all that on `/metrics`.
    pub(crate) async fn gets_into_trouble(&mut self) -> String {
        self.apply("db", "first", None).await;
        self.holds("db", "item", "first").await;
        let bound = ["rolebinding", "sealwax-controller", "--namespace", self.served.name()];
        let kubectl = self.plane.kubectl();
        let binding = kubectl.run(&[&["get", "--output=json"][..], &bound].concat());
        let mut binding: Value = serde_json::from_str(&binding).unwrap();
        kubectl.run(&[&["delete"][..], &bound].concat());
        self.controller.restart();
        self.tells("sealwax_watch_errors_total{").await;
        binding["metadata"] = json!({"name": "sealwax-controller", "namespace": self.served.name()});
        kubectl.apply(&binding.to_string());
        let edit = json!({"stringData": {"item": "changed"}});
        self.secrets.patch("db", &PatchParams::default(), &Patch::Merge(edit)).await.unwrap();
        self.holds("db", "item", "first").await;
        self.meets_a_secret_that_is_not_its_own().await;
        self.tells("sealwax_drift_healed_total{").await;
        self.tells("sealwax_source_calls_total{").await;
        self.tells("sealwax_objects_stalled{").await
    }

    /// Waits until `/metrics` has a line that begins so; all of it.
    async fn tells(&self, beginning: &str) -> String {
        wait_for(SOON, &format!("the metric {beginning}"), async || {
            // Another one since it was started again.
            let metrics = scrape(&self.controller.metrics_url().await).await?;
            metrics.lines().any(|line| line.starts_with(beginning)).then_some(metrics)
        })
        .await
    }

    /// Applies an object with one item.
    async fn apply(&self, name: &str, value: &str, target: Option<&str>) {
        let mut object = self.seal(name, "item", value);
        if let Some(target) = target {
            object["spec"]["target"] = json!({"name": target});
        }
        self.put(name, &object).await;
    }

    async fn put(&self, name: &str, object: &Value) {
        self.objects.patch(name, &PatchParams::apply("git").force(), &Patch::Apply(object)).await.unwrap();
    }

    fn seal(&self, name: &str, item: &str, value: &str) -> Value {
        let place = Place::Object {
            group: "sealwax.dev".into(),
            kind: "EncryptedSecret".into(),
            namespace: self.served.name().into(),
            name: name.into(),
        };
        let value = Plaintext::canonical(ValueType::String, SecretBytes::from(value.as_bytes().to_vec()));
        let path = Path::of_keys(&["spec", "data", item]);
        let token = native::seal_alone(&mut OsRandom, &[self.reader.clone()][..], &place, &path, &value).unwrap();
        let data = [(item.to_owned(), token.to_string())].into_iter().collect();
        let sealed_for = SealedFor { namespace: self.served.name().into(), name: name.into() };
        let object = EncryptedSecret::new(name, EncryptedSecretSpec { data, sealed_for, ..Default::default() });
        serde_json::to_value(object).unwrap()
    }

    /// Waits until the object's newest generation has this reason.
    async fn reason(&self, name: &str, reason: &str) {
        wait_for(SOON, &format!("{name} to be {reason}"), async || {
            let object = self.objects.get(name).await.ok()?;
            let status = object.status?;
            let ready = status.conditions.into_iter().find(|condition| condition.type_ == READY)?;
            (status.observed_generation == object.metadata.generation && ready.reason == reason).then_some(())
        })
        .await;
    }

    async fn holds(&self, secret: &str, item: &str, value: &str) {
        wait_for(SOON, &format!("Secret {secret} to hold its value"), async || {
            let data = self.secrets.get_opt(secret).await.ok()??.data?;
            (data.get(item)?.0 == value.as_bytes()).then_some(())
        })
        .await;
    }
}
