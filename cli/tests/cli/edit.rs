//! `sealwax edit` with scripted editors.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::common::{Outcome, Person, SECRET, Sandbox};

fn edit(sandbox: &Sandbox, person: &Person, body: &str) -> Outcome {
    let editor = sandbox.script("editor", body);
    sandbox.sealwax(["edit", "db.yaml"]).by(person).env("EDITOR", editor).run()
}

/// Replaces a text in the file that the editor was given.
fn replacing(from: &str, to: &str) -> String {
    format!("sed -i.bak 's/{from}/{to}/' \"$1\"\nrm \"$1.bak\"")
}

#[test]
fn only_the_lines_of_the_changed_value_differ() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    let outcome = edit(&sandbox, &alice, &replacing("s3cr3t-pass", "s3cr3t-changed"));
    assert_snapshot!(outcome, @"
    exit 0
    err: db.yaml: sealed 1 (1 kept) for Secret prod/db, readers: alice
    ");
    let after = sandbox.read("db.yaml");
    let password = before.find("  password:").unwrap();
    let block = before.find("sealwax:").unwrap();
    assert_eq!(after[..password], before[..password], "nothing before the value");
    assert!(after.ends_with(&before[block..]), "nothing after it");
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
        alice@FINGERPRINT:BASE64]
    sealwax:
      version: 1
      sealedFor: {namespace: prod, name: db}
      key: KEYID
      readers:
        alice@FINGERPRINT: >-
          SHORT:BASE64
    ");
    let plain = sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run().ok();
    assert_eq!(plain, SECRET.replace("s3cr3t-pass", "s3cr3t-changed"));
    sandbox.assert_clean();
}

#[test]
fn comments_keys_and_order_are_free_to_change() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    let body = "sed -i.bak -e 's/# who/# whose/' -e '$a\\  token: s3cr3t-new' \"$1\"\nrm \"$1.bak\"";
    assert_snapshot!(edit(&sandbox, &alice, body), @"
    exit 0
    err: db.yaml: sealed 1 (2 kept) for Secret prod/db, readers: alice
    ");
    let after = sandbox.read("db.yaml");
    let lost: Vec<_> = before.lines().filter(|line| !after.lines().any(|l| l == *line)).collect();
    assert_eq!(lost, ["  # who"]);
    let plain = sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run().ok();
    assert_eq!(plain, SECRET.replace("# who", "# whose") + "  token: s3cr3t-new\n");
}

#[test]
fn a_line_that_is_commented_out_takes_its_value_along() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    assert_snapshot!(edit(&sandbox, &alice, &replacing("  password:", "  # password:")), @"
    exit 1
    err: error: db.yaml:10: what the comment says was encrypted
    err: hint: Comments stand in the clear: take the value out of it.
    err: hint: The file was left as it was, and the changes were dropped.
    ");
    assert_eq!(sandbox.read("db.yaml"), before);
}

#[test]
fn nothing_changed() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    assert_snapshot!(edit(&sandbox, &alice, "true"), @"
    exit 0
    err: db.yaml: nothing changed
    ");
    assert_eq!(sandbox.read("db.yaml"), before);
}

#[test]
fn the_editor_gets_a_private_file_outside_the_repository() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    sandbox.commit_all();
    let seen = sandbox.root().join("seen");
    let body = format!(
        "{{ ls -ld \"$1\" | cut -c1-10; ls -ld \"$(dirname \"$1\")\" | cut -c1-10; echo \"$1\"; }} > '{}'\ncp \"$1\" '{}.copy'",
        seen.display(),
        seen.display()
    );
    edit(&sandbox, &alice, &body).ok();
    let seen_text = fs::read_to_string(&seen).unwrap();
    let lines: Vec<_> = seen_text.lines().collect();
    assert_eq!(lines[..2], ["-rw-------", "drwx------"]);
    let file = Path::new(lines[2]);
    assert!(file.starts_with(sandbox.root().join("run")), "in memory where there is such a place: {file:?}");
    assert_eq!(file.file_name().unwrap(), "db.yaml");
    assert_eq!(fs::read_to_string(seen.with_extension("copy")).unwrap(), SECRET);
    sandbox.assert_clean();
}

#[test]
fn invalid_yaml_leaves_the_file() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    assert_snapshot!(edit(&sandbox, &alice, "echo '  - s3cr3t: [' >> \"$1\""), @"
    exit 3
    err: error: db.yaml:10: the file cannot be read: not valid YAML: while parsing a block mapping, did not find expected key
    err: hint: The file was left as it was, and the changes were dropped.
    ");
    assert_eq!(sandbox.read("db.yaml"), before);
    sandbox.assert_clean();
}

