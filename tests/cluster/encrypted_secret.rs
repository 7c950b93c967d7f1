//! From an `EncryptedSecret` to its `Secret`, by the built controller, with the rights that `deploy/` gives it.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use sealwax_crds::{EncryptedSecret, READY};
use sealwax_format::keys::Recipient;
use sealwax_tests::{ControlPlane, Namespace, wait_for};
use serde_json::json;

use crate::served::{SOON, Served, condition, install, seal_for};

#[tokio::test]
async fn a_value_arrives_is_updated_in_place_and_goes_with_its_object() {
    let served = Served::start("arrives").await;
    let first = served.seal(served.recipient().await, "db", &[("password", "hunter2"), ("user", "admin")]);
    served.apply(&first).await;
    served.holds("db", &[("password", "hunter2"), ("user", "admin")]).await;
    let object = served.ready("db", "True", "Synced").await;
    assert_eq!(object.status.unwrap().secret_name.as_deref(), Some("db"));
    let uid = served.secrets.get("db").await.unwrap().metadata.uid;

    served.apply(&served.seal(served.recipient().await, "db", &[("password", "hunter3")])).await;
    served.holds("db", &[("password", "hunter3")]).await;
    assert_eq!(served.secrets.get("db").await.unwrap().metadata.uid, uid);

    served.objects.delete("db", &DeleteParams::default()).await.unwrap();
    wait_for(SOON, "the Secret to be collected", async || {
        matches!(served.secrets.get_opt("db").await, Ok(None)).then_some(())
    })
    .await;
    assert!(!served.controller.log().contains("hunter"));
}

