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

/// A rule of `.sops.yaml` for all files.
fn everything_for(readers: &[&Person]) -> String {
    let readers: Vec<_> = readers.iter().map(|reader| reader.recipient.as_str()).collect();
    format!("creation_rules:\n  - age: {}\n", readers.join(","))
}

#[test]
fn a_nearer_sops_yaml_is_seen_and_so_is_one_that_went() {
    let sandbox = Sandbox::new();
    let (alice, mallory) = (sandbox.person("alice"), sandbox.person("mallory"));
    sandbox.write(".sops.yaml", everything_for(&[&alice]));
    sandbox.write("prod/db.yaml", "password: s3cr3t-pass\n");
    let encrypt = ["encrypt", "prod/db.yaml"];
    sandbox.sealwax(encrypt).run().ok();
    let before = sandbox.read("prod/db.yaml");
    let rekey = || sandbox.sealwax(["rekey", "prod/db.yaml"]).by(&alice).run();

    sandbox.write("prod/.sops.yaml", everything_for(&[&alice, &mallory]));
    assert_snapshot!(rekey(), @"
    exit 1
    err: error: [HOME]/repo/prod/.sops.yaml: the rule for every file may now decide for files of the rule for every file of [HOME]/repo/.sops.yaml: age RECIPIENT came; nothing was written
    err: hint: Is it meant? `git log -p` shows who changed the policy; then pass --accept-recipients.
    ");
    assert_eq!(sandbox.read("prod/db.yaml"), before);
    // The same readers as above, then somebody else once they were looked at.
    sandbox.write("prod/.sops.yaml", everything_for(&[&alice]));
    sandbox.write("prod/mq.yaml", "password: s3cr3t-mq\n");
    sandbox.sealwax(["encrypt", "prod/mq.yaml"]).by(&alice).run().ok();
    sandbox.write("prod/.sops.yaml", everything_for(&[&alice, &mallory]));
    assert_eq!(rekey().code, Some(1));
    sandbox.write("prod/.sops.yaml", everything_for(&[&alice]));
    sandbox.write(".sops.yaml", everything_for(&[&alice, &mallory]));
    sandbox.write("dev.yaml", "password: s3cr3t-dev\n");
    sandbox.sealwax(["encrypt", "--accept-recipients", "dev.yaml"]).by(&alice).run().ok();
    rekey().ok();

    // mallory reads what is above, and nobody said that it decides for prod.
    std::fs::remove_file(sandbox.path("prod/.sops.yaml")).unwrap();
    assert_snapshot!(rekey(), @"
    exit 1
    err: error: [HOME]/repo/.sops.yaml: the rule for every file may now decide for files of the rule for every file of [HOME]/repo/prod/.sops.yaml: age RECIPIENT came; nothing was written
    err: hint: Is it meant? `git log -p` shows who changed the policy; then pass --accept-recipients.
    ");
    assert_eq!(sandbox.read("prod/db.yaml"), before);
    sandbox.sealwax(["rekey", "--accept-recipients", "prod/db.yaml"]).by(&alice).run().ok();
    assert_ne!(sandbox.read("prod/db.yaml"), before);
    rekey().ok();
}

/// A key of SSH; whoever makes keys can choose the end of the line, and all of them start alike.
const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDHhsoRu8KeC9wz8zshcrfWLgqPNavrYMPTr2MpYejLbKAbfxIHsPvz2uHpI5OrUwW52pACFgSnxGph+h/zE682SFDe1w9kGg0dbtkeoSQaOhXp/DF9wkFBvrs9Tawcgiwpjz4jBKvSiMI/zfBrF3bZZ7tSsBMsjktPPPHUUskswmjXEL1HL4yxXrgfkN1Fq59RDuqhmg3DY87+hN/WTx5+lDZwdvwcboeJcvpyQDeC1MjH0Ooih/pkZFiKnJS7buTDVhkGiKUE4H7LurF35BIID3SfKLI/FfB1BfW7Rz4uoMBOTs5uXvSxZBeqNWjawkm9n0nsSRy/E5oUIESWcbwH team@example.com";

#[test]
fn a_long_key_is_another_one_although_both_ends_are_alike() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    let rule = |rsa: &str| format!("creation_rules:\n  - age: {},{rsa}\n", alice.recipient);
    sandbox.write(".sops.yaml", rule(RSA));
    sandbox.write("db.yaml", "password: s3cr3t-pass\n");
    sandbox.sealwax(["encrypt", "db.yaml"]).run().ok();
    let before = sandbox.read("db.yaml");
    sandbox.write(".sops.yaml", rule(&RSA.replacen("PPHUUs", "pphuuS", 1)));
    let outcome = sandbox.sealwax(["rekey", "db.yaml"]).run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("changed: age ssh-rsa AAAA… (fingerprint "), "{outcome}");
    assert_eq!(sandbox.read("db.yaml"), before);
}

