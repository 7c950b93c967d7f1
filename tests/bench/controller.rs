//! The released controller on a real API server: from the API server's answer to an `EncryptedSecret`, to the watch event
//! that shows its Secret. One reader (the cluster's post-quantum key), one data key and two values an object.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr, reason = "a benchmark")]

#[path = "common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::path::Path as FilePath;
use std::time::{Duration, Instant};

use common::Group;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, PostParams, WatchEvent, WatchParams};
use sealwax_crds::{EncryptedSecret, EncryptedSecretSpec, SealedFor};
use sealwax_format::keys::Recipient;
use sealwax_format::native::{self, Place};
use sealwax_format::{OsRandom, Path, Plaintext, SecretBytes, ValueType};
use sealwax_tests::{ControlPlane, Controller, Identity, wait_for};
use tokio::sync::mpsc;
use xtask::tools::{build_release, workspace_root};

const SYSTEM: &str = "sealwax-system";
const ONE_BY_ONE: usize = 101;
const AT_ONCE: usize = 500;

fn sealed(reader: &Recipient, name: &str) -> EncryptedSecret {
    let place = Place::Object {
        group: native::API_GROUP.into(),
        kind: native::ENCRYPTED_SECRET.into(),
        namespace: "default".into(),
        name: name.into(),
    };
    let token = |item: &str| {
        let value = Plaintext::canonical(ValueType::String, SecretBytes::from(item.as_bytes().to_vec()));
        let path = Path::of_keys(&["spec", "data", item]);
        let readers = std::slice::from_ref(reader);
        native::seal_alone(&mut OsRandom, readers, &place, &path, &value).unwrap().to_string()
    };
    let data: BTreeMap<_, _> = ["user", "password"].map(|item| (item.to_owned(), token(item))).into();
    let sealed_for = SealedFor { namespace: "default".into(), name: name.into() };
    EncryptedSecret::new(name, EncryptedSecretSpec { data, sealed_for, ..EncryptedSecretSpec::default() })
}

/// The names of Secrets as they appear, with the time of each.
async fn appearing(secrets: Api<Secret>) -> mpsc::UnboundedReceiver<(String, Instant)> {
    let version =
        secrets.list_metadata(&kube::api::ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut events = std::pin::pin!(secrets.watch(&WatchParams::default().timeout(290), &version).await.unwrap());
        while let Some(Ok(event)) = futures::StreamExt::next(&mut events).await {
            if let WatchEvent::Added(secret) = event {
                let _ = sender.send((secret.metadata.name.unwrap_or_default(), Instant::now()));
            }
        }
    });
    receiver
}

async fn until(events: &mut mpsc::UnboundedReceiver<(String, Instant)>, name: &str) -> Instant {
    loop {
        let (found, at) = events.recv().await.expect("the watch goes on");
        if found == name {
            return at;
        }
    }
}

#[tokio::main]
async fn main() {
    let mut group = Group::begin("controller");
    let program = build_release("sealwax-controller", &|text| eprintln!("bench: {text}")).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
    group.record("size of the program", std::fs::metadata(&program).unwrap().len() as f64 / 1e6, "MB");
    let plane = ControlPlane::start().await;
    for manifest in ["crds", "deploy/install.yaml"] {
        let path = workspace_root().join(manifest);
        plane.kubectl().run(&["apply", "--server-side", "-f", FilePath::new(&path).to_str().unwrap()]);
    }
    let identity = Identity::create(&plane, SYSTEM, "sealwax-controller", "").await;
    let controller = Controller::start_program(program, &identity, &["--listen", "127.0.0.1:0"], &[]);
    let client = plane.client().await;
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), SYSTEM);
    let reader = wait_for(Duration::from_secs(30), "a published recipient", async || {
        let data = config_maps.get_opt("sealwax-recipients").await.ok()??.data?;
        Recipient::parse("bench", data.get("recipients")?.lines().find(|line| !line.starts_with('#'))?).ok()
    })
    .await;

    let objects: Api<EncryptedSecret> = Api::namespaced(client.clone(), "default");
    let mut events = appearing(Api::namespaced(client, "default")).await;
    let mut samples = Vec::new();
    for number in 0..ONE_BY_ONE {
        let name = format!("one-{number}");
        let object = sealed(&reader, &name);
        objects.create(&PostParams::default(), &object).await.unwrap();
        let answered = Instant::now();
        samples.push(until(&mut events, &name).await.saturating_duration_since(answered));
    }
    group.record_median(
        &format!("from the API server's answer to the Secret's watch event (median of {ONE_BY_ONE})"),
        samples,
    );

    let many: Vec<_> = (0..AT_ONCE).map(|number| sealed(&reader, &format!("many-{number}"))).collect();
    let start = Instant::now();
    let created = many.iter().map(|object| async { objects.create(&PostParams::default(), object).await.unwrap() });
    futures::future::join_all(created).await;
    let mut missing = AT_ONCE;
    let mut last = start;
    while missing > 0 {
        let (name, at) = events.recv().await.expect("the watch goes on");
        if name.starts_with("many-") {
            missing -= 1;
            last = at;
        }
    }
    group.record_median(&format!("{AT_ONCE} objects created at once, until the last Secret"), vec![last - start]);
    let status = std::fs::read_to_string(format!("/proc/{}/status", controller.id())).unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    group.record("peak memory of the controller with these objects", peak.unwrap_or_default() / 1000.0, "MB");
    group.end();
}
