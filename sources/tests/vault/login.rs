//! Logins: one for all, renewed in time, replaced when dead, and never a storm of them.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use data_encoding::BASE64URL_NOPAD;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all, ready};
use sealwax_format::SecretBytes;
use sealwax_sources::vault::{Login, Vault};
use sealwax_sources::{Address, Kind, Query, Source as _, SourceError, Tokens};
use serde_json::{Value, json};

use super::server::{Server, read, secret, token};

/// A server with a role that may read `secret/team/…`, and whose tokens are made like this.
fn with_app_role(tokens: &Value) -> (Server, Login) {
    let server = Server::start();
    server.put("team/db", json!({ "user": "app" }));
    server.put("other/db", json!({}));
    server.policy("team", &[("secret/data/team/*", "\"read\"")]);
    let mut role = json!({ "token_policies": ["team"], "secret_id_num_uses": 0 });
    role.as_object_mut().unwrap().extend(tokens.as_object().unwrap().clone());
    let (role_id, secret_id) = server.app_role("app", &role);
    let login = Login::AppRole { mount: "approle".to_owned(), role_id, secret_id: secret(&secret_id) };
    (server, login)
}

async fn works(vault: &Vault) -> Result<(), SourceError> {
    read(vault, Address::new("team/db")).await.map(drop)
}

const LOGIN: &str = "auth/approle/login";
const RENEW: &str = "auth/token/renew-self";
const LOOK_UP: &str = "auth/token/lookup-self";

#[tokio::test]
async fn one_login_is_for_all() {
    let (server, login) = with_app_role(&json!({ "token_ttl": "1h" }));
    let vault = server.client(login);
    for result in join_all((0..50).map(|_| works(&vault))).await {
        result.unwrap();
    }
    vault.check().await.unwrap();
    assert_eq!(server.requests(LOGIN), 1);
}

