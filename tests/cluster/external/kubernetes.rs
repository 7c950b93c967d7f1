//! Secrets of another namespace, read from the API server as somebody who may.

use data_encoding::BASE64;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use sealwax_crds::ClusterSecretStore;
use sealwax_tests::Namespace;
use serde_json::{Value, json};

use super::world::{External, message, reads, with};

/// By which a service account allows stores of the cluster to act for other namespaces.
const ALLOW: &str = "sealwax.dev/allow-cluster-stores";

/// Lets the service account `reader` of the world's namespace read the Secrets of another.
fn allow(world: &External, remote: &str) {
    let manifests = json!({"apiVersion": "v1", "kind": "List", "metadata": {"namespace": remote}, "items": [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "reader", "namespace": remote},
            "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "reader", "namespace": remote},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": world.namespace()}],
        },
    ]});
    world.served.plane.kubectl().apply(&manifests.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_namespace_is_read_as_whoever_may() {
    let world = External::start("kubernetes").await;
    let remote = Namespace::create(world.served.plane, "kubernetes-remote").await;
    let (url, authority) = world.api_server();
    for account in ["reader", "stranger"] {
        world.account(account, &[]);
    }
    allow(&world, remote.name());
    let labels = json!({"team": "payments"});
    for (name, items) in [("db", json!({"user": "app", "json": r#"{"a": 1}"#})), ("web", json!({"user": "web"}))] {
        world.apply(&json!({"apiVersion": "v1", "kind": "Secret", "stringData": items,
            "metadata": {"name": name, "namespace": remote.name(), "labels": labels}}));
    }
    world.secret("reader", &[("token", &world.token("reader", &[]).await)]);
    world.secret("admin", &[("tls.crt", &world.plane_file("admin.crt")), ("tls.key", &world.plane_file("admin.key"))]);
    world.config_map("authority", &[("ca.crt", &authority)]);
    let bundle = json!({"url": url, "caBundle": BASE64.encode(authority.as_bytes())});
    let provider = json!({"url": url, "caProvider": {"type": "ConfigMap", "name": "authority", "key": "ca.crt"}});
    let cert =
        json!({"clientCert": {"name": "admin", "key": "tls.crt"}, "clientKey": {"name": "admin", "key": "tls.key"}});
    let cases = [
        ("account", &bundle, json!({"serviceAccount": {"name": "reader"}})),
        ("token", &provider, json!({"token": {"bearerToken": {"name": "reader", "key": "token"}}})),
        ("cert", &bundle, json!({ "cert": cert })),
        ("stranger", &bundle, json!({"serviceAccount": {"name": "stranger"}})),
    ];
    let spec = |store: &str| {
        let spec = reads(store, &["user <- db user", "inner <- db json.a"]);
        with(spec, &json!({"dataFrom": [{"extract": {"key": "web"}}]}))
    };
    for (name, server, auth) in &cases {
        let store = json!({"remoteNamespace": remote.name(), "server": server, "auth": auth});
        world.store(name, &json!({ "kubernetes": store }));
        world.external(name, &spec(name));
    }
    for name in ["account", "token", "cert"] {
        world.served.holds(name, &[("inner", "1"), ("user", "app")]).await;
        world.store_ready(name, "True", "Valid").await;
    }
    let refused = world.ready("stranger", "False", "SourceDenied").await;
    assert!(message(&refused).contains("Kubernetes read of "), "{refused:?}");

    let find: Value = json!([{"find": {"name": {"regexp": "^we"}, "tags": labels}}]);
    world.external("find", &json!({"secretStoreRef": {"name": "account"}, "dataFrom": find}));
    world.served.holds("find", &[("web", r#"{"user":"web"}"#)]).await;
    // What is changed there comes here.
    world.external("often", &with(reads("account", &["user <- web user"]), &json!({"refreshInterval": "1s"})));
    world.served.holds("often", &[("user", "web")]).await;
    world.apply(&json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"user": "other"},
        "metadata": {"name": "web", "namespace": remote.name(), "labels": labels}}));
    world.served.holds("often", &[("user", "other")]).await;
}

/// What is missing is the account, not the secret: whatever the policy says of secrets that are gone, nothing is deleted.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_deleted_deletes_no_secret() {
    let world = External::start("kubernetes-account").await;
    let remote = Namespace::create(world.served.plane, "kubernetes-account-remote").await;
    let (url, authority) = world.api_server();
    world.account("reader", &[]);
    allow(&world, remote.name());
    world.apply(&json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"user": "app"},
        "metadata": {"name": "db", "namespace": remote.name()}}));
    let store = |interval: &str| {
        let provider = json!({"kubernetes": {
            "remoteNamespace": remote.name(), "auth": {"serviceAccount": {"name": "reader"}},
            "server": {"url": url, "caBundle": BASE64.encode(authority.as_bytes())},
        }});
        world.apply(&json!({
            "apiVersion": "sealwax.dev/v1alpha1", "kind": "SecretStore", "metadata": {"name": "remote"},
            "spec": {"provider": provider, "refreshInterval": interval},
        }));
    };
    store("5m");
    let delete = json!({"target": {"deletionPolicy": "Delete"}});
    world.external("db", &with(reads("remote", &["user <- db user"]), &delete));
    world.served.holds("db", &[("user", "app")]).await;
    world.ready("db", "True", "Synced").await;
    let accounts: Api<ServiceAccount> = world.served.namespace.api(&world.client);
    accounts.delete("reader", &DeleteParams::default()).await.unwrap();
    // A store that changed is logged in to anew.
    store("6m");
    let told = world.stale("db", "SourceDenied").await;
    assert!(told.contains("there is no such service account"), "{told}");
    world.served.holds("db", &[("user", "app")]).await;
    assert!(world.objects.get("db").await.unwrap().status.unwrap().last_good.is_some(), "nor its copy");
}

