//! The keys of SOPS files: which opens, which is asked for last, and what is said if none does.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use sealwax_format::OsRandom;
use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::{Recipient, encrypt_file};
use sealwax_format::sops::{FileKey, Group, Layout, Metadata, Request, Service, Wrap, encrypt, shamir};

use crate::common::{Person, Run, Sandbox};

const PLAIN: &str = "password: s3cr3t-pass\n";

/// The block of a file that SOPS wrote.
fn metadata() -> Metadata {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/sops/types.enc.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    Layout::read(&File::parse(&text, Syntax::Yaml).unwrap()).unwrap().metadata
}

/// Writes `file.yaml` with these keys.
fn write(sandbox: &Sandbox, key: &FileKey, groups: Vec<Group>, threshold: Option<usize>) {
    let metadata = Metadata { groups, threshold, ..metadata() };
    let plain = File::parse(PLAIN, Syntax::Yaml).unwrap();
    let request = Request { metadata: &metadata, cipher: &key.cipher(), stash: None };
    sandbox.write("file.yaml", encrypt(&plain, &request, &mut OsRandom).unwrap().text.as_bytes());
}

fn wrap(service: Service, key: &str, enc: String) -> Wrap {
    Wrap { service, key: key.to_owned(), enc, fields: Vec::new(), context: Vec::new() }
}

fn age(recipient: &str, share: &[u8]) -> Wrap {
    let parsed = Recipient::parse("x", recipient).unwrap();
    wrap(Service::Age, recipient, encrypt_file(&[parsed], share).unwrap())
}

fn group(wraps: Vec<Wrap>) -> Vec<Group> {
    vec![Group { wraps }]
}

fn decrypt(sandbox: &Sandbox) -> Run<'_> {
    sandbox.sealwax(["decrypt", "file.yaml"])
}

/// A home of `gpg` with one key, whose agent ends with it.
struct Gpg<'s> {
    sandbox: &'s Sandbox,
    home: PathBuf,
    fingerprint: String,
}

impl<'s> Gpg<'s> {
    fn new(sandbox: &'s Sandbox, name: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let home = sandbox.root().join(name);
        std::fs::create_dir(&home).unwrap();
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut gpg = Self { sandbox, home, fingerprint: String::new() };
        let make = ["--batch", "--passphrase", "", "--quick-generate-key", name, "future-default", "default", "never"];
        gpg.run(&make, b"");
        let listed = String::from_utf8(gpg.run(&["--list-keys", "--with-colons"], b"")).unwrap();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().clone_into(&mut gpg.fingerprint);
        gpg
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        use std::io::Write as _;
        let mut command = self.sandbox.command("gpg");
        command.args(arguments).env("GNUPGHOME", &self.home);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A test without gpg fails here.
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "gpg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn wrap(&self, share: &[u8]) -> Wrap {
        let enc = self.run(&["--encrypt", "-a", "--trust-model", "always", "-r", &self.fingerprint], share);
        wrap(Service::Pgp, &self.fingerprint, String::from_utf8(enc).unwrap())
    }
}

impl Drop for Gpg<'_> {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", &self.home).status();
    }
}

fn key() -> FileKey {
    FileKey::mint(&mut OsRandom).unwrap()
}

#[test]
fn a_pgp_key_opens_through_gpg() {
    let sandbox = Sandbox::new();
    let (gpg, key) = (Gpg::new(&sandbox, "gnupg"), key());
    write(&sandbox, &key, group(vec![gpg.wrap(key.expose())]), None);
    assert_eq!(decrypt(&sandbox).env("GNUPGHOME", &gpg.home).run().ok(), PLAIN);
    // What runs instead sees neither arguments nor files with the key.
    let seen = sandbox.root().join("seen");
    let script = format!("echo \"$@\" > {}\nexec gpg \"$@\"", seen.display());
    let other = sandbox.script("other-gpg", &script);
    assert_eq!(decrypt(&sandbox).env("GNUPGHOME", &gpg.home).env("SOPS_GPG_EXEC", other).run().ok(), PLAIN);
    assert_eq!(std::fs::read_to_string(seen).unwrap(), "-d\n");
}

