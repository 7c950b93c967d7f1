//! Objects and Secrets in trouble: huge, fought over, replaced under the controller's hands, in a namespace that goes.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace as KubeNamespace;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use sealwax_tests::{ControlPlane, Namespace, wait_for};
use serde_json::json;

use crate::served::{SOON, Served, install};
use crate::witness::Witness;

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_as_large_as_kubernetes_takes() {
    let served = Served::start("huge").await;
    let value = "x".repeat(1 << 20);
    served.apply(&served.seal(served.recipient().await, "db", &[("huge", &value)])).await;
    served.ready("db", "True", "Synced").await;
    served.holds("db", &[("huge", &value)]).await;
    served.edit("db", json!({"stringData": {"huge": "small"}})).await;
    served.holds("db", &[("huge", &value)]).await;
    // One byte more is more than Kubernetes takes, which is said, and the good Secret stays.
    let two = [("huge", value.as_str()), ("more", "y")];
    served.apply(&served.seal(served.recipient().await, "db", &two)).await;
    served.stalled("db", "SecretInvalid").await;
    served.holds("db", &[("huge", &value)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_writer_that_never_gives_up() {
    let served = Served::start("fight").await;
    let reader = served.recipient().await;
    served.apply(&served.seal(reader.clone(), "db", &[("password", "good")])).await;
    served.ready("db", "True", "Synced").await;
    let secrets = served.secrets.clone();
    let rival = tokio::spawn(async move {
        let rival = PatchParams { field_manager: Some("rival".into()), ..PatchParams::default() };
        loop {
            let patch = json!({"stringData": {"password": "evil"}});
            let _ = secrets.patch("db", &rival, &Patch::Merge(patch)).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    // It undoes what the other does, but not as fast as it could, and other objects do not wait for that.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mark = served.plane.audit().mark();
    tokio::time::sleep(Duration::from_secs(3)).await;
    served.apply(&served.seal(reader, "other", &[("password", "x")])).await;
    served.ready("other", "True", "Synced").await;
    let repairs = served.requests(mark).iter().filter(|request| *request == "patch secrets").count();
    assert!(repairs < 12, "{repairs} writes in a fight of three seconds");
    rival.abort();
    served.holds("db", &[("password", "good")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_and_made_anew_under_its_hands() {
    let served = Served::start("anew").await;
    let witness = Witness::begin(served.secrets.clone());
    let reader = served.recipient().await;
    for round in 0..15 {
        let value = format!("v{round}");
        witness.allow(&[("password", &value)]);
        let object = served.seal(reader.clone(), "db", &[("password", &value)]);
        wait_for(SOON, "the object to be made", async || {
            served.objects.create(&PostParams::default(), &object).await.ok()
        })
        .await;
        if round < 14 {
            tokio::time::sleep(Duration::from_millis(round * 3)).await;
            served.objects.delete("db", &DeleteParams::default()).await.unwrap();
        }
    }
    let object = served.ready("db", "True", "Synced").await;
    served.holds("db", &[("password", "v14")]).await;
    wait_for(SOON, "the Secret to belong to the last one", async || {
        let owners = served.secrets.get("db").await.ok()?.metadata.owner_references?;
        (owners.len() == 1 && Some(&owners[0].uid) == object.metadata.uid.as_ref()).then_some(())
    })
    .await;
    // The garbage collector, which is after the predecessors, has nothing to take.
    tokio::time::sleep(Duration::from_secs(2)).await;
    served.holds("db", &[("password", "v14")]).await;
    witness.testify();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_goes_disturbs_no_other() {
    let plane = ControlPlane::shared().await;
    install(plane);
    let namespace = Namespace::create(plane, "stays").await;
    let keys = Namespace::create(plane, "stays-keys").await;
    let going = Namespace::create(plane, "goes").await;
    let served = Served::start_with(plane, namespace, keys, &["--namespace", going.name()]).await;
    plane.kubectl().apply(&crate::served::rights(&going, &served.keys));
    let client = plane.client().await;
    let reader = served.recipient().await;
    let objects: Api<sealwax_crds::EncryptedSecret> = going.api(&client);
    let blocked = json!({"metadata": {"name": "blocks", "finalizers": ["example.com/never"]}});
    let config_maps: Api<k8s_openapi::api::core::v1::ConfigMap> = going.api(&client);
    config_maps.create(&PostParams::default(), &serde_json::from_value(blocked).unwrap()).await.unwrap();
    let object = crate::served::seal_for(reader.clone(), going.name(), "db", &[("password", "x")]);
    objects.create(&PostParams::default(), &object).await.unwrap();
    let secrets: Api<k8s_openapi::api::core::v1::Secret> = going.api(&client);
    wait_for(SOON, "its Secret", async || secrets.get_opt("db").await.ok()?).await;

    // It goes, and does not get there for a while.
    let namespaces: Api<KubeNamespace> = Api::all(client.clone());
    namespaces.delete(going.name(), &DeleteParams::default()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mark = plane.audit().mark();
    served.apply(&served.seal(reader, "db", &[("password", "here")])).await;
    served.ready("db", "True", "Synced").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let there = plane.audit().count(mark, |request| {
        request.user == served.identity.username() && request.namespace == going.name() && request.verb != "watch"
    });
    assert!(there < 20, "{there} requests about a namespace that goes");
    let release = json!({"metadata": {"finalizers": null}});
    config_maps.patch("blocks", &PatchParams::default(), &Patch::Merge(release)).await.unwrap();
}
