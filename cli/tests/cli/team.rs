//! `sealwax team` and `sealwax recipients`: who reads, and how that changes.

use insta::assert_snapshot;

use crate::common::{Person, RULES, SECRET, Sandbox};

fn reads(sandbox: &Sandbox, person: &Person, name: &str) -> bool {
    sandbox.sealwax(["decrypt", name]).by(person).run().code == Some(0)
}

/// A repository whose only readers are the team of these people.
fn with_team(sandbox: &Sandbox, members: &[&Person]) {
    sandbox.write(".sealwax.toml", format!("version = 1\n# keep this\n{}", RULES.replace("READERS", "\"ops\"")));
    let members: Vec<_> = members.iter().map(|person| person.to()).collect();
    let members: Vec<_> = members.iter().map(String::as_str).collect();
    sandbox.sealwax(["team", "create", "ops"]).args(&members).run().ok();
    sandbox.encrypted("db.yaml", SECRET);
    sandbox.commit_all();
}

#[test]
fn whoever_joins_reads_and_no_document_changes() {
    let sandbox = Sandbox::new();
    let (alice, bob, eve) = (sandbox.person("alice"), sandbox.person("bob"), sandbox.person("eve"));
    with_team(&sandbox, &[&alice]);
    let before = sandbox.read("db.yaml");
    assert!(sandbox.read(".sealwax.toml").contains("# keep this"));
    assert!(reads(&sandbox, &alice, "db.yaml") && !reads(&sandbox, &bob, "db.yaml"));
    assert_snapshot!(sandbox.sealwax(["team", "add", "ops", &bob.to()]).by(&eve).run(), @"
    exit 1
    err: error: [HOME]/repo/keys/ops.age: none of the identities at hand is one of its readers
    err: hint: Only a member can change a team: pass --identity FILE, or set SEALWAX_IDENTITY.
    ");
    assert_snapshot!(sandbox.sealwax(["team", "add", "ops", &bob.to()]).by(&alice).run(), @"
    exit 0
    err: ops@FINGERPRINT: members: alice, bob
    ");
    assert!(reads(&sandbox, &alice, "db.yaml") && reads(&sandbox, &bob, "db.yaml"));
    assert_eq!(sandbox.read("db.yaml"), before);
    assert_snapshot!(sandbox.sealwax(["team", "list"]).run(), @"
    exit 0
    out: ops@FINGERPRINT
    out:   alice@FINGERPRINT
    out:   bob@FINGERPRINT
    ");
}

#[test]
fn whoever_leaves_reads_nothing_that_is_written_later() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    with_team(&sandbox, &[&alice, &bob]);
    assert_snapshot!(sandbox.sealwax(["team", "remove", "ops", "bob"]).by(&alice).run(), @"
    exit 0
    err: ops@FINGERPRINT: a new key for the team, without bob
    err: warning: ops@FINGERPRINT has been able to read 2 values:
    err:   db.yaml: stringData.username, stringData.password
    err: hint: Change these values at their origin; encrypting them again does not take them back.
    err: hint: `sealwax rekey --superseded .` replaces the wraps for the team's old key.
    ");
    assert!(reads(&sandbox, &alice, "db.yaml"), "what is wrapped for the old key opens still");
    // What was changed here was agreed to here.
    sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t-new").run().ok();
    assert!(!reads(&sandbox, &bob, "db.yaml"));
    assert_snapshot!(sandbox.sealwax(["rekey", "--superseded", "."]).by(&alice).run(), @"
    exit 0
    err: 1 encrypted file: 0 folded under new keys (0 values), 1 wrapped, 0 left alone
    err: ops@FINGERPRINT is a new reader of 1 document
    ");
    assert!(reads(&sandbox, &alice, "db.yaml"));
    let opened = sandbox.sealwax(["get", "db.yaml", "username"]).by(&bob).run();
    assert_eq!(opened.code, Some(1), "the wraps for the team's old key are gone");
    sandbox.git(&["checkout", "--quiet", "HEAD", "--", "db.yaml"]);
    assert!(reads(&sandbox, &alice, "db.yaml"), "history stays readable for those who stay");
}

#[test]
fn a_member_smuggled_into_the_file_is_seen() {
    let sandbox = Sandbox::new();
    let (alice, bob, mallory) = (sandbox.person("alice"), sandbox.person("bob"), sandbox.person("mallory"));
    with_team(&sandbox, &[&alice]);
    let text = sandbox.read("keys/ops.pub");
    sandbox.write("keys/ops.pub", format!("# member mallory {}\n{text}", mallory.recipient));
    assert_snapshot!(sandbox.sealwax(["team", "add", "ops", &bob.to()]).by(&alice).run(), @"
    exit 1
    err: error: [HOME]/repo/.sealwax.toml: the readers of the team ops changed: mallory@FINGERPRINT came; nothing was written
    err: hint: Is it meant? `git log -p` shows who changed the policy; then pass --accept-recipients.
    ");
    assert!(!reads(&sandbox, &mallory, "db.yaml") && !reads(&sandbox, &bob, "db.yaml"));
}

#[test]
fn kinds_of_keys_do_not_mix() {
    let sandbox = Sandbox::new();
    let (alice, quantum) = (sandbox.person("alice"), sandbox.person_with("quantum", &["--pq"]));
    sandbox.policy(&[&alice]);
    let policy = sandbox.read(".sealwax.toml");
    assert_snapshot!(sandbox.sealwax(["team", "create", "ops", "alice", &quantum.to()]).run(), @"
    exit 2
    err: error: post-quantum keys and others cannot share a team
    err: hint: All members need keys of one kind: `sealwax keygen --pq` makes post-quantum ones.
    ");
    assert_eq!(sandbox.read(".sealwax.toml"), policy);
    assert!(!sandbox.path("keys").exists());
    sandbox.sealwax(["team", "create", "ops", &quantum.to()]).run().ok();
    assert!(sandbox.read("keys/ops.pub").lines().last().unwrap().starts_with("age1pq1"));
    assert_snapshot!(sandbox.sealwax(["team", "remove", "ops", "quantum"]).by(&quantum).run(), @"
    exit 2
    err: error: ops would have no members
    err: hint: To give up a team, take it out of the policy: `sealwax recipients remove`.
    ");
}

#[test]
fn recipients_come_and_go_in_the_policy() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.write(".sealwax.toml", format!("# ours\n{}", sandbox.read(".sealwax.toml")));
    sandbox.encrypted("db.yaml", SECRET);
    let bob = sandbox.person("bob");
    assert_snapshot!(sandbox.sealwax(["recipients", "add", "bob", &bob.recipient, "--all-rules"]).run(), @"
    exit 0
    err: bob@FINGERPRINT is a recipient of the policy, for the rules for **, **
    err: hint: Compare the fingerprint with its owner; then `sealwax rekey .` wraps what is there.
    ");
    assert!(sandbox.read(".sealwax.toml").starts_with("# ours\n"));
    // Whoever changes the policy by this command has looked at the change.
    sandbox.sealwax(["rekey", "."]).by(&alice).run().ok();
    assert!(reads(&sandbox, &bob, "db.yaml"));
    assert_snapshot!(sandbox.sealwax(["recipients", "list"]).run(), @"
    exit 0
    out: alice@FINGERPRINT  age key, in the policy
    out:   reads: ** (Secret, EncryptedSecret), **
    out: bob@FINGERPRINT  age key, in the policy
    out:   reads: ** (Secret, EncryptedSecret), **
    ");
    let list = sandbox.sealwax(["recipients", "list"]).run().ok();
    let fingerprint = list.lines().find_map(|line| line.strip_prefix("bob@")).unwrap();
    let fingerprint = fingerprint.split_whitespace().next().unwrap();
    assert_snapshot!(sandbox.sealwax(["recipients", "verify", "bob", fingerprint]).run(), @"
    exit 0
    err: bob@FINGERPRINT: the fingerprint is that of the policy's recipient
    ");
    assert_snapshot!(sandbox.sealwax(["recipients", "verify", "alice", fingerprint]).run(), @"
    exit 1
    err: error: alice: the policy's recipient has the fingerprint FINGERPRINT
    err: hint: Do not encrypt for it. Ask its owner for the key, and see who changed the policy: `git log -p`.
    ");
    assert_snapshot!(sandbox.sealwax(["recipients", "remove", "bob"]).run(), @"
    exit 0
    err: bob is no longer a recipient of the policy; it was named in the rules for **, **
    err: hint: `sealwax rekey .` takes the wraps away and lists what must be changed at its origin.
    ");
    assert_snapshot!(sandbox.sealwax(["recipients", "remove", "alice"]).run(), @"
    exit 2
    err: error: [HOME]/repo/.sealwax.toml: alice is the only reader of the rule for **
    err: hint: Name another reader there first: values without a reader are lost.
    ");
    assert_snapshot!(sandbox.sealwax(["recipients", "verify"]).run(), @"
    exit 0
    err: recipients that can be used: 1
    ");
    sandbox.sealwax(["rekey", "."]).by(&alice).run().ok();
    assert!(!reads(&sandbox, &bob, "db.yaml"));
}

#[test]
fn a_change_that_somebody_else_made_stays_to_be_looked_at() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    let (bob, mallory) = (sandbox.person("bob"), sandbox.person("mallory"));
    let line = format!("alice = \"{}\"\n", alice.recipient);
    let policy = sandbox.read(".sealwax.toml").replace(&line, &format!("{line}mallory = \"{}\"\n", mallory.recipient));
    sandbox.write(".sealwax.toml", policy.replace("[\"alice\"]", "[\"alice\", \"mallory\"]"));
    sandbox.sealwax(["recipients", "add", "bob", &bob.recipient, "--all-rules"]).run().ok();
    assert_snapshot!(sandbox.sealwax(["recipients", "verify"]).run(), @"
    exit 1
    err: error: the readers of the rule for ** (Secret, EncryptedSecret) changed: bob@FINGERPRINT came, mallory@FINGERPRINT came
    err: hint: Is it meant? `git log -p` shows who changed it.
    err: error: the readers of the rule for ** changed: bob@FINGERPRINT came, mallory@FINGERPRINT came
    err: hint: Is it meant? `git log -p` shows who changed it.
    err: recipients that can be used: 3
    ");
    assert_eq!(sandbox.sealwax(["rekey", "."]).by(&alice).run().code, Some(1));
    assert!(!reads(&sandbox, &mallory, "db.yaml"));
}

#[test]
fn a_long_key_gets_a_file() {
    let (sandbox, _) = Sandbox::with_policy();
    let quantum = sandbox.person_with("quantum", &["--pq"]);
    sandbox.sealwax(["recipients", "add", "quantum", &quantum.recipient]).run().ok();
    assert!(sandbox.read(".sealwax.toml").contains("quantum = { file = \"keys/quantum.pub\" }"));
    assert_eq!(sandbox.read("keys/quantum.pub").trim(), quantum.recipient);
    assert_snapshot!(sandbox.sealwax(["recipients", "add", "quantum", &quantum.recipient]).run(), @"
    exit 2
    err: error: [HOME]/repo/.sealwax.toml: the recipient quantum is there already
    err: hint: For a newer key of it, change the key where it stands: its wraps are replaced by `sealwax rekey`.
    ");
}

#[test]
fn whoever_leaves_knows_the_earlier_keys_too() {
    let sandbox = Sandbox::new();
    let (alice, bob, carol) = (sandbox.person("alice"), sandbox.person("bob"), sandbox.person("carol"));
    with_team(&sandbox, &[&alice, &bob, &carol]);
    sandbox.sealwax(["team", "remove", "ops", "bob"]).by(&alice).run().ok();
    // Nothing was wrapped anew yet.
    let outcome = sandbox.sealwax(["team", "remove", "ops", "carol"]).by(&alice).run();
    assert!(outcome.stderr.contains("db.yaml: stringData.username, stringData.password"), "{outcome}");
}

#[test]
fn whoever_leaves_and_keeps_another_way_in_is_told() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    let twice = format!("laptop={}", bob.recipient);
    with_team(&sandbox, &[&alice, &bob]);
    sandbox.sealwax(["team", "add", "ops", &twice]).by(&alice).run().ok();
    sandbox.sealwax(["team", "create", "dev", &bob.to()]).run().ok();
    sandbox.sealwax(["recipients", "add", "robert", &bob.recipient, "--all-rules"]).run().ok();
    assert_snapshot!(sandbox.sealwax(["team", "remove", "ops", "bob"]).by(&alice).run(), @"
    exit 2
    err: error: laptop is a member with the same key, and would stay
    err: hint: Name laptop too, and add whoever shall stay again with a key of his own.
    ");
    assert_snapshot!(sandbox.sealwax(["team", "remove", "ops", "bob", "laptop"]).by(&alice).run(), @"
    exit 0
    err: ops@FINGERPRINT: a new key for the team, without bob, laptop
    err: warning: ops@FINGERPRINT has been able to read 2 values:
    err:   db.yaml: stringData.username, stringData.password
    err: hint: Change these values at their origin; encrypting them again does not take them back.
    err: hint: `sealwax rekey --superseded .` replaces the wraps for the team's old key.
    err: warning: bob is a member of the team dev with the same key
    err: hint: `sealwax team remove dev bob` if that shall end too.
    err: warning: robert is a recipient of the policy with the same key; reads: ** (Secret, EncryptedSecret), **
    err: hint: `sealwax recipients remove robert` if that shall end too.
    ");
    assert_snapshot!(sandbox.sealwax(["recipients", "remove", "robert"]).run(), @"
    exit 0
    err: robert is no longer a recipient of the policy; it was named in the rules for **, **
    err: hint: `sealwax rekey .` takes the wraps away and lists what must be changed at its origin.
    err: warning: bob is a member of the team dev with the same key
    err: hint: `sealwax team remove dev bob` if that shall end too.
    ");
}

#[test]
fn a_file_for_a_person_and_for_a_team_opens_as_a_whole() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    with_team(&sandbox, &[&alice, &bob]);
    // The first document is for alice herself, the second for the team that she is in.
    let own = sandbox.sealwax(["encrypt", "--to", &alice.to(), "-"]).args(&["--select", "stringData.*"]);
    let own = own.input(SECRET).run().ok();
    let both = format!("{own}---\n{}", sandbox.read("db.yaml"));
    sandbox.write("both.yaml", both);
    assert!(reads(&sandbox, &alice, "both.yaml"));
    // So it is after somebody left, when one document names the new key and the other an older one.
    sandbox.sealwax(["team", "remove", "ops", "bob"]).by(&alice).run().ok();
    let new = sandbox.encrypted("new.yaml", &SECRET.replace("name: db", "name: new"));
    sandbox.write("both.yaml", format!("{new}---\n{}", sandbox.read("db.yaml")));
    assert!(reads(&sandbox, &alice, "both.yaml"));
}
