//! What somebody may try who may write objects and stores of one namespace and nothing else.
//!
//! The published advisories of External Secrets Operator are here by their names: most are a privileged controller that
//! does as an unprivileged author says.

use sealwax_test_servers::Bao;
use sealwax_tests::{Namespace, wait_for};
use serde_json::{Value, json};

use super::world::{External, message, reads, with};
use crate::served::SOON;

/// What the API server says to a manifest that it refuses.
fn refused(world: &External, manifest: &Value) -> String {
    let mut manifest = manifest.clone();
    manifest["metadata"]["namespace"] = json!(world.namespace());
    let arguments = ["apply", "--server-side", "-f", "-"];
    let output = world.served.plane.kubectl().output(&arguments, &manifest.to_string());
    assert!(!output.status.success(), "{manifest} was taken");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn store_manifest(provider: &Value) -> Value {
    json!({"apiVersion": "sealwax.dev/v1alpha1", "kind": "SecretStore", "metadata": {"name": "attack"},
        "spec": {"provider": provider}})
}

fn external_manifest(target: &Value) -> Value {
    json!({"apiVersion": "sealwax.dev/v1alpha1", "kind": "ExternalSecret", "metadata": {"name": "attack"},
        "spec": with(reads("fake", &["x <- a"]), &json!({ "target": target }))})
}

/// CVE-2024-45041: rights that let whoever takes over the controller take over the cluster.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_45041_the_controller_has_no_rights_to_become_more() {
    let world = External::start("attack-rights").await;
    let kubectl = world.served.identity.kubectl();
    for (verb, resource) in [
        ("update", "validatingwebhookconfigurations"),
        ("patch", "mutatingwebhookconfigurations"),
        ("patch", "customresourcedefinitions"),
        ("create", "clusterroles"),
        ("escalate", "clusterroles"),
        ("bind", "clusterroles"),
        ("impersonate", "users"),
        ("update", "namespaces"),
        ("create", "serviceaccounts"),
        ("create", "pods"),
    ] {
        let output = kubectl.output(&["auth", "can-i", verb, resource, "--all-namespaces"], "");
        let answer = String::from_utf8_lossy(&output.stdout);
        assert_eq!(answer.trim(), "no", "{verb} {resource}");
    }
}

/// GHSA-fcxq-v2r3-cc8h: a list that shows the secrets of other namespaces. And the rules about keys.
#[tokio::test(flavor = "multi_thread")]
async fn ghsa_fcxq_v2r3_cc8h_nobody_finds_or_reads_keys_of_others() {
    let world = External::start_classed("attack-keys", &[]).await;
    let namespace = world.namespace();
    let own = format!("teams/{namespace}/db");
    let data = json!([{"key": own, "value": "mine"}, {"key": "teams/other/db", "value": "theirs"}]);
    let conditions = json!([{"namespaceRegexes": ["attack-.*"], "keyPrefixes": ["teams/{namespace}/"]}]);
    let store = world.cluster_store("keys", &json!({"fake": {"data": data}}), &conditions);
    let kind = json!({"secretStoreRef": {"name": store, "kind": "ClusterSecretStore"}});
    let find = json!({"dataFrom": [{"find": {"name": {"regexp": "."}},
        "rewrite": [{"regexp": {"source": ".*/(.*/.*)", "target": "$1"}}, {"regexp": {"source": "/", "target": "_"}}]}]});
    world.external("find", &with(kind.clone(), &find));
    world.served.holds("find", &[(&format!("{namespace}_db"), "mine")]).await;
    for (name, key) in [("other", "teams/other/db"), ("dots", &format!("teams/{namespace}/../other/db"))] {
        world.external(name, &with(reads(&store, &[&format!("x <- {key}")]), &kind));
    }
    let told = message(&world.ready("other", "False", "StoreRefused").await);
    assert!(told.contains("may not read the key teams/other/db"), "{told}");
    let told = message(&world.ready("dots", "False", "StoreRefused").await);
    assert!(told.contains("has a part that is '.' or '..'"), "{told}");
    let path = json!({"dataFrom": [{"find": {"path": "teams/other"}}]});
    world.external("path", &with(kind, &path));
    world.ready("path", "False", "StoreRefused").await;
}

