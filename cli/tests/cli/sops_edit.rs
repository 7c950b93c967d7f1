//! Files of SOPS through the commands that write: by `.sops.yaml`, with the layout kept and nothing left in the clear.

use insta::assert_snapshot;

use crate::common::{Outcome, Person, Sandbox};

const VALUES: &str = "\
# head
db:
  user: app     # who
  password: \"s3cr3t-pass\"   # why

  port: 5432
list:
  - password: 's3cr3t-one'
  - password: |
      s3cr3t-two
      lines
";

/// A `.sops.yaml` that encrypts passwords for these people.
fn rules(sandbox: &Sandbox, people: &[&Person], more: &str) {
    let age: Vec<_> = people.iter().map(|person| person.recipient.as_str()).collect();
    let rule = format!("  - path_regex: \\.yaml$\n    encrypted_regex: ^password\n    age: {}\n", age.join(","));
    sandbox.write(".sops.yaml", format!("creation_rules:\n{rule}{more}"));
}

fn encrypted() -> (Sandbox, Person) {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    rules(&sandbox, &[&alice], "");
    sandbox.write("values.yaml", VALUES);
    sandbox.sealwax(["encrypt", "values.yaml"]).run().ok();
    (sandbox, alice)
}

/// The lines in which two texts differ, of those outside the metadata.
fn changed<'t>(before: &'t str, after: &'t str) -> Vec<(&'t str, &'t str)> {
    let body = |text: &'t str| text.split("\nsops:\n").next().unwrap_or_default();
    let (before, after) = (body(before), body(after));
    assert_eq!(before.lines().count(), after.lines().count());
    before.lines().zip(after.lines()).filter(|(one, other)| one != other).collect()
}

fn decrypt(sandbox: &Sandbox, person: &Person) -> Outcome {
    sandbox.sealwax(["decrypt", "values.yaml"]).by(person).run()
}

