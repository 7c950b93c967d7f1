//! Vault, tried on a real `OpenBao`: every way to log in, every kind of value, and how often the server is asked.

use std::path::Path;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sealwax_test_servers::{Bao, tls_listener};
use serde_json::{Value, json};

use super::world::{External, Items, message, reads, with};

/// A secret as one text, as Go writes it.
const WHOLE: &str = r#"{"a.b":"dot","nested":{"x":["\u003c1\u003e"]},"password":"hunter2","port":5432}"#;

/// A store at this server with this login.
fn store(server: &str, auth: &Value, more: &Value) -> Value {
    json!({"vault": with(json!({"server": server, "path": "secret", "auth": auth}), more)})
}

fn root(bao: &Bao) -> Value {
    store(bao.url(), &json!({"tokenSecretRef": {"name": "root", "key": "token"}}), &json!({}))
}

/// A world with the administrator's token in the Secret `root`.
async fn world(test: &str, bao: &Bao) -> External {
    let world = External::start(test).await;
    world.secret("root", &[("token", bao.root_token())]);
    world
}

/// A server on which one policy may read what is below `team/`, and where everybody may log in as `app`.
async fn with_logins(world: &External) -> Bao {
    let bao = Bao::start();
    bao.put("team/db", json!({"password": "hunter2"}));
    bao.policy("team", &[("secret/data/team/*", "\"read\"")]);
    world.secret("login-token", &[("token", &bao.token(&["team"], &json!({})))]);
    let (role_id, secret_id) = bao.app_role("app", &json!({"token_policies": ["team"]}));
    world.secret("login-approle", &[("role", &role_id), ("secret", &secret_id)]);

    // The server asks the cluster who a service account is, by an account that may ask.
    for account in ["app", "reviewer"] {
        world.account(account, &[]);
    }
    let namespace = world.namespace();
    world.apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": format!("{namespace}-reviewer")},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"},
        "subjects": [{"kind": "ServiceAccount", "name": "reviewer", "namespace": namespace}],
    }));
    let (host, authority) = world.api_server();
    bao.enable_auth("kubernetes", "kubernetes");
    let config = json!({
        "kubernetes_host": host, "kubernetes_ca_cert": authority, "disable_local_ca_jwt": true,
        "token_reviewer_jwt": world.token("reviewer", &[]).await,
    });
    bao.admin("POST", "auth/kubernetes/config", config);
    let role = json!({
        "bound_service_account_names": ["app"], "bound_service_account_namespaces": [namespace], "audience": "vault",
        "token_policies": ["team"],
    });
    bao.admin("POST", "auth/kubernetes/role/app", role);

    // And it knows the key that the cluster signs tokens with.
    bao.enable_auth("jwt", "jwt");
    let keys = json!({"jwt_validation_pubkeys": [world.plane_file("service-account.pub")]});
    bao.admin("POST", "auth/jwt/config", keys);
    let role = json!({
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": ["team"],
        "bound_subject": format!("system:serviceaccount:{namespace}:app"),
    });
    bao.admin("POST", "auth/jwt/role/app", role);
    bao
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_log_in_reads() {
    let world = External::start("vault-logins").await;
    let bao = with_logins(&world).await;
    world.secret("login-jwt", &[("jwt", &world.token("app", &["vault"]).await)]);
    let app = json!({"name": "app"});
    let logins = [
        ("token", json!({"tokenSecretRef": {"name": "login-token", "key": "token"}})),
        (
            "approle",
            json!({"appRole": {"roleRef": {"name": "login-approle", "key": "role"},
                "secretRef": {"name": "login-approle", "key": "secret"}}}),
        ),
        ("kubernetes", json!({"kubernetes": {"role": "app", "serviceAccountRef": app}})),
        ("kubernetes-secret", json!({"kubernetes": {"role": "app", "secretRef": {"name": "login-jwt", "key": "jwt"}}})),
        ("jwt", json!({"jwt": {"role": "app", "kubernetesServiceAccountToken": {"serviceAccountRef": app}}})),
        ("jwt-secret", json!({"jwt": {"role": "app", "secretRef": {"name": "login-jwt"}}})),
    ];
    for (name, auth) in &logins {
        world.store(name, &store(bao.url(), auth, &json!({})));
        world.external(name, &reads(name, &["password <- team/db password"]));
    }
    for (name, _) in &logins {
        world.ready(name, "True", "Synced").await;
        world.served.holds(name, &[("password", "hunter2")]).await;
        world.store_ready(name, "True", "Valid").await;
    }
    // Another account, another audience and another role are refused, each by the server.
    world.account("stranger", &[]);
    let stranger = json!({"name": "stranger"});
    let jwt = json!({"role": "app", "kubernetesServiceAccountToken": {"serviceAccountRef": app, "audiences": ["x"]}});
    let refused = [
        ("stranger", json!({"kubernetes": {"role": "app", "serviceAccountRef": stranger}})),
        ("no-role", json!({"kubernetes": {"role": "nobody", "serviceAccountRef": app}})),
        ("audience", json!({"jwt": jwt})),
    ];
    for (name, auth) in &refused {
        world.store(name, &store(bao.url(), auth, &json!({})));
        world.external(name, &reads(name, &["password <- team/db password"]));
    }
    for (name, _) in &refused {
        let object = world.ready(name, "False", "SourceDenied").await;
        assert!(message(&object).contains("Vault login of team/db: the credentials are not accepted"), "{object:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_value_is_read() {
    let bao = Bao::start();
    let world = world("vault-values", &bao).await;
    bao.put("team/db", json!({"password": "old"}));
    bao.put("team/db", json!({"password": "hunter2", "port": 5432, "a.b": "dot", "nested": {"x": ["<1>"]}}));
    bao.put("team/web", json!({"user": "web"}));
    bao.admin("POST", "secret/metadata/team/db", json!({"custom_metadata": {"owner": "ops"}}));
    bao.admin("POST", "sys/mounts/old", json!({"type": "kv", "options": {"version": "1"}}));
    bao.admin("POST", "old/team/db", json!({"password": "first"}));
    bao.admin("POST", "sys/namespaces/team", json!({}));
    bao.admin_in("team", "POST", "sys/mounts/kv", json!({"type": "kv", "options": {"version": "1"}}));
    bao.admin_in("team", "POST", "kv/db", json!({"password": "inner"}));
    world.store("v2", &root(&bao));
    let token = json!({"tokenSecretRef": {"name": "root", "key": "token"}, "namespace": ""});
    world.store("v1", &store(bao.url(), &token, &json!({"path": "old", "version": "v1"})));
    world.store("inner", &store(bao.url(), &token, &json!({"path": "kv", "version": "v1", "namespace": "team"})));
    let of = |store: &str, more: &Value| with(json!({"secretStoreRef": {"name": store}}), more);
    let db = |more: &Value| json!({"data": [{"secretKey": "x", "remoteRef": with(json!({"key": "team/db"}), more)}]});
    let find = json!({"path": "team", "name": {"regexp": "db|web"}});
    let rewrite = json!([{"regexp": {"source": "team/(.*)", "target": "${1}.json"}}]);
    let cases: [(&str, Value, Items); 11] = [
        ("property", of("v2", &db(&json!({"property": "password"}))), &[("x", "hunter2")]),
        ("literal", of("v2", &db(&json!({"property": "a.b"}))), &[("x", "dot")]),
        ("path", of("v2", &db(&json!({"property": "nested.x.0"}))), &[("x", "<1>")]),
        ("whole", of("v2", &db(&json!({}))), &[("x", WHOLE)]),
        ("version", of("v2", &db(&json!({"version": "1", "property": "password"}))), &[("x", "old")]),
        ("metadata", of("v2", &db(&json!({"metadataPolicy": "Fetch", "property": "owner"}))), &[("x", "ops")]),
        ("extract", of("v2", &json!({"dataFrom": [{"extract": {"key": "team/web"}}]})), &[("user", "web")]),
        (
            "find",
            of("v2", &json!({"dataFrom": [{"find": find, "rewrite": rewrite}]})),
            &[("db.json", WHOLE), ("web.json", r#"{"user":"web"}"#)],
        ),
        (
            "converted",
            of("v2", &json!({"dataFrom": [{"find": {"path": "team", "name": {"regexp": "web"}}}]})),
            &[("team_web", r#"{"user":"web"}"#)],
        ),
        ("v1", of("v1", &db(&json!({"property": "password"}))), &[("x", "first")]),
        (
            "namespace",
            of("inner", &json!({"data": [{"secretKey": "x", "remoteRef": {"key": "db", "property": "password"}}]})),
            &[("x", "inner")],
        ),
    ];
    for (name, spec, _) in &cases {
        world.external(name, spec);
    }
    for (name, _, items) in cases {
        world.served.holds(name, items).await;
        world.ready(name, "True", "Synced").await;
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issue(authority: &CertifiedIssuer<'_, KeyPair>, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_vouch_for_the_server_and_for_the_controller() {
    let (right, wrong) = (authority(), authority());
    let (certificate, key) = issue(&right, "localhost");
    let listener = |folder: &Path, port: u16| tls_listener(folder, port, &certificate, &key, Some(&right.pem()));
    let bao = Bao::start_with(listener);
    bao.put("db", json!({"password": "hunter2"}));
    let world = world("vault-tls", &bao).await;
    let (certificate, key) = issue(&right, "client");
    world.secret("client", &[("tls.crt", &certificate), ("tls.key", &key)]);
    world.secret("authority", &[("ca.crt", &right.pem())]);
    world.config_map("authority", &[("bundle", &format!("{}{}", wrong.pem(), right.pem()))]);
    world.config_map("wrong", &[("ca.crt", &wrong.pem())]);
    let client = json!({"certSecretRef": {"name": "client"}, "keySecretRef": {"name": "client"}});
    let from = |kind: &str, name: &str, key: &str| json!({"type": kind, "name": name, "key": key});
    let cases = [
        ("secret", json!({"caProvider": from("Secret", "authority", "ca.crt"), "tls": client}), None),
        ("config-map", json!({"caProvider": from("ConfigMap", "authority", "bundle"), "tls": client}), None),
        (
            "wrong-authority",
            json!({"caProvider": from("ConfigMap", "wrong", "ca.crt"), "tls": client}),
            Some("the server's certificate is not trusted: is the CA bundle right?"),
        ),
        ("no-authority", json!({"tls": client}), Some("the server's certificate is not trusted")),
        (
            "no-certificate",
            json!({"caProvider": from("Secret", "authority", "ca.crt")}),
            Some("the server does not accept this client's certificate"),
        ),
    ];
    let server = format!("https://localhost:{}", bao.tls_port());
    for (name, more, _) in &cases {
        world.store(name, &store(&server, &json!({"tokenSecretRef": {"name": "root", "key": "token"}}), more));
        world.external(name, &reads(name, &["password <- db password"]));
    }
    for (name, _, wrong) in cases {
        if let Some(wrong) = wrong {
            let told = world.store_ready(name, "False", "SourceUnavailable").await;
            assert!(told.contains(wrong), "{name}: {told}");
        } else {
            world.served.holds(name, &[("password", "hunter2")]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_objects_cost_one_login_and_one_read_for_each_refresh() {
    let world = External::start("vault-calls").await;
    let bao = with_logins(&world).await;
    let names = ["one", "two", "three", "four", "five"];
    let interval = Duration::from_secs(4);
    for name in names {
        let spec = reads("vault", &["password <- team/db password", "all <- team/db"]);
        world.external(name, &with(spec, &json!({"refreshInterval": "4s"})));
    }
    for name in names {
        world.ready(name, "Unknown", "StoreMissing").await;
    }
    let auth = json!({"appRole": {"roleRef": {"name": "login-approle", "key": "role"},
        "secretRef": {"name": "login-approle", "key": "secret"}}});
    let started = Instant::now();
    world.store("vault", &store(bao.url(), &auth, &json!({})));
    for name in names {
        world.ready(name, "True", "Synced").await;
    }
    bao.put("team/db", json!({"password": "hunter3"}));
    for name in names {
        world.served.holds(name, &[("all", r#"{"password":"hunter3"}"#), ("password", "hunter3")]).await;
    }
    tokio::time::sleep(interval).await;
    // Each refresh comes after eight tenths of the interval at the earliest. The write above is one more request.
    let refreshes = started.elapsed().as_secs_f64() / (interval.as_secs_f64() * 0.8) + 1.0;
    let reads = bao.requests("secret/data/team/db") - 2;
    assert!(
        reads >= 2 && f64::from(u32::try_from(reads).unwrap()) <= refreshes,
        "{reads} reads, {refreshes} refreshes"
    );
    assert_eq!(bao.requests("auth/approle/login"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_comes_by_itself_or_when_asked_for() {
    let bao = Bao::start();
    bao.put("db", json!({"password": "one"}));
    let world = world("vault-refresh", &bao).await;
    world.store("vault", &root(&bao));
    let spec = |interval: &str| with(reads("vault", &["x <- db password"]), &json!({"refreshInterval": interval}));
    world.external("often", &spec("2s"));
    world.external("seldom", &spec("1h"));
    world.external("once", &spec("0"));
    for name in ["often", "seldom", "once"] {
        world.served.holds(name, &[("x", "one")]).await;
        world.ready(name, "True", "Synced").await;
    }
    bao.put("db", json!({"password": "two"}));
    world.served.holds("often", &[("x", "two")]).await;
    for name in ["seldom", "once"] {
        world.served.holds(name, &[("x", "one")]).await;
        world.force(name, "please").await;
        world.served.holds(name, &[("x", "two")]).await;
    }
    // A target that was changed by hand is put right without a single request.
    world.external("often", &spec("1h"));
    world.ready("often", "True", "Synced").await;
    let before = bao.requests("secret/data/db");
    world.served.edit("seldom", json!({"stringData": {"x": "mine"}})).await;
    world.served.holds("seldom", &[("x", "two")]).await;
    assert_eq!(bao.requests("secret/data/db"), before);
}
