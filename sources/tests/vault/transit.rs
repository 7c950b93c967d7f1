//! Keys of the transit engine.

use sealwax_format::SecretBytes;
use sealwax_sources::vault::{Settings, Transit, TransitKey};
use serde_json::json;

use super::server::Server;

/// A server with a transit engine at `team/transit` and two keys.
fn server() -> Server {
    let server = Server::start();
    server.admin("POST", "sys/mounts/team/transit", json!({"type": "transit"}));
    for name in ["sops", "other"] {
        server.admin("POST", &format!("team/transit/keys/{name}"), json!({}));
    }
    server
}

fn client(server: &Server, token: &str) -> Transit {
    let settings = Settings { server: server.url().to_owned(), ..Settings::default() };
    Transit::new(&settings, SecretBytes::from(token.to_owned())).unwrap()
}

fn key(name: &str) -> TransitKey<'_> {
    TransitKey::new("team/transit", name).unwrap()
}

#[tokio::test]
async fn opens_what_it_wrapped() {
    let server = server();
    let transit = client(&server, server.root_token());
    let share = SecretBytes::from(b"s3cr3t\0share\xff".to_vec());
    let wrapped = transit.encrypt(key("sops"), &share).await.unwrap();
    assert!(wrapped.starts_with("vault:v1:"), "{wrapped}");
    assert_eq!(transit.decrypt(key("sops"), &wrapped).await.unwrap(), share);
    server.admin("POST", "team/transit/keys/sops/rotate", json!({}));
    assert_eq!(transit.decrypt(key("sops"), &wrapped).await.unwrap(), share, "older versions open");
    assert!(transit.encrypt(key("sops"), &share).await.unwrap().starts_with("vault:v2:"));
    assert_eq!(server.requests("team/transit/decrypt/sops"), 2, "one request for each call");
    assert_eq!(server.requests("auth/token/lookup-self"), 0);
    let other = transit.decrypt(key("other"), &wrapped).await.unwrap_err();
    assert_eq!(other.to_string(), "Vault decrypt: the server does not accept the request (400)");
}

#[tokio::test]
async fn a_token_may_do_what_its_policy_says() {
    let server = server();
    server.policy("encrypts", &[("team/transit/encrypt/sops", "\"update\"")]);
    let token = server.token(&["encrypts"], &json!({}));
    let transit = client(&server, &token);
    let wrapped = transit.encrypt(key("sops"), &SecretBytes::from(b"share".to_vec())).await.unwrap();
    let refused = transit.decrypt(key("sops"), &wrapped).await.unwrap_err();
    assert_eq!(refused.to_string(), "Vault decrypt: permission denied (403)");
    let dead = client(&server, "s3cr3t-dead").decrypt(key("sops"), &wrapped).await.unwrap_err();
    assert_eq!(dead.to_string(), "Vault decrypt: permission denied (403)");
    let nowhere = TransitKey::new("nowhere", "sops").unwrap();
    let missing = client(&server, server.root_token()).decrypt(nowhere, &wrapped).await.unwrap_err();
    assert_eq!(missing.to_string(), "Vault decrypt: nothing is mounted there: is the mount's path right? (404)");
}