/// What a service account has allowed it can take back: from whoever is logged in, too.
#[tokio::test(flavor = "multi_thread")]
async fn leave_that_is_taken_back_ends_logins() {
    let world = External::start_classed("kubernetes-leave", &[]).await;
    let remote = Namespace::create(world.served.plane, "kubernetes-leave-remote").await;
    let (url, authority) = world.api_server();
    let server = json!({"url": url, "caBundle": BASE64.encode(authority.as_bytes())});
    let auth = json!({"serviceAccount": {"name": "reader", "namespace": world.namespace()}});
    let provider = json!({"kubernetes": {"remoteNamespace": remote.name(), "server": server, "auth": auth}});
    world.account("reader", &[]);
    allow(&world, remote.name());
    world.apply(&json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"user": "app"},
        "metadata": {"name": "db", "namespace": remote.name()}}));
    let store = world.cluster_store("leave", &provider, &json!([]));
    let stores: Api<ClusterSecretStore> = Api::all(world.client.clone());
    let often = Patch::Merge(json!({"spec": {"refreshInterval": 10}}));
    stores.patch(&store, &PatchParams::default(), &often).await.unwrap();
    let leave = |allowed: Option<&str>| Patch::Merge(json!({"metadata": {"annotations": {ALLOW: allowed}}}));
    let accounts: Api<ServiceAccount> = world.served.namespace.api(&world.client);
    accounts.patch("reader", &PatchParams::default(), &leave(Some(&store))).await.unwrap();
    let kind = json!({"secretStoreRef": {"name": store, "kind": "ClusterSecretStore"}, "refreshInterval": "1s"});
    world.external("db", &with(reads(&store, &["user <- db user"]), &kind));
    world.served.holds("db", &[("user", "app")]).await;
    world.fresh("db").await;
    accounts.patch("reader", &PatchParams::default(), &leave(None)).await.unwrap();
    let told = world.stale("db", "SourceDenied").await;
    assert!(told.contains("does not allow this ClusterSecretStore"), "{told}");
}
