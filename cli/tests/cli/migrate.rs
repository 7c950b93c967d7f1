//! `sealwax migrate`: a repository of SOPS files becomes one of sealwax, and back.

use insta::assert_snapshot;

use crate::common::{Outcome, Person, Sandbox};

const VALUES: &str = "db:\n  user: app\n  password: s3cr3t-pass   # why\nport: 5432\n";
const SECRET: &str =
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n  namespace: prod\nstringData:\n  password: s3cr3t-k8s\n";

/// A repository with a file of values and a Secret, encrypted by SOPS's rules.
fn repository() -> (Sandbox, Person) {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    let rule = |path: &str, selector: &str| {
        format!("  - path_regex: {path}\n    encrypted_regex: {selector}\n    age: {}\n", alice.recipient)
    };
    let rules = rule("^values/.*\\.yaml$", "^password$") + &rule("^secrets/.*\\.yaml$", "^(data|stringData)$");
    sandbox.write(".sops.yaml", format!("creation_rules:\n{rules}"));
    sandbox.write("values/app.yaml", VALUES);
    sandbox.write("secrets/db.yaml", SECRET);
    sandbox.write("other.yaml", "a: 1\n");
    sandbox.git(&["init", "--quiet", "--initial-branch", "main"]);
    sandbox.sealwax(["encrypt", "values/app.yaml", "secrets/db.yaml"]).run().ok();
    sandbox.commit_all();
    (sandbox, alice)
}

fn migrate(sandbox: &Sandbox, person: &Person, arguments: &[&str]) -> Outcome {
    sandbox.sealwax(["migrate"]).args(arguments).by(person).run()
}

fn decrypt(sandbox: &Sandbox, person: &Person, name: &str) -> String {
    sandbox.sealwax(["decrypt", name]).by(person).run().ok()
}

