//! As whom AWS is asked, and how often that takes a login.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use sealwax_format::SecretBytes;
use sealwax_sources::aws::{Credentials, Service, Settings, open};
use sealwax_sources::{Kind, Query, SourceError, Tokens};

use crate::{addresses, failure, keys, proxy, read, settings};
use sealwax_test_servers::{Proxy, Rule};

const SERVICE: Service = Service::ParameterStore;

fn roles(proxy: &Proxy) -> Settings {
    let role = |name: &str| format!("arn:aws:iam::123456789012:role/{name}");
    Settings {
        roles: vec![role("first"), role("second")],
        external_id: Some("4711".to_owned()),
        session_tags: vec![("team".to_owned(), "payments".to_owned())],
        transitive_tag_keys: vec!["team".to_owned()],
        ..settings(SERVICE, proxy)
    }
}

/// Counts how often it is asked.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Tokens for Counting {
    fn token(&self) -> BoxFuture<'_, Result<SecretBytes, SourceError>> {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        async move { Ok(SecretBytes::from(format!("token-{count}"))) }.boxed()
    }
}

fn web_identity(tokens: Arc<dyn Tokens>) -> Credentials {
    Credentials::WebIdentity { role_arn: "arn:aws:iam::123456789012:role/web".to_owned(), tokens }
}

#[tokio::test]
async fn roles_are_assumed_one_from_the_other_and_once() {
    let proxy = proxy();
    let source = open(&roles(&proxy), keys()).await.unwrap();
    source.check().await.unwrap();
    let keys = addresses(&["/none"]);
    join_all((0..4).map(|_| read(&*source, &keys))).await;
    let calls = proxy.calls();
    let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(names, ["AssumeRole", "AssumeRole", "GetParameter", "GetParameter", "GetParameter", "GetParameter"]);
    let (first, last) = (&calls[0], &calls[1]);
    assert!(first.body.contains("role%2Ffirst") && last.body.contains("role%2Fsecond"));
    assert_eq!(first.key, "AKIAFIRST");
    assert!(last.key != first.key && calls[2].key != last.key);
    for part in ["ExternalId=4711", "Tags.member.1.Key=team", "TransitiveTagKeys.member.1=team"] {
        assert!(last.body.contains(part) && !first.body.contains(part), "{part}: {}", last.body);
    }
}

