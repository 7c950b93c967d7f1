//! Secrets Manager.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::primitives::Blob;
use aws_sdk_secretsmanager::types::Tag;
use sealwax_sources::aws::{Service, Settings, open};
use sealwax_sources::{Address, Kind, Query};

use crate::{addresses, failure, is_unavailable, keys, proxy, read, sdk, settings, source};
use sealwax_test_servers::Rule;

const SERVICE: Service = Service::SecretsManager;

fn admin() -> Client {
    let (keys, region, version, url) = sdk();
    let builder = aws_sdk_secretsmanager::Config::builder().behavior_version(version).region(region);
    Client::from_conf(builder.credentials_provider(keys).endpoint_url(url).build())
}

async fn create(admin: &Client, name: &str, value: &str, tags: &[(&str, &str)]) -> String {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
    let call = admin.create_secret().name(name).secret_string(value).set_tags(Some(tags));
    call.send().await.unwrap().arn.unwrap()
}

#[tokio::test]
async fn many_are_read_with_one_call() {
    let admin = admin();
    let arn = create(&admin, "many/text", "one", &[]).await;
    create(&admin, "many/json", "{\"a\": \"<b>\"}", &[]).await;
    admin.create_secret().name("many/binary").secret_binary(Blob::new([0, 159])).send().await.unwrap();
    let (proxy, source) = source(SERVICE).await;
    let answers = read(&*source, &addresses(&["many/text", "many/json", "many/binary", &arn])).await;
    assert_eq!(answers, ["one", "{\"a\": \"<b>\"}", "\0\u{fffd}", "one"]);
    assert_eq!(proxy.names(), ["BatchGetSecretValue"]);
    assert_eq!(read(&*source, &addresses(&["many/text"])).await, ["one"]);
    assert_eq!(proxy.names(), ["GetSecretValue"]);
    assert_eq!(source.batch(), 20);
}

#[tokio::test]
async fn what_is_not_there_or_is_being_deleted_is_missing() {
    let admin = admin();
    for name in ["gone/there", "gone/deleted"] {
        create(&admin, name, "x", &[]).await;
    }
    admin.delete_secret().secret_id("gone/deleted").recovery_window_in_days(7).send().await.unwrap();
    let (proxy, source) = source(SERVICE).await;
    let all = addresses(&["gone/deleted", "gone/there", "gone/never"]);
    assert_eq!(read(&*source, &all).await, ["SourceMissing", "x", "SourceMissing"]);
    assert_eq!(proxy.names(), ["BatchGetSecretValue"]);
    assert_eq!(failure(&*source, "gone/never").await.key.as_deref(), Some("gone/never"));
    let deleted = failure(&*source, "gone/deleted").await;
    assert_eq!((deleted.kind, deleted.detail), (Kind::Missing, Some("the secret is marked for deletion")));
}

#[tokio::test]
async fn versions_are_ids_or_stages() {
    let admin = admin();
    create(&admin, "versions", "old", &[]).await;
    let new = admin.put_secret_value().secret_id("versions").secret_string("new").send().await.unwrap();
    let id = format!("uuid/{}", new.version_id.unwrap());
    let (_proxy, source) = source(SERVICE).await;
    let of = |version: &str| Address::new("versions").with_version(version);
    let all = [Address::new("versions"), of("AWSCURRENT"), of("AWSPREVIOUS"), of(&id), of("AWSNEVER")];
    assert_eq!(read(&*source, &all).await, ["new", "new", "old", "new", "SourceMissing"]);
}

#[tokio::test]
async fn without_the_right_to_read_many_each_is_read() {
    let admin = admin();
    create(&admin, "each/a", "a", &[]).await;
    create(&admin, "each/b", "b", &[]).await;
    let (proxy, source) = source(SERVICE).await;
    proxy.prepare(Rule::aws_error("BatchGetSecretValue", 400, "AccessDeniedException"));
    let all = addresses(&["each/a", "each/b"]);
    assert_eq!(read(&*source, &all).await, ["a", "b"]);
    assert_eq!(proxy.names(), ["BatchGetSecretValue", "GetSecretValue", "GetSecretValue"]);
    assert_eq!(source.batch(), 1);
    assert_eq!(read(&*source, &all).await, ["a", "b"]);
    assert_eq!(proxy.names(), ["GetSecretValue", "GetSecretValue"]);
}

#[tokio::test]
async fn no_key_of_a_batch_vanishes() {
    let admin = admin();
    create(&admin, "vanish/silent", "found", &[]).await;
    let (proxy, source) = source(SERVICE).await;
    let error = "{\"SecretId\": \"vanish/denied\", \"ErrorCode\": \"AccessDeniedException\", \"Message\": \"HUNTER2\"}";
    let failing = "{\"SecretId\": \"vanish/broken\", \"ErrorCode\": \"InternalServiceError\"}";
    let entry = "{\"Name\": \"vanish/good\", \"ARN\": \"arn:x\", \"SecretString\": \"good\"}";
    let body = format!("{{\"SecretValues\": [{entry}], \"Errors\": [{error}, {failing}]}}");
    proxy.prepare(Rule::answer("BatchGetSecretValue", 200, &body));
    let all = addresses(&["vanish/good", "vanish/denied", "vanish/broken", "vanish/silent"]);
    assert_eq!(read(&*source, &all).await, ["good", "SourceDenied", "SourceUnavailable", "found"]);
    assert_eq!(proxy.names(), ["BatchGetSecretValue", "GetSecretValue"]);
}

