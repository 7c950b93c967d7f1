//! A controller that serves one namespace with the keys of another, and what tests do with it.
#![allow(dead_code, reason = "shared by the tests of clusters and of faults, and neither needs all of it")]

use std::collections::BTreeMap;
use std::path::Path as FilePath;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{Patch, PatchParams};
use sealwax_crds::{EncryptedSecret, EncryptedSecretSpec, READY, RECONCILING, STALLED, SealedFor, SecretStatus};
use sealwax_format::keys::Recipient;
use sealwax_format::native::{self, Place};
use sealwax_format::{OsRandom, Path, Plaintext, SecretBytes, ValueType};
use sealwax_tests::{ControlPlane, Controller, FaultProxy, Identity, Mark, Namespace, wait_for};
use serde_json::Value;

pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A namespace, one for keys, and a controller that serves the one with the keys of the other.
pub(crate) struct Served {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) namespace: Namespace,
    pub(crate) keys: Namespace,
    pub(crate) controller: Controller,
    pub(crate) identity: Identity,
    pub(crate) objects: Api<EncryptedSecret>,
    pub(crate) secrets: Api<Secret>,
    pub(crate) key_secrets: Api<Secret>,
    pub(crate) config_maps: Api<ConfigMap>,
}

/// How the controller is started.
pub(crate) enum How<'a> {
    /// With these environment variables.
    Directly(&'a [(&'a str, &'a str)]),
    /// Without a list of namespaces.
    Selecting,
    /// Through a proxy.
    Behind(&'a FaultProxy),
}

impl Served {
    pub(crate) async fn start(test: &str) -> Self {
        let plane = ControlPlane::shared().await;
        install(plane);
        let namespace = Namespace::create(plane, test).await;
        let keys = Namespace::create(plane, &format!("{test}-keys")).await;
        Self::start_in(plane, namespace, keys).await
    }

    pub(crate) async fn start_in(plane: &'static ControlPlane, namespace: Namespace, keys: Namespace) -> Self {
        Self::start_with(plane, namespace, keys, &[]).await
    }

    /// With further flags.
    pub(crate) async fn start_with(
        plane: &'static ControlPlane,
        namespace: Namespace,
        keys: Namespace,
        flags: &[&str],
    ) -> Self {
        let identity = Identity::create(plane, keys.name(), "sealwax-controller", &rights(&namespace, &keys)).await;
        Self::start_as(plane, namespace, keys, identity, How::Directly(&[]), flags).await
    }

    /// With further environment variables.
    pub(crate) async fn start_in_environment(
        plane: &'static ControlPlane,
        namespace: Namespace,
        keys: Namespace,
        environment: &[(&str, &str)],
    ) -> Self {
        let identity = Identity::create(plane, keys.name(), "sealwax-controller", &rights(&namespace, &keys)).await;
        Self::start_as(plane, namespace, keys, identity, How::Directly(environment), &[]).await
    }

    /// Serving whichever namespaces match, with the right to see which they are.
    pub(crate) async fn start_selecting(
        plane: &'static ControlPlane,
        namespace: Namespace,
        keys: Namespace,
        selector: &str,
    ) -> Self {
        let name = keys.name().to_owned();
        let see = format!(
            "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {name}}}\n\
             rules:\n- {{apiGroups: [\"\"], resources: [namespaces], verbs: [list, watch]}}\n---\n\
             apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {name}}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name}}}\n\
             subjects: [{{kind: ServiceAccount, name: sealwax-controller, namespace: {name}}}]\n"
        );
        let rights = format!("{}{see}", rights(&namespace, &keys));
        let identity = Identity::create(plane, keys.name(), "sealwax-controller", &rights).await;
        let flags = ["--namespace-selector", selector];
        Self::start_as(plane, namespace, keys, identity, How::Selecting, &flags).await
    }

    /// Behind a proxy that makes faults.
    pub(crate) async fn start_behind_proxy(
        plane: &'static ControlPlane,
        test: &str,
        flags: &[&str],
    ) -> (Self, FaultProxy) {
        install(plane);
        let namespace = Namespace::create(plane, test).await;
        let keys = Namespace::create(plane, &format!("{test}-keys")).await;
        let identity = Identity::create(plane, keys.name(), "sealwax-controller", &rights(&namespace, &keys)).await;
        let proxy = FaultProxy::start(&identity).await;
        let served = Self::start_as(plane, namespace, keys, identity, How::Behind(&proxy), flags).await;
        (served, proxy)
    }

    pub(crate) async fn start_as(
        plane: &'static ControlPlane,
        namespace: Namespace,
        keys: Namespace,
        identity: Identity,
        how: How<'_>,
        flags: &[&str],
    ) -> Self {
        let mut arguments = vec!["--key-namespace", keys.name()];
        if !matches!(how, How::Selecting) {
            arguments.extend(["--namespace", namespace.name()]);
        }
        arguments.extend(["--listen", "127.0.0.1:0", "--lease-duration", "2s"]);
        arguments.extend(flags);
        let controller = match how {
            How::Behind(proxy) => Controller::start_behind(proxy, &arguments),
            How::Selecting => Controller::start(&identity, &arguments),
            How::Directly(environment) => Controller::start_with(&identity, &arguments, environment),
        };
        let client = plane.client().await;
        let (objects, secrets) = (namespace.api(&client), namespace.api(&client));
        let (key_secrets, config_maps) = (keys.api(&client), keys.api(&client));
        Self { plane, namespace, keys, controller, identity, objects, secrets, key_secrets, config_maps }
    }

    /// The recipient that the controller published.
    pub(crate) async fn recipient(&self) -> Recipient {
        let text = wait_for(SOON, "a published recipient", async || {
            let data = self.config_maps.get_opt("sealwax-recipients").await.ok()??.data?;
            data.get("recipients")?.lines().find(|line| !line.starts_with('#')).map(str::to_owned)
        })
        .await;
        Recipient::parse("cluster", &text).unwrap()
    }

    pub(crate) fn seal(&self, reader: Recipient, name: &str, items: &[(&str, &str)]) -> EncryptedSecret {
        seal_for(reader, self.namespace.name(), name, items)
    }

    pub(crate) async fn apply(&self, object: &EncryptedSecret) {
        let name = object.metadata.name.as_deref().unwrap();
        self.objects.patch(name, &PatchParams::apply("git").force(), &Patch::Apply(object)).await.unwrap();
    }

    /// Waits until the Secret holds exactly these items.
    pub(crate) async fn holds(&self, name: &str, items: &[(&str, &str)]) {
        let expected: BTreeMap<String, Vec<u8>> =
            items.iter().map(|(item, value)| ((*item).to_owned(), value.as_bytes().to_vec())).collect();
        wait_for(SOON, &format!("Secret {name} to hold what it shall"), async || {
            let data = self.secrets.get_opt(name).await.ok()??.data.unwrap_or_default();
            let data: BTreeMap<String, Vec<u8>> = data.into_iter().map(|(item, value)| (item, value.0)).collect();
            (data == expected).then_some(())
        })
        .await;
    }

    /// Waits until the current generation was looked at and `Ready` has this status and reason.
    pub(crate) async fn ready(&self, name: &str, status: &str, reason: &str) -> EncryptedSecret {
        wait_for(SOON, &format!("{name} to be Ready={status} {reason}"), async || {
            let object = self.objects.get(name).await.ok()?;
            let seen = object.status.as_ref()?.observed_generation == object.metadata.generation;
            let ready = condition(&object, READY)?;
            (seen && ready.0 == status && ready.1 == reason).then_some(object)
        })
        .await
    }

    pub(crate) async fn stalled(&self, name: &str, reason: &str) -> String {
        let object = self.ready(name, "False", reason).await;
        let (status, stalled, message) = condition(&object, STALLED).unwrap();
        assert_eq!((status.as_str(), stalled.as_str()), ("True", reason));
        assert!(condition(&object, RECONCILING).is_none(), "who is stalled does not try again");
        message
    }

    pub(crate) async fn edit(&self, name: &str, patch: Value) {
        self.secrets.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// What the controller asked for since then, other than lists and watches, and its lease.
    pub(crate) fn requests(&self, mark: Mark) -> Vec<String> {
        let requests = self.plane.audit().since(mark);
        let own = requests.iter().filter(|request| request.user == self.identity.username());
        let single = own.filter(|request| !["list", "watch"].contains(&request.verb.as_str()));
        let single = single.filter(|request| request.resource != "leases");
        single.map(|request| format!("{} {}", request.verb, request.resource)).collect()
    }
}

pub(crate) fn install(plane: &ControlPlane) {
    let kinds = ["encryptedsecrets", "externalsecrets", "secretstores", "clustersecretstores"];
    for kind in kinds {
        let crd = FilePath::new(env!("CARGO_MANIFEST_DIR")).join(format!("../crds/{kind}.sealwax.dev.yaml"));
        plane.kubectl().apply(&std::fs::read_to_string(crd).unwrap());
    }
    let crds = kinds.map(|kind| format!("crd/{kind}.sealwax.dev"));
    let mut wait = vec!["wait", "--for=condition=Established", "--timeout=20s"];
    wait.extend(crds.iter().map(String::as_str));
    plane.kubectl().run(&wait);
}

/// The roles of `deploy/scoped.yaml`, for these namespaces.
pub(crate) fn rights(namespace: &Namespace, keys: &Namespace) -> String {
    let scoped = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/scoped.yaml");
    let scoped = std::fs::read_to_string(scoped).unwrap();
    let roles =
        scoped.split("---\n").filter(|text| text.contains("\nkind: Role\n") || text.contains("kind: RoleBinding\n"));
    roles
        .collect::<Vec<_>>()
        .join("---\n")
        .replace("sealwax-system", keys.name())
        .replace("namespace: payments", &format!("namespace: {}", namespace.name()))
}

pub(crate) fn seal_for(reader: Recipient, namespace: &str, name: &str, items: &[(&str, &str)]) -> EncryptedSecret {
    let place = Place::Object {
        group: "sealwax.dev".into(),
        kind: "EncryptedSecret".into(),
        namespace: namespace.into(),
        name: name.into(),
    };
    let readers = [reader];
    let token = |item: &str, value: &str| {
        let value = Plaintext::canonical(ValueType::String, SecretBytes::from(value.as_bytes().to_vec()));
        let path = Path::of_keys(&["spec", "data", item]);
        native::seal_alone(&mut OsRandom, &readers[..], &place, &path, &value).unwrap().to_string()
    };
    let data = items.iter().map(|(item, value)| ((*item).to_owned(), token(item, value))).collect();
    let sealed_for = SealedFor { namespace: namespace.into(), name: name.into() };
    EncryptedSecret::new(name, EncryptedSecretSpec { data, sealed_for, ..EncryptedSecretSpec::default() })
}

pub(crate) fn condition(object: &EncryptedSecret, type_: &str) -> Option<(String, String, String)> {
    condition_of(object.status.as_ref()?, type_)
}

pub(crate) fn condition_of(status: &SecretStatus, type_: &str) -> Option<(String, String, String)> {
    let found = status.conditions.iter().find(|condition| condition.type_ == type_)?;
    Some((found.status.clone(), found.reason.clone(), found.message.clone()))
}
