//! The readers that a machine agreed to: no change of the policy lets somebody in unseen.

use insta::assert_snapshot;

use crate::common::{Person, SECRET, Sandbox};

/// A rule for all kinds of Secrets below a path.
fn rule(path: &str, readers: &str) -> String {
    format!(
        "\n[[rule]]\npath = \"{path}\"\nkinds = [\"Secret\", \"EncryptedSecret\"]\nencrypt = [\"stringData.*\"]\nrecipients = [{readers}]\n"
    )
}

/// Replaces the rules of the policy, as a commit that was pulled does.
fn pulled(sandbox: &Sandbox, rules: &[String]) {
    let policy = sandbox.read(".sealwax.toml");
    let head = policy.split("\n[[rule]]").next().unwrap().to_owned();
    sandbox.write(".sealwax.toml", head + &rules.concat());
}

/// Production for alice, the rest for mallory too, and one Secret in each.
fn repository() -> (Sandbox, Person, [String; 2]) {
    let sandbox = Sandbox::new();
    let (alice, mallory) = (sandbox.person("alice"), sandbox.person("mallory"));
    let rules = [rule("prod/**", "\"alice\""), rule("**", "\"alice\", \"mallory\"")];
    sandbox.policy_with(&[&alice, &mallory], &rules.concat());
    sandbox.encrypted("prod/db.yaml", SECRET);
    (sandbox, mallory, rules)
}

fn set(sandbox: &Sandbox) -> crate::common::Outcome {
    sandbox.sealwax(["set", "prod/db.yaml", "password"]).input("s3cr3t-new").run()
}

#[test]
fn a_new_rule_that_lets_somebody_in_is_shown() {
    let (sandbox, mallory, [prod, rest]) = repository();
    let before = sandbox.read("prod/db.yaml");
    pulled(&sandbox, &[rule("prod/db.yaml", "\"alice\", \"mallory\""), prod.clone(), rest.clone()]);
    assert_snapshot!(set(&sandbox), @"
    exit 1
    err: error: [HOME]/repo/.sealwax.toml: the rule for prod/db.yaml (Secret, EncryptedSecret) may now decide for files of the rule for prod/** (Secret, EncryptedSecret): mallory@FINGERPRINT came; nothing was written
    err: hint: Is it meant? `git log -p` shows who changed the policy; then pass --accept-recipients.
    ");
    assert_eq!(sandbox.read("prod/db.yaml"), before);
    // Split, with nobody new in the parts; and a rule for files that had none.
    pulled(&sandbox, &[rule("prod/d*", "\"alice\""), prod, rest, rule("other/**", "\"mallory\"")]);
    set(&sandbox).ok();
    assert_eq!(sandbox.sealwax(["get", "prod/db.yaml", "password"]).by(&mallory).run().code, Some(1));
}

#[test]
fn a_rule_that_gets_files_of_another_is_shown() {
    let (sandbox, _, [prod, rest]) = repository();
    let before = sandbox.read("prod/db.yaml");
    let narrower = prod.replace("prod/**", "prod/x/**");
    for rules in [vec![rest.clone(), prod], vec![narrower, rest.clone()], vec![rest]] {
        pulled(&sandbox, &rules);
        let outcome = set(&sandbox);
        let taken = "the rule for ** (Secret, EncryptedSecret) may now decide for files of the rule for prod/** (Secret, EncryptedSecret): mallory@";
        assert!(outcome.code == Some(1) && outcome.stderr.contains(taken), "{outcome}");
        assert_eq!(sandbox.read("prod/db.yaml"), before);
    }
    sandbox.sealwax(["set", "prod/db.yaml", "password", "--accept-recipients"]).input("s3cr3t-new").run().ok();
    set(&sandbox).ok();
}

#[test]
fn every_writer_asks() {
    let (sandbox, _, [prod, rest]) = repository();
    let alice = sandbox.root().join("people/alice.txt");
    pulled(&sandbox, &[rest, prod]);
    sandbox.write("prod/new.yaml", SECRET);
    let editor = sandbox.script("editor", "sed -i s/s3cr3t-user/s3cr3t-other/ \"$1\"");
    let calls: [&[&str]; 8] = [
        &["encrypt", "prod/new.yaml"],
        &["seal", "prod/new.yaml", "-o", "prod/sealed.yaml"],
        &["set", "prod/db.yaml", "password"],
        &["edit", "prod/db.yaml"],
        &["rekey", "prod"],
        &["rotate", "prod/db.yaml"],
        &["copy", "prod/db.yaml", "prod/copy.yaml"],
        &["rebind", "prod/db.yaml", "--scope", "cluster"],
    ];
    for call in calls {
        let run = sandbox.sealwax(call.iter().copied()).env("SEALWAX_IDENTITY", &alice).env("EDITOR", &editor);
        let outcome = run.input("s3cr3t-new").run();
        assert_eq!(outcome.code, Some(1), "{call:?}: {outcome}");
        assert!(outcome.stderr.contains("--accept-recipients"), "{call:?}: {outcome}");
    }
}

#[test]
fn a_file_that_is_named_like_a_key_is_not_taken_for_it() {
    let (sandbox, alice) = Sandbox::with_policy();
    let (bob, mallory) = (sandbox.person("bob"), sandbox.person("mallory"));
    sandbox.write(&bob.recipient, &mallory.recipient);
    sandbox.sealwax(["recipients", "add", "bob", &bob.recipient, "--all-rules"]).run().ok();
    sandbox.encrypted("db.yaml", SECRET);
    for (person, code) in [(&alice, 0), (&bob, 0), (&mallory, 1)] {
        assert_eq!(sandbox.sealwax(["decrypt", "db.yaml"]).by(person).run().code, Some(code), "{}", person.name);
    }
}

#[test]
fn a_change_that_would_break_the_policy_is_not_made() {
    let (sandbox, alice) = Sandbox::with_policy();
    let (bob, carol) = (sandbox.person("bob"), sandbox.person("carol"));
    let included = format!("version = 1\n[recipients]\ncarol = \"{}\"\n{}", carol.recipient, rule("**", "\"bob\""));
    sandbox.write("apps/policy.toml", included);
    let policy = format!(
        "version = 1\ninclude = [\"apps/policy.toml\"]\n[recipients]\nalice = \"{}\"\nbob = \"{}\"\n",
        alice.recipient, bob.recipient
    );
    sandbox.write(".sealwax.toml", &policy);
    let calls: [&[&str]; 2] = [&["remove", "bob"], &["add", "carol", &carol.recipient]];
    for call in calls {
        let outcome = sandbox.sealwax(["recipients"]).args(call).run();
        assert_eq!(outcome.code, Some(2), "{outcome}");
        assert_eq!(sandbox.read(".sealwax.toml"), policy, "{outcome}");
    }
}
