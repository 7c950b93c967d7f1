//! A controller with namespaces of its own, and the command line beside it.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use sealwax_crds::{EncryptedSecret, READY};
use sealwax_format::SecretBytes;
use sealwax_format::keys::published::Published;
use sealwax_format::keys::{IdentityFile, Recipient};
use sealwax_tests::{Cli, CliOutput, ControlPlane, Controller, Identity, Namespace, scrape, wait_for};
use serde_json::json;
use xtask::tools;

use crate::served::{install, seal_for};

pub(crate) const SOON: Duration = Duration::from_secs(40);
pub(crate) const FIRST: &str = "sealwax-cluster-key-1";
pub(crate) const SECOND: &str = "sealwax-cluster-key-2";

/// What the controller may do with Secrets of the key namespace.
pub(crate) const ALL: &str = "list, watch, create, patch";

pub(crate) struct World {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) namespace: Namespace,
    pub(crate) keys: Namespace,
    pub(crate) cli: Cli,
    pub(crate) objects: Api<EncryptedSecret>,
    pub(crate) secrets: Api<Secret>,
    pub(crate) key_secrets: Api<Secret>,
    pub(crate) config_maps: Api<ConfigMap>,
    /// Whom the controllers run as: their kubeconfigs last as long as these.
    identities: Mutex<Vec<Identity>>,
}

impl World {
    /// Namespaces, and no controller yet.
    pub(crate) async fn new(test: &str) -> Self {
        let plane = ControlPlane::shared().await;
        install(plane);
        let namespace = Namespace::create(plane, test).await;
        let keys = Namespace::create(plane, &format!("{test}-keys")).await;
        let client = plane.client().await;
        let (objects, secrets) = (namespace.api(&client), namespace.api(&client));
        let (key_secrets, config_maps) = (keys.api(&client), keys.api(&client));
        let mut cli = Cli::new();
        cli.env("KUBECONFIG", plane.kubeconfig());
        Self { plane, namespace, keys, cli, objects, secrets, key_secrets, config_maps, identities: Mutex::default() }
    }

    /// Starts a controller with all rights.
    pub(crate) async fn controller(&self, flags: &[&str]) -> Controller {
        self.controller_with(ALL, flags).await
    }

    /// Starts one with these rights on Secrets of the key namespace.
    pub(crate) async fn controller_with(&self, verbs: &str, flags: &[&str]) -> Controller {
        let rights = self.rights(verbs);
        let identity = Identity::create(self.plane, self.keys.name(), "sealwax-controller", &rights).await;
        let controller = Controller::start(&identity, &[&self.flags()[..], flags].concat());
        self.identities.lock().unwrap().push(identity);
        controller
    }

    /// What every controller of this world is told.
    pub(crate) fn flags(&self) -> [&str; 8] {
        let (served, keys) = (self.namespace.name(), self.keys.name());
        // A killed leader's lease is waited for.
        let lease = ["--lease-duration", "2s"];
        ["--namespace", served, "--key-namespace", keys, "--listen", "127.0.0.1:0", lease[0], lease[1]]
    }