#[tokio::test]
async fn a_service_account_logs_in_with_its_token() {
    let proxy = proxy();
    let tokens = Arc::new(Counting::default());
    let source = open(&settings(SERVICE, &proxy), web_identity(tokens.clone())).await.unwrap();
    for _ in 0..3 {
        read(&*source, &addresses(&["/none"])).await;
    }
    let calls = proxy.calls();
    assert_eq!(calls.iter().filter(|call| call.name == "AssumeRoleWithWebIdentity").count(), 1);
    assert!(calls[0].body.contains("WebIdentityToken=token-0") && calls[0].body.contains("role%2Fweb"));
    assert!(!calls[1].key.is_empty());
    assert_eq!(tokens.0.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn it_logs_in_again_before_what_it_got_expires() {
    let proxy = proxy();
    let keys = "<AccessKeyId>ASIASHORT</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>y</SessionToken>";
    let soon = "<Expiration>2020-01-01T00:00:00Z</Expiration>";
    let result = format!("<AssumeRoleWithWebIdentityResult><Credentials>{keys}{soon}</Credentials>");
    let body = format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">{result}\
         </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    );
    proxy.prepare(Rule::answer("AssumeRoleWithWebIdentity", 200, &body));
    let tokens = Arc::new(Counting::default());
    let source = open(&settings(SERVICE, &proxy), web_identity(tokens.clone())).await.unwrap();
    source.check().await.unwrap();
    source.check().await.unwrap();
    assert_eq!(proxy.names(), ["AssumeRoleWithWebIdentity", "AssumeRoleWithWebIdentity"]);
    assert_eq!(tokens.0.load(Ordering::Relaxed), 2);
}

/// Sessions end before their time when somebody revokes them.
#[tokio::test]
async fn a_session_that_is_refused_is_replaced() {
    for service in [Service::ParameterStore, Service::SecretsManager] {
        let proxy = proxy();
        let source = open(&Settings { service, ..roles(&proxy) }, keys()).await.unwrap();
        source.check().await.unwrap();
        assert_eq!(proxy.names(), ["AssumeRole", "AssumeRole"]);
        let call = if service == Service::ParameterStore { "GetParameter" } else { "GetSecretValue" };
        proxy.prepare(Rule::aws_error(call, 400, "ExpiredTokenException").times(1));
        assert_eq!(failure(&*source, "/none").await.kind, Kind::Missing, "asked with new keys");
        let calls = proxy.calls();
        let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
        assert_eq!(names, [call, "AssumeRole", "AssumeRole", call]);
        assert_ne!(calls[0].key, calls[3].key);
        proxy.prepare(Rule::aws_error(call, 400, "ExpiredTokenException"));
        for _ in 0..5 {
            assert_eq!(failure(&*source, "/none").await.kind, Kind::Denied);
        }
        assert_eq!(proxy.names(), [call; 5], "no storm of logins");
    }
}

#[tokio::test]
async fn dead_keys_do_not_end_batching() {
    for (service, call, batch) in
        [(Service::ParameterStore, "GetParameters", 10), (Service::SecretsManager, "BatchGetSecretValue", 20)]
    {
        let proxy = proxy();
        let source = open(&Settings { service, ..roles(&proxy) }, keys()).await.unwrap();
        let single = if service == Service::ParameterStore { "GetParameter" } else { "GetSecretValue" };
        for (call, times) in [(call, 1), (single, 2)] {
            proxy.prepare(Rule::aws_error(call, 400, "ExpiredTokenException").times(times));
        }
        let answers = read(&*source, &addresses(&["/none-a", "/none-b"])).await;
        assert_eq!(answers, ["SourceMissing", "SourceMissing"]);
        assert_eq!(source.batch(), batch);
    }
}

#[tokio::test]
async fn a_session_that_may_be_revoked_is_replaced_once() {
    let proxy = proxy();
    let source = open(&roles(&proxy), keys()).await.unwrap();
    proxy.prepare(Rule::aws_error("GetParameter", 400, "AccessDeniedException").times(4));
    for _ in 0..4 {
        assert_eq!(failure(&*source, "/none").await.kind, Kind::Denied);
    }
    assert_eq!(failure(&*source, "/none").await.kind, Kind::Missing);
    assert_eq!(proxy.names().iter().filter(|name| *name == "AssumeRole").count(), 4);
}

#[tokio::test]
async fn a_login_that_fails_is_told_once_and_for_all() {
    let proxy = proxy();
    let source = open(&roles(&proxy), keys()).await.unwrap();
    proxy.prepare(Rule::sts_error("AssumeRole", 403, "AccessDenied").holding("second"));
    let error = failure(&*source, "/any").await;
    assert_eq!((error.kind, error.operation), (Kind::Denied, "login"));
    assert_eq!(error.code.as_deref(), Some("AccessDenied"));
    assert_eq!(source.check().await.unwrap_err().kind, Kind::Denied);
    proxy.calls();
    let answers = read(&*source, &addresses(&["/a", "/b", "/c"])).await;
    assert_eq!(answers, ["SourceDenied", "SourceDenied", "SourceDenied"]);
    assert_eq!(proxy.names(), ["AssumeRole"]);
    assert_eq!(source.batch(), 10);
}

#[tokio::test]
async fn failures_of_sts_and_of_tokens_are_what_they_are() {
    struct Failing;
    impl Tokens for Failing {
        fn token(&self) -> BoxFuture<'_, Result<SecretBytes, SourceError>> {
            async { Err(SourceError::invalid("Kubernetes", "login", "there is no such service account")) }.boxed()
        }
    }
    let proxy = proxy();
    let source = open(&settings(SERVICE, &proxy), web_identity(Arc::new(Failing))).await.unwrap();
    let error = failure(&*source, "/any").await;
    assert_eq!(error.reason(), "SourceInvalid");
    assert!(error.to_string().contains("there is no such service account"), "{error}");
    proxy.prepare(Rule::sts_error("AssumeRole", 503, "ServiceUnavailable").holding("first"));
    let source = open(&roles(&proxy), keys()).await.unwrap();
    assert_eq!(failure(&*source, "/any").await.reason(), "SourceUnavailable");
}

/// A service account that is deleted must not look like secrets that are.
#[tokio::test]
async fn a_service_account_that_is_gone_is_no_secret_that_is() {
    struct Gone;
    impl Tokens for Gone {
        fn token(&self) -> BoxFuture<'_, Result<SecretBytes, SourceError>> {
            async { Err(SourceError::new("Kubernetes", "read", Kind::Missing).with_code("404")) }.boxed()
        }
    }
    let proxy = proxy();
    for service in [Service::ParameterStore, Service::SecretsManager] {
        let source = open(&settings(service, &proxy), web_identity(Arc::new(Gone))).await.unwrap();
        let error = failure(&*source, "/any").await;
        assert_eq!((error.kind, error.operation, error.code.as_deref()), (Kind::Denied, "login", Some("404")));
        let answers = read(&*source, &addresses(&["/a", "/b"])).await;
        assert_eq!(answers, ["SourceDenied", "SourceDenied"]);
        let found = source.find(&Query::default()).await.unwrap_err();
        assert_eq!((found.kind, found.operation), (Kind::Denied, "login"));
    }
    proxy.prepare(Rule::sts_error("AssumeRole", 404, "ResourceNotFoundException"));
    let source = open(&roles(&proxy), keys()).await.unwrap();
    let error = failure(&*source, "/any").await;
    assert_eq!((error.kind, error.operation), (Kind::Denied, "login"));
}

#[test]
fn credentials_are_not_shown() {
    let keys = format!("{:?} {:?}", keys(), web_identity(Arc::new(Counting::default())));
    assert!(!keys.contains("first") && !keys.contains("AKIA"), "{keys}");
}
