//! API server and etcd restarted under a running controller.

use std::time::Duration;

use kube::api::PostParams;
use sealwax_tests::{ControlPlane, Namespace, wait_for};

use crate::served::{Served, install};
use crate::witness::Witness;

const LONG: Duration = Duration::from_secs(90);

async fn survives(server: &str) {
    let plane = ControlPlane::start_for_good().await;
    install(plane);
    let namespace = Namespace::create(plane, "restarted").await;
    let keys = Namespace::create(plane, "restarted-keys").await;
    let mut served = Served::start_in(plane, namespace, keys).await;
    let witness = Witness::begin(served.secrets.clone());
    let reader = served.recipient().await;
    for number in 0..20 {
        let value = format!("v{number}");
        witness.allow(&[("password", &value)]);
        served.apply(&served.seal(reader.clone(), &format!("db-{number}"), &[("password", &value)])).await;
    }
    served.ready("db-19", "True", "Synced").await;

    plane.restart(server);
    witness.allow(&[("password", "after")]);
    let object = served.seal(reader, "after", &[("password", "after")]);
    wait_for(LONG, "the API server to take an object again", async || {
        served.objects.create(&PostParams::default(), &object).await.is_ok().then_some(())
    })
    .await;
    wait_for(LONG, "the new object's Secret", async || {
        served.controller.keep_running();
        served.secrets.get_opt("after").await.ok()?
    })
    .await;
    for number in 0..20 {
        served.holds(&format!("db-{number}"), &[("password", &format!("v{number}"))]).await;
    }
    witness.testify();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_restarts() {
    survives("kube-apiserver").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn etcd_restarts() {
    survives("etcd").await;
}
