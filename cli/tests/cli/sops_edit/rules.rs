//! Which rule governs a file, and what becomes of a file whose rule has changed.

use insta::assert_snapshot;

use super::{VALUES, changed, decrypt, encrypted, rules};
use crate::common::Sandbox;

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
fn what_another_reader_of_yaml_would_see_otherwise_is_an_error() {
    let sandbox = Sandbox::new();
    let (alice, mallory) = (sandbox.person("alice"), sandbox.person("mallory"));
    let shared = format!(".keys: &keys\n  age: {}\n", mallory.recipient);
    let rule = format!("  - <<: *keys\n    encrypted_regex: ^password\n    age: {}\n", alice.recipient);
    sandbox.write(".sops.yaml", format!("{shared}creation_rules:\n{rule}"));
    sandbox.write("values.yaml", VALUES);
    let outcome = sandbox.sealwax(["encrypt", "values.yaml"]).run();
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert!(outcome.stderr.contains(".sops.yaml") && outcome.stderr.contains("<<"), "{outcome}");
    assert_eq!(sandbox.read("values.yaml"), VALUES);
}

#[test]
fn paths_are_held_against_from_where_a_link_to_the_rules_stands() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    let rule = format!("  - path_regex: ^prod/\n    age: {}\n", alice.recipient);
    sandbox.write("shared/rules.yaml", format!("creation_rules:\n{rule}"));
    std::os::unix::fs::symlink("shared/rules.yaml", sandbox.path(".sops.yaml")).unwrap();
    sandbox.write("prod/values.yaml", VALUES);
    sandbox.sealwax(["encrypt", "prod/values.yaml"]).run().ok();
    sandbox.write("shared/prod/values.yaml", VALUES);
    assert_eq!(sandbox.sealwax(["encrypt", "shared/prod/values.yaml"]).run().code, Some(2));
}

#[test]
fn a_policy_goes_before_also_where_the_name_says_nothing() {
    let (sandbox, alice) = Sandbox::with_policy();
    let secret =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: b}\nstringData: {password: s3cr3t-pass}\n";
    sandbox.write("secret.txt", secret);
    sandbox.write(".sops.yaml", format!("creation_rules:\n  - age: {}\n", alice.recipient));
    let policy = sandbox.read(".sealwax.toml");
    let rule = "\n[[rule]]\npath = \"secret.txt\"\nencrypt = [\"stringData.*\"]\nrecipients = [\"alice\"]\n";
    sandbox.write(".sealwax.toml", policy + rule);
    sandbox.sealwax(["encrypt", "secret.txt"]).run().ok();
    let text = sandbox.read("secret.txt");
    assert!(text.contains("kind: Secret") && !text.contains("s3cr3t") && !text.contains("sops"), "{text}");
}
