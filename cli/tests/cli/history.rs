//! `encrypt` after `decrypt --in-place`: what did not change gets the tokens of Git's HEAD back.

use insta::assert_snapshot;

use crate::common::{Person, SECRET, Sandbox};

/// A repository with an encrypted file, decrypted in place, with one value changed.
fn edited() -> (Sandbox, Person, String) {
    let (sandbox, alice) = Sandbox::with_policy();
    let sealed = sandbox.encrypted("db.yaml", SECRET);
    sandbox.commit_all();
    sandbox.sealwax(["decrypt", "--in-place", "--force", "db.yaml"]).by(&alice).run().ok();
    sandbox.write("db.yaml", SECRET.replace("s3cr3t-pass", "s3cr3t-changed"));
    (sandbox, alice, sealed)
}

#[test]
fn only_the_changed_value_differs() {
    let (sandbox, alice, sealed) = edited();
    assert_snapshot!(sandbox.sealwax(["encrypt", "db.yaml"]).by(&alice).run(), @"
    exit 0
    err: db.yaml: sealed 1 (1 kept) for Secret prod/db, readers: alice
    ");
    let after = sandbox.read("db.yaml");
    let password = sealed.find("  password:").unwrap();
    assert_eq!(after[..password], sealed[..password]);
    assert!(after.ends_with(&sealed[sealed.find("sealwax:").unwrap()..]));
    let plain = sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run().ok();
    assert_eq!(plain, SECRET.replace("s3cr3t-pass", "s3cr3t-changed"));
}

#[test]
fn nothing_changed_means_the_very_same_file() {
    let (sandbox, alice, sealed) = edited();
    sandbox.write("db.yaml", SECRET);
    sandbox.sealwax(["encrypt", "db.yaml"]).by(&alice).run().ok();
    assert_eq!(sandbox.read("db.yaml"), sealed);
}

#[test]
fn without_an_identity_everything_is_encrypted_anew() {
    let (sandbox, alice, sealed) = edited();
    assert_snapshot!(sandbox.sealwax(["encrypt", "db.yaml"]).run(), @"
    exit 0
    err: db.yaml: sealed 2 for Secret prod/db, readers: alice
    ");
    let after = sandbox.read("db.yaml");
    assert!(sealed.lines().filter(|line| line.contains("ENC[")).all(|line| !after.contains(line)));
    assert_eq!(sandbox.sealwax(["verify", "db.yaml"]).by(&alice).run().code, Some(0));
}

#[test]
fn readers_changed_meanwhile() {
    let (sandbox, alice, _) = edited();
    let bob = sandbox.person("bob");
    sandbox.policy(&[&bob]);
    assert_snapshot!(sandbox.sealwax(["encrypt", "db.yaml"]).by(&alice).run(), @"
    exit 0
    err: db.yaml: sealed 2 for Secret prod/db, readers: bob
    ");
    assert_eq!(sandbox.sealwax(["verify", "db.yaml"]).by(&bob).run().code, Some(0), "new readers read everything");
    assert_ne!(sandbox.sealwax(["verify", "db.yaml"]).by(&alice).run().code, Some(0), "former readers nothing");
}