#[tokio::test]
async fn a_client_that_is_dropped_gives_its_token_back() {
    let (server, login) = with_app_role(&json!({ "token_ttl": "1h" }));
    let vault = server.client(login);
    works(&vault).await.unwrap();
    drop(vault);
    for _ in 0..100 {
        if server.requests("auth/token/revoke-self") == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the token was not given back");
}

#[tokio::test]
async fn a_refused_path_causes_no_storm_of_logins() {
    let (server, login) = with_app_role(&json!({ "token_ttl": "1h" }));
    let vault = server.client(login);
    for result in join_all((0..50).map(|_| read(&vault, Address::new("other/db")))).await {
        assert_eq!(result.unwrap_err().to_string(), "Vault read of other/db: permission denied (403)");
    }
    works(&vault).await.unwrap();
    assert_eq!((server.requests(LOGIN), server.requests(LOOK_UP)), (1, 1));
}

#[tokio::test]
async fn a_revoked_token_is_replaced() {
    let (server, login) = with_app_role(&json!({ "token_ttl": "1h" }));
    let vault = server.client(login);
    works(&vault).await.unwrap();
    server.revoke_all("approle");
    for result in join_all((0..50).map(|_| works(&vault))).await {
        result.unwrap();
    }
    assert_eq!((server.requests(LOGIN), server.requests(LOOK_UP)), (2, 1));
}

#[tokio::test]
async fn check_replaces_a_revoked_token_too() {
    let (server, login) = with_app_role(&json!({ "token_ttl": "1h" }));
    let vault = server.client(login);
    vault.check().await.unwrap();
    server.revoke_all("approle");
    vault.check().await.unwrap();
    assert_eq!(server.requests(LOGIN), 2);
}

#[tokio::test]
async fn a_short_token_is_renewed_in_time() {
    let (server, login) = with_app_role(&json!({ "token_ttl": "3s" }));
    let vault = server.client(login);
    for _ in 0..16 {
        works(&vault).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(server.requests(LOGIN), 1);
    assert!((2..9).contains(&server.requests(RENEW)), "{}", server.requests(RENEW));
}

#[tokio::test]
async fn what_cannot_be_renewed_any_more_is_replaced_in_time() {
    for tokens in
        [json!({ "token_ttl": "3s", "token_max_ttl": "4s" }), json!({ "token_ttl": "3s", "token_type": "batch" })]
    {
        let (server, login) = with_app_role(&tokens);
        let vault = server.client(login);
        for _ in 0..16 {
            works(&vault).await.unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert!((2..8).contains(&server.requests(LOGIN)), "{tokens}: {}", server.requests(LOGIN));
        assert_eq!(server.requests(LOOK_UP), 0, "never by way of a refusal");
    }
}

#[tokio::test]
async fn wrong_credentials_are_tried_once() {
    let (server, login) = with_app_role(&json!({}));
    let Login::AppRole { mount, role_id, .. } = login else { panic!("an AppRole") };
    let vault = server.client(Login::AppRole { mount, role_id, secret_id: secret("hunter2") });
    for result in join_all((0..20).map(|_| works(&vault))).await {
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), "Vault login of team/db: the credentials are not accepted (400)");
    }
    assert_eq!(vault.check().await.unwrap_err().kind, Kind::Denied);
    assert_eq!(server.requests(LOGIN), 1);
}

#[tokio::test]
async fn a_token_that_somebody_made_is_renewed_and_never_given_back() {
    let (server, _) = with_app_role(&json!({}));
    let made = server.admin("POST", "auth/token/create", json!({ "policies": ["team"], "period": "3s" }));
    let vault = server.client(token(made["auth"]["client_token"].as_str().unwrap()));
    for _ in 0..12 {
        works(&vault).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(server.requests(RENEW) >= 2);
    drop(vault);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(server.requests("auth/token/revoke-self"), 0);
    let dead = server.client(token("s.hunter2"));
    // Whoever asks next is told the same, though nobody looks again so soon.
    for _ in 0..2 {
        let error = works(&dead).await.unwrap_err();
        assert_eq!(error.to_string(), "Vault read of team/db: the token is not accepted: has it expired? (403)");
    }
    assert_eq!(server.client(token("s.hunter2")).check().await.unwrap_err().kind, Kind::Denied);
}

/// Signs tokens as a cluster does for its service accounts.
struct Signer {
    key: EcdsaKeyPair,
    subject: &'static str,
}

impl Tokens for Signer {
    fn token(&self) -> BoxFuture<'_, Result<SecretBytes, SourceError>> {
        let part = |json: Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
        let expires = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 600;
        let claims =
            json!({ "sub": self.subject, "aud": "vault", "iss": "test", "exp": expires, "nbf": expires - 660 });
        let text = format!("{}.{}", part(json!({ "alg": "ES256", "typ": "JWT" })), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        ready(Ok(SecretBytes::from(format!("{text}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))))).boxed()
    }
}

#[tokio::test]
async fn logs_in_with_a_signed_token() {
    let (server, _) = with_app_role(&json!({}));
    let pair = rcgen::KeyPair::generate().unwrap();
    server.admin("POST", "sys/auth/jwt", json!({ "type": "jwt" }));
    server.admin("POST", "auth/jwt/config", json!({ "jwt_validation_pubkeys": [pair.public_key_pem()] }));
    let role = json!({
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": ["team"],
        "bound_subject": "system:serviceaccount:prod:app",
    });
    server.admin("POST", "auth/jwt/role/app", role);
    let login = |subject: &'static str, role: &str| {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pair.serialize_der()).unwrap();
        let jwt = Arc::new(Signer { key, subject });
        Login::Jwt { mount: "/jwt/".to_owned(), role: Some(role.to_owned()), jwt }
    };
    works(&server.client(login("system:serviceaccount:prod:app", "app"))).await.unwrap();
    for (subject, role) in [("system:serviceaccount:prod:web", "app"), ("system:serviceaccount:prod:app", "no")] {
        let error = works(&server.client(login(subject, role))).await.unwrap_err();
        assert_eq!((error.kind, error.operation), (Kind::Denied, "login"), "{subject} {role}");
    }
}

/// A service account that is deleted must not look like secrets that are.
#[tokio::test]
async fn a_service_account_that_is_gone_is_no_secret_that_is() {
    struct Gone;
    impl Tokens for Gone {
        fn token(&self) -> BoxFuture<'_, Result<SecretBytes, SourceError>> {
            ready(Err(SourceError::new("Kubernetes", "read", Kind::Missing).with_code("404"))).boxed()
        }
    }
    let server = Server::start();
    let (mount, role) = ("jwt".to_owned(), "app".to_owned());
    for login in [
        Login::Jwt { mount: mount.clone(), role: Some(role.clone()), jwt: Arc::new(Gone) },
        Login::Kubernetes { mount, role, jwt: Arc::new(Gone) },
    ] {
        let vault = server.client(login);
        let error = works(&vault).await.unwrap_err();
        assert_eq!((error.kind, error.operation, error.code.as_deref()), (Kind::Denied, "login", Some("404")));
        let error = vault.find(&Query::default()).await.unwrap_err();
        assert_eq!((error.kind, error.operation), (Kind::Denied, "login"));
    }
}
