//! Parameter Store.

use std::collections::BTreeMap;

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{ParameterType, Tag};
use sealwax_sources::aws::{Service, Settings, open};
use sealwax_sources::{Address, Query};

use crate::{addresses, failure, keys, proxy, read, sdk, settings, source};
use sealwax_test_servers::Rule;

const SERVICE: Service = Service::ParameterStore;

fn admin() -> Client {
    let (keys, region, version, url) = sdk();
    let builder = aws_sdk_ssm::Config::builder().behavior_version(version).region(region);
    Client::from_conf(builder.credentials_provider(keys).endpoint_url(url).build())
}

async fn put(admin: &Client, name: &str, value: &str, tags: &[(&str, &str)]) {
    let call = admin.put_parameter().name(name).value(value).r#type(ParameterType::SecureString);
    let tags: Vec<Tag> =
        tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build().unwrap()).collect();
    let call = if tags.is_empty() { call.overwrite(true) } else { call.set_tags(Some(tags)) };
    call.send().await.unwrap();
}

#[tokio::test]
async fn many_are_read_with_one_call() {
    let admin = admin();
    put(&admin, "/many/a", "one", &[]).await;
    put(&admin, "/many/b", "old", &[]).await;
    put(&admin, "/many/b", "new", &[]).await;
    let (proxy, source) = source(SERVICE).await;
    let b = |version: &str| Address::new("/many/b").with_version(version);
    let mut all = addresses(&["/many/a", "/many/b", "/many/never", "/many/a"]);
    all.extend([b("1"), b("2"), b("9")]);
    let expected = ["one", "new", "SourceMissing", "one", "old", "new", "SourceMissing"];
    assert_eq!(read(&*source, &all).await, expected);
    // Several versions of one parameter cannot be told apart in one answer of every server.
    assert_eq!(proxy.names(), ["GetParameters", "GetParameter", "GetParameter", "GetParameter"]);
    assert_eq!(read(&*source, &[Address::new("/many/a"), b("1")]).await, ["one", "old"]);
    assert_eq!(proxy.names(), ["GetParameters"]);
    assert_eq!(failure(&*source, "/many/never").await.reason(), "SourceMissing");
    assert_eq!(read(&*source, &[b("9")]).await, ["SourceMissing"]);
    assert_eq!((source.batch(), source.provider()), (10, "ParameterStore"));
}

#[tokio::test]
async fn one_forbidden_name_does_not_keep_the_others() {
    let admin = admin();
    put(&admin, "/mixed/a", "a", &[]).await;
    let (proxy, source) = source(SERVICE).await;
    proxy.prepare(Rule::aws_error("GetParameters", 400, "AccessDeniedException"));
    proxy.prepare(Rule::aws_error("GetParameter", 400, "AccessDeniedException").holding("/mixed/forbidden"));
    assert_eq!(read(&*source, &addresses(&["/mixed/a", "/mixed/forbidden"])).await, ["a", "SourceDenied"]);
    assert_eq!(proxy.names(), ["GetParameters", "GetParameter", "GetParameter"]);
    assert_eq!(source.batch(), 10);
    // Where each may be read and all together may not, nobody asks again.
    assert_eq!(read(&*source, &addresses(&["/mixed/a", "/mixed/never"])).await, ["a", "SourceMissing"]);
    assert_eq!(source.batch(), 1);
}

#[tokio::test]
async fn one_name_that_is_none_ends_nothing() {
    let admin = admin();
    put(&admin, "/odd/a", "a", &[]).await;
    put(&admin, "/odd/b", "b", &[]).await;
    let (proxy, source) = source(SERVICE).await;
    proxy.prepare(Rule::aws_error("GetParameters", 400, "ValidationException").holding("/odd/not a name"));
    proxy.prepare(Rule::aws_error("GetParameter", 400, "ValidationException").holding("/odd/not a name"));
    let all = addresses(&["/odd/a", "/odd/not a name", "/odd/b"]);
    for _ in 0..2 {
        assert_eq!(read(&*source, &all).await, ["a", "SourceInvalid", "b"]);
        assert_eq!(source.batch(), 10);
    }
    proxy.calls();
    assert_eq!(read(&*source, &addresses(&["/odd/a", "/odd/b"])).await, ["a", "b"]);
    assert_eq!(proxy.names(), ["GetParameters"]);
}

