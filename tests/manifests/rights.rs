//! The rights that the chart gives, held against what the controller asks for: none is missing, none is there for nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use sealwax_crds::{EncryptedSecret, EncryptedSecretSpec, READY, SealedFor};
use sealwax_format::keys::Recipient;
use sealwax_format::native::{self, Place};
use sealwax_format::{OsRandom, Path, Plaintext, SecretBytes, ValueType};
use sealwax_tests::{ControlPlane, Controller, Identity, Mark, Namespace, wait_for};
use serde_json::{Value, json};

use crate::common::{documents, render};

const SOON: Duration = Duration::from_secs(30);

/// Where a right holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Where {
    Own,
    Served,
}

/// Where, a resource, a verb.
type Right = (Where, String, String);

/// Rights of the chart that the controller does not make use of yet, with what they are for. Whoever teaches it adds the
/// case to `run_through` and takes the lines away: a right in this list that is used fails the test.
const NOT_YET: [(Where, &str, &str, &str); 6] = [
    (Where::Own, "leases", "create", "leader election"),
    (Where::Own, "leases", "get", "leader election"),
    (Where::Own, "leases", "list", "leader election"),
    (Where::Own, "leases", "watch", "leader election"),
    (Where::Own, "leases", "update", "leader election"),
    (Where::Own, "secrets", "patch", "states of keys"),
];

/// Rights without which a request is refused, although the audit log has no request of that verb.
const IMPLIED: [(Where, &str, &str, &str); 1] =
    [(Where::Own, "configmaps", "create", "applying what is not there yet")];

/// What the rendered Roles give.
fn granted(rendered: &[Value], own: &str) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    let list = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    for role in rendered.iter().filter(|document| document["kind"] == "Role") {
        // People's, not the controller's.
        if role["metadata"]["name"] == "sealwax-recipients-reader" {
            continue;
        }
        let place = if role["metadata"]["namespace"] == own { Where::Own } else { Where::Served };
        for rule in role["rules"].as_array().unwrap() {
            for resource in list(&rule["resources"]) {
                rights.extend(list(&rule["verbs"]).into_iter().map(|verb| (place, resource.clone(), verb)));
            }
        }
    }
    rights
}

fn listed(rights: &[(Where, &str, &str, &str)]) -> BTreeSet<Right> {
    rights.iter().map(|(place, resource, verb, _)| (*place, (*resource).to_owned(), (*verb).to_owned())).collect()
}

/// A controller with the rights that the chart renders, and what it works on.
struct Scene {
    plane: &'static ControlPlane,
    mark: Mark,
    served: Namespace,
    own: Namespace,
    identity: Identity,
    controller: Controller,
    rendered: Vec<Value>,
    objects: Api<EncryptedSecret>,
    secrets: Api<Secret>,
    reader: Recipient,
}

impl Scene {
    async fn start() -> Self {
        let plane = ControlPlane::shared().await;
        let mark = plane.audit().mark();
        let served = Namespace::create(plane, "rights").await;
        let own = Namespace::create(plane, "rights-keys").await;
        let scope = format!("scope.namespaces={{{}}}", served.name());
        let manifest = render(&["--namespace", own.name(), "--set", &scope, "--set", "crds.enabled=false"]);
        let rendered = documents(&manifest);
        let roles = rendered.iter().filter(|document| document["apiVersion"] == "rbac.authorization.k8s.io/v1");
        let roles: Vec<String> = roles.map(Value::to_string).collect();
        let identity = Identity::create(plane, own.name(), "sealwax-controller", &roles.join("\n---\n")).await;
        let arguments = ["--namespace", served.name(), "--key-namespace", own.name(), "--listen", "127.0.0.1:0"];
        let controller = Controller::start(&identity, &arguments);
        let client = plane.client().await;
        let config_maps: Api<ConfigMap> = own.api(&client);
        let reader = wait_for(SOON, "a published recipient", async || {
            let data = config_maps.get_opt("sealwax-recipients").await.ok()??.data?;
            Recipient::parse("cluster", data.get("recipients")?.lines().find(|line| !line.starts_with('#'))?).ok()
        })
        .await;
        let (objects, secrets) = (served.api(&client), served.api(&client));
        Self { plane, mark, served, own, identity, controller, rendered, objects, secrets, reader }
    }

    /// Applies an object with one item.
    async fn apply(&self, name: &str, value: &str, target: Option<&str>) {
        let mut object = self.seal(name, value);
        if let Some(target) = target {
            object["spec"]["target"] = json!({"name": target});
        }
        self.put(name, &object).await;
    }

    async fn put(&self, name: &str, object: &Value) {
        self.objects.patch(name, &PatchParams::apply("git").force(), &Patch::Apply(object)).await.unwrap();
    }

