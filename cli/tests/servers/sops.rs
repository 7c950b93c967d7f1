//! Files of SOPS whose keys a service holds.

use data_encoding::BASE64;
use insta::assert_snapshot;
use sealwax_format::OsRandom;
use sealwax_format::document::{File, Syntax};
use sealwax_format::sops::{FileKey, Group, Layout, Metadata, Request, Service, Wrap, encrypt};
use sealwax_test_servers::{Bao, Moto, Proxy, Rule};
use serde_json::{Value, json};

use crate::common::{Run, Sandbox};

const REGION: &str = "eu-west-1";
const PLAIN: &str = "password: s3cr3t-pass\n";

/// Writes a file with this key.
fn write(sandbox: &Sandbox, name: &str, key: &FileKey, wrap: Wrap) {
    let block = "sops:\n  age: []\n  lastmodified: \"2026-01-02T03:04:05Z\"\n  version: 3.13.3\n";
    let block = Layout::read(&File::parse(block, Syntax::Yaml).unwrap()).unwrap().metadata;
    let metadata = Metadata { groups: vec![Group { wraps: vec![wrap] }], ..block };
    let plain = File::parse(PLAIN, Syntax::Yaml).unwrap();
    let request = Request { metadata: &metadata, cipher: &key.cipher(), stash: None, allow_nothing: false };
    sandbox.write(name, encrypt(&plain, &request, &mut OsRandom).unwrap().text.as_bytes());
}

/// A data key as services are given it.
fn key() -> (FileKey, String) {
    let key = FileKey::mint(&mut OsRandom).unwrap();
    let text = BASE64.encode(key.expose());
    (key, text)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// An engine of this name, and what it makes of a data key.
fn transit(bao: &Bao, engine: &str, plaintext: &str) -> Wrap {
    bao.admin("POST", &format!("sys/mounts/{engine}"), json!({"type": "transit"}));
    let made = bao.admin("POST", &format!("{engine}/encrypt/sops"), json!({ "plaintext": plaintext }));
    Wrap {
        service: Service::VaultTransit,
        key: bao.url().to_owned(),
        enc: text(&made["data"]["ciphertext"]),
        fields: vec![("engine_path", engine.to_owned()), ("key_name", "sops".to_owned())],
        context: Vec::new(),
    }
}

#[test]
fn transit_opens_for_who_may_decrypt() {
    let (bao, sandbox) = (Bao::shared(), Sandbox::new());
    let (key, plaintext) = key();
    write(&sandbox, "file.yaml", &key, transit(bao, "team/sops", &plaintext));
    bao.policy("sops", &[("team/sops/decrypt/sops", "\"update\"")]);
    let token = bao.token(&["sops"], &json!({}));
    let run = || sandbox.sealwax(["decrypt", "file.yaml"]).env("VAULT_ADDR", bao.url());
    let before = bao.requested().len();
    assert_eq!(run().env("VAULT_TOKEN", &token).run().ok(), PLAIN);
    assert_eq!(bao.requested()[before..], ["team/sops/decrypt/sops"]);
    sandbox.write("../.vault-token", format!("{token}\n"));
    assert_eq!(run().run().ok(), PLAIN);
    let refused = run().env("VAULT_TOKEN", bao.token(&["default"], &json!({}))).run().to_string();
    assert_snapshot!(refused.replace(bao.url(), "SERVER"), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   Vault transit SERVER/v1/team/sops/keys/sops: Vault decrypt: permission denied (403)
    err: hint: Vault is read with your own token: VAULT_TOKEN, or what `vault login` left.
    ");
}

#[test]
fn a_server_that_a_file_names_gets_no_token() {
    let (bao, sandbox) = (Bao::shared(), Sandbox::new());
    let (key, plaintext) = key();
    let foreign = Proxy::before(bao.url());
    let wrap = transit(bao, "foreign", &plaintext);
    write(&sandbox, "file.yaml", &key, Wrap { key: foreign.url(), ..wrap });
    let run = || sandbox.sealwax(["decrypt", "file.yaml"]).env("VAULT_TOKEN", bao.root_token());
    assert_eq!(run().run().code, Some(1));
    assert_eq!(run().env("VAULT_ADDR", bao.url()).run().code, Some(1));
    assert!(foreign.calls().is_empty());
    assert_eq!(run().env("VAULT_ADDR", foreign.url()).run().ok(), PLAIN);
    assert_eq!(run().env("SOPS_HC_VAULT_ALLOWLIST", "all").run().ok(), PLAIN);
    assert_eq!(foreign.calls().len(), 2);
}

/// What KMS makes of a data key.
fn kms(plaintext: &str, context: &[(&str, &str)], alias: bool) -> Wrap {
    let moto = Moto::shared();
    let call = |action: &str, body: Value| moto.call(REGION, "kms", &format!("TrentService.{action}"), &body).unwrap();
    let mut arn = text(&call("CreateKey", json!({}))["KeyMetadata"]["Arn"]);
    let context: Vec<_> = context.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let pairs: Value = context.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str()))).collect();
    let made = call("Encrypt", json!({"KeyId": arn, "Plaintext": plaintext, "EncryptionContext": pairs}));
    if alias {
        call("CreateAlias", json!({"AliasName": "alias/sops", "TargetKeyId": arn}));
        let (account, _) = arn.rsplit_once(':').unwrap();
        arn = format!("{account}:alias/sops");
    }
    let fields = vec![("aws_profile", String::new())];
    Wrap { service: Service::AwsKms, key: arn, enc: text(&made["CiphertextBlob"]), fields, context }
}

