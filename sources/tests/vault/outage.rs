//! Servers that do not work: sealed, throttling, gone, or something else altogether.

use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use sealwax_sources::vault::{Settings, Vault, Version};
use sealwax_sources::{Address, Kind, Limits, Query, Reader, Source as _, SourceError};
use sealwax_test_servers::{Proxy, Rule};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::server::{Server, read, token};

#[tokio::test]
async fn a_sealed_server_says_so() {
    let server = Server::start();
    let vault = server.root();
    vault.check().await.unwrap();
    server.admin("PUT", "sys/seal", json!({}));
    let error = read(&vault, Address::new("team/db")).await.unwrap_err();
    assert_eq!(error.to_string(), "Vault read of team/db: the server is sealed (503)");
    assert_eq!(error.kind, Kind::Unavailable { after: None });
}

/// A server that answers everything but the look-up of the token like this.
async fn answering(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Vault {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let look_up = axum::routing::get(|| async { r#"{"data":{"ttl":0,"renewable":false}}"# });
    let routes = Router::new().route("/v1/auth/token/lookup-self", look_up).fallback(move || {
        let answer = answer();
        async move { answer }
    });
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let settings = Settings { server, mount: Some("secret".to_owned()), ..Settings::default() };
    Vault::new(settings, token("t")).unwrap()
}

async fn error_of(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> SourceError {
    read(&answering(answer).await, Address::new("db")).await.unwrap_err()
}

#[tokio::test]
async fn a_wait_that_the_server_asks_for_is_passed_on() {
    let after = |seconds| Some(Duration::from_secs(seconds));
    let error = error_of(|| (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "7")]).into_response()).await;
    assert_eq!(error.kind, Kind::Throttled { after: after(7) });
    let error = error_of(|| (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "8")]).into_response()).await;
    assert_eq!(error.kind, Kind::Unavailable { after: after(8) });

    let throttled = answering(|| (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "70")]).into_response()).await;
    let reader = Reader::new(Box::new(throttled), Limits::default());
    reader.read(&[Address::new("db")], None).await.remove(0).unwrap_err();
    assert!(reader.paused_for().unwrap() > Duration::from_mins(1));
}