/// A rule of `.sops.yaml` for some files.
fn one_rule(files: &str, readers: &[&Person]) -> String {
    let readers: Vec<_> = readers.iter().map(|reader| reader.recipient.as_str()).collect();
    format!("  - path_regex: {files}\n    age: {}\n", readers.join(","))
}

/// Encrypts a new file; whether that was done.
fn encrypts(sandbox: &Sandbox, name: &str) -> bool {
    sandbox.write(name, "password: s3cr3t-pass\n");
    sandbox.sealwax(["encrypt", name]).run().code == Some(0)
}

#[test]
fn one_file_of_a_sops_yaml_that_came_or_went_does_not_agree_for_the_others() {
    let sandbox = Sandbox::new();
    let (alice, mallory) = (sandbox.person("alice"), sandbox.person("mallory"));
    sandbox.write(".sops.yaml", everything_for(&[&alice]));
    assert!(encrypts(&sandbox, "first.yaml"));
    let rules = [one_rule("a\\.yaml$", &[&alice]), one_rule("b\\.yaml$", &[&alice, &mallory])].concat();
    sandbox.write("sub/.sops.yaml", format!("creation_rules:\n{rules}"));
    assert!(!encrypts(&sandbox, "sub/a.yaml"), "its rules would be agreed to together");
    assert!(!encrypts(&sandbox, "sub/b.yaml"));

    let sandbox = Sandbox::new();
    let (alice, mallory) = (sandbox.person("alice"), sandbox.person("mallory"));
    sandbox.write(".sops.yaml", everything_for(&[&alice, &mallory]));
    assert!(encrypts(&sandbox, "first.yaml"));
    sandbox.write("sub/.sops.yaml", everything_for(&[&alice]));
    assert!(encrypts(&sandbox, "sub/first.yaml"));
    std::fs::remove_file(sandbox.path("sub/.sops.yaml")).unwrap();
    let rules = [one_rule("x\\.yaml$", &[&alice]), one_rule("", &[&alice, &mallory])].concat();
    sandbox.write(".sops.yaml", format!("creation_rules:\n{rules}"));
    let _ = encrypts(&sandbox, "sub/x.yaml");
    assert!(!encrypts(&sandbox, "sub/y.yaml"));
}

#[test]
fn groups_of_keys_that_become_one_are_shown() {
    let sandbox = Sandbox::new();
    let (alice, mallory) = (sandbox.person("alice"), sandbox.person("mallory"));
    let group = |person: &Person| format!("      - age: [{}]\n", person.recipient);
    let groups = [group(&alice), group(&mallory)].concat();
    sandbox.write(".sops.yaml", format!("creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n{groups}"));
    assert!(encrypts(&sandbox, "a.yaml"));
    sandbox.write(".sops.yaml", format!("creation_rules:\n  - shamir_threshold: 1\n    key_groups:\n{groups}"));
    assert!(!encrypts(&sandbox, "b.yaml"), "one of two is less than both");
    sandbox.write(".sops.yaml", everything_for(&[&alice, &mallory]));
    assert!(!encrypts(&sandbox, "c.yaml"));
}