#[tokio::test]
async fn edits_and_deletions_are_healed() {
    let served = Served::start("heals").await;
    let items = [("password", "good"), ("user", "admin")];
    served.apply(&served.seal(served.recipient().await, "db", &items)).await;
    served.ready("db", "True", "Synced").await;

    // Twice: what creating owns and what applying owns are healed in different ways.
    for _ in 0..2 {
        served.edit("db", json!({"stringData": {"password": "evil"}})).await;
        served.holds("db", &items).await;
    }
    served.edit("db", json!({"data": {"user": null}, "metadata": {"labels": null, "ownerReferences": null}})).await;
    served.holds("db", &items).await;
    served.secrets.delete("db", &DeleteParams::default()).await.unwrap();
    served.holds("db", &items).await;

    let replaced =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"password": "evil"}});
    let replaced: Secret = serde_json::from_value(replaced).unwrap();
    served.secrets.replace("db", &PostParams::default(), &replaced).await.unwrap();
    served.holds("db", &items).await;
    let secret = served.secrets.get("db").await.unwrap();
    assert_eq!(secret.metadata.owner_references.unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_opened_stalls_and_the_last_good_secret_stays() {
    let served = Served::start("stalls").await;
    served.apply(&served.seal(served.recipient().await, "db", &[("password", "good")])).await;
    served.ready("db", "True", "Synced").await;

    let mut copied = seal_for(served.recipient().await, "elsewhere", "db", &[("password", "hunter2")]);
    copied.metadata.namespace = Some(served.namespace.name().to_owned());
    served.apply(&copied).await;
    assert!(served.stalled("db", "WrongPlace").await.contains("elsewhere/db"));
    served.holds("db", &[("password", "good")]).await;

    let stranger = native_stranger();
    served.apply(&served.seal(stranger, "db", &[("password", "hunter2")])).await;
    assert!(served.stalled("db", "NoIdentity").await.contains("stranger@"));
    served.holds("db", &[("password", "good")]).await;

    served.apply(&served.seal(served.recipient().await, "db", &[("password", "better")])).await;
    served.ready("db", "True", "Synced").await;
    served.holds("db", &[("password", "better")]).await;
}

fn native_stranger() -> Recipient {
    let identity = sealwax_format::keys::pq::Identity::generate();
    Recipient::parse("stranger", &identity.to_public().to_string()).unwrap()
}

#[tokio::test]
async fn somebody_elses_secret_is_not_touched_until_it_is_handed_over() {
    let served = Served::start("foreign").await;
    let foreign = json!({"metadata": {"name": "db"}, "stringData": {"own": "1"}});
    served.secrets.create(&PostParams::default(), &serde_json::from_value(foreign).unwrap()).await.unwrap();
    served.apply(&served.seal(served.recipient().await, "db", &[("password", "x")])).await;
    assert!(served.stalled("db", "NotOwned").await.contains("adopt-by"));
    served.holds("db", &[("own", "1")]).await;
    // No watch tells of a Secret without our label; it is looked at every 20 seconds.
    served.edit("db", json!({"metadata": {"annotations": {"sealwax.dev/adopt-by": "db"}}})).await;
    wait_for(SOON * 2, "the Secret to be taken over", async || {
        let object = served.objects.get("db").await.ok()?;
        condition(&object, READY).filter(|ready| ready.0 == "True")
    })
    .await;
    served.holds("db", &[("own", "1"), ("password", "x")]).await;
}

#[tokio::test]
async fn a_plain_value_is_refused_before_it_is_stored_and_never_printed() {
    let plane = ControlPlane::shared().await;
    install(plane);
    let namespace = Namespace::create(plane, "plain").await;
    let objects: Api<EncryptedSecret> = namespace.api(&plane.client().await);
    let secret = 471_147_114_711_u64;
    for value in [json!("hunter2"), json!(secret), json!(471_147.25), json!(["hunter2"]), json!({"a": "hunter2"})] {
        let place = json!({"namespace": namespace.name(), "name": "db"});
        let object = json!({
            "apiVersion": "sealwax.dev/v1alpha1", "kind": "EncryptedSecret", "metadata": {"name": "db"},
            "spec": {"data": {"password": value}, "sealedFor": place},
        });
        let yaml = object.to_string();
        for way in [&["create", "-f", "-"][..], &["apply", "-f", "-"], &["apply", "--server-side", "-f", "-"]] {
            let arguments = [&["--namespace", namespace.name()], way].concat();
            let output = plane.kubectl().output(&arguments, &yaml);
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success(), "{way:?} {text}");
            assert!(!text.contains("hunter2") && !text.contains("471147"), "{way:?} {text}");
        }
    }
    assert!(objects.list(&ListParams::default()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_key_that_is_lost_is_not_replaced_and_one_that_is_restored_is_used_at_once() {
    let served = Served::start("keys").await;
    let recipient = served.recipient().await;
    let name = "sealwax-cluster-key-1";
    let key = served.key_secrets.get(name).await.unwrap();
    served.key_secrets.delete(name, &DeleteParams::default()).await.unwrap();
    served.controller.wait_for_log(SOON, "there is no key to seal with").await;
    served.apply(&served.seal(recipient, "db", &[("password", "x")])).await;
    served.stalled("db", "NoIdentity").await;

    let broken = json!({"metadata": {"name": "broken", "labels": {"sealwax.dev/cluster-key": "active"}},
        "type": "sealwax.dev/cluster-key", "stringData": {"identity": "AGE-SECRET-KEY-PQ-1HUNTER2"}});
    served.key_secrets.create(&PostParams::default(), &serde_json::from_value(broken).unwrap()).await.unwrap();
    served.controller.wait_for_log(SOON, "a key Secret cannot be used").await;

    let mut backup = Secret { data: key.data, type_: key.type_, ..Secret::default() };
    backup.metadata.name = Some("restored".to_owned());
    backup.metadata.labels = key.metadata.labels;
    served.key_secrets.create(&PostParams::default(), &backup).await.unwrap();
    served.ready("db", "True", "Synced").await;
    served.holds("db", &[("password", "x")]).await;
    assert!(!served.controller.log().contains("HUNTER2"));
}

#[tokio::test]
async fn a_cluster_with_objects_gets_no_rival_key() {
    let plane = ControlPlane::shared().await;
    install(plane);
    let (namespace, keys) = (Namespace::create(plane, "rival").await, Namespace::create(plane, "rival-keys").await);
    let objects: Api<EncryptedSecret> = namespace.api(&plane.client().await);
    let object = seal_for(native_stranger(), namespace.name(), "db", &[("password", "x")]);
    objects.create(&PostParams::default(), &object).await.unwrap();
    let served = Served::start_in(plane, namespace, keys).await;
    served.stalled("db", "NoIdentity").await;
    served.controller.wait_for_log(SOON, "there is no key to seal with").await;
    assert!(served.key_secrets.list(&ListParams::default()).await.unwrap().items.is_empty());
    assert!(served.config_maps.get_opt("sealwax-recipients").await.unwrap().is_none(), "{}", served.keys.describe());
}

#[tokio::test]
async fn a_restart_with_everything_in_place_asks_for_nothing() {
    let mut served = Served::start("restart").await;
    for name in ["one", "two", "three"] {
        let sealed = served.seal(served.recipient().await, name, &[("password", "x")]);
        served.apply(&sealed).await;
        served.ready(name, "True", "Synced").await;
    }
    served.controller.kill_9();
    let mark = served.plane.audit().mark();
    served.controller.restart();
    wait_for(SOON, "its watch of Secrets", async || {
        let requests = served.plane.audit().since(mark);
        let own =
            requests.iter().filter(|request| request.user == served.identity.username() && request.verb == "list");
        (own.filter(|request| request.resource == "secrets").count() >= 2).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(served.requests(mark), Vec::<String>::new());
}
