//! Files of SOPS: read with the identities that SOPS would use.

use insta::assert_snapshot;
use sealwax_format::OsRandom;
use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::{Recipient, encrypt_file};
use sealwax_format::sops::{FileKey, Group, Layout, Request, Wrap, encrypt, shamir};

use crate::common::Sandbox;

/// SOPS's own test identity, which protects nothing.
const IDENTITY: &str = "AGE-SECRET-KEY-1G0Q5K9TV4REQ3ZSQRMTMG8NSWQGYT0T7TZ33RAZEE0GZYVZN0APSU24RK7";

fn vector(sandbox: &Sandbox, name: &str) -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/sops");
    let text = std::fs::read_to_string(format!("{file}/{name}.enc.yaml")).unwrap();
    sandbox.write("file.yaml", &text);
    text
}

#[test]
fn decrypts_and_keeps_the_layout() {
    let sandbox = Sandbox::new();
    vector(&sandbox, "comments");
    let run = sandbox.sealwax(["decrypt", "file.yaml"]).env("SOPS_AGE_KEY", IDENTITY).run();
    assert_snapshot!(run, @"
    exit 0
    out: # top comment
    out: a: 1 # inline
    out: # before b
    out: b:
    out:     # first in map
    out:     c: x
    out:     # foot
    ");
    vector(&sandbox, "types");
    assert_snapshot!(sandbox.sealwax(["decrypt", "file.yaml"]).env("SOPS_AGE_KEY", IDENTITY).run(), @"
    exit 0
    out: str: hello
    out: int: 42
    out: negint: -7
    out: float: 1.5
    out: floatint: 1
    out: exp: 1000000000000000000000
    out: small: 0.0000001
    out: inf: .inf
    out: neginf: -.inf
    out: nan: .nan
    ");
}

#[test]
fn identities_are_found_where_sops_finds_them() {
    let sandbox = Sandbox::new();
    vector(&sandbox, "multidoc");
    assert_eq!(sandbox.sealwax(["verify", "file.yaml"]).run().code, Some(1));
    let key = sandbox.root().join("key.txt");
    std::io::Write::write_all(&mut std::fs::File::create(&key).unwrap(), IDENTITY.as_bytes()).unwrap();
    let command = format!("cat {}", key.display());
    for (name, value) in
        [("SOPS_AGE_KEY", IDENTITY), ("SOPS_AGE_KEY_FILE", key.to_str().unwrap()), ("SOPS_AGE_KEY_CMD", &command)]
    {
        sandbox.sealwax(["verify", "file.yaml"]).env(name, value).run().ok();
    }
    std::fs::create_dir_all(sandbox.root().join(".config/sops/age")).unwrap();
    std::fs::copy(&key, sandbox.root().join(".config/sops/age/keys.txt")).unwrap();
    sandbox.sealwax(["verify", "file.yaml"]).run().ok();
}

#[test]
fn what_was_changed_outside_of_sops_is_seen() {
    let sandbox = Sandbox::new();
    let text = vector(&sandbox, "k8s_regex");
    let (name, other) = ("metadata:", "metadata:\n    added: value");
    assert!(text.contains(name));
    sandbox.write("file.yaml", text.replacen(name, other, 1));
    let run = || sandbox.sealwax(["decrypt", "file.yaml"]).env("SOPS_AGE_KEY", IDENTITY);
    assert_snapshot!(run().run(), @"
    exit 1
    err: error: file.yaml: the checksum (mac) does not fit: values were added, removed, moved or changed outside of SOPS
    ");
    assert_eq!(run().args(&["--ignore-mac"]).run().code, Some(0));
    assert_snapshot!(sandbox.sealwax(["decrypt", "file.yaml"]).run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   age RECIPIENT: none of your identities is for it
    err: hint: Pass --identity FILE, or set SEALWAX_IDENTITY, SOPS_AGE_KEY_FILE or SOPS_AGE_KEY to what holds your age key.
    ");
}

#[test]
fn a_checksum_that_was_taken_out_is_missed() {
    let sandbox = Sandbox::new();
    let text = vector(&sandbox, "types");
    let without: String =
        text.lines().filter(|line| !line.starts_with("    mac:")).map(|line| format!("{line}\n")).collect();
    assert_ne!(without, text);
    sandbox.write("file.yaml", without);
    assert_snapshot!(sandbox.sealwax(["decrypt", "file.yaml"]).env("SOPS_AGE_KEY", IDENTITY).run(), @"
    exit 1
    err: error: file.yaml: the file has no checksum (mac)
    ");
    sandbox.write("file.yaml", text.replace("type:int]", "type:intt]"));
    assert_eq!(sandbox.sealwax(["decrypt", "file.yaml"]).env("SOPS_AGE_KEY", IDENTITY).run().code, Some(3));
}

#[test]
fn key_groups_open_with_as_many_as_the_threshold() {
    let sandbox = Sandbox::new();
    let people = ["alice", "bob", "carol"].map(|name| sandbox.person(name));
    let text = vector(&sandbox, "types");
    let vector = File::parse(&text, Syntax::Yaml).unwrap();
    let mut metadata = Layout::read(&vector).unwrap().metadata;
    let key = FileKey::mint(&mut OsRandom).unwrap();
    let shares = shamir::split(&mut OsRandom, key.expose(), 3, 2).unwrap().unwrap();
    let wrap = metadata.wraps().next().unwrap().clone();
    metadata.threshold = Some(2);
    metadata.groups = people
        .iter()
        .zip(&shares)
        .map(|(person, share)| {
            let recipient = Recipient::parse("x", &person.recipient).unwrap();
            let enc = encrypt_file(&[recipient], share).unwrap();
            Group { wraps: vec![Wrap { key: person.recipient.clone(), enc, ..wrap.clone() }] }
        })
        .collect();
    let plain = File::parse("password: s3cr3t-pass\n", Syntax::Yaml).unwrap();
    let request = Request { metadata: &metadata, cipher: &key.cipher(), stash: None };
    sandbox.write("file.yaml", encrypt(&plain, &request, &mut OsRandom).unwrap().text.as_bytes());
    let [alice, bob, carol] = people.each_ref().map(|person| person.file.to_str().unwrap());
    let decrypt = |identities: &[&str]| {
        let flags: Vec<_> = identities.iter().flat_map(|file| ["-i", file]).collect();
        sandbox.sealwax(["decrypt", "file.yaml"]).args(&flags).run()
    };
    for two in [[alice, bob], [carol, alice], [bob, carol]] {
        assert_eq!(decrypt(&two).ok(), "password: s3cr3t-pass\n");
    }
    assert_snapshot!(decrypt(&[bob]), @"
    exit 1
    err: error: file.yaml: of the 2 key groups that are needed, 1 opened
    err:   group 1: age RECIPIENT: none of your identities is for it
    err:   group 3: age RECIPIENT: none of your identities is for it
    err: hint: Pass --identity FILE, or set SEALWAX_IDENTITY, SOPS_AGE_KEY_FILE or SOPS_AGE_KEY to what holds your age key.
    ");
}
