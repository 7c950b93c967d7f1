//! `sealwax rekey`: readers come, go, and get new keys.

use insta::assert_snapshot;

use crate::common::{Person, SECRET, Sandbox};

fn reads(sandbox: &Sandbox, person: &Person, name: &str) -> bool {
    sandbox.sealwax(["decrypt", name]).by(person).run().code == Some(0)
}

fn key_of(sealed: &str) -> &str {
    sealed.lines().find_map(|line| line.strip_prefix("  key: ")).unwrap()
}

#[test]
fn an_added_reader_gets_a_wrap_and_no_value_changes() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t-own").run().ok();
    let bob = sandbox.person("bob");
    sandbox.policy(&[&alice, &bob]);
    assert!(!reads(&sandbox, &bob, "db.yaml"));
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml"]).by(&alice).run(), @"
    exit 0
    err: db.yaml: wrapped for Secret prod/db, readers: alice, bob
    ");
    assert!(reads(&sandbox, &bob, "db.yaml") && reads(&sandbox, &alice, "db.yaml"));
    let after = sandbox.read("db.yaml");
    assert_eq!(key_of(&after), key_of(&before));
    assert!(after.contains(before.lines().find(|line| line.contains("ENC[")).unwrap()), "tokens stay");
    assert_snapshot!(sandbox.show("db.yaml"), @"
    apiVersion: v1
    kind: Secret
    metadata:
      namespace: prod
      name: db
    stringData:
      # who
      username: >-
        ENC[wax1,SHORT,BASE64]
      password: >-   # keep
        ENC[wax1,KEYID,BASE64,
        alice@FINGERPRINT:BASE64,
        bob@FINGERPRINT:BASE64]
    sealwax:
      version: 1
      sealedFor: {namespace: prod, name: db}
      key: KEYID
      readers:
        alice@FINGERPRINT: >-
          SHORT:BASE64
        bob@FINGERPRINT: >-
          SHORT:BASE64
    ");
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml"]).by(&bob).run(), @"
    exit 0
    err: db.yaml: readers match already
    ");
    assert_eq!(sandbox.read("db.yaml"), after);
}

#[test]
fn a_removed_reader_means_a_new_key_and_a_list_of_what_he_knows() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    sandbox.policy(&[&alice, &bob]);
    let before = sandbox.encrypted("db.yaml", SECRET);
    sandbox.policy(&[&alice]);
    sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t-bob-never-saw").run().ok();
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml"]).by(&alice).run(), @"
    exit 0
    err: warning: db.yaml: bob@FINGERPRINT has been able to read stringData.username
    err: hint: Change these values at their origin; encrypting them again does not take them back.
    err: db.yaml: 2 values under a new key, Secret prod/db, readers: alice
    ");
    let after = sandbox.read("db.yaml");
    assert_ne!(key_of(&after), key_of(&before));
    assert!(!after.contains("bob@") && !reads(&sandbox, &bob, "db.yaml") && reads(&sandbox, &alice, "db.yaml"));
    let old_tokens: Vec<_> = before.lines().filter(|line| line.contains("ENC[")).collect();
    assert!(old_tokens.iter().all(|token| !after.contains(token)), "every value is encrypted again");
    let plain = sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run().ok();
    assert_eq!(plain, SECRET.replace("\"s3cr3t-pass\"", "s3cr3t-bob-never-saw"));
}

#[test]
fn a_newer_key_of_the_same_name_is_replaced_quietly() {
    let sandbox = Sandbox::new();
    let (alice, prod) = (sandbox.person("alice"), sandbox.person("prod"));
    sandbox.policy(&[&alice, &prod]);
    let before = sandbox.encrypted("db.yaml", SECRET);
    std::fs::remove_file(&prod.file).unwrap();
    let newer = sandbox.person("prod");
    sandbox.policy(&[&alice, &newer]);
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml"]).by(&alice).run(), @"
    exit 0
    err: db.yaml: wrapped for Secret prod/db, readers: alice, prod
    ");
    let after = sandbox.read("db.yaml");
    assert_eq!(key_of(&after), key_of(&before), "no fold");
    assert!(reads(&sandbox, &newer, "db.yaml"));
    assert!(!after.contains(&prod.recipient));
    assert_eq!(after.matches("prod@").count(), before.matches("prod@").count(), "the old wrap is gone");
}

