//! AWS, tried on a server that keeps data as AWS does. `SEALWAX_TEST_MOTO` is the path of its program, `moto_server`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "aws/kms.rs"]
mod kms;
#[path = "aws/login.rs"]
mod login;
#[path = "aws/parameter_store.rs"]
mod parameter_store;
#[path = "aws/secrets_manager.rs"]
mod secrets_manager;

use std::sync::Arc;

use aws_sdk_secretsmanager::config::{BehaviorVersion, Credentials as Keys, Region};
use sealwax_format::SecretBytes;
use sealwax_sources::aws::{Credentials, Endpoints, Service, Settings, open};
use sealwax_sources::{Address, Content, Kind, Payload, Source, SourceError};

use sealwax_test_servers::{Moto, Proxy};

const REGION: &str = "eu-central-1";

fn settings(service: Service, proxy: &Proxy) -> Settings {
    let all = Some(proxy.url());
    let endpoints = Endpoints { secrets_manager: all.clone(), parameter_store: all.clone(), sts: all };
    Settings { region: Some(REGION.to_owned()), endpoints, ..Settings::new(service) }
}

fn keys() -> Credentials {
    Credentials::Static {
        access_key_id: "AKIAFIRST".to_owned(),
        secret_access_key: SecretBytes::from("first".to_owned()),
        session_token: None,
    }
}

fn proxy() -> Proxy {
    Proxy::before(Moto::shared().url())
}

/// A proxy, and a source behind it.
async fn source(service: Service) -> (Proxy, Arc<dyn Source>) {
    let proxy = proxy();
    let source = open(&settings(service, &proxy), keys()).await.unwrap();
    (proxy, source)
}

/// Settings of Amazon's own client, to fill the server with.
fn sdk() -> (Keys, Region, BehaviorVersion, String) {
    let keys = Keys::new("AKIAADMIN", "admin", None, None, "test");
    (keys, Region::new(REGION), BehaviorVersion::latest(), Moto::shared().url().to_owned())
}

/// What was read, in words: the value, or why not.
fn shown(answer: &Result<Payload, SourceError>) -> String {
    match answer {
        Ok(payload) => match &payload.content {
            Content::Text(bytes) | Content::Fields(bytes) => String::from_utf8_lossy(bytes.expose()).into_owned(),
            Content::Items(_) => panic!("no source of AWS has items"),
        },
        Err(error) => {
            assert!(!format!("{error} {error:?}").contains("HUNTER2"), "the server's words: {error:?}");
            error.reason().to_owned()
        }
    }
}

async fn read(source: &dyn Source, addresses: &[Address]) -> Vec<String> {
    let answers = source.read(addresses).await;
    assert_eq!(answers.len(), addresses.len());
    answers.iter().map(shown).collect()
}

fn addresses(keys: &[&str]) -> Vec<Address> {
    keys.iter().map(|key| Address::new(*key)).collect()
}

async fn failure(source: &dyn Source, key: &str) -> SourceError {
    let answer = source.read(&[Address::new(key)]).await.remove(0);
    shown(&answer);
    answer.unwrap_err()
}

fn is_unavailable(error: &SourceError) -> bool {
    matches!(error.kind, Kind::Unavailable { .. })
}