/// A run without a machine that would lend its identity.
fn at<'s>(sandbox: &'s Sandbox, url: &str, name: &str) -> Run<'s> {
    let run = sandbox.sealwax(["decrypt", name]).env("AWS_ENDPOINT_URL", url).env("AWS_EC2_METADATA_DISABLED", "true");
    // The region is the key's own, whatever the environment says.
    run.env("AWS_REGION", "us-east-2")
}

fn as_somebody<'s>(sandbox: &'s Sandbox, url: &str, name: &str) -> Run<'s> {
    at(sandbox, url, name).env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "s3cr3t-access-key")
}

#[test]
fn kms_opens_with_the_context_and_by_alias() {
    let sandbox = Sandbox::new();
    let proxy = Proxy::before(Moto::shared().url());
    let (key, plaintext) = key();
    let wrap = kms(&plaintext, &[("app", "shop"), ("env", "prod")], false);
    write(&sandbox, "key.yaml", &key, wrap.clone());
    write(&sandbox, "other.yaml", &key, Wrap { context: vec![("app".to_owned(), "other".to_owned())], ..wrap });
    write(&sandbox, "alias.yaml", &key, kms(&plaintext, &[], true));
    for name in ["key.yaml", "alias.yaml"] {
        assert_eq!(as_somebody(&sandbox, &proxy.url(), name).run().ok(), PLAIN, "{name}");
    }
    assert_eq!(proxy.names(), ["Decrypt", "Decrypt"]);
    let refused = as_somebody(&sandbox, &proxy.url(), "other.yaml").run().to_string();
    assert!(refused.contains("with this encryption context (InvalidCiphertextException)"), "{refused}");
}

#[test]
fn kms_is_asked_in_the_role_and_profile_of_the_file() {
    let sandbox = Sandbox::new();
    let proxy = Proxy::before(Moto::shared().url());
    let (key, plaintext) = key();
    let mut wrap = kms(&plaintext, &[], false);
    wrap.fields.push(("role", "arn:aws:iam::123456789012:role/sops".to_owned()));
    write(&sandbox, "role.yaml", &key, wrap.clone());
    assert_eq!(as_somebody(&sandbox, &proxy.url(), "role.yaml").run().ok(), PLAIN);
    let calls = proxy.calls();
    let names: Vec<_> = calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(names, ["AssumeRole", "Decrypt"]);
    assert!(calls[0].body.contains("role%2Fsops"), "{}", calls[0].body);
    assert!(calls[0].key == "AKIAEXAMPLE" && calls[1].key != "AKIAEXAMPLE");
    wrap.fields = vec![("aws_profile", "ops".to_owned())];
    write(&sandbox, "profile.yaml", &key, wrap);
    let profile = "[ops]\naws_access_key_id = AKIAOFPROFILE\naws_secret_access_key = s3cr3t-profile\n";
    sandbox.write("../.aws/credentials", profile);
    assert_eq!(at(&sandbox, &proxy.url(), "profile.yaml").run().ok(), PLAIN);
    assert_eq!(proxy.calls()[0].key, "AKIAOFPROFILE");
}

#[test]
fn says_why_kms_does_not_open() {
    let sandbox = Sandbox::new();
    let proxy = Proxy::before(Moto::shared().url());
    let (key, plaintext) = key();
    let wrap =
        Wrap { key: "arn:aws:kms:eu-west-1:123456789012:key/of-a-test".to_owned(), ..kms(&plaintext, &[], false) };
    write(&sandbox, "file.yaml", &key, wrap);
    proxy.prepare(Rule::aws_error("Decrypt", 400, "AccessDeniedException"));
    assert_snapshot!(as_somebody(&sandbox, &proxy.url(), "file.yaml").run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   AWS KMS arn:aws:kms:eu-west-1:123456789012:key/of-a-test: AWS KMS decrypt: permission denied (AccessDeniedException)
    err: hint: AWS is read with your own credentials: those of the environment, AWS_PROFILE, or what they lead to.
    ");
    proxy.pass();
    assert_snapshot!(at(&sandbox, &proxy.url(), "file.yaml").run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   AWS KMS arn:aws:kms:eu-west-1:123456789012:key/of-a-test: AWS KMS login: the surroundings give no credentials
    err: hint: AWS is read with your own credentials: those of the environment, AWS_PROFILE, or what they lead to.
    ");
    proxy.prepare(Rule::hang_up("Decrypt").times(1));
    let again = as_somebody(&sandbox, &proxy.url(), "file.yaml").run();
    assert!(again.to_string().contains("NotFoundException"), "asked again after a broken connection: {again}");
}
