//! age identities: where they are found, and in which order they are asked for.

use insta::assert_snapshot;

use super::{PLAIN, age_wrap, decrypt, group, key, write};
use crate::common::{Person, Sandbox};

#[test]
fn commands_are_asked_for_each_recipient_and_last() {
    let sandbox = Sandbox::new();
    let [alice, bob]: [Person; 2] = ["alice", "bob"].map(|name| sandbox.person(name));
    let key = key();
    write(
        &sandbox,
        &key,
        group(vec![age_wrap(&alice.recipient, key.expose()), age_wrap(&bob.recipient, key.expose())]),
        None,
    );
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
    write(&sandbox, &key, group(vec![age_wrap(&alice.recipient, key.expose())]), None);
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
        write(&sandbox, &key, group(vec![age_wrap(recipient.trim(), key.expose())]), None);
        assert_eq!(decrypt(&sandbox).env(variable, value).run().ok(), PLAIN, "{variable}");
        assert_eq!(decrypt(&sandbox).run().code, Some(1));
    }
    write(&sandbox, &key, group(vec![age_wrap(public("id_ed25519").trim(), key.expose())]), None);
    std::fs::create_dir(sandbox.root().join(".ssh")).unwrap();
    std::fs::rename(sandbox.root().join("id_ed25519"), sandbox.root().join(".ssh/id_ed25519")).unwrap();
    assert_eq!(decrypt(&sandbox).run().ok(), PLAIN);
}
