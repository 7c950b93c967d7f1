//! Sources that do not work. The status names the cause and nothing of what the server wrote; the Secret stays, comes
//! back when it is deleted, and is fresh again by itself once the source works.

use std::time::Duration;

use kube::api::DeleteParams;
use sealwax_test_servers::{Bao, Moto, Proxy, Rule};
use sealwax_tests::wait_for;
use serde_json::{Value, json};

use super::world::{External, reads, with};
use crate::served::SOON;

const CALL: &str = "GET /v1/secret/data/db*";

fn store(server: &str) -> Value {
    json!({"vault": {"server": server, "path": "secret", "auth": {"tokenSecretRef": {"name": "login"}}}})
}

fn often(spec: Value) -> Value {
    with(spec, &json!({"refreshInterval": "1s"}))
}

/// A world with a token in the Secret `login`.
async fn world(test: &str, token: &str) -> External {
    let world = External::start(test).await;
    world.secret("login", &[("token", token)]);
    world
}

/// The object is stale for this reason, which it tells; its Secret comes back meanwhile.
async fn survives(world: &External, name: &str, reason: &str, cause: &str, items: &[(&str, &str)]) {
    let told = world.stale(name, reason).await;
    assert!(told.contains(cause), "{name}: {told}");
    world.served.secrets.delete(name, &DeleteParams::default()).await.unwrap();
    world.served.holds(name, items).await;
    world.stale(name, reason).await;
    let object = serde_json::to_string(&world.objects.get(name).await.unwrap()).unwrap();
    assert!(!object.contains("HUNTER2") && !object.contains("hunter2"), "{object}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_server_answers_the_secret_stays() {
    let bao = Bao::start();
    bao.put("db", json!({"password": "hunter2"}));
    let world = world("outages", bao.root_token()).await;
    let of = |reason: &'static str, cause: &'static str, rule: Rule| (reason, cause, rule);
    let cases = [
        (
            "asked-to-wait",
            of(
                "SourceThrottled",
                "Vault read of db: too many calls",
                Rule::answer(CALL, 429, "HUNTER2").header("retry-after", "1"),
            ),
        ),
        ("throttled", of("SourceThrottled", "(429)", Rule::answer(CALL, 429, "HUNTER2"))),
        (
            "broken",
            of(
                "SourceUnavailable",
                "Vault read of db: the server does not answer as it should; it is asked again later (500)",
                Rule::answer(CALL, 500, "HUNTER2"),
            ),
        ),
        ("away", of("SourceUnavailable", "(502)", Rule::answer(CALL, 502, "<html>HUNTER2"))),
        ("reset", of("SourceUnavailable", "Vault read of db: ", Rule::break_off(CALL))),
        ("hung-up", of("SourceUnavailable", "Vault read of db: ", Rule::hang_up(CALL))),
        ("denied", of("SourceDenied", "Vault read of db: permission denied (403)", Rule::answer(CALL, 403, "HUNTER2"))),
        ("nonsense", of("SourceInvalid", "Vault read of db: ", Rule::answer(CALL, 200, "HUNTER2"))),
    ];
    let proxies: Vec<Proxy> = cases.iter().map(|_| Proxy::before(bao.url())).collect();
    for ((name, _), proxy) in cases.iter().zip(&proxies) {
        world.store(name, &store(&proxy.url()));
        world.external(name, &often(reads(name, &["x <- db password"])));
    }
    for (name, _) in &cases {
        world.ready(name, "True", "Synced").await;
    }
    for ((_, (_, _, rule)), proxy) in cases.iter().zip(&proxies) {
        proxy.prepare(rule.clone());
    }
    for (name, (reason, cause, _)) in &cases {
        survives(&world, name, reason, cause, &[("x", "hunter2")]).await;
    }
    bao.put("db", json!({"password": "hunter3"}));
    for proxy in &proxies {
        proxy.pass();
    }
    for (name, _) in &cases {
        world.fresh(name).await;
        world.served.holds(name, &[("x", "hunter3")]).await;
    }
    let log = world.served.controller.log();
    assert!(!log.contains("HUNTER2") && !log.contains("hunter"), "a value or a server's words are in the log");
}

/// More slow objects than are worked on at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn slow_sources_keep_no_encrypted_secret_waiting() {
    let bao = Bao::start();
    bao.put("db", json!({"password": "hunter2"}));
    let world = world("outage-lanes", bao.root_token()).await;
    let proxy = Proxy::before(bao.url());
    proxy.prepare(Rule::delay(CALL, Duration::from_secs(12)));
    world.store("slow", &store(&proxy.url()));
    for index in 0..20 {
        world.external(&format!("slow-{index}"), &reads("slow", &["x <- db password"]));
    }
    wait_for(SOON, "the slow read to begin", async || {
        proxy.names().iter().any(|name| name.starts_with(CALL.trim_end_matches('*'))).then_some(())
    })
    .await;
    let reader = world.served.recipient().await;
    world.served.apply(&world.served.seal(reader, "sealed", &[("x", "hunter2")])).await;
    world.served.ready("sealed", "True", "Synced").await;
    let slow = world.objects.get("slow-0").await.unwrap();
    assert!(slow.status.is_none_or(|status| status.refresh_time.is_none()), "it was not slow");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_source_delays_nobody_else() {
    let bao = Bao::start();
    bao.put("db", json!({"password": "hunter2"}));
    let world = world("outage-slow", bao.root_token()).await;
    let proxy = Proxy::before(bao.url());
    proxy.prepare(Rule::delay(CALL, Duration::from_secs(6)));
    world.store("slow", &store(&proxy.url()));
    world.fake("fast", &[("a", "1")]);
    for index in 0..4 {
        world.external(&format!("slow-{index}"), &reads("slow", &["x <- db password"]));
    }
    wait_for(SOON, "the slow read to begin", async || {
        proxy.names().iter().any(|name| name.starts_with(CALL.trim_end_matches('*'))).then_some(())
    })
    .await;
    world.external("fast", &reads("fast", &["x <- a"]));
    world.ready("fast", "True", "Synced").await;
    let slow = world.objects.get("slow-0").await.unwrap();
    assert!(slow.status.is_none_or(|status| status.refresh_time.is_none()), "it was not slow");
    for index in 0..4 {
        world.served.holds(&format!("slow-{index}"), &[("x", "hunter2")]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_sealed_or_stopped_is_waited_for() {
    let bao = tokio::task::spawn_blocking(Bao::start_lasting).await.unwrap();
    bao.put("db", json!({"password": "hunter2"}));
    let world = world("outage-server", bao.root_token()).await;
    world.store("vault", &store(bao.url()));
    world.external("db", &often(reads("vault", &["x <- db password"])));
    world.ready("db", "True", "Synced").await;
    bao.seal();
    survives(&world, "db", "SourceUnavailable", "Vault read of db: the server is sealed (503)", &[("x", "hunter2")])
        .await;
    bao.unseal();
    world.fresh("db").await;
    bao.stop();
    survives(&world, "db", "SourceUnavailable", "the connection was refused", &[("x", "hunter2")]).await;
    bao.start_again();
    bao.put("db", json!({"password": "hunter3"}));
    world.fresh("db").await;
    world.served.holds("db", &[("x", "hunter3")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_end_are_replaced_or_named() {
    let bao = Bao::start();
    bao.put("team/db", json!({"password": "hunter2"}));
    bao.put("other/db", json!({"password": "hunter2"}));
    bao.policy("team", &[("secret/data/team/*", "\"read\"")]);
    let (role_id, secret_id) = bao.app_role("app", &json!({"token_policies": ["team"], "token_ttl": "1h"}));
    let token = bao.token(&["team"], &json!({"ttl": "1h"}));
    let world = world("outage-tokens", &token).await;
    world.secret("secret-id", &[("secret", &secret_id)]);
    let auth = json!({"appRole": {"roleId": role_id, "secretRef": {"name": "secret-id", "key": "secret"}}});
    world.store("approle", &json!({"vault": {"server": bao.url(), "path": "secret", "auth": auth}}));
    world.store("token", &store(bao.url()));
    for name in ["approle", "token"] {
        world.external(name, &often(reads(name, &["x <- team/db password"])));
    }
    for name in ["approle", "token"] {
        world.ready(name, "True", "Synced").await;
    }
    // A path that the token has no right to spoils the object, and says which of its entries it is.
    world.external("partly", &reads("approle", &["x <- team/db password", "y <- other/db password"]));
    let object = world.ready("partly", "False", "SourceDenied").await;
    assert_eq!(External::entries(&object), ["x Synced", "y Failed"]);
    let told = super::world::message(&object);
    assert!(told.contains("y: Vault read of other/db: permission denied (403)"), "{told}");

    let logins = bao.requests("auth/approle/login");
    bao.admin("PUT", "auth/token/revoke", json!({ "token": token }));
    bao.revoke_all("approle");
    bao.put("team/db", json!({"password": "hunter3"}));
    // Who can log in again does, and nobody notices.
    world.served.holds("approle", &[("x", "hunter3")]).await;
    assert_eq!(bao.requests("auth/approle/login"), logins + 1);
    // Who cannot says why.
    survives(&world, "token", "SourceDenied", "the token is not accepted: has it expired? (403)", &[("x", "hunter2")])
        .await;
    world.secret("login", &[("token", &bao.token(&["team"], &json!({"ttl": "1h"})))]);
    world.fresh("token").await;
    world.served.holds("token", &[("x", "hunter3")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_outages_are_named_too() {
    let moto = Moto::shared();
    moto.parameter_store(
        "eu-central-1",
        "PutParameter",
        json!({"Name": "/outage", "Value": "hunter2", "Type": "String"}),
    );
    let cases = [
        (
            "throttled",
            "SourceThrottled",
            "ThrottlingException",
            Rule::aws_error("GetParameter", 400, "ThrottlingException"),
        ),
        (
            "denied",
            "SourceDenied",
            "AccessDeniedException",
            Rule::aws_error("GetParameter", 400, "AccessDeniedException"),
        ),
        (
            "broken",
            "SourceUnavailable",
            "InternalServerError",
            Rule::aws_error("GetParameter", 500, "InternalServerError"),
        ),
        ("reset", "SourceUnavailable", "ParameterStore read of /outage", Rule::break_off("GetParameter")),
    ];
    let proxy = Proxy::before(moto.url());
    let environment = [("AWS_ENDPOINT_URL", proxy.url()), ("AWS_EC2_METADATA_DISABLED", "true".to_owned())];
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let world = External::start_with("outage-aws", &[], &environment).await;
    world.secret("keys", &[("id", "AKIASTATIC"), ("key", "hunter2")]);
    let of = |key: &str| json!({"name": "keys", "key": key});
    let auth = json!({"secretRef": {"accessKeyIDSecretRef": of("id"), "secretAccessKeySecretRef": of("key")}});
    world.store("aws", &json!({"aws": {"service": "ParameterStore", "region": "eu-central-1", "auth": auth}}));
    world.external("db", &often(reads("aws", &["x <- /outage"])));
    world.ready("db", "True", "Synced").await;
    for (name, reason, cause, rule) in cases {
        proxy.prepare(rule);
        let told = world.stale("db", reason).await;
        assert!(told.contains("ParameterStore read of /outage") && told.contains(cause), "{name}: {told}");
        assert!(!told.contains("HUNTER2"), "{told}");
        world.served.secrets.delete("db", &DeleteParams::default()).await.unwrap();
        world.served.holds("db", &[("x", "hunter2")]).await;
        proxy.pass();
        world.fresh("db").await;
    }
}
