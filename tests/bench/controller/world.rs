//! What the measurements work with: a control plane, the released controller, sealed objects, and what they watch.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ListParams, PostParams, WatchEvent, WatchParams};
use kube::core::PartialObjectMeta;
use kube::{Client, ResourceExt};
use sealwax_crds::EncryptedSecret;
use sealwax_format::OsRandom;
use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::{Recipient, pq};
use sealwax_format::native::{self, Place, Request};
use sealwax_tests::{ControlPlane, Controller, Identity, wait_for};
use tokio::sync::mpsc;
use xtask::tools::workspace_root;

/// The namespace of the controller, as everybody has it.
pub(crate) const SYSTEM: &str = "sealwax-system";
/// Requests that the measurements' own clients make at a time: as many as the controller reconciles.
pub(crate) const AT_A_TIME: usize = 16;
/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_mins(10);

pub(crate) struct World {
    pub(crate) plane: ControlPlane,
    pub(crate) controller: Controller,
    /// Its kubeconfig lasts as long as this.
    _identity: Identity,
    pub(crate) readers: Vec<Recipient>,
    pub(crate) client: Client,
}

impl World {
    /// Installs what `deploy/` says, and starts the controller with the rights of it.
    pub(crate) async fn begin(program: PathBuf) -> Self {
        let plane = ControlPlane::start().await;
        for manifest in ["crds", "deploy/install.yaml"] {
            let path = workspace_root().join(manifest);
            plane.kubectl().run(&["apply", "--server-side", "--force-conflicts", "-f", &path.display().to_string()]);
        }
        let identity = Identity::create(&plane, SYSTEM, "sealwax-controller", "").await;
        let flags = ["--listen", "127.0.0.1:0"];
        let controller = Controller::start_program(program, &identity, &flags, &[]);
        let client = plane.client().await;
        let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), SYSTEM);
        let cluster = wait_for(Duration::from_mins(1), "a published recipient", async || {
            let data = config_maps.get_opt("sealwax-recipients").await.ok()??.data?;
            Recipient::parse("cluster", data.get("recipients")?.lines().find(|line| !line.starts_with('#'))?).ok()
        })
        .await;
        let mut readers = vec![cluster];
        for name in ["ops", "escrow"] {
            let identity = pq::Identity::generate();
            readers.push(Recipient::parse(name, &identity.to_public().to_string()).unwrap());
        }
        Self { plane, controller, _identity: identity, readers, client }
    }

    pub(crate) fn objects(&self) -> Api<EncryptedSecret> {
        Api::namespaced(self.client.clone(), "default")
    }

    pub(crate) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), "default")
    }

    /// An object of three items and one data key for three post-quantum readers, as `sealwax encrypt` makes it.
    pub(crate) fn sealed(&self, name: &str, value: &str) -> EncryptedSecret {
        let manifest = serde_json::json!({
            "apiVersion": "sealwax.dev/v1alpha1", "kind": "EncryptedSecret",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"data": {"user": "app", "host": "db.prod.svc", "password": value}},
        })
        .to_string();
        let file = File::parse(&manifest, Syntax::Json).unwrap();
        let place = Place::Object {
            group: native::API_GROUP.into(),
            kind: native::ENCRYPTED_SECRET.into(),
            namespace: "default".into(),
            name: name.into(),
        };
        let request = Request { select: &[], place, readers: &self.readers[..], previous: None };
        let (text, _) = native::encrypt(&file, &[Some(request)], &mut OsRandom).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Creates them all, and says how long that took.
    pub(crate) async fn create(&self, objects: &[EncryptedSecret]) -> Duration {
        let (api, parameters) = (self.objects(), PostParams::default());
        let start = Instant::now();
        stream::iter(objects)
            .for_each_concurrent(AT_A_TIME, |object| {
                let (api, parameters) = (&api, &parameters);
                async move { drop(api.create(parameters, object).await.unwrap()) }
            })
            .await;
        start.elapsed()
    }

    /// The controller's memory, in MiB.
    pub(crate) fn memory(&self, field: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.controller.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim().trim_start_matches(':').trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() / 1024.0
    }

    /// The processor time that the controller has used, in clock ticks of 10 ms.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.controller.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

/// What a watch of Secrets shows: the name, whether it is new, and when.
pub(crate) type Shown = (String, bool, Instant);

/// Watches the Secrets of the namespace from now on.
pub(crate) async fn watch_secrets(secrets: Api<Secret>) -> mpsc::UnboundedReceiver<Shown> {
    let list = secrets.list_metadata(&ListParams::default().limit(1)).await.unwrap();
    let version = list.metadata.resource_version.unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let events = secrets.watch_metadata(&WatchParams::default().timeout(290), &version).await.unwrap();
        let mut events = std::pin::pin!(events);
        while let Some(Ok(event)) = events.next().await {
            let at = Instant::now();
            let (secret, new): (PartialObjectMeta<Secret>, bool) = match event {
                WatchEvent::Added(secret) => (secret, true),
                WatchEvent::Modified(secret) => (secret, false),
                _ => continue,
            };
            let _ = sender.send((secret.name_any(), new, at));
        }
    });
    receiver
}

/// When the watch showed this Secret.
pub(crate) async fn shown(events: &mut mpsc::UnboundedReceiver<Shown>, name: &str) -> Instant {
    loop {
        let (found, _, at) = events.recv().await.expect("the watch goes on");
        if found == name {
            return at;
        }
    }
}

/// Follows the objects until so many of them are Ready.
pub(crate) async fn until_ready(objects: &Api<EncryptedSecret>, wanted: usize) -> Instant {
    let mut states: BTreeMap<String, bool> = BTreeMap::new();
    loop {
        let list = objects.list(&ListParams::default()).await.unwrap();
        states.extend(list.items.iter().map(|object| (object.name_any(), is_ready(object))));
        let version = list.metadata.resource_version.unwrap();
        let parameters = WatchParams::default().timeout(60);
        let mut events = std::pin::pin!(objects.watch(&parameters, &version).await.expect("a watch starts"));
        let mut missing = wanted.saturating_sub(states.values().filter(|ready| **ready).count());
        while missing > 0 {
            // At its end the watch begins anew.
            let Some(event) = events.next().await else { break };
            let Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) = event else { continue };
            let now = is_ready(&object);
            let before = states.insert(object.name_any(), now).unwrap_or_default();
            if now && !before {
                missing -= 1;
            }
        }
        if missing == 0 {
            return Instant::now();
        }
    }
}

fn is_ready(object: &EncryptedSecret) -> bool {
    let status = object.status.as_ref();
    status.is_some_and(|status| {
        status.observed_generation == object.metadata.generation
            && status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    })
}
