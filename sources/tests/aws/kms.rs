//! Keys of KMS: what is asked, and what the answers mean.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::config::SharedCredentialsProvider;
use sealwax_format::SecretBytes;
use sealwax_sources::aws::Kms;
use sealwax_test_servers::{Moto, Proxy, Rule};
use serde_json::json;

use crate::{REGION, proxy, sdk};

fn client(proxy: &Proxy) -> Kms {
    let (keys, region, version, _) = sdk();
    let config = SdkConfig::builder().behavior_version(version).region(region).endpoint_url(proxy.url());
    let config = config.credentials_provider(SharedCredentialsProvider::new(keys));
    Kms::of(&config.build())
}

/// The ARN of a new key.
fn key() -> String {
    let made = Moto::shared().call(REGION, "kms", "TrentService.CreateKey", &json!({})).unwrap();
    made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

fn context(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[tokio::test]
async fn opens_what_it_wrapped_with_the_same_context() {
    let (proxy, key) = (proxy(), key());
    let kms = client(&proxy);
    let share = SecretBytes::from(b"s3cr3t of 32 bytes, more or less".to_vec());
    let shop = context(&[("app", "shop")]);
    let wrapped = kms.encrypt(&key, &shop, &share).await.unwrap();
    assert_eq!(kms.decrypt(&key, &shop, wrapped.clone()).await.unwrap(), share);
    let other = kms.decrypt(&key, &context(&[("app", "other")]), wrapped.clone()).await.unwrap_err();
    assert!(other.to_string().contains("with this encryption context (InvalidCiphertextException)"), "{other}");
    let bare = kms.encrypt(&key, &context(&[]), &share).await.unwrap();
    assert_eq!(kms.decrypt(&key, &context(&[]), bare).await.unwrap(), share);
    let calls = proxy.calls();
    let names: Vec<_> = calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(names, ["Encrypt", "Decrypt", "Decrypt", "Encrypt", "Decrypt"]);
    let sent: Vec<serde_json::Value> = calls.iter().map(|call| serde_json::from_str(&call.body).unwrap()).collect();
    assert_eq!(sent[0]["KeyId"], key.as_str());
    assert_eq!(sent[0]["EncryptionContext"], json!({"app": "shop"}));
    assert_eq!(sent[1]["KeyId"], key.as_str(), "no other key opens it, whatever the ciphertext says");
    assert!(sent[3].get("EncryptionContext").is_none());
}

#[tokio::test]
async fn a_refusal_says_what_it_is_and_nothing_that_the_server_wrote() {
    let proxy = proxy();
    let kms = client(&proxy);
    for (status, code, text) in [
        (400, "AccessDeniedException", "AWS KMS decrypt: permission denied (AccessDeniedException)"),
        (400, "DisabledException", "AWS KMS decrypt: the key is disabled, or about to be deleted (DisabledException)"),
        (
            400,
            "NotFoundException",
            "AWS KMS decrypt: there is no such key, or none that this account may see (NotFoundException)",
        ),
        (400, "IncorrectKeyException", "AWS KMS decrypt: this was encrypted under another key (IncorrectKeyException)"),
    ] {
        proxy.prepare(Rule::aws_error("Decrypt", status, code));
        let refused = kms.decrypt("key", &context(&[]), b"x".to_vec()).await.unwrap_err();
        assert_eq!(refused.to_string(), text);
        proxy.pass();
    }
}
