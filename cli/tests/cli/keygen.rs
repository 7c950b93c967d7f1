//! `sealwax keygen`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use insta::assert_snapshot;

use crate::common::{SECRET, Sandbox};

#[test]
fn writes_a_private_file_and_prints_the_recipient() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.sealwax(["keygen"]).run();
    assert_snapshot!(outcome, @"
    exit 0
    out: RECIPIENT
    err: private key written to [HOME]/.config/sealwax/identity.txt
    ");
    let path = sandbox.root().join(".config/sealwax/identity.txt");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    let text = fs::read_to_string(path).unwrap();
    assert!(text.starts_with(&format!("# public key: {}", outcome.ok())), "the file names its recipient");
    assert!(text.contains("\nAGE-SECRET-KEY-1"));
}

#[test]
fn heeds_xdg_config_home() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.sealwax(["keygen"]).env("XDG_CONFIG_HOME", sandbox.root().join("xdg")).run();
    assert_snapshot!(outcome, @"
    exit 0
    out: RECIPIENT
    err: private key written to [HOME]/xdg/sealwax/identity.txt
    ");
}

#[test]
fn never_overwrites() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    let before = fs::read(&alice.file).unwrap();
    assert_snapshot!(sandbox.sealwax(["keygen", "-o", alice.file.to_str().unwrap()]).run(), @"
    exit 1
    err: error: [HOME]/people/alice.txt: cannot be created: File exists (os error 17)
    err: hint: The file exists and is never overwritten; choose another name.
    ");
    assert_eq!(fs::read(&alice.file).unwrap(), before);

    sandbox.sealwax(["keygen"]).run().ok();
    assert_snapshot!(sandbox.sealwax(["keygen", "--pq"]).run(), @"
    exit 1
    err: error: [HOME]/.config/sealwax/identity.txt: cannot be created: File exists (os error 17)
    err: hint: The file exists and is never overwritten; choose another name.
    ");
}

#[test]
fn a_folder_that_is_not_there() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.sealwax(["keygen", "-o", "missing/key.txt"]).run(), @"
    exit 1
    err: error: missing/key.txt: cannot be created: entity not found
    ");
}

#[test]
fn without_a_home() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.sealwax(["keygen"]).env("HOME", "").run(), @"
    exit 2
    err: error: neither HOME nor XDG_CONFIG_HOME is set; name a file with -o FILE
    ");
}

#[test]
fn a_post_quantum_key_reads_what_is_sealed_for_it() {
    let sandbox = Sandbox::new();
    let quantum = sandbox.person_with("quantum", &["--pq"]);
    assert!(quantum.recipient.starts_with("age1pq1"));
    assert!(fs::read_to_string(&quantum.file).unwrap().contains("\nAGE-SECRET-KEY-PQ-1"));
    sandbox.policy(&[&quantum]);
    sandbox.encrypted("db.yaml", SECRET);
    assert_eq!(sandbox.sealwax(["decrypt", "db.yaml"]).by(&quantum).run().ok(), SECRET);
}

#[test]
fn every_command_finds_the_default_key() {
    let sandbox = Sandbox::new();
    let recipient = sandbox.sealwax(["keygen"]).run().ok();
    sandbox.write("db.yaml", SECRET);
    sandbox.sealwax(["encrypt", "db.yaml", "--to", recipient.trim(), "--select", "stringData.*"]).run().ok();
    assert_eq!(sandbox.sealwax(["decrypt", "db.yaml"]).run().ok(), SECRET);
}