#[tokio::test]
async fn what_is_no_vault_is_no_secret() {
    let error = error_of(|| "<html>hunter2".into_response()).await;
    assert_eq!(error.reason(), "SourceInvalid");
    assert!(!format!("{error:?} {error}").contains("hunter2"));
    let error = error_of(|| r#"{"data":{"data":"hunter2","metadata":{"version":1}}}"#.into_response()).await;
    assert_eq!(error.reason(), "SourceInvalid");
    assert!(!format!("{error:?} {error}").contains("hunter2"));
    let error = error_of(|| vec![b' '; 17 << 20].into_response()).await;
    assert_eq!(error.to_string(), "Vault read of db: the answer is too large");
}

#[tokio::test]
async fn no_other_server_is_sent_the_token() {
    // Nothing that listens at another port gets to know it.
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("http://{}/v1/secret/data/db", other.local_addr().unwrap());
    let error = error_of(move || Redirect::temporary(&to).into_response()).await;
    assert_eq!(error.code.as_deref(), Some("307"));
    assert!(timeout(Duration::from_millis(100), other.accept()).await.is_err());
    let error = error_of(|| Redirect::temporary("http://localhost:1/v1/secret/data/db").into_response()).await;
    assert_eq!(error.detail, Some("the server sends us to another one, which is not followed"));
    let error = error_of(|| Redirect::temporary("/v1/secret/data/db").into_response()).await;
    assert_eq!(error.code.as_deref(), Some("307"), "not for ever either");
}

#[tokio::test]
async fn what_is_wrong_on_the_way_is_named() {
    let with = |server: String| Vault::new(Settings { server, ..Settings::default() }, token("t")).unwrap();
    let refused = with("http://127.0.0.1:1".to_owned()).check().await.unwrap_err();
    assert_eq!(refused.to_string(), "Vault login: the connection was refused");
    let unknown = with("http://no-such-host.invalid".to_owned()).check().await.unwrap_err();
    assert_eq!(unknown.to_string(), "Vault login: the server's name cannot be resolved");
    for server in ["", "vault:8200", "ftp://vault", "https://user:hunter2@vault"] {
        let error = Vault::new(Settings { server: server.to_owned(), ..Settings::default() }, token("t")).unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(error.reason(), "SourceInvalid");
    }
}

/// What stands before a server knows no secrets, so it cannot know that one is gone.
#[tokio::test]
async fn a_proxy_that_finds_nothing_does_not_speak_for_vault() {
    let server = Server::start();
    server.put("team/db", json!({ "user": "app" }));
    let proxy = Proxy::before(server.url());
    let client = || Vault::new(Settings { server: proxy.url(), ..server.settings() }, server.root_login()).unwrap();
    let reader = Reader::new(Box::new(client()), Limits::default());
    assert!(reader.get(Address::new("team/db"), None).await.unwrap().is_some());
    assert!(reader.get(Address::new("team/none"), None).await.unwrap().is_none());
    assert!(reader.search(&Query::default(), |_| true, None).await.unwrap().len() == 1);
    for body in ["404 page not found\n", "<html><body>404 Not Found</body></html>", "{}", ""] {
        proxy.pass();
        proxy.prepare(Rule::answer("GET /v1/secret/*", 404, body));
        proxy.prepare(Rule::answer("LIST /v1/secret/*", 404, body));
        let vault = client();
        vault.check().await.unwrap();
        let error =
            Reader::new(Box::new(vault), Limits::default()).get(Address::new("team/db"), None).await.unwrap_err();
        assert_eq!((error.reason(), error.operation), ("SourceUnavailable", "read"), "{body}");
        let reader = Reader::new(Box::new(client()), Limits::default());
        let error = reader.search(&Query::default(), |_| true, None).await.unwrap_err();
        assert_eq!((error.reason(), error.operation), ("SourceUnavailable", "find"), "{body}");
        proxy.pass();
        proxy.prepare(Rule::answer("*", 404, body));
        let reader = Reader::new(Box::new(client()), Limits::default());
        let error = reader.get(Address::new("team/db"), None).await.unwrap_err();
        assert_eq!((error.reason(), error.operation), ("SourceUnavailable", "login"), "{body}");
    }
}

#[tokio::test]
async fn each_way_to_hold_nothing_is_known() {
    let server = Server::start();
    server.put("team/deleted", json!({ "user": "app" }));
    server.admin("DELETE", "secret/data/team/deleted", json!({}));
    server.put("team/destroyed", json!({ "user": "app" }));
    server.admin("POST", "secret/destroy/team/destroyed", json!({ "versions": [1] }));
    server.admin("POST", "sys/mounts/old", json!({ "type": "kv", "options": { "version": "1" } }));
    let with = |mount: &str, version| {
        let settings = Settings { mount: Some(mount.to_owned()), version, ..server.settings() };
        Reader::new(Box::new(Vault::new(settings, server.root_login()).unwrap()), Limits::default())
    };
    let (new, old) = (with("secret", Version::V2), with("old", Version::V1));
    for key in ["team/none", "team/deleted", "team/destroyed"] {
        assert!(new.get(Address::new(key), None).await.unwrap().is_none(), "{key}");
    }
    assert!(new.get(Address::new("team/none").with_metadata(), None).await.unwrap().is_none());
    assert!(new.get(Address::new("team/deleted").with_version("7"), None).await.unwrap().is_none());
    assert!(old.get(Address::new("team/none"), None).await.unwrap().is_none());
    assert!(old.search(&Query::default(), |_| true, None).await.unwrap().is_empty());
    let nowhere = Query { path: Some("none".to_owned()), ..Query::default() };
    assert!(new.search(&nowhere, |_| true, None).await.unwrap().is_empty());
    for wrong in [with("wrong", Version::V2), with("wrong", Version::V1), with("secret", Version::V1)] {
        assert_eq!(wrong.get(Address::new("team/db"), None).await.unwrap_err().reason(), "SourceInvalid");
        assert_eq!(wrong.search(&Query::default(), |_| true, None).await.unwrap_err().reason(), "SourceInvalid");
    }
}
