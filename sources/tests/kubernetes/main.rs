//! Secrets of another cluster, by an API server in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use sealwax_format::SecretBytes;
use sealwax_sources::kubernetes::{Kubernetes, Login, Settings};
use sealwax_sources::{Address, Content, Kind, Payload, Query, Source as _, SourceError, Tokens};
use serde_json::{Value, json};

use api::{Api, Certificates};

fn token(text: &str) -> Login {
    Login::Token(Arc::new(SecretBytes::from(text.to_owned())))
}

fn settings(api: &Api) -> Settings {
    Settings { server: Some(api.url.clone()), namespace: "team".to_owned(), ca: None }
}

fn client(api: &Api) -> Kubernetes {
    Kubernetes::new(settings(api), token("good")).unwrap()
}

async fn read(source: &Kubernetes, address: Address) -> Result<Payload, SourceError> {
    source.read(&[address]).await.remove(0)
}

#[tokio::test]
async fn items_are_any_bytes() {
    let api = Api::start().await;
    api.answer(
        "/api/v1/namespaces/team/secrets/db",
        200,
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "db", "resourceVersion": "42" },
            "data": { "user": "YXBw", "key": "AP+A" },
        }),
    );
    let payload = read(&client(&api), Address::new("db")).await.unwrap();
    assert_eq!(payload.version.as_deref(), Some("42"));
    let Content::Items(items) = payload.content else { panic!("items") };
    assert_eq!((items["user"].expose(), items["key"].expose()), (&b"app"[..], &[0, 0xff, 0x80][..]));
    assert_eq!(api.requests()[0].authorization, "Bearer good");
}

