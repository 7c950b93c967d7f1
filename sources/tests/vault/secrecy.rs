//! Nothing public shows a token or a value, whoever prints it.

use sealwax_sources::vault::{Login, Settings};
use sealwax_sources::{Address, Limits, Reader, Source as _};
use serde_json::json;

use super::server::{Server, read, secret, token};

/// vaultrs' own types print tokens: none of ours may derive `Debug` over them.
#[tokio::test]
async fn nothing_prints_a_secret() {
    let server = Server::start();
    server.put("team/db", json!({ "password": "hunter2" }));
    let made = server.admin("POST", "auth/token/create", json!({ "policies": ["root"], "ttl": "1h" }));
    let text = made["auth"]["client_token"].as_str().unwrap();
    let settings = Settings {
        headers: [("x-proxy-password".to_owned(), "hunter2".to_owned())].into(),
        client_certificate: Some((b"hunter2".to_vec(), secret("hunter2"))),
        ca: Some(b"hunter2".to_vec()),
        ..server.settings()
    };
    let app_role = Login::AppRole { mount: String::new(), role_id: "r".to_owned(), secret_id: secret("hunter2") };
    let vault = server.client(token(text));
    vault.check().await.unwrap();
    let payload = read(&vault, Address::new("team/db")).await.unwrap();
    let mut shown = format!("{settings:?} {app_role:?} {:?} {vault:?} {vault:#?} {payload:?}", token(text));
    let reader = Reader::new(Box::new(vault), Limits::default());
    let outcome = reader.read(&[Address::new("team/db")], None).await.remove(0);
    shown += &format!("{reader:?} {outcome:?}");
    assert!(!shown.contains("hunter2") && !shown.contains(text), "{shown}");
}
