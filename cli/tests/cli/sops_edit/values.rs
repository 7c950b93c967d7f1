//! Values of such files: changed, shown, handed to commands, and what stays of their ciphertext.

use insta::assert_snapshot;

use super::{changed, decrypt, encrypted, rules};
use crate::common::Person;
use crate::common::Sandbox;

#[test]
fn only_the_line_of_a_changed_value_differs() {
    let (sandbox, alice) = encrypted();
    let before = sandbox.read("values.yaml");
    let set = |path: &str| sandbox.sealwax(["set", "values.yaml", path]).input("s3cr3t-set").by(&alice).run();
    assert_snapshot!(set("db.password"), @"
    exit 0
    err: values.yaml: sealed db.password for age RECIPIENT
    ");
    let after = sandbox.read("values.yaml");
    let lines = changed(&before, &after);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].1.starts_with("  password: ENC[") && lines[0].1.ends_with("   # why"), "{lines:?}");
    assert_eq!(sandbox.sealwax(["get", "values.yaml", "db.password"]).by(&alice).run().ok(), "s3cr3t-set");
    assert_snapshot!(set("db.pass"), @"
    exit 2
    err: error: values.yaml: db.pass: the file's selector (encrypted_regex: ^password) leaves it in the clear
    err: hint: Choose another name, or change the rule in .sops.yaml and apply it with `sealwax rekey`.
    ");
    assert_eq!(sandbox.read("values.yaml"), after);

    sandbox.sealwax(["set", "values.yaml", "smtp.password"]).input("s3cr3t-smtp").by(&alice).run().ok();
    assert_eq!(sandbox.sealwax(["get", "values.yaml", "smtp.password"]).by(&alice).run().ok(), "s3cr3t-smtp");
    sandbox.sealwax(["unset", "values.yaml", "db.password"]).by(&alice).run().ok();
    let plain = decrypt(&sandbox, &alice).ok();
    assert!(!plain.contains("s3cr3t-set") && plain.contains("s3cr3t-smtp"), "{plain}");
    assert_snapshot!(sandbox.sealwax(["set", "values.yaml", "db.password"]).input("x").run(), @"
    exit 1
    err: error: values.yaml: none of its keys opens it
    err:   age RECIPIENT: none of your identities is for it
    err: hint: Pass --identity FILE, or set SEALWAX_IDENTITY, SOPS_AGE_KEY_FILE or SOPS_AGE_KEY to what holds your age key.
    ");
}

#[test]
fn an_editor_sees_the_plain_file_and_leaves_the_rest_alone() {
    let (sandbox, alice) = encrypted();
    let before = sandbox.read("values.yaml");
    let edit = |body: &str| {
        let editor = sandbox.script("editor", body);
        sandbox.sealwax(["edit", "values.yaml"]).by(&alice).env("EDITOR", editor).run()
    };
    assert_snapshot!(edit("sed -i 's/s3cr3t-two/s3cr3t-2/' \"$1\""), @"
    exit 0
    err: values.yaml: sealed 1 (2 kept) for age RECIPIENT
    ");
    let after = sandbox.read("values.yaml");
    assert_eq!(changed(&before, &after).len(), 1);
    assert_snapshot!(edit("true"), @"
    exit 0
    err: values.yaml: nothing changed
    ");
    // A name that the selector does not match would leave the value in the clear.
    assert_snapshot!(edit("sed -i 's/password: s3cr3t-pass/passwort: s3cr3t-pass/' \"$1\""), @"
    exit 1
    err: error: values.yaml:4: db.passwort: was encrypted and would stand in the clear
    err: hint: The file's selector does not select it there. Leave it where it was, or change the rule in .sops.yaml.
    err: hint: The file was left as it was, and the changes were dropped.
    ");
    assert_eq!(sandbox.read("values.yaml"), after);
    sandbox.assert_clean();
}

#[test]
fn diffs_show_that_values_changed_and_not_which() {
    let (sandbox, alice) = encrypted();
    sandbox.commit_all();
    let masked = |person: Option<&Person>| {
        let run = sandbox.sealwax(["git", "textconv", "values.yaml"]);
        let run = if let Some(person) = person { run.by(person) } else { run };
        run.run().ok()
    };
    let (with, without) = (masked(Some(&alice)), masked(None));
    assert!(!with.contains("ENC[") && !without.contains("ENC[") && !with.contains("s3cr3t"), "{with}");
    sandbox.sealwax(["set", "values.yaml", "db.password"]).input("s3cr3t-new").by(&alice).run().ok();
    assert_eq!(changed(&with, &masked(Some(&alice))).len(), 1);
    assert_eq!(changed(&without, &masked(None)).len(), 1);
    assert_snapshot!(sandbox.sealwax(["diff"]).by(&alice).run(), @"
    exit 0
    out: values.yaml: document 1
    out:   ~ db.password  <sealed TAG> -> <sealed TAG>
    ");
    let revealed = sandbox.sealwax(["git", "textconv", "--reveal", "values.yaml"]).by(&alice).run().ok();
    assert!(revealed.contains("s3cr3t-new"));
}

#[test]
fn commands_get_the_values() {
    let (sandbox, alice) = encrypted();
    let run = |arguments: &[&str]| sandbox.sealwax(["exec", "values.yaml"]).args(arguments).by(&alice).run().ok();
    assert_eq!(run(&["--", "sh", "-c", "printf %s \"$db_password\""]), "s3cr3t-pass");
    assert!(run(&["--as", "file", "--allow-disk", "--", "cat", "{}"]).contains("s3cr3t-two"));
    let shown = sandbox.sealwax(["inspect", "values.yaml"]).run().to_string();
    let (before, written) = shown.split_once(", written ").unwrap();
    let (_, after) = written.split_once('\n').unwrap();
    assert_snapshot!(format!("{before}\n{after}"), @"
    exit 0
    out: values.yaml file of SOPS 3.13.3
    out:   selector:      encrypted_regex: ^password
    out: values.yaml document 1: no Kubernetes object
    out:   named readers: age RECIPIENT
    out:   db.password (27 bytes)
    out:   list[0].password (26 bytes)
    out:   list[1].password (33 bytes)
    ");
    assert_snapshot!(sandbox.sealwax(["verify", "."]).by(&alice).run(), @"
    exit 0
    err: 3 values in 1 files open; 0 files failed
    ");
}

#[test]
fn values_get_their_ciphertext_back_from_the_last_commit() {
    let (sandbox, alice) = encrypted();
    sandbox.commit_all();
    let before = sandbox.read("values.yaml");
    sandbox.sealwax(["decrypt", "--in-place", "--force", "values.yaml"]).by(&alice).run().ok();
    sandbox.write("values.yaml", sandbox.read("values.yaml").replace("s3cr3t-two", "s3cr3t-2"));
    assert_snapshot!(sandbox.sealwax(["encrypt", "values.yaml"]).by(&alice).run(), @"
    exit 0
    err: values.yaml: sealed 1 value (2 kept) by creation_rules[0] of .sops.yaml for age RECIPIENT
    ");
    assert_eq!(changed(&before, &sandbox.read("values.yaml")).len(), 1);
}

#[test]
fn commands_get_no_key_and_no_name_that_is_obeyed() {
    let (sandbox, alice) = encrypted();
    let key = std::fs::read_to_string(&alice.file).unwrap().lines().last().unwrap().to_owned();
    let exec = |words: &[&str]| sandbox.sealwax(["exec", "values.yaml"]).args(words).env("SOPS_AGE_KEY", &key).run();
    assert_eq!(exec(&["--", "sh", "-c", "printf %s \"$SOPS_AGE_KEY$db_password\""]).ok(), "s3cr3t-pass");
    let outcome = exec(&["--prefix", "GIT_SSH_", "--", "true"]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("decides what programs run"), "{outcome}");
}

#[test]
fn many_values_are_shown_by_git_as_soon_as_few() {
    // Minutes if each value were looked up among all others.
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    rules(&sandbox, &[&alice], "");
    let values: String = (0..20_000).map(|number| format!("password{number}: s3cr3t-{number}\n")).collect();
    sandbox.write("values.yaml", values);
    sandbox.sealwax(["encrypt", "values.yaml"]).run().ok();
    let shown = sandbox.sealwax(["git", "textconv", "values.yaml"]).by(&alice).run().ok();
    assert_eq!(shown.matches("<sealed ").count(), 20_001, "all of them, and the checksum");
}