#[tokio::test]
async fn metadata_is_the_tags() {
    put(&admin(), "/tagged", "x", &[("b", "2"), ("a", "1")]).await;
    let (_proxy, source) = source(SERVICE).await;
    let all = [Address::new("/tagged").with_metadata(), Address::new("/untagged").with_metadata()];
    assert_eq!(read(&*source, &all).await, ["{\"a\":\"1\",\"b\":\"2\"}", "SourceMissing"]);
}

#[tokio::test]
async fn finds_by_path_name_and_tags_on_all_pages() {
    let admin = admin();
    for index in 0..12 {
        put(&admin, &format!("/find/deep/page-{index:02}"), "x", &[]).await;
    }
    put(&admin, "/find/prod", "x", &[("env", "prod")]).await;
    put(&admin, "/find/production", "x", &[("env", "production")]).await;
    put(&admin, "/finder", "x", &[]).await;
    let (proxy, source) = source(SERVICE).await;
    let find = async |path: Option<&str>, name: Option<&str>, tags: &[(&str, &str)]| {
        let tags: BTreeMap<String, String> =
            tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let query = Query { path: path.map(str::to_owned), name: name.map(str::to_owned), tags };
        source.find(&query).await.unwrap()
    };
    let pages = find(Some("/find"), None, &[]).await;
    assert_eq!((pages.len(), pages[0].as_str()), (14, "/find/deep/page-00"));
    assert_eq!(proxy.names(), ["GetParametersByPath", "GetParametersByPath"]);
    assert_eq!(find(Some("/find"), Some("page-1"), &[]).await, ["/find/deep/page-10", "/find/deep/page-11"]);
    assert_eq!(find(None, Some("^/finder$"), &[]).await, ["/finder"]);
    assert_eq!(find(Some("/find"), None, &[("env", "prod")]).await, ["/find/prod"]);
    assert_eq!(find(None, Some("find"), &[("env", "production")]).await, ["/find/production"]);
    proxy.prepare(Rule::aws_error("GetParametersByPath", 400, "AccessDeniedException"));
    assert_eq!(find(Some("/find"), None, &[]).await.len(), 14);
}

#[tokio::test]
async fn a_prefix_need_not_be_written() {
    put(&admin(), "/prefix/a", "a", &[]).await;
    let proxy = proxy();
    let settings = Settings { prefix: "/prefix/".to_owned(), ..settings(SERVICE, &proxy) };
    let source = open(&settings, keys()).await.unwrap();
    assert_eq!(read(&*source, &addresses(&["a", "/prefix/a"])).await, ["a", "a"]);
    let query = Query { name: Some("a".to_owned()), ..Query::default() };
    assert_eq!(source.find(&query).await.unwrap(), ["/prefix/a"]);
}

#[tokio::test]
async fn failures_say_what_to_do_next() {
    let (proxy, source) = source(SERVICE).await;
    proxy.prepare(Rule::aws_error("GetParameter", 400, "ThrottlingException").holding("throttled"));
    proxy.prepare(Rule::aws_error("GetParameter", 500, "InternalServerError").holding("broken"));
    proxy.prepare(Rule::aws_error("GetParameter", 400, "AccessDeniedException").holding("denied"));
    let reasons = ["SourceThrottled", "SourceUnavailable", "SourceDenied"];
    for (key, reason) in ["throttled", "broken", "denied"].into_iter().zip(reasons) {
        assert_eq!(failure(&*source, key).await.reason(), reason);
    }
    assert_eq!(proxy.names().len(), 3);
}
