//! Everything that an object depends on wakes it when it changes: no interval is waited for.

use kube::Api;
use kube::api::{Patch, PatchParams};
use sealwax_crds::ClusterSecretStore;
use sealwax_test_servers::Bao;
use sealwax_tests::Namespace;
use serde_json::{Value, json};

use super::world::{External, message, reads, with};

/// An hour: whatever happens in a test does not happen because of it.
fn seldom(spec: Value) -> Value {
    with(spec, &json!({"refreshInterval": "1h"}))
}

/// Has a store of the cluster looked at as often as can be.
async fn often_looked_at(world: &External, store: &str) {
    let stores: Api<ClusterSecretStore> = Api::all(world.client.clone());
    let patch = json!({"spec": {"refreshInterval": 10}});
    stores.patch(store, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_credentials_and_authorities_wake_their_users() {
    let bao = Bao::start();
    bao.put("db", json!({"password": "hunter2"}));
    bao.policy("db", &[("secret/data/db", "\"read\"")]);
    let world = External::start("wakes").await;
    world.external("db", &seldom(reads("vault", &["x <- db password"])));
    world.ready("db", "Unknown", "StoreMissing").await;
    // Each of these puts one thing right, and the status names the next.
    let server = |url: &str, ca: Value| json!({"vault": with(json!({"server": url, "path": "secret", "auth": {"tokenSecretRef": {"name": "token"}}}), &ca)});
    let provider = json!({"caProvider": {"type": "ConfigMap", "name": "authority", "key": "ca.crt"}});
    world.store("vault", &server(bao.url(), provider));
    let told = message(&world.ready("db", "Unknown", "CredentialsMissing").await);
    assert!(told.contains("ConfigMap ") && told.contains("/authority is not there"), "{told}");
    world.config_map("authority", &[("other", "x")]);
    let told = message(&world.ready("db", "False", "CredentialsMissing").await);
    assert!(told.contains("has no item ca.crt"), "{told}");
    world.config_map("authority", &[("ca.crt", &world.plane_file("ca.crt"))]);
    let told = message(&world.ready("db", "Unknown", "CredentialsMissing").await);
    assert!(told.contains("Secret ") && told.contains("/token is not there"), "{told}");
    world.secret("token", &[("token", "wrong")]);
    let told = message(&world.ready("db", "False", "SourceDenied").await);
    assert!(told.contains("the token is not accepted"), "{told}");
    world.secret("token", &[("token", &bao.token(&["db"], &json!({})))]);
    world.served.holds("db", &[("x", "hunter2")]).await;
    world.ready("db", "True", "Synced").await;
    world.store_ready("vault", "True", "Valid").await;
    // And the other way round: what is put wrong is noticed, and the Secret stays.
    world.secret("token", &[("token", "wrong again")]);
    let told = world.stale("db", "SourceDenied").await;
    assert!(told.contains("Vault read of db: the token is not accepted"), "{told}");
    world.secret("token", &[("token", bao.root_token())]);
    world.fresh("db").await;
    world.store("vault", &server("http://127.0.0.1:1", json!({})));
    let told = world.stale("db", "SourceUnavailable").await;
    assert!(told.contains("the connection was refused"), "{told}");
    world.store("vault", &server(bao.url(), json!({})));
    world.fresh("db").await;
    world.served.holds("db", &[("x", "hunter2")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_wake_their_users() {
    let world = External::start("wakes-templates").await;
    world.fake("fake", &[("a", "1")]);
    let items = json!([{"key": "t"}]);
    for kind in ["configMap", "secret"] {
        let from = json!([{kind: {"name": "template", "items": items}}]);
        let target = json!({"target": {"template": {"templateFrom": from}}});
        world.external(&kind.to_lowercase(), &seldom(with(reads("fake", &["x <- a"]), &target)));
    }
    for name in ["configmap", "secret"] {
        world.ready(name, "Unknown", "TemplateMissing").await;
    }
    for text in ["first", "second"] {
        let template = format!("{text} {{{{ .x }}}}");
        world.config_map("template", &[("t", &template)]);
        world.secret("template", &[("t", &template)]);
        for name in ["configmap", "secret"] {
            world.served.holds(name, &[("t", &format!("{text} 1"))]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_and_requests_wake() {
    let world = External::start("wakes-targets").await;
    world.fake("fake", &[("a", "1")]);
    world.external("db", &seldom(reads("fake", &["x <- a"])));
    world.ready("db", "True", "Synced").await;
    world.served.edit("db", json!({"data": {"x": null}})).await;
    world.served.holds("db", &[("x", "1")]).await;
    let requested = world.objects.get("db").await.unwrap().status.unwrap().refresh_time;
    for (index, annotation) in
        ["force-sync", "external-secrets.io/force-sync", "sealwax.dev/force-sync"].into_iter().enumerate()
    {
        let word = format!("word-{index}");
        world.change("db", json!({"metadata": {"annotations": {annotation: word}}})).await;
        sealwax_tests::wait_for(crate::served::SOON, annotation, async || {
            let status = world.objects.get("db").await.ok()?.status?;
            status.last_force_sync.filter(|told| told.contains(&word))
        })
        .await;
    }
    let status = world.objects.get("db").await.unwrap().status.unwrap();
    assert!(status.refresh_time >= requested);
    // A spec that changes is read at once, under `OnChange` too.
    world.external("db", &with(reads("fake", &["y <- a"]), &json!({"refreshPolicy": "OnChange"})));
    world.served.holds("db", &[("y", "1")]).await;
    // What is read once stays as it was read, and comes back as that.
    world.external("once", &with(reads("fake", &["x <- a"]), &json!({"refreshPolicy": "CreatedOnce"})));
    world.ready("once", "True", "Synced").await;
    world.fake("fake", &[("a", "2")]);
    world.served.holds("db", &[("y", "2")]).await;
    world.force("once", "please").await;
    world.served.secrets.delete("once", &kube::api::DeleteParams::default()).await.unwrap();
    world.served.holds("once", &[("x", "1")]).await;
}

/// Secrets of namespaces that are not served are not watched: what a store names there is looked at when the store is.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_where_nothing_is_served_are_looked_at() {
    let bao = Bao::start();
    bao.put("db", json!({"password": "hunter2"}));
    let world = External::start_classed("wakes-elsewhere", &[]).await;
    let platform = Namespace::create(world.served.plane, "wakes-elsewhere-platform").await;
    let token = |token: &str| {
        world.apply(&json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"token": token},
            "metadata": {"name": "token", "namespace": platform.name()}}));
    };
    token(bao.root_token());
    let auth = json!({"tokenSecretRef": {"name": "token", "namespace": platform.name()}});
    let provider = json!({"vault": {"server": bao.url(), "path": "secret", "auth": auth}});
    let store = world.cluster_store("vault", &provider, &json!([]));
    often_looked_at(&world, &store).await;
    let kind = json!({"secretStoreRef": {"name": store, "kind": "ClusterSecretStore"}});
    world.external("db", &seldom(with(reads(&store, &["x <- db password"]), &kind)));
    world.served.holds("db", &[("x", "hunter2")]).await;
    world.ready("db", "True", "Synced").await;
    token("wrong");
    let told = world.stale("db", "SourceDenied").await;
    assert!(told.contains("the token is not accepted"), "{told}");
    token(bao.root_token());
    world.fresh("db").await;
}

/// Nobody watches the labels of namespaces: whom a store admits by them is looked at when the store is.
#[tokio::test(flavor = "multi_thread")]
async fn labels_that_a_store_admits_by_wake_their_namespace() {
    let world = External::start_classed("wakes-labels", &[]).await;
    let fake = json!({"fake": {"data": [{"key": "a", "value": "hunter2"}]}});
    let conditions = json!([{"namespaceSelector": {"matchLabels": {"team": "payments"}}}]);
    let store = world.cluster_store("labels", &fake, &conditions);
    often_looked_at(&world, &store).await;
    let kind = json!({"secretStoreRef": {"name": store, "kind": "ClusterSecretStore"}});
    world.external("db", &seldom(with(reads(&store, &["x <- a"]), &kind)));
    world.ready("db", "False", "StoreRefused").await;
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(world.client.clone());
    let labels = Patch::Merge(json!({"metadata": {"labels": {"team": "payments"}}}));
    namespaces.patch(world.namespace(), &PatchParams::default(), &labels).await.unwrap();
    world.served.holds("db", &[("x", "hunter2")]).await;
    world.ready("db", "True", "Synced").await;
}
