//! `ExternalSecret`s: values of a source, brought into a Secret and kept there.

mod attacks;
mod aws;
mod handover;
mod kubernetes;
mod outages;
mod policies;
mod vault;
mod wakes;
mod world;

use serde_json::json;
use world::External;

fn one(store: &str, key: &str) -> serde_json::Value {
    json!({"secretStoreRef": {"name": store}, "data": [{"secretKey": "password", "remoteRef": {"key": key}}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn values_come_into_the_secret_and_follow_the_store() {
    let world = External::start("external-sync").await;
    world.external("db", &one("demo", "db"));
    world.ready("db", "Unknown", "StoreMissing").await;
    world.fake("demo", &[("db", "hunter2")]);
    let object = world.ready("db", "True", "Synced").await;
    world.served.holds("db", &[("password", "hunter2")]).await;
    assert_eq!(External::entries(&object), ["password Synced"]);
    // A store that changes wakes those who read through it.
    world.fake("demo", &[("db", "hunter3")]);
    world.served.holds("db", &[("password", "hunter3")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_copy_is_made_again() {
    let world = External::start("external-copy").await;
    world.fake("demo", &[("db", "hunter2")]);
    world.external("db", &one("demo", "db"));
    world.ready("db", "True", "Synced").await;
    for secret in [world.copy_of("db").await, "db".to_owned()] {
        world.served.secrets.delete(&secret, &kube::api::DeleteParams::default()).await.unwrap();
    }
    world.served.holds("db", &[("password", "hunter2")]).await;
    // Were there no copy now, nothing would bring the Secret back.
    world.fake("demo", &[("other", "x")]);
    world.stale("db", "SourceMissing").await;
    world.served.secrets.delete("db", &kube::api::DeleteParams::default()).await.unwrap();
    world.served.holds("db", &[("password", "hunter2")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_comes_back_without_its_source() {
    let world = External::start("external-restore").await;
    world.fake("demo", &[("db", "hunter2")]);
    world.external("db", &one("demo", "db"));
    world.ready("db", "True", "Synced").await;
    // The source has nothing any more: the Secret stays, and comes back.
    world.fake("demo", &[("other", "x")]);
    let message = world.stale("db", "SourceMissing").await;
    assert!(message.contains("password"), "{message}");
    world.served.secrets.delete("db", &kube::api::DeleteParams::default()).await.unwrap();
    world.served.holds("db", &[("password", "hunter2")]).await;
    world.served.edit("db", json!({"stringData": {"password": "mine"}})).await;
    world.served.holds("db", &[("password", "hunter2")]).await;
    let object = world.objects.get("db").await.unwrap();
    assert!(object.status.as_ref().unwrap().stale_since.is_some());
    world.fake("demo", &[("db", "hunter4")]);
    world.served.holds("db", &[("password", "hunter4")]).await;
    let object = world.fresh("db").await;
    assert_eq!(object.status.unwrap().stale_since, None);
}
