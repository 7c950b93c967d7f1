//! What the measurements work with: a control plane, the released controller, sealed objects, and what they watch.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Client;
use kube::api::{Api, PostParams};
use sealwax_crds::EncryptedSecret;
use sealwax_format::OsRandom;
use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::{Recipient, pq};
use sealwax_format::native::{self, Place, Request};
use sealwax_tests::{ControlPlane, Controller, Identity, wait_for};
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
}

/// Whether the controller has dealt with the object as it is now, and it is Ready.
pub(crate) fn is_ready(object: &EncryptedSecret) -> bool {
    let status = object.status.as_ref();
    status.is_some_and(|status| {
        status.observed_generation == object.metadata.generation
            && status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    })
}