/// GHSA-77v3-r3jw-j2v2 and CVE-2026-34984: functions of templates that read Secrets of any namespace, and that ask
/// name servers.
#[tokio::test(flavor = "multi_thread")]
async fn ghsa_77v3_r3jw_j2v2_and_cve_2026_34984_templates_reach_nothing_outside() {
    let world = External::start("attack-templates").await;
    world.fake("fake", &[("a", "hunter2")]);
    let cases = [
        ("secret", r#"{{ getSecretKey "default" "token" "kube-system" }}"#, "getSecretKey"),
        ("host", r#"{{ getHostByName (printf "%s.example.com" .x) }}"#, "getHostByName"),
        ("env", r#"{{ env "KUBECONFIG" }}"#, "env"),
        ("expand", r#"{{ expandenv "$HOME" }}"#, "expandenv"),
    ];
    for (name, template, _) in cases {
        let target = json!({"target": {"template": {"data": {"y": template}}}});
        world.external(name, &with(reads("fake", &["x <- a"]), &target));
    }
    for (name, _, function) in cases {
        let told = message(&world.ready(name, "False", "Template").await);
        assert!(told.contains(function) && !told.contains("hunter2"), "{told}");
        assert!(world.served.secrets.get_opt(name).await.unwrap().is_none());
    }
}

/// CVE-2026-42875: certificates, and everything else that a store names, from another namespace.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_42875_a_store_reaches_no_other_namespace() {
    let world = External::start_classed("attack-references", &[]).await;
    let elsewhere = json!({"name": "x", "key": "y", "namespace": "kube-system"});
    let ca = json!({"type": "ConfigMap", "name": "x", "key": "y", "namespace": "kube-system"});
    let vault = |more: Value| json!({"vault": with(json!({"server": "https://vault", "path": "secret"}), &more)});
    let account = json!({"name": "x", "namespace": "kube-system"});
    let local = json!({"tokenSecretRef": {"name": "x"}});
    let jwt = json!({"kubernetesServiceAccountToken": {"serviceAccountRef": account}});
    for provider in [
        vault(json!({"auth": local, "caProvider": ca})),
        vault(json!({"auth": {"tokenSecretRef": elsewhere}})),
        vault(json!({"auth": {"kubernetes": {"role": "r", "serviceAccountRef": account}}})),
        vault(json!({"auth": {"jwt": jwt}})),
        vault(json!({"auth": local, "tls": {"certSecretRef": elsewhere, "keySecretRef": {"name": "x"}}})),
        json!({"aws": {"service": "ParameterStore", "auth": {"jwt": {"serviceAccountRef": account}}}}),
        json!({"kubernetes": {"auth": {"token": {"bearerToken": elsewhere}}}}),
    ] {
        let told = refused(&world, &store_manifest(&provider));
        assert!(told.contains("of its own namespace: leave the namespace out"), "{told}");
    }
    // A store of the cluster that names no namespace means that of whoever uses it, whoever wrote it.
    let provider = vault(json!({"auth": local, "caProvider": {"type": "ConfigMap", "name": "theirs", "key": "y"}}));
    let store = world.cluster_store("ca", &provider, &json!([{"namespaces": [world.namespace()]}]));
    let kind = json!({"secretStoreRef": {"name": store, "kind": "ClusterSecretStore"}});
    world.external("ca", &with(reads(&store, &["x <- a"]), &kind));
    let told = message(&world.ready("ca", "Unknown", "CredentialsMissing").await);
    assert!(told.contains(&format!("ConfigMap {}/theirs is not there", world.namespace())), "{told}");
}

/// CVE-2026-42876: a Secret that Kubernetes fills with a token, made by naming its type.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_42876_no_secret_becomes_a_token() {
    let world = External::start("attack-types").await;
    let annotations = json!({"annotations": {"kubernetes.io/service-account.name": "default"}});
    for type_ in ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"] {
        let target = json!({"template": {"type": type_, "metadata": annotations}});
        let told = refused(&world, &external_manifest(&target));
        assert!(told.contains("template.type"), "{told}");
    }
    let own = json!({"template": {"metadata": {"labels": {"sealwax.dev/managed-by": "me"}}}});
    refused(&world, &external_manifest(&own));
}

/// A token of a service account is given to a store of another namespace only where the service account says so.
#[tokio::test(flavor = "multi_thread")]
async fn service_accounts_act_for_stores_that_they_allow() {
    let world = External::start_classed("attack-accounts", &[]).await;
    let elsewhere = Namespace::create(world.served.plane, "attack-victim").await;
    let (url, authority) = world.api_server();
    let server = json!({"url": url, "caBundle": data_encoding::BASE64.encode(authority.as_bytes())});
    let account = |annotations: &Value| {
        world.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "victim", "namespace": elsewhere.name(), "annotations": annotations}}));
    };
    account(&json!({}));
    let auth = json!({"serviceAccount": {"name": "victim", "namespace": elsewhere.name()}});
    let provider = json!({"kubernetes": {"remoteNamespace": elsewhere.name(), "server": server, "auth": auth}});
    let store = world.cluster_store("accounts", &provider, &json!([{"namespaces": [world.namespace()]}]));
    let kind = json!({"secretStoreRef": {"name": store, "kind": "ClusterSecretStore"}});
    world.external("db", &with(reads(&store, &["x <- a x"]), &kind));
    let told = message(&world.ready("db", "False", "SourceDenied").await);
    assert!(told.contains("does not allow this ClusterSecretStore"), "{told}");
    // Allowed, it is the API server that says no: the account itself may not read.
    account(&json!({"sealwax.dev/allow-cluster-stores": store}));
    world.force("db", "1").await;
    let told = wait_for(SOON, "the API server's word", async || {
        let told = message(&world.ready("db", "False", "SourceDenied").await);
        told.contains("(403)").then_some(told)
    });
    assert!(told.await.contains("permission denied"));
}