#[test]
fn there_and_back() {
    let (sandbox, alice) = repository();
    let before = ["values/app.yaml", "secrets/db.yaml"].map(|name| sandbox.read(name));
    assert_snapshot!(migrate(&sandbox, &alice, &["--to", "sealwax", "."]), @r#"
    exit 0
    err: .sealwax.toml: proposed from 1 Secrets, 2 rules of .sops.yaml; look at it, change it, commit it
    err: secrets/db.yaml: 1 value, Secret prod/db, readers: me
    err: values/app.yaml: 1 value, context "values/**/*.yaml", readers: me
    err: 2 values in 2 files migrated
    "#);
    for (name, plain) in [("values/app.yaml", VALUES), ("secrets/db.yaml", SECRET)] {
        let text = sandbox.read(name);
        assert!(text.contains("ENC[wax1,") && !text.contains("AES256_GCM") && !text.contains("s3cr3t"), "{text}");
        assert_eq!(decrypt(&sandbox, &alice, name), plain);
    }
    assert_eq!(sandbox.read("other.yaml"), "a: 1\n");
    assert_snapshot!(migrate(&sandbox, &alice, &["--to", "sealwax", "."]), @"
    exit 0
    err: 0 values in 0 files migrated
    ");

    assert_snapshot!(migrate(&sandbox, &alice, &["--to", "sops", "."]), @"
    exit 0
    err: secrets/db.yaml: sealed 1 value by creation_rules[1] of .sops.yaml for age RECIPIENT
    err: values/app.yaml: sealed 1 value by creation_rules[0] of .sops.yaml for age RECIPIENT
    err: 2 values in 2 files migrated
    ");
    for (name, before) in ["values/app.yaml", "secrets/db.yaml"].into_iter().zip(before) {
        let text = sandbox.read(name);
        assert!(text.contains("ENC[AES256_GCM,") && !text.contains("wax1"), "{text}");
        let lines = |text: &str| text.split("\nsops:").next().unwrap().lines().count();
        assert_eq!(lines(&text), lines(&before), "{text}");
    }
    assert_eq!(decrypt(&sandbox, &alice, "values/app.yaml"), VALUES);
    sandbox.assert_clean();
}

#[test]
fn secrets_become_encrypted_secrets() {
    let (sandbox, alice) = repository();
    migrate(&sandbox, &alice, &["--to", "encrypted-secret", "secrets"]).ok();
    let text = sandbox.read("secrets/db.yaml");
    assert!(text.contains("kind: EncryptedSecret") && text.contains("ENC[wax1,") && !text.contains("s3cr3t"), "{text}");
    let rendered = sandbox.sealwax(["render", "secrets/db.yaml"]).by(&alice).run().ok();
    assert!(rendered.contains("czNjcjN0LWs4cw=="), "{rendered}");
}

#[test]
fn one_file_that_cannot_be_migrated_keeps_all_as_they_are() {
    let (sandbox, alice) = repository();
    let bob = sandbox.person("bob");
    let rules = sandbox.read(".sops.yaml");
    sandbox.write(".sops.yaml", rules.replace(&alice.recipient, &bob.recipient));
    sandbox.write("values/bob.yaml", VALUES);
    sandbox.sealwax(["encrypt", "--accept-recipients", "values/bob.yaml"]).run().ok();
    sandbox.write(".sops.yaml", rules);
    let before = sandbox.read("values/app.yaml");
    assert_snapshot!(migrate(&sandbox, &alice, &["--to", "sealwax", "."]), @"
    exit 1
    err: .sealwax.toml: proposed from 1 Secrets, 2 rules of .sops.yaml; look at it, change it, commit it
    err: error: values/bob.yaml: none of its keys opens it
    err:   age RECIPIENT: none of your identities is for it
    err: hint: Pass --identity FILE, or set SEALWAX_IDENTITY, SOPS_AGE_KEY_FILE or SOPS_AGE_KEY to what holds your age key.
    err: error: nothing was written, because some files cannot be migrated
    err: hint: Mend those, or name only the others.
    ");
    assert_eq!(sandbox.read("values/app.yaml"), before);
    sandbox.assert_clean();
    std::fs::remove_file(sandbox.path("values/bob.yaml")).unwrap();
    let outcome = migrate(&sandbox, &alice, &["--to", "sealwax", "--dry-run", "."]);
    assert_snapshot!(outcome, @r#"
    exit 0
    err: secrets/db.yaml: 1 value, Secret prod/db, readers: me
    err: values/app.yaml: 1 value, context "values/**/*.yaml", readers: me
    err: 2 values in 2 files would be migrated
    "#);
    assert_eq!(sandbox.read("values/app.yaml"), before);
}

#[test]
fn what_was_encrypted_is_never_left_in_the_clear() {
    let (sandbox, alice) = repository();
    sandbox.policy_with(
        &[&alice],
        "[[rule]]\npath = \"**\"\nencrypt = [\"**.token\"]\nrecipients = [\"alice\"]\ncontext = \"x\"\n",
    );
    assert_snapshot!(migrate(&sandbox, &alice, &["--to", "sealwax", "values"]), @"
    exit 1
    err: error: values/app.yaml: db.password: was encrypted, and no pattern of the policy selects it
    err: hint: Add it to encrypt in the rule of the policy.
    err: error: nothing was written, because some files cannot be migrated
    err: hint: Mend those, or name only the others.
    ");

    // Comments that SOPS encrypts have no encrypted form here.
    let (sandbox, alice) = repository();
    sandbox.write(".sops.yaml", format!("creation_rules:\n  - age: {}\n", alice.recipient));
    sandbox.write("values/app.yaml", "# s3cr3t-note\ndb:\n  # s3cr3t-inner\n  password: s3cr3t-pass # s3cr3t-end\nlist:\n  - a # s3cr3t-item\n  # s3cr3t-between\n  - b\n");
    sandbox.sealwax(["encrypt", "values/app.yaml"]).run().ok();
    assert_snapshot!(migrate(&sandbox, &alice, &["--to", "sealwax", "values"]), @"
    exit 1
    err: .sealwax.toml: proposed from 1 Secrets, 1 rule of .sops.yaml; look at it, change it, commit it
    err: error: values/app.yaml: 5 comments are encrypted, and would stand in the clear
    err: hint: Pass --comments reveal if nothing in them is secret, or --comments drop.
    err: error: nothing was written, because some files cannot be migrated
    err: hint: Mend those, or name only the others.
    ");
    migrate(&sandbox, &alice, &["--to", "sealwax", "--comments", "drop", "values"]).ok();
    assert_eq!(decrypt(&sandbox, &alice, "values/app.yaml"), "db:\n  password: s3cr3t-pass\nlist:\n  - a\n  - b\n");
    assert!(!sandbox.read("values/app.yaml").contains("s3cr3t"));
}