#[tokio::test]
async fn metadata_is_the_tags() {
    create(&admin(), "tagged", "x", &[("b", "<2>"), ("a", "1")]).await;
    let (proxy, source) = source(SERVICE).await;
    let all = [Address::new("tagged").with_metadata(), Address::new("untagged").with_metadata()];
    assert_eq!(read(&*source, &all).await, ["{\"a\":\"1\",\"b\":\"<2>\"}", "SourceMissing"]);
    assert_eq!(proxy.names(), ["DescribeSecret", "DescribeSecret"]);
}

#[tokio::test]
async fn finds_by_name_path_and_exact_tags_on_all_pages() {
    let admin = admin();
    for index in 0..103 {
        create(&admin, &format!("find/page-{index:03}"), "x", &[]).await;
    }
    create(&admin, "find/prod", "x", &[("env", "prod"), ("team", "a")]).await;
    create(&admin, "find/production", "x", &[("env", "production")]).await;
    create(&admin, "find/mixed", "x", &[("env", "other"), ("was", "prod")]).await;
    let (proxy, source) = source(SERVICE).await;
    let find = async |path: &str, name: Option<&str>, tags: &[(&str, &str)]| {
        let tags: BTreeMap<String, String> =
            tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let query = Query { path: Some(path.to_owned()), name: name.map(str::to_owned), tags };
        source.find(&query).await.unwrap()
    };
    let pages = find("find/", Some("page-[0-9]*[02468]$"), &[]).await;
    assert_eq!((pages.len(), pages[0].as_str()), (52, "find/page-000"));
    assert!(proxy.names().len() >= 2);
    assert_eq!(find("", Some("^find/pro"), &[]).await, ["find/prod", "find/production"]);
    assert_eq!(find("find/", None, &[("env", "prod")]).await, ["find/prod"]);
    assert_eq!(find("find/", None, &[("env", "prod"), ("team", "a")]).await, ["find/prod"]);
    assert!(find("find/", None, &[("env", "prod"), ("team", "b")]).await.is_empty());
    let broken = Query { name: Some("(".to_owned()), ..Query::default() };
    assert_eq!(source.find(&broken).await.unwrap_err().reason(), "SourceInvalid");
}

#[tokio::test]
async fn a_prefix_need_not_be_written() {
    create(&admin(), "prefix/inner/a", "a", &[]).await;
    let proxy = proxy();
    let settings = Settings { prefix: "prefix/".to_owned(), ..settings(SERVICE, &proxy) };
    let source = open(&settings, keys()).await.unwrap();
    assert_eq!(read(&*source, &addresses(&["inner/a", "prefix/inner/a"])).await, ["a", "a"]);
    let query = Query { name: Some("a".to_owned()), ..Query::default() };
    assert_eq!(source.find(&query).await.unwrap(), ["prefix/inner/a"]);
}

#[tokio::test]
async fn failures_say_what_to_do_next() {
    let (proxy, source) = source(SERVICE).await;
    let throttled = Rule::aws_error("GetSecretValue", 400, "ThrottlingException").holding("throttled");
    proxy.prepare(throttled.header("retry-after", "7"));
    proxy.prepare(Rule::aws_error("GetSecretValue", 503, "ServiceUnavailable").holding("broken"));
    proxy.prepare(Rule::aws_error("GetSecretValue", 400, "AccessDeniedException").holding("denied"));
    proxy.prepare(Rule::aws_error("GetSecretValue", 400, "DecryptionFailure").holding("key"));
    proxy.prepare(Rule::aws_error("GetSecretValue", 400, "InvalidParameterException").holding("odd"));
    proxy.prepare(Rule::answer("GetSecretValue", 200, "HUNTER2").holding("garbage"));
    let error = failure(&*source, "throttled").await;
    assert_eq!(error.kind, Kind::Throttled { after: Some(Duration::from_secs(7)) });
    assert_eq!(error.code.as_deref(), Some("ThrottlingException"));
    assert!(is_unavailable(&failure(&*source, "broken").await));
    assert_eq!(failure(&*source, "denied").await.kind, Kind::Denied);
    assert_eq!(failure(&*source, "key").await.kind, Kind::Denied);
    assert_eq!(failure(&*source, "odd").await.reason(), "SourceInvalid");
    assert!(is_unavailable(&failure(&*source, "garbage").await));
    // Each was tried once.
    assert_eq!(proxy.names().len(), 6);
    proxy.prepare(Rule::aws_error("BatchGetSecretValue", 400, "ThrottlingException"));
    assert_eq!(read(&*source, &addresses(&["a", "b"])).await, ["SourceThrottled", "SourceThrottled"]);
    assert_eq!(proxy.names(), ["BatchGetSecretValue"]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let proxy = proxy();
    let mut settings = settings(SERVICE, &proxy);
    settings.endpoints.secrets_manager = Some("http://127.0.0.1:1".to_owned());
    let source = open(&settings, keys()).await.unwrap();
    assert!(is_unavailable(&failure(&*source, "any").await));
}
