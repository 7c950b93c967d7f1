//! Values, versions and metadata of both kinds of KV store.

use sealwax_sources::vault::{Settings, Vault, Version};
use sealwax_sources::{Address, Kind, Source as _};
use serde_json::json;

use super::server::{Server, read, text};

#[tokio::test]
async fn reads_what_was_written() {
    let server = Server::start();
    server.put("team/db", json!({ "user": "app", "port": 5432 }));
    let vault = server.root();
    vault.check().await.unwrap();
    for key in ["team/db", "secret/team/db", "secret/data/team/db"] {
        let payload = read(&vault, Address::new(key)).await.unwrap();
        assert_eq!(text(&payload), r#"{"port":5432,"user":"app"}"#);
        assert_eq!(payload.version.as_deref(), Some("1"));
    }
    let whole = Vault::new(Settings { mount: None, ..server.settings() }, server.root_login()).unwrap();
    for key in ["secret/team/db", "secret/data/team/db"] {
        read(&whole, Address::new(key)).await.unwrap();
    }
    let missing = read(&vault, Address::new("team/nothing")).await.unwrap_err();
    assert_eq!(missing.to_string(), "Vault read of team/nothing: there is no such secret (404)");
}

#[tokio::test]
async fn odd_names_are_read_as_they_are() {
    let server = Server::start();
    let vault = server.root();
    for (name, url) in [("a b", "a%20b"), ("ü?x", "%C3%BC%3Fx"), ("100%41", "100%2541"), ("a#b", "a%23b")] {
        server.put(url, json!({ "name": name }));
        let payload = read(&vault, Address::new(name)).await.unwrap();
        assert_eq!(text(&payload), json!({ "name": name }).to_string());
    }
}

#[tokio::test]
async fn reads_versions_and_knows_deleted_ones() {
    let server = Server::start();
    for value in 1..=4 {
        server.put("db", json!({ "value": value }));
    }
    server.admin("POST", "secret/delete/db", json!({ "versions": [2] }));
    server.admin("POST", "secret/destroy/db", json!({ "versions": [3] }));
    let vault = server.root();
    let version = |version: &str| read(&vault, Address::new("db").with_version(version));
    let first = version("1").await.unwrap();
    assert_eq!((text(&first), first.version.as_deref()), (r#"{"value":1}"#.to_owned(), Some("1")));
    for gone in ["2", "3", "9"] {
        assert_eq!(version(gone).await.unwrap_err().kind, Kind::Missing, "{gone}");
    }
    assert_eq!(version("latest").await.unwrap_err().reason(), "SourceInvalid");
    server.admin("DELETE", "secret/data/db", json!({}));
    assert_eq!(read(&vault, Address::new("db")).await.unwrap_err().kind, Kind::Missing);
}

#[tokio::test]
async fn reads_metadata() {
    let server = Server::start();
    server.put("db", json!({ "value": 1 }));
    server.admin("POST", "secret/metadata/db", json!({ "custom_metadata": { "owner": "ops" } }));
    let payload = read(&server.root(), Address::new("db").with_metadata()).await.unwrap();
    let fields: serde_json::Value = serde_json::from_str(&text(&payload)).unwrap();
    assert_eq!((&fields["owner"], &fields["current_version"]), (&json!("ops"), &json!("1")));
    assert!(fields["created_time"].is_string());
    let missing = read(&server.root(), Address::new("nothing").with_metadata()).await.unwrap_err();
    assert_eq!(missing.kind, Kind::Missing);
}

#[tokio::test]
async fn reads_version_1() {
    let server = Server::start();
    server.admin("POST", "sys/mounts/old", json!({ "type": "kv", "options": { "version": "1" } }));
    server.admin("POST", "old/team/db", json!({ "user": "app" }));
    let settings = Settings { mount: Some("old".to_owned()), version: Version::V1, ..server.settings() };
    let vault = Vault::new(settings, server.root_login()).unwrap();
    for key in ["team/db", "old/team/db"] {
        let payload = read(&vault, Address::new(key)).await.unwrap();
        assert_eq!((text(&payload), payload.version.as_deref()), (r#"{"user":"app"}"#.to_owned(), None));
        assert!(payload.expires_in.is_some());
    }
    for address in [Address::new("team/db").with_metadata(), Address::new("team/db").with_version("1")] {
        assert_eq!(read(&vault, address).await.unwrap_err().reason(), "SourceInvalid");
    }
    assert_eq!(read(&vault, Address::new("nothing")).await.unwrap_err().kind, Kind::Missing);
}

/// A secret that is missing may have its copies deleted; a store that is wrong may not.
#[tokio::test]
async fn a_wrong_store_is_no_missing_secret() {
    let server = Server::start();
    let base = server.settings();
    for settings in [
        Settings { mount: Some("nowhere".to_owned()), ..base.clone() },
        Settings { version: Version::V1, ..base.clone() },
        Settings { namespace: Some("nowhere".to_owned()), auth_namespace: Some(String::new()), ..base },
    ] {
        let vault = Vault::new(settings, server.root_login()).unwrap();
        let error = read(&vault, Address::new("team/db")).await.unwrap_err();
        assert_eq!(error.reason(), "SourceInvalid", "{error}");
    }
}

#[tokio::test]
async fn reads_within_a_namespace() {
    let server = Server::start();
    server.admin("POST", "sys/namespaces/team", json!({}));
    server.admin_in("team", "POST", "sys/mounts/kv", json!({ "type": "kv", "options": { "version": "2" } }));
    server.admin_in("team", "POST", "kv/data/db", json!({ "data": { "in": "team" } }));
    let settings = |auth: Option<&str>| Settings {
        mount: Some("kv".to_owned()),
        namespace: Some("team".to_owned()),
        auth_namespace: auth.map(str::to_owned),
        ..server.settings()
    };
    for auth in [None, Some("")] {
        let vault = Vault::new(settings(auth), server.root_login()).unwrap();
        vault.check().await.unwrap();
        assert_eq!(text(&read(&vault, Address::new("db")).await.unwrap()), r#"{"in":"team"}"#);
    }
}