    fn seal(&self, name: &str, value: &str) -> Value {
        let place = Place::Object {
            group: "sealwax.dev".into(),
            kind: "EncryptedSecret".into(),
            namespace: self.served.name().into(),
            name: name.into(),
        };
        let value = Plaintext::canonical(ValueType::String, SecretBytes::from(value.as_bytes().to_vec()));
        let path = Path::of_keys(&["spec", "data", "item"]);
        let token = native::seal_alone(&mut OsRandom, &[self.reader.clone()][..], &place, &path, &value).unwrap();
        let data = [("item".to_owned(), token.to_string())].into_iter().collect();
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

    async fn holds(&self, name: &str, value: &str) {
        wait_for(SOON, &format!("Secret {name} to hold its value"), async || {
            let data = self.secrets.get_opt(name).await.ok()??.data?;
            (data.get("item")?.0 == value.as_bytes()).then_some(())
        })
        .await;
    }

    async fn gone(&self, name: &str) {
        let api = &self.secrets;
        wait_for(SOON, &format!("Secret {name} to go"), async || {
            matches!(api.get_opt(name).await, Ok(None)).then_some(())
        })
        .await;
    }

    /// Everything that a controller does in its life. Extend it with what the controller learns.
    async fn run_through(&mut self) {
        self.makes_heals_and_renames().await;
        self.meets_a_secret_that_is_not_its_own().await;
        self.meets_one_fault_twice().await;
        self.loses_its_key_twice().await;
        self.comes_back().await;
    }

    async fn makes_heals_and_renames(&self) {
        self.apply("db", "first", None).await;
        self.holds("db", "first").await;
        self.reason("db", "Synced").await;
        for _ in 0..2 {
            let edit = json!({"stringData": {"item": "changed"}});
            self.secrets.patch("db", &PatchParams::default(), &Patch::Merge(edit)).await.unwrap();
            self.holds("db", "first").await;
        }
        self.apply("db", "second", Some("elsewhere")).await;
        self.holds("elsewhere", "second").await;
        self.gone("db").await;
    }

    async fn meets_a_secret_that_is_not_its_own(&self) {
        let taken: Secret = serde_json::from_value(json!({"metadata": {"name": "taken"}})).unwrap();
        self.secrets.create(&PostParams::default(), &taken).await.unwrap();
        self.apply("taken", "value", None).await;
        self.reason("taken", "NotOwned").await;
    }

    /// An event that repeats is patched, not created.
    async fn meets_one_fault_twice(&self) {
        let good = self.seal("moved", "value");
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
        let keys: Api<Secret> = self.own.api(&self.plane.client().await);
        let mut key = keys.get("sealwax-cluster-key-1").await.unwrap();
        key.metadata = ObjectMeta { name: key.metadata.name, labels: key.metadata.labels, ..ObjectMeta::default() };
        for round in ["once", "twice"] {
            let before = self.controller.log().matches("there is no key to seal with").count();
            keys.delete("sealwax-cluster-key-1", &DeleteParams::default()).await.unwrap();
            wait_for(SOON, "the controller to miss its key", async || {
                let after = self.controller.log().matches("there is no key to seal with").count();
                (after > before).then_some(())
            })
            .await;
            keys.create(&PostParams::default(), &key).await.unwrap();
            self.apply("db", round, Some("elsewhere")).await;
            self.holds("elsewhere", round).await;
        }
    }

    async fn comes_back(&mut self) {
        self.controller.restart();
        self.apply("late", "value", None).await;
        self.holds("late", "value").await;
    }

    /// What was asked for until now; panics if anything was refused.
    fn used(&self) -> BTreeSet<Right> {
        let requests = self.plane.audit().since(self.mark);
        let mut rights = BTreeSet::new();
        for request in requests.into_iter().filter(|request| request.user == self.identity.username()) {
            assert_ne!(request.code, 403, "a right is missing: {request:?}");
            let place = match request.namespace.as_str() {
                // Paths such as /version need no right of ours.
                "" if request.resource.is_empty() => continue,
                namespace if namespace == self.own.name() => Where::Own,
                namespace if namespace == self.served.name() => Where::Served,
                _ => panic!("it asks for what is in neither namespace: {request:?}"),
            };
            rights.insert((place, request.resource, request.verb));
        }
        rights
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_right_is_missing_and_none_is_unused() {
    let mut scene = Scene::start().await;
    scene.run_through().await;
    let granted = granted(&scene.rendered, scene.own.name());
    let mut used = scene.used();
    used.extend(listed(&IMPLIED));
    let not_yet = listed(&NOT_YET);

    let ungranted: Vec<_> = used.difference(&granted).collect();
    assert!(ungranted.is_empty(), "used, and granted by no Role of the chart: {ungranted:?}");
    let unused: Vec<_> = granted.difference(&used).filter(|right| !not_yet.contains(*right)).collect();
    assert!(unused.is_empty(), "granted, and never used: {unused:?}");
    let learnt: Vec<_> = not_yet.intersection(&used).collect();
    assert!(learnt.is_empty(), "used by now: take them out of NOT_YET: {learnt:?}");
    let given_up: Vec<_> = not_yet.difference(&granted).collect();
    assert!(given_up.is_empty(), "not granted any more: take them out of NOT_YET: {given_up:?}");
}