#[tokio::test]
async fn metadata_is_read_without_the_values() {
    let api = Api::start().await;
    api.answer(
        "/api/v1/namespaces/team/secrets/db",
        200,
        json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": { "name": "db", "labels": { "env": "prod" } },
        }),
    );
    let payload = read(&client(&api), Address::new("db").with_metadata()).await.unwrap();
    let Content::Fields(json) = payload.content else { panic!("fields") };
    assert_eq!(json.expose_str(), Some(r#"{"annotations":{},"labels":{"env":"prod"}}"#));
    assert!(api.requests()[0].accept.contains("PartialObjectMetadata"));
}

#[tokio::test]
async fn finds_by_name_and_labels_over_pages() {
    let api = Api::start().await;
    let page = |names: &[&str], next: &str| {
        let items: Vec<Value> = names.iter().map(|name| json!({ "metadata": { "name": name } })).collect();
        let kind = "PartialObjectMetadataList";
        json!({ "apiVersion": "meta.k8s.io/v1", "kind": kind, "metadata": { "continue": next }, "items": items })
    };
    let list = "/api/v1/namespaces/team/secrets";
    api.answer(list, 200, page(&["web-db", "app-db"], "more"));
    api.answer(&format!("{list}?more"), 200, page(&["app-tls", "a-db"], ""));
    let tags = [("env".to_owned(), "prod".to_owned()), ("team".to_owned(), "app".to_owned())].into();
    let query = Query { name: Some("-db$".to_owned()), tags, path: None };
    assert_eq!(client(&api).find(&query).await.unwrap(), ["a-db", "app-db", "web-db"]);
    assert!(api.requests()[0].query.contains("labelSelector=env%3Dprod%2Cteam%3Dapp"), "{:?}", api.requests());
    let with_path = Query { path: Some("a".to_owned()), ..Query::default() };
    assert_eq!(client(&api).find(&with_path).await.unwrap_err().reason(), "SourceInvalid");
}

#[tokio::test]
async fn no_answer_fills_the_memory() {
    let api = Api::start().await;
    let (path, secret) = (
        "/api/v1/namespaces/team/secrets/db",
        |bytes: usize| json!({ "metadata": { "name": "db" }, "data": { "a": "A".repeat(bytes) } }),
    );
    let config = kube::Config::new(api.url.parse().unwrap());
    let given = Login::Client(kube::Client::try_from(config).unwrap());
    for source in [client(&api), Kubernetes::new(settings(&api), given).unwrap()] {
        api.answer(path, 200, secret(8 << 20));
        read(&source, Address::new("db")).await.unwrap();
        for status in [200, 500] {
            api.answer(path, status, secret(17 << 20));
            let error = read(&source, Address::new("db")).await.unwrap_err();
            assert_eq!(error.to_string(), "Kubernetes read of db: the answer is too large");
        }
    }
}

#[tokio::test]
async fn a_find_looks_at_so_many_names_only() {
    let api = Api::start().await;
    let items: Vec<Value> = (0..50_001).map(|number| json!({ "metadata": { "name": format!("s{number}") } })).collect();
    let list = "/api/v1/namespaces/team/secrets";
    // For ever the same page: a server that lies is stopped, too.
    for page in ["", "?more"] {
        let metadata = json!({ "continue": "more" });
        let kind = "PartialObjectMetadataList";
        let body = json!({ "apiVersion": "meta.k8s.io/v1", "kind": kind, "metadata": metadata, "items": items });
        api.answer(&format!("{list}{page}"), 200, body);
    }
    let query = Query { name: Some("^s7$".to_owned()), ..Query::default() };
    let error = client(&api).find(&query).await.unwrap_err();
    assert_eq!(error.to_string(), "Kubernetes find: there are more than 100000 secrets to look through: find less");
    assert_eq!(api.requests().len(), 2);
}

#[tokio::test]
async fn answers_say_what_to_do_next() {
    let api = Api::start().await;
    let path = "/api/v1/namespaces/team/secrets/db";
    let after = Some(Duration::from_secs(7));
    for (code, reason, kind) in [
        (404, "NotFound", Kind::Missing),
        (404, "", Kind::Invalid("the server is no API server".to_owned())),
        (401, "Unauthorized", Kind::Denied),
        (403, "Forbidden", Kind::Denied),
        (429, "TooManyRequests", Kind::Throttled { after }),
        (503, "ServiceUnavailable", Kind::Unavailable { after }),
        (500, "InternalError", Kind::Unavailable { after }),
    ] {
        api.answer(
            path,
            code,
            json!({
                "apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason, "code": code,
                "message": "hunter2", "details": { "retryAfterSeconds": 7 },
            }),
        );
        let error = read(&client(&api), Address::new("db")).await.unwrap_err();
        assert_eq!(error.kind, kind, "{code}");
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
    api.answer(path, 200, json!({ "data": { "key": "hunter2 is no base64" } }));
    let error = read(&client(&api), Address::new("db")).await.unwrap_err();
    assert_eq!(error.to_string(), "Kubernetes read of db: the answer is not as an API server gives it");
    let calls = api.requests().len();
    for address in [Address::new("../configmaps/x"), Address::new(""), Address::new("db").with_version("1")] {
        assert_eq!(read(&client(&api), address).await.unwrap_err().reason(), "SourceInvalid");
    }
    assert_eq!(api.requests().len(), calls);
}

#[tokio::test]
async fn what_is_wrong_on_the_way_is_named() {
    let away = Settings { server: Some("http://127.0.0.1:1".to_owned()), namespace: "team".to_owned(), ca: None };
    let error = Kubernetes::new(away.clone(), token("t")).unwrap().check().await.unwrap_err();
    assert_eq!(error.to_string(), "Kubernetes login: the connection was refused");
    for settings in [
        Settings { server: Some("api.example".to_owned()), ..away.clone() },
        Settings { ca: Some(b"none".to_vec()), ..away.clone() },
        Settings { namespace: "a/../b".to_owned(), ..away },
    ] {
        assert_eq!(Kubernetes::new(settings, token("t")).unwrap_err().reason(), "SourceInvalid");
    }
}

/// Gives another token each time.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Tokens for Counting {
    fn token(&self) -> BoxFuture<'_, Result<SecretBytes, SourceError>> {
        let number = self.0.fetch_add(1, Ordering::SeqCst);
        ready(Ok(SecretBytes::from(format!("token-{number}")))).boxed()
    }
}

