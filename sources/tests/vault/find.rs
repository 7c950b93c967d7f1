//! Finding by name and by tags.

use std::collections::BTreeMap;

use sealwax_sources::vault::{Settings, Vault, Version};
use sealwax_sources::{Query, Source as _};
use serde_json::json;

use super::server::{Server, read, text, token};

fn query(path: Option<&str>, name: Option<&str>, tags: &[(&str, &str)]) -> Query {
    let tags: BTreeMap<_, _> = tags.iter().map(|(tag, value)| ((*tag).to_owned(), (*value).to_owned())).collect();
    Query { path: path.map(str::to_owned), name: name.map(str::to_owned), tags }
}

#[tokio::test]
async fn finds_by_name_and_tags_and_reads_what_it_finds() {
    let server = Server::start();
    for path in ["dev/config", "dev/deep/er/db", "prod/db", "prod-db", "secret/db", "data/db"] {
        server.put(path, json!({ "path": path }));
    }
    for (path, env) in [("prod/db", "prod"), ("dev/deep/er/db", "production"), ("prod-db", "prod")] {
        let tags = json!({ "custom_metadata": { "env": env, "kind": path } });
        server.admin("POST", &format!("secret/metadata/{path}"), tags);
    }
    let vault = server.root();
    for (query, expected) in [
        (query(Some("dev"), None, &[]), vec!["dev/config", "dev/deep/er/db"]),
        (query(Some("secret/dev/"), Some("config$"), &[]), vec!["secret/dev/config"]),
        (query(None, Some("^prod"), &[]), vec!["prod-db", "prod/db"]),
        (query(None, Some("^d.*db"), &[]), vec!["data/db", "dev/deep/er/db"]),
        (query(None, None, &[("env", "prod")]), vec!["prod-db", "prod/db"]),
        (query(None, Some("/"), &[("env", "prod"), ("kind", "prod/db")]), vec!["prod/db"]),
        (query(Some("nothing"), None, &[]), vec![]),
        // Its short key is read as `db`, so it has the long one.
        (query(Some("secret/secret"), None, &[]), vec!["secret/secret/db"]),
        (query(None, Some("secret"), &[]), vec!["secret/data/secret/db"]),
    ] {
        assert_eq!(vault.find(&query).await.unwrap(), expected, "{query:?}");
    }
    let all = vault.find(&Query::default()).await.unwrap();
    assert_eq!(all.len(), 6);
    for key in all {
        let found = text(&read(&vault, sealwax_sources::Address::new(&key)).await.unwrap());
        let path = key.strip_prefix("secret/data/").unwrap_or(&key);
        assert_eq!(found, json!({ "path": path }).to_string(), "{key}");
    }
}

#[tokio::test]
async fn finds_without_a_mount_and_in_version_1() {
    let server = Server::start();
    server.put("dev/config", json!({}));
    server.admin("POST", "sys/mounts/old", json!({ "type": "kv", "options": { "version": "1" } }));
    server.admin("POST", "old/team/db", json!({ "user": "app" }));
    let whole = Vault::new(Settings { mount: None, ..server.settings() }, server.root_login()).unwrap();
    assert_eq!(whole.find(&query(Some("secret/dev"), None, &[])).await.unwrap(), ["secret/dev/config"]);
    assert_eq!(whole.find(&query(Some("secret/data/dev"), None, &[])).await.unwrap(), ["secret/data/dev/config"]);
    assert_eq!(whole.find(&query(None, None, &[])).await.unwrap_err().reason(), "SourceInvalid");
    let settings = Settings { mount: Some("old".to_owned()), version: Version::V1, ..server.settings() };
    let old = Vault::new(settings, server.root_login()).unwrap();
    assert_eq!(old.find(&query(None, Some("db"), &[])).await.unwrap(), ["team/db"]);
    assert_eq!(old.find(&query(None, None, &[("a", "b")])).await.unwrap_err().reason(), "SourceInvalid");
}

/// A list that lacks names would be taken for the truth.
#[tokio::test]
async fn a_folder_that_may_not_be_listed_fails_the_find() {
    let server = Server::start();
    server.put("open/a", json!({}));
    server.put("closed/b", json!({}));
    server.policy("some", &[("secret/metadata", "\"list\""), ("secret/metadata/open/*", "\"list\"")]);
    let made = server.admin("POST", "auth/token/create", json!({ "policies": ["some"] }));
    let vault = server.client(token(made["auth"]["client_token"].as_str().unwrap()));
    assert_eq!(vault.find(&query(Some("open"), None, &[])).await.unwrap(), ["open/a"]);
    assert_eq!(vault.find(&Query::default()).await.unwrap_err().reason(), "SourceDenied");
}