#[test]
fn says_why_pgp_does_not_open() {
    let sandbox = Sandbox::new();
    let (gpg, others, key) = (Gpg::new(&sandbox, "gnupg"), Gpg::new(&sandbox, "others"), key());
    write(&sandbox, &key, group(vec![gpg.wrap(key.expose())]), None);
    assert_snapshot!(decrypt(&sandbox).env("GNUPGHOME", &others.home).run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   PGP BASE64: gpg: decryption failed: No secret key
    err: hint: gpg --list-secret-keys shows the PGP keys that you have; GNUPGHOME says where gpg keeps them.
    ");
    assert_snapshot!(decrypt(&sandbox).env("SOPS_GPG_EXEC", "/nowhere/gpg").run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   PGP BASE64: /nowhere/gpg cannot be run: No such file or directory (os error 2)
    err: hint: Install GnuPG, or set SOPS_GPG_EXEC to where it is.
    ");
    let silent = sandbox.script("silent", "cat > /dev/null");
    assert_snapshot!(decrypt(&sandbox).env("SOPS_GPG_EXEC", silent).run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   PGP BASE64: gpg printed nothing: is it too old for how this was encrypted?
    ");
}

#[test]
fn age_comes_before_pgp_unless_told_otherwise() {
    let sandbox = Sandbox::new();
    let (alice, key) = (sandbox.person("alice"), key());
    let pgp = wrap(Service::Pgp, "0123456789ABCDEF0123456789ABCDEF01234567", "PGP".to_owned());
    write(&sandbox, &key, group(vec![pgp, age(&alice.recipient, key.expose())]), None);
    let asked = sandbox.root().join("asked");
    let gpg = sandbox.script("gpg-asked", &format!("touch {}; exit 1", asked.display()));
    let run = || decrypt(&sandbox).by(&alice).env("SOPS_GPG_EXEC", &gpg);
    assert_eq!(run().run().ok(), PLAIN);
    assert!(!asked.exists());
    assert_eq!(run().env("SOPS_DECRYPTION_ORDER", "pgp,age").run().ok(), PLAIN);
    assert!(asked.exists());
    assert_snapshot!(run().env("SOPS_DECRYPTION_ORDER", "gpg").run(), @"
    exit 2
    err: error: SOPS_DECRYPTION_ORDER: gpg is no kind of key; there are kms, gcp_kms, hckms, azure_kv, hc_vault, pgp, age
    ");
}

#[test]
fn commands_are_asked_for_each_recipient_and_last() {
    let sandbox = Sandbox::new();
    let [alice, bob]: [Person; 2] = ["alice", "bob"].map(|name| sandbox.person(name));
    let key = key();
    write(&sandbox, &key, group(vec![age(&alice.recipient, key.expose()), age(&bob.recipient, key.expose())]), None);
    let log = sandbox.root().join("log");
    let body = format!(
        "echo \"$SOPS_AGE_RECIPIENT $1\" >> {}\n[ \"$SOPS_AGE_RECIPIENT\" = {} ] && cat {}",
        log.display(),
        bob.recipient,
        bob.file.display()
    );
    let command = format!("{} 'two words'", sandbox.script("identities", &body));
    assert_eq!(decrypt(&sandbox).env("SOPS_AGE_KEY_CMD", &command).run().ok(), PLAIN);
    let expected = format!("{} two words\n{} two words\n", alice.recipient, bob.recipient);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), expected);
    std::fs::remove_file(&log).unwrap();
    assert_eq!(decrypt(&sandbox).env("SOPS_AGE_KEY_CMD", &command).by(&alice).run().ok(), PLAIN);
    assert!(!log.exists(), "nothing is asked of others before one's own identities are tried");
}

#[test]
fn a_place_that_is_broken_hides_no_other() {
    let sandbox = Sandbox::new();
    let (alice, key) = (sandbox.person("alice"), key());
    write(&sandbox, &key, group(vec![age(&alice.recipient, key.expose())]), None);
    let run = || {
        let run = decrypt(&sandbox).env("SOPS_AGE_KEY", "AGE-SECRET-KEY-1WRONG").env("SOPS_AGE_KEY_FILE", "missing");
        run.env("SOPS_AGE_KEY_CMD", "false").env("SOPS_AGE_SSH_PRIVATE_KEY_CMD", "echo 'nothing")
    };
    assert_eq!(run().by(&alice).run().ok(), PLAIN);
    assert_snapshot!(run().run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   age RECIPIENT: none of your identities is for it
    err: hint: SOPS_AGE_KEY_FILE: missing: the identity cannot be read: No such file or directory (os error 2)
    err: hint: SOPS_AGE_KEY: line 1: not a valid age identity
    err: hint: SOPS_AGE_KEY_CMD: false failed
    err: hint: SOPS_AGE_SSH_PRIVATE_KEY_CMD: its quotes do not match
    err: hint: Pass --identity FILE, or set SEALWAX_IDENTITY, SOPS_AGE_KEY_FILE or SOPS_AGE_KEY to what holds your age key.
    ");
}

#[test]
fn every_kind_of_age_key() {
    let sandbox = Sandbox::new();
    let quantum = sandbox.person_with("quantum", &["--pq"]);
    for (name, kind) in [("id_ed25519", "ed25519"), ("named", "ed25519"), ("named-rsa", "rsa")] {
        let file = sandbox.root().join(name);
        let mut keygen = sandbox.command("ssh-keygen");
        keygen.args(["-q", "-t", kind, "-N", "", "-C", "a comment", "-f"]).arg(&file);
        assert!(keygen.status().unwrap().success());
    }
    let public = |name: &str| std::fs::read_to_string(sandbox.root().join(name).with_extension("pub")).unwrap();
    let key = key();
    for (recipient, variable, value) in [
        (quantum.recipient.clone(), "SOPS_AGE_KEY_FILE", quantum.file.display().to_string()),
        (public("named"), "SOPS_AGE_SSH_PRIVATE_KEY_FILE", sandbox.root().join("named").display().to_string()),
        (public("named-rsa"), "SOPS_AGE_SSH_PRIVATE_KEY_FILE", sandbox.root().join("named-rsa").display().to_string()),
        (public("named"), "SOPS_AGE_SSH_PRIVATE_KEY_CMD", format!("cat {}", sandbox.root().join("named").display())),
    ] {
        write(&sandbox, &key, group(vec![age(recipient.trim(), key.expose())]), None);
        assert_eq!(decrypt(&sandbox).env(variable, value).run().ok(), PLAIN, "{variable}");
        assert_eq!(decrypt(&sandbox).run().code, Some(1));
    }
    write(&sandbox, &key, group(vec![age(public("id_ed25519").trim(), key.expose())]), None);
    std::fs::create_dir(sandbox.root().join(".ssh")).unwrap();
    std::fs::rename(sandbox.root().join("id_ed25519"), sandbox.root().join(".ssh/id_ed25519")).unwrap();
    assert_eq!(decrypt(&sandbox).run().ok(), PLAIN);
}

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
    wraps.push(age(&alice.recipient, key.expose()));
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

#[test]
fn groups_of_different_services() {
    let sandbox = Sandbox::new();
    let (gpg, alice, key) = (Gpg::new(&sandbox, "gnupg"), sandbox.person("alice"), key());
    let shares = shamir::split(&mut OsRandom, key.expose(), 3, 2).unwrap().unwrap();
    let [first, second, third] = shares.as_slice() else { panic!("three shares") };
    let unknown = sandbox.person("unknown");
    let groups = [gpg.wrap(first), age(&alice.recipient, second), age(&unknown.recipient, third)];
    let groups = groups.map(|wrap| Group { wraps: vec![wrap] }).into();
    write(&sandbox, &key, groups, Some(2));
    assert_eq!(decrypt(&sandbox).by(&alice).env("GNUPGHOME", &gpg.home).run().ok(), PLAIN);
    let run = decrypt(&sandbox).by(&alice).env("SOPS_GPG_EXEC", "/nowhere/gpg").run();
    assert_snapshot!(run, @"
    exit 1
    err: error: file.yaml: of the 2 key groups that are needed, 1 opened
    err:   group 1: PGP BASE64: /nowhere/gpg cannot be run: No such file or directory (os error 2)
    err:   group 3: age RECIPIENT: none of your identities is for it
    err: hint: Install GnuPG, or set SOPS_GPG_EXEC to where it is.
    err: hint: Pass --identity FILE, or set SEALWAX_IDENTITY, SOPS_AGE_KEY_FILE or SOPS_AGE_KEY to what holds your age key.
    ");
}