#[test]
fn a_rule_of_sops_yaml_encrypts_where_no_policy_is() {
    let (sandbox, alice) = encrypted();
    sandbox.write("again.yaml", VALUES);
    assert_snapshot!(sandbox.sealwax(["encrypt", "again.yaml"]).run(), @"
    exit 0
    err: again.yaml: sealed 3 values by creation_rules[0] of .sops.yaml for age RECIPIENT
    ");
    let shown = sandbox.show("values.yaml");
    let (_, written) = shown.split_once("lastmodified: \"").unwrap();
    let (before, wrap) = shown.split_once("-----BEGIN AGE").unwrap();
    let (_, after) = wrap.split_once("END AGE").unwrap();
    assert_snapshot!(format!("{before}…{after}").replace(&written[..20], "NOW"), @r#"
    # head
    db:
      user: app     # who
      password: ENC[AES256_GCM,data:BASE64,iv:BASE64,tag:BASE64,type:str]   # why

      port: 5432
    list:
      - password: ENC[AES256_GCM,data:BASE64,iv:BASE64,tag:BASE64,type:str]
      - password: ENC[AES256_GCM,data:BASE64,iv:BASE64,tag:BASE64,type:str]
    sops:
        age:
            - enc: |
                  … ENCRYPTED FILE-----
              recipient: RECIPIENT
        encrypted_regex: "^password"
        lastmodified: "NOW"
        mac: ENC[AES256_GCM,data:BASE64,iv:BASE64,tag:BASE64,type:str]
        version: 3.13.3
    "#);
    assert_eq!(decrypt(&sandbox, &alice).ok(), VALUES.replace("\"s3cr3t-pass\"", "s3cr3t-pass").replace('\'', ""));
    assert_snapshot!(sandbox.sealwax(["encrypt", "values.yaml"]).run(), @"
    exit 0
    err: values.yaml: nothing new to encrypt (3 encrypted)
    ");
    let text = sandbox.read("values.yaml");
    sandbox.write("values.yaml", text.replace("  port:", "  password2: s3cr3t-new\n  port:"));
    assert_snapshot!(sandbox.sealwax(["encrypt", "values.yaml"]).run(), @"
    exit 1
    err: error: values.yaml:6: db.password2: stands in the clear in a file that is encrypted
    err: hint: Values of SOPS files are added with `sealwax set` or `sealwax edit`, which need a key of the file.
    ");
}

#[test]
fn a_policy_goes_before() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    rules(&sandbox, &[&alice], "");
    sandbox.policy_with(
        &[&alice],
        "[[rule]]\npath = \"values.yaml\"\nencrypt = [\"**.password\"]\nrecipients = [\"alice\"]\ncontext = \"x\"\n",
    );
    for (name, ours) in [("values.yaml", true), ("other.yaml", false)] {
        sandbox.write(name, VALUES);
        sandbox.sealwax(["encrypt", name]).run().ok();
        assert_eq!(sandbox.read(name).contains("ENC[wax1,"), ours, "{name}");
        assert_eq!(sandbox.read(name).contains("ENC[AES256_GCM,"), !ours, "{name}");
    }
    sandbox.write("values.yaml", VALUES);
    sandbox.sealwax(["encrypt", "values.yaml", "--format", "sops"]).run().ok();
    assert!(sandbox.read("values.yaml").contains("ENC[AES256_GCM,"));
}

#[test]
fn what_sops_passes_over_is_an_error() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    let with = |lines: &str| {
        sandbox.write(".sops.yaml", format!("creation_rules:\n  - age: {}\n{lines}", alice.recipient));
        sandbox.write("values.yaml", VALUES);
        let outcome = sandbox.sealwax(["encrypt", "values.yaml"]).run();
        assert_eq!(sandbox.read("values.yaml"), VALUES);
        outcome
    };
    assert_snapshot!(with("    encrypted_regexp: ^password$\n"), @"
    exit 2
    err: error: .sops.yaml:3: creation_rules.encrypted_regexp: SOPS knows no such key, and passes over it
    err: hint: Perhaps encrypted_regex is meant.
    ");
    assert_snapshot!(with("    encrypted_regex: ^(data | stringData)$\n"), @"
    exit 2
    err: error: values.yaml: the selector selects no value of this file
    err: hint: Check the selector of the rule in .sops.yaml: SOPS would write everything in the clear.
    ");
    assert_snapshot!(with("    encrypted_regex: (\n"), @"
    exit 2
    err: error: creation_rules[0] of .sops.yaml: encrypted_regex is not a valid regular expression of Go; SOPS would take it for one that matches nothing
    ");
    assert_snapshot!(with("    encrypted_regex: a\n    encrypted_suffix: b\n"), @"
    exit 2
    err: error: creation_rules[0] of .sops.yaml: there are several selectors, and SOPS takes one
    ");
    assert_snapshot!(with("    path_regex: other\n"), @"
    exit 2
    err: error: values.yaml: no policy governs this file, and there is no --to
    err: hint: Write a .sealwax.toml at the root of the repository, or pass --to RECIPIENT; no rule of a .sops.yaml matches it either.
    ");
    assert_snapshot!(with("    shamir_threshold: 2\n"), @"
    exit 2
    err: error: creation_rules[0] of .sops.yaml: shamir_threshold is 2, and there are 1 key groups
    ");
    sandbox.write(".sops.yaml", "creation_rules:\n  - path_regex: x\n  - pgp: ''\n");
    assert_snapshot!(sandbox.sealwax(["encrypt", "values.yaml"]).run(), @"
    exit 2
    err: error: creation_rules[1] of .sops.yaml: names no key, so nobody could decrypt the file
    ");
}

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
    err: hint: The file's selector does not select it there. Keep its name, or change the rule in .sops.yaml.
    err: hint: The file was left as it was, and the changes were dropped.
    ");
    assert_eq!(sandbox.read("values.yaml"), after);
    sandbox.assert_clean();
}

#[test]
fn rekey_follows_sops_yaml() {
    let (sandbox, alice) = encrypted();
    let (bob, carol) = (sandbox.person("bob"), sandbox.person("carol"));
    let before = sandbox.read("values.yaml");
    rules(&sandbox, &[&alice, &bob], "");
    assert_snapshot!(sandbox.sealwax(["status", "values.yaml"]).run(), @"
    exit 0
    out: values.yaml: file of SOPS
    out:   3 values encrypted, rule: creation_rules[0] of .sops.yaml
    out:   readers: age RECIPIENT
    out:   rekey would add: age RECIPIENT
    err: 3 values encrypted in 1 document; 0 in the clear that should be; 1 document with other readers than the policy's
    ");
    assert_snapshot!(sandbox.sealwax(["rekey", "values.yaml", "--dry-run"]).run(), @"
    exit 0
    err: values.yaml: would be wrapped for creation_rules[0] of .sops.yaml, readers: age RECIPIENT, age RECIPIENT
    err: age RECIPIENT would be a new reader of 1 document
    ");
    assert_eq!(sandbox.read("values.yaml"), before);
    assert_snapshot!(sandbox.sealwax(["rekey", "values.yaml"]).by(&alice).run(), @r"
    exit 1
    err: error: [HOME]/repo/.sops.yaml: the readers of the rule for \.yaml$ changed: age RECIPIENT came; nothing was written
    err: hint: Is it meant? `git log -p` shows who changed the policy; then pass --accept-recipients.
    ");
    assert_eq!(sandbox.read("values.yaml"), before, "nobody agreed to bob");
    let rekey = ["rekey", "--accept-recipients", "values.yaml"];
    assert_snapshot!(sandbox.sealwax(rekey).by(&alice).run(), @"
    exit 0
    err: values.yaml: wrapped for creation_rules[0] of .sops.yaml, readers: age RECIPIENT, age RECIPIENT
    err: age RECIPIENT is a new reader of 1 document
    ");
    assert!(changed(&before, &sandbox.read("values.yaml")).is_empty(), "no value is written again");
    decrypt(&sandbox, &bob).ok();

    // Who leaves has had the data key: every value under another one.
    rules(&sandbox, &[&bob, &carol], "");
    assert_snapshot!(sandbox.sealwax(rekey).by(&bob).run(), @"
    exit 0
    err: values.yaml: 3 values under a new key, creation_rules[0] of .sops.yaml, readers: age RECIPIENT, age RECIPIENT
    err: age RECIPIENT is a new reader of 1 document
    err: warning: age RECIPIENT has been able to read 3 values:
    err:   values.yaml: db.password, list[0].password, list[1].password
    err: hint: Change these values at their origin; encrypting them again does not take them back.
    ");
    assert_eq!(changed(&before, &sandbox.read("values.yaml")).len(), 3);
    assert_eq!(decrypt(&sandbox, &alice).code, Some(1));
    let plain = decrypt(&sandbox, &carol).ok();

    // SOPS never applies another selector to a file that is there.
    let more = sandbox.read(".sops.yaml").replace("^password", "^(user|password)$");
    sandbox.write(".sops.yaml", more);
    assert_snapshot!(sandbox.sealwax(["rekey", "."]).by(&bob).run(), @"
    exit 0
    err: 1 encrypted file: 1 folded under new keys (3 values), 0 wrapped, 0 left alone
    ");
    assert!(sandbox.read("values.yaml").contains("user: ENC["));
    assert_eq!(decrypt(&sandbox, &carol).ok(), plain);
    assert_snapshot!(sandbox.sealwax(["rekey", "."]).by(&bob).run(), @"
    exit 0
    err: 1 encrypted file: 0 folded under new keys (0 values), 0 wrapped, 1 left alone
    ");
    let rotated = sandbox.read("values.yaml");
    sandbox.sealwax(["rotate", "."]).by(&bob).run().ok();
    assert_eq!(changed(&rotated, &sandbox.read("values.yaml")).len(), 4);
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