    /// Roles for a controller, with these verbs on Secrets of the key namespace.
    pub(crate) fn rights(&self, verbs: &str) -> String {
        let keys = format!(
            r#"[{{apiGroups: [""], resources: [secrets], verbs: [{verbs}]}},
            {{apiGroups: [""], resources: [configmaps], resourceNames: [sealwax-recipients, sealwax-escrow], verbs: [list, watch, patch]}},
            {{apiGroups: [""], resources: [configmaps], verbs: [create]}},
            {{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create, get, list, watch, update, patch]}},
            {{apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}}]"#
        );
        let served = r#"[{apiGroups: [sealwax.dev], resources: [encryptedsecrets], verbs: [get, list, watch]},
            {apiGroups: [sealwax.dev], resources: [encryptedsecrets/status], verbs: [patch]},
            {apiGroups: [""], resources: [secrets], verbs: [get, list, watch, create, patch, delete]},
            {apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}]"#;
        let role = |namespace: &str, rules: &str| {
            format!(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: controller, namespace: {namespace}}}\n\
                 rules: {rules}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n\
                 metadata: {{name: controller, namespace: {namespace}}}\n\
                 roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: controller}}\n\
                 subjects: [{{kind: ServiceAccount, name: sealwax-controller, namespace: {}}}]\n",
                self.keys.name()
            )
        };
        format!("{}---\n{}", role(self.keys.name(), &keys), role(self.namespace.name(), served))
    }

    /// Runs `sealwax keys` for this cluster.
    pub(crate) fn sealwax_keys(&self, arguments: &[&str]) -> CliOutput {
        self.cli.run(&[&["keys"], arguments, &["--namespace", self.keys.name()]].concat())
    }

    /// Runs `sealwax recipients fetch` for this cluster.
    pub(crate) fn fetch(&self, arguments: &[&str]) -> CliOutput {
        self.cli.run(&[&["recipients", "fetch", "--namespace", self.keys.name()], arguments].concat())
    }

    /// What is published, once anything is.
    pub(crate) async fn published(&self) -> Published {
        wait_for(SOON, "published recipients", async || {
            let data = self.config_maps.get_opt("sealwax-recipients").await.ok()??.data?;
            data.contains_key("recipients").then(|| Published::from_items(data))
        })
        .await
    }

    /// The sealing key's recipient.
    pub(crate) async fn recipient(&self) -> Recipient {
        let published = self.published().await;
        Recipient::parse("cluster", published.entries().next().unwrap().recipient).unwrap()
    }

    pub(crate) async fn apply(&self, name: &str, reader: Recipient, value: &str) {
        let object = seal_for(reader, self.namespace.name(), name, &[("password", value)]);
        self.objects.patch(name, &PatchParams::apply("git").force(), &Patch::Apply(object)).await.unwrap();
    }

    /// Waits until an object's current generation has this reason.
    pub(crate) async fn reason(&self, name: &str, reason: &str) {
        wait_for(SOON, &format!("{name} to be {reason}"), async || {
            let object = self.objects.get(name).await.ok()?;
            let status = object.status.as_ref()?;
            let ready = status.conditions.iter().find(|condition| condition.type_ == READY)?;
            (status.observed_generation == object.metadata.generation && ready.reason == reason).then_some(())
        })
        .await;
    }

    /// Waits until the Secret of an object holds this value.
    pub(crate) async fn holds(&self, name: &str, value: &str) {
        wait_for(SOON, &format!("Secret {name} to hold its value"), async || {
            let data = self.secrets.get_opt(name).await.ok()??.data?;
            (data.get("password")?.0 == value.as_bytes()).then_some(())
        })
        .await;
    }

    /// Removes an object's Secret and waits until it is back: the value was opened anew.
    pub(crate) async fn opens_again(&self, name: &str, value: &str) {
        self.secrets.delete(name, &DeleteParams::default()).await.unwrap();
        self.holds(name, value).await;
    }

    pub(crate) async fn state(&self, key: &str) -> Option<String> {
        let labels = self.key_secrets.get_opt(key).await.unwrap()?.metadata.labels?;
        labels.get("sealwax.dev/cluster-key").cloned()
    }

    pub(crate) async fn is_in_state(&self, key: &str, state: &str) {
        wait_for(SOON, &format!("{key} to be {state}"), async || {
            (self.state(key).await.as_deref() == Some(state)).then_some(())
        })
        .await;
    }

    pub(crate) async fn relabel(&self, key: &str, state: &str) {
        let patch = json!({"metadata": {"labels": {"sealwax.dev/cluster-key": state}}});
        self.key_secrets.patch(key, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Makes a key Secret as somebody would by hand.
    pub(crate) async fn add_key(&self, name: &str, state: &str, file: &[u8]) {
        let mut secret = Secret {
            type_: Some("sealwax.dev/cluster-key".to_owned()),
            data: Some([("identity".to_owned(), ByteString(file.to_vec()))].into()),
            ..Secret::default()
        };
        secret.metadata.name = Some(name.to_owned());
        secret.metadata.labels = Some([("sealwax.dev/cluster-key".to_owned(), state.to_owned())].into());
        if state == "made" {
            secret.metadata.annotations = Some([("sealwax.dev/activate".to_owned(), "true".to_owned())].into());
        }
        self.key_secrets.create(&PostParams::default(), &secret).await.unwrap();
    }

    /// Makes the controller's own key, which it makes by itself only with a first key.
    pub(crate) async fn add_controller_key(&self) {
        let items =
            [("signing", 7), ("symmetric", 8)].map(|(item, byte)| (item.to_owned(), ByteString(vec![byte; 32])));
        let mut secret = Secret {
            type_: Some("sealwax.dev/controller-key".to_owned()),
            data: Some(items.into()),
            ..Secret::default()
        };
        secret.metadata.name = Some("sealwax-controller-key".to_owned());
        self.key_secrets.create(&PostParams::default(), &secret).await.unwrap();
    }

    /// Waits until a controller says this after it began to lead for the given time; the log goes on over restarts.
    pub(crate) async fn tells_after_start(&self, controller: &Controller, starts: usize, text: &str) {
        wait_for(SOON, &format!("start {starts} to say: {text}"), async || {
            let log = controller.log();
            let now = log.split("\"leading\"").nth(starts)?;
            now.contains(text).then_some(())
        })
        .await;
    }

    /// The names of all key Secrets.
    pub(crate) async fn key_names(&self) -> Vec<String> {
        let list = ListParams::default().labels("sealwax.dev/cluster-key");
        let found = self.key_secrets.list_metadata(&list).await.unwrap();
        found.items.into_iter().filter_map(|secret| secret.metadata.name).collect()
    }

    /// Whether an event with this reason was told in the key namespace.
    pub(crate) fn events(&self) -> String {
        let columns = "custom-columns=REASON:.reason,ABOUT:.regarding.name";
        let get = ["get", "events.events.k8s.io", "--namespace", self.keys.name(), "--output", columns];
        self.plane.kubectl().run(&get)
    }

    pub(crate) async fn wait_for_event(&self, reason: &str, about: &str) {
        wait_for(SOON, &format!("an event {reason} about {about}"), async || {
            let told = self.events();
            told.lines().any(|line| line.split_whitespace().eq([reason, about])).then_some(())
        })
        .await;
    }

    /// A key pair of the command line; the file and the recipient.
    pub(crate) fn person(&self, name: &str) -> (String, String) {
        let file = self.cli.home().join(name);
        let recipient = self.cli.run(&["keygen", "--pq", "-o", file.to_str().unwrap()]).success();
        (file.to_str().unwrap().to_owned(), recipient.trim().to_owned())
    }
}

/// An identity file of that day.
pub(crate) fn identity_file(created: &str) -> (SecretBytes, Recipient) {
    let (file, recipient) = IdentityFile::generate(created);
    (file, Recipient::parse("cluster", &recipient).unwrap())
}

/// The stock `age`.
pub(crate) fn age() -> PathBuf {
    std::env::var_os("SEALWAX_TEST_AGE").map_or_else(|| tools::age(&|_| ()).unwrap().age, PathBuf::from)
}

/// What a controller serves on `/metrics`.
pub(crate) async fn metrics(controller: &Controller) -> String {
    scrape(&controller.metrics_url().await).await.unwrap_or_default()
}

/// Waits until a controller serves this line.
pub(crate) async fn wait_for_metric(controller: &Controller, line: &str) {
    wait_for(SOON, &format!("the metric {line}"), async || {
        metrics(controller).await.lines().any(|served| served == line).then_some(())
    })
    .await;
}
