//! Values of a KV engine, read with a token of the user's own.

use insta::assert_snapshot;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use sealwax_test_servers::{Bao, tls_listener};
use serde_json::json;

use crate::common::{Person, Run, Sandbox};
use crate::{assert_nothing, item};

const IMPORT: [&str; 4] = ["import", "db.in.yaml", "-o", "db.yaml"];

/// A store whose server and way of logging in are the cluster's, and an `ExternalSecret` that says this.
fn manifests(spec: &str) -> String {
    format!(
        "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: {{name: vault}}\n\
         spec: {{provider: {{vault: {{server: 'https://vault.invalid:8200', path: secret, auth: {{kubernetes: \
         {{mountPath: kubernetes, role: reader, serviceAccountRef: {{name: eso}}}}}}}}}}}}\n---\n\
         apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: db, namespace: prod}}\n\
         spec:\n  secretStoreRef: {{kind: ClusterSecretStore, name: vault}}\n{spec}"
    )
}

/// Someone who may read what is below this path.
struct Reader {
    sandbox: Sandbox,
    alice: Person,
    token: String,
}

impl Reader {
    fn new(path: &str) -> Self {
        let bao = Bao::shared();
        let rules = [(format!("secret/data/{path}/*"), "\"read\""), (format!("secret/metadata/{path}/*"), "\"list\"")];
        bao.policy(path, &rules.each_ref().map(|(path, capabilities)| (path.as_str(), *capabilities)));
        let (sandbox, alice) = Sandbox::with_policy();
        Self { sandbox, alice, token: bao.token(&[path], &json!({})) }
    }

    fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run<'_> {
        self.sandbox.sealwax(arguments).env("VAULT_ADDR", Bao::shared().url()).env("VAULT_TOKEN", &self.token)
    }
}

