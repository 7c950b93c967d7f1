//! Servers that do not work: sealed, throttling, gone, or something else altogether.

use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use sealwax_sources::vault::{Settings, Vault};
use sealwax_sources::{Address, Kind, Limits, Reader, Source as _, SourceError};
use serde_json::json;
use tokio::net::TcpListener;

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
async fn no_other_host_is_sent_the_token() {
    let error = error_of(|| Redirect::temporary("http://localhost:1/v1/secret/data/db").into_response()).await;
    assert_eq!(error.detail, Some("the server sends us to another host, which is not followed"));
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