/// A namespace is admitted by its whole name, and nobody by a store that cannot be understood.
#[tokio::test(flavor = "multi_thread")]
async fn conditions_mean_whole_names() {
    let world = External::start_classed("attack-names", &[]).await;
    let namespace = world.namespace();
    let fake = json!({"fake": {"data": [{"key": "a", "value": "hunter2"}]}});
    let cases = [
        ("part", json!([{"namespaceRegexes": ["attack-names"]}]), false),
        ("whole", json!([{"namespaceRegexes": ["attack-names-.*"]}]), true),
        ("name", json!([{"namespaces": [namespace]}]), true),
        ("other", json!([{"namespaces": ["default"]}]), false),
        ("broken", json!([{"namespaces": [namespace]}, {"namespaceRegexes": ["("]}]), false),
        ("label", json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}]), true),
        ("other-label", json!([{"namespaceSelector": {"matchLabels": {"team": "x"}}}]), false),
    ];
    for (name, conditions, _) in &cases {
        let store = world.cluster_store(name, &fake, conditions);
        let kind = json!({"secretStoreRef": {"name": store, "kind": "ClusterSecretStore"}});
        world.external(name, &with(reads(&store, &["x <- a"]), &kind));
    }
    for (name, _, admitted) in cases {
        let (status, reason) = if admitted { ("True", "Synced") } else { ("False", "StoreRefused") };
        world.ready(name, status, reason).await;
        assert_eq!(world.served.secrets.get_opt(name).await.unwrap().is_some(), admitted, "{name}");
    }
}

/// The controller's own Secrets are no credentials and no templates.
#[tokio::test(flavor = "multi_thread")]
async fn the_controllers_own_secrets_are_not_given_away() {
    let world = External::start("attack-own").await;
    world.fake("fake", &[("a", "hunter2")]);
    world.external("db", &reads("fake", &["x <- a"]));
    let copy = world.copy_of("db").await;
    let template = json!({"templateFrom": [{"secret": {"name": copy, "items": [{"key": "x"}]}}]});
    world.external("template", &with(reads("fake", &["x <- a"]), &json!({"target": {"template": template}})));
    let told = message(&world.ready("template", "Unknown", "TemplateMissing").await);
    assert!(told.contains("is the controller's own and not for stores"), "{told}");
    let auth = json!({"tokenSecretRef": {"name": copy, "key": "x"}});
    world.store("token", &json!({"vault": {"server": "http://127.0.0.1:1", "auth": auth}}));
    world.store_ready("token", "False", "CredentialsRefused").await;
}

/// The controller's own token is good for the API server: no server that an author names gets it, whatever the flags say.
#[tokio::test(flavor = "multi_thread")]
async fn the_controllers_own_token_is_sent_to_nobody() {
    let world = External::start_with("attack-token", &["--allow-ambient-credentials"], &[]).await;
    let auth = json!({"kubernetes": {"role": "r"}});
    world.store("own", &json!({"vault": {"server": "http://127.0.0.1:1", "path": "secret", "auth": auth}}));
    let told = world.store_ready("own", "False", "StoreInvalid").await;
    assert!(told.contains("name a serviceAccountRef"), "{told}");
}

/// Keys that repeat the mount or the prefix of the store, by a namespace that is named as that is.
#[tokio::test(flavor = "multi_thread")]
async fn prefixes_are_held_against_what_is_read() {
    let bao = Bao::start();
    let world = External::start_classed("attack-spelling", &[]).await;
    // As if the mount were named first.
    let mount = world.namespace();
    bao.admin("POST", &format!("sys/mounts/{mount}"), json!({"type": "kv", "options": {"version": "2"}}));
    for (path, value) in [("team-b/db", "theirs"), (&format!("{mount}/db"), "mine"), (mount, "above")] {
        bao.admin("POST", &format!("{mount}/data/{path}"), json!({"data": {"password": value}}));
    }
    world.secret("root", &[("token", bao.root_token())]);
    let auth = json!({"tokenSecretRef": {"name": "root", "key": "token"}});
    let provider = json!({"vault": {"server": bao.url(), "path": mount, "auth": auth}});
    let conditions = json!([{"namespaces": [mount], "keyPrefixes": ["{namespace}/"]}]);
    let store = world.cluster_store("mount", &provider, &conditions);
    let kind = json!({"secretStoreRef": {"name": store, "kind": "ClusterSecretStore"}});
    let read = |name: &str, key: &str| {
        world.external(name, &with(reads(&store, &[&format!("x <- {key} password")]), &kind));
    };
    read("mount", &format!("{mount}/team-b/db"));
    read("data", &format!("{mount}/data/team-b/db"));
    read("empty", &format!("{mount}//{mount}/db"));
    read("slash", &format!("{mount}/{mount}/"));
    read("own", &format!("{mount}/{mount}/db"));
    world.served.holds("own", &[("x", "mine")]).await;
    for name in ["mount", "data", "empty"] {
        world.ready(name, "False", "StoreRefused").await;
    }
    let told = message(&world.ready("slash", "False", "SourceInvalid").await);
    assert!(told.contains("does not end with a slash"), "{told}");
    for name in ["mount", "data", "empty", "slash"] {
        assert!(world.served.secrets.get_opt(name).await.unwrap().is_none(), "{name}");
    }
}