#[test]
fn every_way_of_an_entry_gives_the_very_value() {
    let bao = Bao::shared();
    bao.put("ways/db", json!({"user": "s3cr3t-user", "pass": "s3cr3t\n", "port": 5432, "more": {"a": ["s3cr3t-<&>"]}}));
    bao.put("ways/api/key", json!({"value": "s3cr3t-key"}));
    bao.put("ways/api/bytes", json!({"value": "AHMzY3IzdP8="}));
    let reader = Reader::new("ways");
    let spec = "  data:\n  - {secretKey: password, remoteRef: {key: ways/db, property: pass}}\n\
                \x20 - {secretKey: deep, remoteRef: {key: ways/db, property: more.a.0}}\n\
                \x20 - {secretKey: bytes, remoteRef: {key: ways/api/bytes, property: value, decodingStrategy: Base64}}\n\
                \x20 dataFrom:\n  - {extract: {key: ways/db}}\n\
                \x20 - {find: {path: ways/api, name: {regexp: key$}}, rewrite: [{regexp: {source: .*/, target: found-}}]}\n";
    reader.sandbox.write("db.in.yaml", manifests(spec));
    let dry = reader.run(IMPORT).args(&["--dry-run"]).run();
    assert_snapshot!(dry, @"
    exit 0
    out: EncryptedSecret prod/db, readers: alice
    out:   items: bytes, deep, found-key, more, pass, password, port, user
    err: nothing was written
    ");
    assert_nothing(&reader.sandbox, &dry);
    let before = bao.requests("secret/data/ways/db");
    reader.run(IMPORT).run().ok();
    assert_eq!(bao.requests("secret/data/ways/db") - before, 1, "four entries of one secret are one read");
    for (name, expected) in [
        ("user", &b"s3cr3t-user"[..]),
        ("pass", b"s3cr3t\n"),
        ("password", b"s3cr3t\n"),
        ("port", b"5432"),
        ("deep", b"s3cr3t-<&>"),
        ("bytes", b"\0s3cr3t\xff"),
        ("found-key", br#"{"value":"s3cr3t-key"}"#),
    ] {
        assert_eq!(item(&reader.sandbox, &reader.alice, name), expected, "{name}");
    }
    reader.sandbox.assert_clean();
}

#[test]
fn paths_alone_will_do() {
    let bao = Bao::shared();
    bao.put("paths/db", json!({"user": "s3cr3t-user", "pass": "s3cr3t-pass"}));
    bao.admin("POST", "sys/mounts/plain", json!({"type": "kv", "options": {"version": "1"}}));
    bao.admin("POST", "plain/db", json!({"old": "s3cr3t-old"}));
    let mut reader = Reader::new("paths");
    bao.policy("plain", &[("plain/*", "\"read\"")]);
    reader.token = bao.token(&["paths", "plain"], &json!({}));
    let from = ["vault:secret/paths/db", "password=vault:secret/paths/db#pass", "vault-v1:plain/db"];
    let arguments = ["import", "--namespace", "prod", "--name", "db", "-o", "db.yaml"];
    reader.run(arguments.into_iter().chain(from.into_iter().flat_map(|from| ["--from", from]))).run().ok();
    for (name, expected) in
        [("user", "s3cr3t-user"), ("pass", "s3cr3t-pass"), ("password", "s3cr3t-pass"), ("old", "s3cr3t-old")]
    {
        assert_eq!(item(&reader.sandbox, &reader.alice, name), expected.as_bytes(), "{name}");
    }
}

#[test]
fn the_token_of_a_login_is_found_in_its_file() {
    Bao::shared().put("file/db", json!({"user": "s3cr3t-user"}));
    let reader = Reader::new("file");
    reader.sandbox.write("db.in.yaml", manifests("  dataFrom: [{extract: {key: file/db}}]\n"));
    reader.sandbox.write("../.vault-token", format!("{}\n", reader.token));
    let run = reader.sandbox.sealwax(IMPORT).env("VAULT_ADDR", Bao::shared().url());
    run.run().ok();
    assert_eq!(item(&reader.sandbox, &reader.alice, "user"), b"s3cr3t-user");
}

#[test]
fn without_a_token_nothing_is_asked() {
    let reader = Reader::new("without");
    reader.sandbox.write("db.in.yaml", manifests("  dataFrom: [{extract: {key: without/db}}]\n"));
    let outcome = reader.run(IMPORT).env("VAULT_TOKEN", "").run();
    assert_snapshot!(outcome, @"
    exit 2
    err: error: store vault: there is no token for Vault
    err: hint: Log in with `vault login`, or set VAULT_TOKEN.
    ");
    assert_nothing(&reader.sandbox, &outcome);
}

#[test]
fn what_is_not_allowed_or_not_there_is_named() {
    let bao = Bao::shared();
    bao.put("named/db", json!({"user": "s3cr3t-user"}));
    bao.put("elsewhere/db", json!({"user": "s3cr3t-user"}));
    let reader = Reader::new("named");
    let told = |spec: &str| {
        reader.sandbox.write("db.in.yaml", manifests(spec));
        let outcome = reader.run(IMPORT).run();
        assert_nothing(&reader.sandbox, &outcome);
        outcome
    };
    let denied = "  data:\n  - {secretKey: a, remoteRef: {key: named/db, property: user}}\n  \
                  - {secretKey: b, remoteRef: {key: elsewhere/db, property: user}}\n";
    assert_snapshot!(told(denied), @"
    exit 1
    err: error: db.in.yaml: ExternalSecret prod/db: b: Vault read of elsewhere/db: permission denied (403)
    err: hint: Vault is read with your own token: VAULT_TOKEN, or what `vault login` left.
    err: nothing was written
    ");
    let missing = "  data:\n  - {secretKey: a, remoteRef: {key: named/no}}\n  \
                   - {secretKey: b, remoteRef: {key: named/db, property: pass}}\n  \
                   - {secretKey: c, remoteRef: {key: named/also-no}, optional: true}\n";
    assert_snapshot!(told(missing), @"
    exit 1
    err: error: db.in.yaml: ExternalSecret prod/db: its source has nothing for a (key named/no), b (key named/db, property pass)
    err: hint: Put it there, take it out of the manifest, or mark the entry as `optional: true`.
    err: nothing was written
    ");
    reader.sandbox.write("db.in.yaml", manifests("  dataFrom: [{extract: {key: named/db}}]\n"));
    let dead = reader.run(IMPORT).env("VAULT_TOKEN", "s3cr3t-dead-token").run();
    assert_snapshot!(dead, @"
    exit 1
    err: error: db.in.yaml: ExternalSecret prod/db: dataFrom[0]: Vault read of named/db: the token is not accepted: has it expired? (403)
    err: hint: Vault is read with your own token: VAULT_TOKEN, or what `vault login` left.
    err: nothing was written
    ");
    assert_nothing(&reader.sandbox, &dead);
}

#[test]
fn optional_entries_are_left_out() {
    Bao::shared().put("optional/db", json!({"user": "s3cr3t-user"}));
    let reader = Reader::new("optional");
    let spec = "  data:\n  - {secretKey: a, remoteRef: {key: optional/no}, optional: true}\n  \
                - {secretKey: user, remoteRef: {key: optional/db, property: user}}\n";
    reader.sandbox.write("db.in.yaml", manifests(spec));
    assert_snapshot!(reader.run(IMPORT).run(), @"
    exit 0
    err: db.yaml: sealed 1 for EncryptedSecret prod/db, readers: alice
    err: warning: left out, as there is nothing: a (key optional/no)
    ");
    assert_eq!(item(&reader.sandbox, &reader.alice, "user"), b"s3cr3t-user");
}

#[test]
fn a_server_of_an_authority_of_ones_own_is_trusted_by_its_certificate() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (cert.pem(), signing_key.serialize_pem());
    let bao = Bao::start_with(|folder, port| tls_listener(folder, port, &certificate, &key, None));
    bao.put("tls/db", json!({"user": "s3cr3t-user"}));
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.write("ca.pem", &certificate);
    sandbox.write("db.in.yaml", manifests("  dataFrom: [{extract: {key: tls/db}}]\n"));
    let address = format!("https://localhost:{}", bao.tls_port());
    let run = || sandbox.sealwax(IMPORT).env("VAULT_ADDR", &address).env("VAULT_TOKEN", bao.root_token());
    let unknown = run().run();
    assert_eq!(unknown.code, Some(1), "{unknown}");
    assert_nothing(&sandbox, &unknown);
    run().env("VAULT_CACERT", sandbox.path("ca.pem")).run().ok();
    assert_eq!(item(&sandbox, &alice, "user"), b"s3cr3t-user");
}

#[test]
fn a_manifest_vouches_for_no_server_but_its_own_and_adds_no_headers() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (cert.pem(), signing_key.serialize_pem());
    let bao = Bao::start_with(|folder, port| tls_listener(folder, port, &certificate, &key, None));
    bao.put("tls/db", json!({"user": "s3cr3t-user"}));
    let (sandbox, alice) = Sandbox::with_policy();
    let address = format!("https://localhost:{}", bao.tls_port());
    let bundle = sealwax_format::base64::encode(certificate.as_bytes());
    // A header of HTTP has no such name: to use it would fail.
    let provider = |server: &str| format!("server: '{server}', caBundle: {bundle}, headers: {{'no header': s3cr3t}}");
    let spec = manifests("  dataFrom: [{extract: {key: tls/db}}]\n");
    let run = |server: &str| {
        sandbox.write("db.in.yaml", spec.replace("server: 'https://vault.invalid:8200'", &provider(server)));
        sandbox.sealwax(IMPORT).env("VAULT_ADDR", &address).env("VAULT_TOKEN", bao.root_token()).run()
    };
    let other = run("https://vault.invalid:8200");
    assert!(other.stderr.contains("the server's certificate is not trusted"), "{other}");
    assert_nothing(&sandbox, &other);
    run(&format!("{address}/")).ok();
    assert_eq!(item(&sandbox, &alice, "user"), b"s3cr3t-user");
}
