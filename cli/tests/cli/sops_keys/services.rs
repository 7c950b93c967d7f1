//! Keys that a service holds: what is refused before anything is asked.

use insta::assert_snapshot;
use sealwax_format::sops::Service;

use super::{PLAIN, age_wrap, decrypt, group, key, wrap, write};
use crate::common::Sandbox;

#[test]
fn what_is_not_supported_is_named_and_does_not_disturb() {
    let sandbox = Sandbox::new();
    let (alice, key) = (sandbox.person("alice"), key());
    let others = [
        (Service::GcpKms, "projects/p/locations/global/keyRings/r/cryptoKeys/k"),
        (Service::AzureKeyVault, "https://example.vault.azure.net"),
        (Service::HuaweiKms, "region:1234"),
    ];
    let mut wraps: Vec<_> = others.map(|(service, key)| wrap(service, key, "AAAA".to_owned())).into();
    write(&sandbox, &key, group(wraps.clone()), None);
    assert_snapshot!(decrypt(&sandbox).by(&alice).run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   GCP KMS projects/p/locations/global/keyRings/r/cryptoKeys/k: GCP KMS keys are not supported yet
    err:   Huawei Cloud KMS region:1234: Huawei Cloud KMS keys are not supported yet
    err:   Azure Key Vault https://example.vault.azure.net: Azure Key Vault keys are not supported yet
    ");
    wraps.push(age_wrap(&alice.recipient, key.expose()));
    write(&sandbox, &key, group(wraps), None);
    assert_eq!(decrypt(&sandbox).by(&alice).run().ok(), PLAIN);
}

#[test]
fn a_token_goes_to_a_server_that_its_owner_named() {
    let sandbox = Sandbox::new();
    let key = key();
    let mut transit = wrap(Service::VaultTransit, "http://127.0.0.1:1", "vault:v1:AAAA".to_owned());
    transit.fields = vec![("engine_path", "transit".to_owned()), ("key_name", "sops".to_owned())];
    write(&sandbox, &key, group(vec![transit.clone()]), None);
    let run = || decrypt(&sandbox).env("VAULT_TOKEN", "s3cr3t-token");
    assert_snapshot!(run().run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   Vault transit http://127.0.0.1:1/v1/transit/keys/sops: VAULT_ADDR is not http://127.0.0.1:1, so your token is not sent there
    err: hint: If you trust that server: export VAULT_ADDR=http://127.0.0.1:1, or list it in SOPS_HC_VAULT_ALLOWLIST.
    ");
    assert_snapshot!(run().env("VAULT_ADDR", "https://vault.example").run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   Vault transit http://127.0.0.1:1/v1/transit/keys/sops: VAULT_ADDR is not http://127.0.0.1:1, so your token is not sent there
    err: hint: If you trust that server: export VAULT_ADDR=http://127.0.0.1:1, or list it in SOPS_HC_VAULT_ALLOWLIST.
    ");
    assert_snapshot!(run().env("VAULT_ADDR", "http://127.0.0.1:1").env("SOPS_HC_VAULT_ALLOWLIST", "none").run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   Vault transit http://127.0.0.1:1/v1/transit/keys/sops: SOPS_HC_VAULT_ALLOWLIST does not list http://127.0.0.1:1, so your token is not sent there
    err: hint: If you trust that server, add it to SOPS_HC_VAULT_ALLOWLIST.
    ");
    // These are asked, and are not there.
    let asked = run().env("VAULT_ADDR", "http://127.0.0.1:1/").run();
    assert_snapshot!(asked, @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   Vault transit http://127.0.0.1:1/v1/transit/keys/sops: Vault decrypt: the connection was refused
    ");
    let listed = run().env("SOPS_HC_VAULT_ALLOWLIST", "http://127.0.0.1:1").run();
    assert_eq!(listed.to_string(), asked.to_string());
    assert_snapshot!(decrypt(&sandbox).env("VAULT_ADDR", "http://127.0.0.1:1").run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   Vault transit http://127.0.0.1:1/v1/transit/keys/sops: there is no token for Vault
    err: hint: Log in with `vault login`, or set VAULT_TOKEN.
    ");
    transit.fields =
        vec![("engine_path", "transit".to_owned()), ("key_name", "../../auth/token/revoke-self".to_owned())];
    write(&sandbox, &key, group(vec![transit]), None);
    assert_snapshot!(run().env("VAULT_ADDR", "http://127.0.0.1:1").run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   Vault transit http://127.0.0.1:1/v1/transit/keys/../../auth/token/revoke-self: engine_path and key_name do not name a key of a transit engine
    ");
}

#[test]
fn an_arn_leads_to_no_host_of_its_own() {
    let sandbox = Sandbox::new();
    let key = key();
    let arn = "arn:aws:kms:x.evil.example/:123456789012:key/1";
    write(&sandbox, &key, group(vec![wrap(Service::AwsKms, arn, "AAAA".to_owned())]), None);
    let run = decrypt(&sandbox).env("AWS_ACCESS_KEY_ID", "AKIATEST").env("AWS_SECRET_ACCESS_KEY", "s3cr3t-key");
    assert_snapshot!(run.run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   AWS KMS arn:aws:kms:x.evil.example/:123456789012:key/1: arn:aws:kms:x.evil.example/:123456789012:key/1 is not the ARN of a key of AWS KMS
    err: hint: It looks like arn:aws:kms:REGION:ACCOUNT:key/ID, or …:alias/NAME.
    ");
}