#[test]
fn fold_brings_all_values_under_one_new_key() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    sandbox.sealwax(["set", "db.yaml", "password", "username"]).input("s3cr3t-own").run().ok();
    let before = sandbox.read("db.yaml");
    assert_snapshot!(sandbox.sealwax(["rekey", "--fold", "db.yaml"]).by(&alice).run(), @"
    exit 0
    err: db.yaml: 2 values under a new key, Secret prod/db, readers: alice
    ");
    let after = sandbox.read("db.yaml");
    assert!(after.len() < before.len());
    assert_snapshot!(sandbox.show("db.yaml"), @"
    apiVersion: v1
    kind: Secret
    metadata:
      namespace: prod
      name: db
    stringData:
      # who
      username: >-
        ENC[wax1,SHORT,BASE64]
      password: >-   # keep
        ENC[wax1,SHORT,BASE64]
    sealwax:
      version: 1
      sealedFor: {namespace: prod, name: db}
      key: KEYID
      readers:
        alice@FINGERPRINT: >-
          SHORT:BASE64
    ");
    assert_eq!(sandbox.sealwax(["get", "db.yaml", "password"]).by(&alice).run().ok(), "s3cr3t-own");
}

#[test]
fn needs_someone_who_can_read_and_something_to_read() {
    let sandbox = Sandbox::new();
    let (alice, bob, carol) = (sandbox.person("alice"), sandbox.person("bob"), sandbox.person("carol"));
    sandbox.policy(&[&alice, &bob]);
    let before = sandbox.encrypted("db.yaml", SECRET);
    sandbox.policy(&[&alice]);
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml"]).run(), @"
    exit 1
    err: error: db.yaml:8: stringData.username: none of your identities is a reader; named readers: alice@FINGERPRINT, bob@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    ");
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml"]).by(&carol).run(), @"
    exit 1
    err: error: db.yaml:8: stringData.username: none of your identities is a reader; named readers: alice@FINGERPRINT, bob@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    ");
    sandbox.policy(&[&alice, &bob, &carol]);
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml"]).by(&carol).run(), @"
    exit 1
    err: error: db.yaml: none of your identities is a reader; named readers: alice@FINGERPRINT, bob@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    ");
    assert_eq!(sandbox.read("db.yaml"), before);
    sandbox.write("plain.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["rekey", "plain.yaml"]).by(&alice).run(), @"
    exit 2
    err: error: plain.yaml: holds no encrypted document that a rule of the policy covers
    ");
}

#[test]
fn several_files_one_of_them_foreign() {
    let (sandbox, alice) = Sandbox::with_policy();
    let bob = sandbox.person("bob");
    sandbox.encrypted("a.yaml", SECRET);
    sandbox.encrypted("z.yaml", SECRET);
    sandbox.write("foreign.yaml", SECRET);
    let foreign = ["encrypt", "foreign.yaml", "--to", &bob.to(), "--select", "stringData.*"];
    sandbox.sealwax(foreign).run().ok();
    sandbox.policy(&[&alice, &bob]);
    assert_snapshot!(sandbox.sealwax(["rekey", "a.yaml", "foreign.yaml", "z.yaml"]).by(&alice).run(), @"
    exit 1
    err: a.yaml: wrapped for Secret prod/db, readers: alice, bob
    err: error: foreign.yaml: none of your identities is a reader; named readers: bob@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    err: z.yaml: wrapped for Secret prod/db, readers: alice, bob
    ");
    assert!(reads(&sandbox, &bob, "a.yaml") && reads(&sandbox, &bob, "z.yaml"));
}

#[test]
fn keeps_the_place() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml", "--scope", "cluster"]).by(&alice).run(), @"
    exit 1
    err: error: db.yaml: the document is sealed for Secret prod/db, and this write is for Secret */*; use `sealwax rebind` to change the place
    ");
    assert_eq!(sandbox.read("db.yaml"), before);
}