#[tokio::test]
async fn a_refused_token_of_a_service_account_is_replaced_once() {
    let api = Api::start().await;
    let login = Login::ServiceAccount(Arc::new(Counting::default()));
    let source = Kubernetes::new(settings(&api), login).unwrap();
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let review = json!({ "metadata": {}, "spec": {}, "status": { "allowed": false } });
    api.answer(path, 201, review.clone());
    source.check().await.unwrap();
    source.check().await.unwrap();
    api.answer(path, 401, json!({ "kind": "Status", "code": 401, "reason": "Unauthorized" }));
    assert_eq!(source.check().await.unwrap_err().kind, Kind::Denied);
    api.answer(path, 201, review);
    source.check().await.unwrap();
    let tokens: Vec<_> = api.requests().into_iter().map(|request| request.authorization).collect();
    assert_eq!(tokens, ["token-0", "token-0", "token-0", "token-1", "token-1"].map(|token| format!("Bearer {token}")));
}

/// A service account that is deleted must not look like Secrets that are.
#[tokio::test]
async fn a_service_account_that_is_gone_is_no_secret_that_is() {
    struct Gone;
    impl Tokens for Gone {
        fn token(&self) -> BoxFuture<'_, Result<SecretBytes, SourceError>> {
            ready(Err(SourceError::new("Kubernetes", "read", Kind::Missing).with_code("404"))).boxed()
        }
    }
    let api = Api::start().await;
    let source = Kubernetes::new(settings(&api), Login::ServiceAccount(Arc::new(Gone))).unwrap();
    let error = read(&source, Address::new("db")).await.unwrap_err();
    assert_eq!((error.kind, error.operation, error.code.as_deref()), (Kind::Denied, "login", Some("404")));
    let error = source.find(&Query::default()).await.unwrap_err();
    assert_eq!((error.kind, error.operation), (Kind::Denied, "login"));
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    api.answer(path, 404, json!({ "kind": "Status", "code": 404, "reason": "NotFound" }));
    assert_eq!(client(&api).check().await.unwrap_err().reason(), "SourceInvalid");
}

#[tokio::test]
async fn trusts_its_bundle_and_shows_its_certificate() {
    let certificates = Certificates::make();
    let api = Api::start_tls(&certificates).await;
    api.answer("/api/v1/namespaces/team/secrets/db", 200, json!({ "metadata": { "name": "db" }, "data": {} }));
    let login = |certificates: &Certificates| Login::ClientCertificate {
        certificate: certificates.client.0.clone().into_bytes(),
        key: Arc::new(SecretBytes::from(certificates.client.1.clone())),
    };
    let with = |ca: &Certificates, shown: &Certificates| {
        let settings = Settings { ca: Some(ca.ca.clone().into_bytes()), ..settings(&api) };
        Kubernetes::new(settings, login(shown)).unwrap()
    };
    read(&with(&certificates, &certificates), Address::new("db")).await.unwrap();
    let others = Certificates::make();
    let error = read(&with(&others, &certificates), Address::new("db")).await.unwrap_err();
    assert_eq!(error.detail, Some("the server's certificate is not trusted: is the CA bundle right?"));
    let error = read(&with(&certificates, &others), Address::new("db")).await.unwrap_err();
    assert_eq!(error.detail, Some("the server does not accept this client's certificate"));
    let plain =
        Kubernetes::new(Settings { ca: Some(certificates.ca.clone().into_bytes()), ..settings(&api) }, token("t"));
    assert_eq!(read(&plain.unwrap(), Address::new("db")).await.unwrap_err().reason(), "SourceUnavailable");
}

#[tokio::test]
async fn nothing_prints_a_secret() {
    let api = Api::start().await;
    let key = Arc::new(SecretBytes::from("hunter2".to_owned()));
    let certificate = Login::ClientCertificate { certificate: b"hunter2".to_vec(), key };
    let shown = format!("{:?} {certificate:?} {:?}", token("hunter2"), client(&api));
    assert!(!shown.contains("hunter2"), "{shown}");
}