#[test]
fn a_failing_editor_leaves_the_file() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    assert_snapshot!(edit(&sandbox, &alice, "echo '# changed' >> \"$1\"\nexit 3"), @"
    exit 1
    err: error: the editor failed; the file was left as it was
    err: hint: Set $EDITOR to an editor that is installed and waits until you close the file.
    ");
    let outcome = sandbox.sealwax(["edit", "db.yaml"]).by(&alice).env("VISUAL", "no-such-editor").run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert_eq!(sandbox.read("db.yaml"), before);
    sandbox.assert_clean();
}

#[test]
fn an_editor_with_arguments() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    let editor = sandbox.script("editor", "[ \"$1\" = --wait ]\necho '# more' >> \"$2\"");
    sandbox.sealwax(["edit", "db.yaml"]).by(&alice).env("EDITOR", format!("{editor} --wait")).run().ok();
    let plain = sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run().ok();
    assert_eq!(plain, format!("{SECRET}# more\n"));
}

#[test]
fn a_value_moved_out_of_the_selection_is_refused() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    let outcome = edit(&sandbox, &alice, &replacing("stringData", "strinData"));
    assert_snapshot!(outcome, @"
    exit 1
    err: error: db.yaml: strinData.username: was encrypted and would stand in the clear
    err: hint: Add the path to encrypt in the policy's rule, or pass --select PATTERN.
    err: hint: The file was left as it was, and the changes were dropped.
    ");
    assert_eq!(sandbox.read("db.yaml"), before, "no value may end up in the clear");
}

#[test]
fn a_value_moved_or_left_outside_the_selection_is_refused() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", "a: {password: s3cr3t-a}\nb: {password: s3cr3t-b}\nhost: x\n");
    assert_snapshot!(edit(&sandbox, &alice, &replacing("password: s3cr3t-a", "pasword: s3cr3t-a")), @"
    exit 1
    err: error: db.yaml: a.pasword: was encrypted and would stand in the clear
    err: hint: Add the path to encrypt in the policy's rule, or pass --select PATTERN.
    err: hint: The file was left as it was, and the changes were dropped.
    ");
    let rules =
        "[[rule]]\npath = \"**\"\nencrypt = [\"a.*\"]\nrecipients = [\"alice\"]\ncontext = \"values of the tests\"\n";
    sandbox.policy_with(&[&alice], rules);
    assert_snapshot!(edit(&sandbox, &alice, &replacing("s3cr3t-b", "s3cr3t-c")), @"
    exit 1
    err: error: db.yaml: b.password: was encrypted and would stand in the clear
    err: hint: Add the path to encrypt in the policy's rule, or pass --select PATTERN.
    err: hint: The file was left as it was, and the changes were dropped.
    ");
    assert_eq!(sandbox.read("db.yaml"), before);
}

#[test]
fn a_plain_file_can_be_edited_too() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.write("db.yaml", SECRET);
    assert_snapshot!(edit(&sandbox, &alice, &replacing("s3cr3t-user", "s3cr3t-other")), @"
    exit 0
    err: db.yaml: sealed 2 (0 kept) for Secret prod/db, readers: alice
    ");
    assert!(!sandbox.read("db.yaml").contains("s3cr3t"));
}

#[test]
fn without_a_key_or_a_file() {
    let (sandbox, _) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["edit", "db.yaml"]).env("EDITOR", "true").run(), @"
    exit 1
    err: error: db.yaml:8: stringData.username: none of your identities is a reader; named readers: alice@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    ");
    assert_snapshot!(sandbox.sealwax(["edit", "-"]).env("EDITOR", "true").run(), @"
    exit 2
    err: error: edit needs a file, not standard input
    ");
    assert_eq!(sandbox.read("db.yaml"), before);
}

#[test]
fn an_order_to_end_leaves_no_plaintext_and_no_editor() {
    for (signal, number) in [(Signal::TERM, "TERM"), (Signal::HUP, "HUP")] {
        let (sandbox, alice) = Sandbox::with_policy();
        let before = sandbox.encrypted("db.yaml", SECRET);
        let started = sandbox.root().join("started");
        let body = format!(
            "echo '# changed' >> \"$1\"\necho $$ > '{0}.new'\nmv '{0}.new' '{0}'\nexec sleep 30",
            started.display()
        );
        let editor = sandbox.script("editor", &body);
        let mut run = sandbox.sealwax(["edit", "db.yaml"]).by(&alice).env("EDITOR", editor);
        let child = run.start();
        until(|| started.exists());
        kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), signal).unwrap();
        let outcome = run.finish(child);
        assert_eq!(outcome.code, Some(1), "{number}: {outcome}");
        assert_eq!(outcome.stderr, "error: told to end; the file was left as it was\n");
        assert_eq!(sandbox.read("db.yaml"), before);
        sandbox.assert_clean();
        let editor: i32 = fs::read_to_string(&started).unwrap().trim().parse().unwrap();
        let editor = Pid::from_raw(editor).unwrap();
        until(|| test_kill_process(editor).is_err());
    }
}

/// Waits for something that will happen, however long it takes on a busy machine.
fn until(happened: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !happened() {
        assert!(Instant::now() < deadline, "it did not happen within a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
}
