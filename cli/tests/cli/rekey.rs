//! `sealwax rekey`: readers come, go, and get new keys.

use insta::assert_snapshot;

use crate::common::{Person, SECRET, Sandbox};

fn reads(sandbox: &Sandbox, person: &Person, name: &str) -> bool {
    sandbox.sealwax(["decrypt", name]).by(person).run().code == Some(0)
}

fn key_of(sealed: &str) -> &str {
    sealed.lines().find_map(|line| line.strip_prefix("  key: ")).unwrap()
}

#[test]
fn an_added_reader_gets_a_wrap_and_no_value_changes() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t-own").run().ok();
    let bob = sandbox.person("bob");
    sandbox.policy(&[&alice, &bob]);
    assert!(!reads(&sandbox, &bob, "db.yaml"));
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml"]).by(&alice).run(), @"
    exit 0
    err: db.yaml: wrapped for Secret prod/db, readers: alice, bob
    err: bob@FINGERPRINT is a new reader of 1 document
    ");
    assert!(reads(&sandbox, &bob, "db.yaml") && reads(&sandbox, &alice, "db.yaml"));
    let after = sandbox.read("db.yaml");
    assert_eq!(key_of(&after), key_of(&before));
    assert!(after.contains(before.lines().find(|line| line.contains("ENC[")).unwrap()), "tokens stay");
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
        alice@FINGERPRINT:BASE64,
        bob@FINGERPRINT:BASE64]
    sealwax:
      version: 1
      sealedFor: {namespace: prod, name: db}
      key: KEYID
      readers:
        alice@FINGERPRINT: >-
          SHORT:BASE64
        bob@FINGERPRINT: >-
          SHORT:BASE64
    ");
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml"]).by(&bob).run(), @"
    exit 0
    err: db.yaml: readers match already
    ");
    assert_eq!(sandbox.read("db.yaml"), after);
}

#[test]
fn a_removed_reader_means_a_new_key_and_a_list_of_what_he_knows() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    sandbox.policy(&[&alice, &bob]);
    let before = sandbox.encrypted("db.yaml", SECRET);
    sandbox.policy(&[&alice]);
    sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t-bob-never-saw").run().ok();
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml"]).by(&alice).run(), @"
    exit 0
    err: db.yaml: 2 values under a new key, Secret prod/db, readers: alice
    err: warning: bob@FINGERPRINT has been able to read 1 value:
    err:   db.yaml: stringData.username
    err: hint: Change these values at their origin; encrypting them again does not take them back.
    ");
    let after = sandbox.read("db.yaml");
    assert_ne!(key_of(&after), key_of(&before));
    assert!(!after.contains("bob@") && !reads(&sandbox, &bob, "db.yaml") && reads(&sandbox, &alice, "db.yaml"));
    let old_tokens: Vec<_> = before.lines().filter(|line| line.contains("ENC[")).collect();
    assert!(old_tokens.iter().all(|token| !after.contains(token)), "every value is encrypted again");
    let plain = sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run().ok();
    assert_eq!(plain, SECRET.replace("\"s3cr3t-pass\"", "s3cr3t-bob-never-saw"));
}

#[test]
fn a_newer_key_of_the_same_name_is_replaced_quietly() {
    let sandbox = Sandbox::new();
    let (alice, prod) = (sandbox.person("alice"), sandbox.person("prod"));
    sandbox.policy(&[&alice, &prod]);
    let before = sandbox.encrypted("db.yaml", SECRET);
    std::fs::remove_file(&prod.file).unwrap();
    let newer = sandbox.person("prod");
    sandbox.policy(&[&alice, &newer]);
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml"]).by(&alice).run(), @"
    exit 0
    err: db.yaml: wrapped for Secret prod/db, readers: alice, prod
    err: prod@FINGERPRINT is a new reader of 1 document
    ");
    let after = sandbox.read("db.yaml");
    assert_eq!(key_of(&after), key_of(&before), "no fold");
    assert!(reads(&sandbox, &newer, "db.yaml"));
    assert!(!after.contains(&prod.recipient));
    assert_eq!(after.matches("prod@").count(), before.matches("prod@").count(), "the old wrap is gone");
}

#[test]
fn fold_brings_all_values_under_one_new_key() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    sandbox.sealwax(["set", "db.yaml", "password", "username"]).input("s3cr3t-own").run().ok();
    let before = sandbox.read("db.yaml");
    assert_snapshot!(sandbox.sealwax(["rekey", "--fold", "db.yaml"]).by(&alice).run(), @"
    exit 0
    err: db.yaml: 2 values under a new key, Secret prod/db, readers: alice
    ");
    let after = sandbox.read("db.yaml");
    assert!(after.len() < before.len());
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
        ENC[wax1,SHORT,BASE64]
    sealwax:
      version: 1
      sealedFor: {namespace: prod, name: db}
      key: KEYID
      readers:
        alice@FINGERPRINT: >-
          SHORT:BASE64
    ");
    assert_eq!(sandbox.sealwax(["get", "db.yaml", "password"]).by(&alice).run().ok(), "s3cr3t-own");
}

#[test]
fn needs_someone_who_can_read_and_something_to_read() {
    let sandbox = Sandbox::new();
    let (alice, bob, carol) = (sandbox.person("alice"), sandbox.person("bob"), sandbox.person("carol"));
    sandbox.policy(&[&alice, &bob]);
    let before = sandbox.encrypted("db.yaml", SECRET);
    sandbox.policy(&[&alice]);
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml"]).run(), @"
    exit 1
    err: error: db.yaml:8: stringData.username: none of your identities is a reader; named readers: alice@FINGERPRINT, bob@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    ");
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml"]).by(&carol).run(), @"
    exit 1
    err: error: db.yaml:8: stringData.username: none of your identities is a reader; named readers: alice@FINGERPRINT, bob@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    ");
    sandbox.policy(&[&alice, &bob, &carol]);
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml"]).by(&carol).run(), @"
    exit 1
    err: error: db.yaml: none of your identities is a reader; named readers: alice@FINGERPRINT, bob@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    ");
    assert_eq!(sandbox.read("db.yaml"), before);
    sandbox.write("plain.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["rekey", "plain.yaml"]).by(&alice).run(), @"
    exit 2
    err: error: plain.yaml: holds no encrypted document that a rule of the policy covers
    ");
}

#[test]
fn several_files_one_of_them_foreign() {
    let (sandbox, alice) = Sandbox::with_policy();
    let bob = sandbox.person("bob");
    sandbox.encrypted("a.yaml", SECRET);
    sandbox.encrypted("z.yaml", SECRET);
    sandbox.write("foreign.yaml", SECRET);
    let foreign = ["encrypt", "foreign.yaml", "--to", &bob.to(), "--select", "stringData.*"];
    sandbox.sealwax(foreign).run().ok();
    sandbox.policy(&[&alice, &bob]);
    assert_snapshot!(sandbox.sealwax(["rekey", "a.yaml", "foreign.yaml", "z.yaml"]).by(&alice).run(), @"
    exit 1
    err: error: foreign.yaml: none of your identities is a reader; named readers: bob@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    err: a.yaml: wrapped for Secret prod/db, readers: alice, bob
    err: z.yaml: wrapped for Secret prod/db, readers: alice, bob
    err: bob@FINGERPRINT is a new reader of 2 documents
    ");
    assert!(reads(&sandbox, &bob, "a.yaml") && reads(&sandbox, &bob, "z.yaml"));
}

#[test]
fn keeps_the_place() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["rekey", "db.yaml", "--scope", "cluster"]).by(&alice).run(), @"
    exit 1
    err: error: db.yaml: the document is sealed for Secret prod/db, and this write is for Secret */*; use `sealwax rebind` to change the place
    ");
    assert_eq!(sandbox.read("db.yaml"), before);
}

/// A repository of `count` files for these readers, in two folders with different owners.
fn repository(sandbox: &Sandbox, readers: &[&Person], count: usize) -> Vec<String> {
    sandbox.policy(readers);
    let names: Vec<_> =
        (0..count).map(|n| format!("apps/{}/{n}.yaml", if n % 2 == 0 { "pay" } else { "web" })).collect();
    for (n, name) in names.iter().enumerate() {
        sandbox.write(name, SECRET.replace("name: db", &format!("name: db-{n}")));
    }
    sandbox.sealwax(["encrypt"].into_iter().chain(names.iter().map(String::as_str))).run().ok();
    sandbox.write("CODEOWNERS", "* @org/all\n/apps/pay/ @org/pay\n");
    sandbox.write("apps/template.yaml", "{{ .Values.x }}: [\n");
    sandbox.commit_all();
    names
}

#[test]
fn a_leaver_of_a_whole_repository() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    let names = repository(&sandbox, &[&alice, &bob], 3);
    sandbox.policy(&[&alice]);
    let before: Vec<_> = names.iter().map(|name| sandbox.read(name)).collect();
    let expected = sandbox.sealwax(["rekey", "--dry-run", "."]).run();
    assert_snapshot!(expected, @"
    exit 0
    err: 3 encrypted files: 3 would be folded under new keys (6 values), 0 would be wrapped, 0 left alone
    err: warning: bob@FINGERPRINT has been able to read 6 values:
    err:   @org/all
    err:     apps/web/1.yaml: stringData.username, stringData.password
    err:   @org/pay
    err:     apps/pay/0.yaml: stringData.username, stringData.password
    err:     apps/pay/2.yaml: stringData.username, stringData.password
    err: hint: Change these values at their origin; encrypting them again does not take them back.
    ");
    assert_eq!(names.iter().map(|name| sandbox.read(name)).collect::<Vec<_>>(), before, "a dry run changes nothing");
    assert_snapshot!(sandbox.sealwax(["rekey", "."]).by(&alice).run(), @"
    exit 0
    err: 3 encrypted files: 3 folded under new keys (6 values), 0 wrapped, 0 left alone
    err: warning: bob@FINGERPRINT has been able to read 6 values:
    err:   @org/all
    err:     apps/web/1.yaml: stringData.username, stringData.password
    err:   @org/pay
    err:     apps/pay/0.yaml: stringData.username, stringData.password
    err:     apps/pay/2.yaml: stringData.username, stringData.password
    err: hint: Change these values at their origin; encrypting them again does not take them back.
    ");
    assert!(names.iter().all(|name| reads(&sandbox, &alice, name) && !reads(&sandbox, &bob, name)));
    assert_snapshot!(sandbox.sealwax(["rekey", "."]).by(&alice).run(), @"
    exit 0
    err: 3 encrypted files: 0 folded under new keys (0 values), 0 wrapped, 3 left alone
    ");
}

#[test]
fn files_of_others_in_the_same_folder_are_named() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    repository(&sandbox, &[&alice], 1);
    sandbox.write("values.yaml", "key: s3cr3t\n");
    let foreign = ["encrypt", "values.yaml", "--to", &bob.to(), "--select", "key", "--context", "x"];
    sandbox.sealwax(foreign).run().ok();
    let only_secrets =
        sandbox.read(".sealwax.toml").split("\n[[rule]]\npath = \"**\"\nencrypt").next().unwrap().to_owned();
    sandbox.write(".sealwax.toml", only_secrets);
    assert_snapshot!(sandbox.sealwax(["rekey", "."]).by(&alice).run(), @"
    exit 0
    err: 1 encrypted file: 0 folded under new keys (0 values), 0 wrapped, 1 left alone
    err: warning: left alone, because no rule of the policy covers them or they have no key block: values.yaml
    ");
    assert_eq!(sandbox.sealwax(["rekey", "values.yaml"]).by(&alice).run().code, Some(2), "named, it is an error");
}

#[test]
fn a_job_that_adds_takes_nothing_away() {
    let sandbox = Sandbox::new();
    let (alice, bob, ci) = (sandbox.person("alice"), sandbox.person("bob"), sandbox.person("ci"));
    let names = repository(&sandbox, &[&alice, &bob], 2);
    sandbox.policy(&[&alice, &ci]);
    assert_snapshot!(sandbox.sealwax(["rekey", "--add-only", "apps"]).by(&alice).run(), @"
    exit 0
    err: 2 encrypted files: 0 folded under new keys (0 values), 2 wrapped, 0 left alone
    err: ci@FINGERPRINT is a new reader of 2 documents
    err: warning: bob@FINGERPRINT is a reader of 2 documents and none by the policy; `sealwax rekey` takes the right away
    ");
    for name in &names {
        assert!([&alice, &bob, &ci].iter().all(|person| reads(&sandbox, person, name)), "{name}");
    }
}

#[test]
fn superseded_wraps_are_all_that_is_replaced() {
    let sandbox = Sandbox::new();
    let (alice, prod, bob) = (sandbox.person("alice"), sandbox.person("prod"), sandbox.person("bob"));
    let names = repository(&sandbox, &[&alice, &prod], 2);
    sandbox.sealwax(["set", &names[0], "password"]).input("s3cr3t-own").run().ok();
    std::fs::remove_file(&prod.file).unwrap();
    let newer = sandbox.person("prod");
    sandbox.policy(&[&alice, &newer, &bob]);
    let before = sandbox.read(&names[0]);
    assert_snapshot!(sandbox.sealwax(["rekey", "--superseded", "."]).by(&alice).run(), @"
    exit 0
    err: 2 encrypted files: 0 folded under new keys (0 values), 2 wrapped, 0 left alone
    err: prod@FINGERPRINT is a new reader of 2 documents
    ");
    assert!(names.iter().all(|name| reads(&sandbox, &newer, name) && !reads(&sandbox, &bob, name)));
    let after = sandbox.read(&names[0]);
    assert_eq!(key_of(&after), key_of(&before));
    assert_eq!(after.matches("prod@").count(), before.matches("prod@").count());
}

#[test]
fn a_rotation_that_was_cut_off_goes_on() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    let names = repository(&sandbox, &[&alice], 4);
    let before: Vec<_> = names.iter().map(|name| sandbox.read(name)).collect();
    sandbox.sealwax(["rotate", &names[0], &names[1]]).by(&alice).run().ok();
    let half: Vec<_> = names.iter().map(|name| sandbox.read(name)).collect();
    assert_snapshot!(sandbox.sealwax(["rotate", "--resume", "."]).by(&alice).run(), @"
    exit 0
    err: 4 encrypted files: 2 folded under new keys (4 values), 0 wrapped, 2 left alone
    ");
    for (n, name) in names.iter().enumerate() {
        let now = sandbox.read(name);
        assert_ne!(key_of(&now), key_of(&before[n]), "{name}");
        assert_eq!(now == half[n], n < 2, "{name}: done before is not done again");
        assert!(reads(&sandbox, &alice, name));
    }
}

#[test]
fn more_files_than_may_be_open() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    let names = repository(&sandbox, &[&alice], 120);
    sandbox.policy(&[&alice, &bob]);
    let script = sandbox.script("limited", &format!("ulimit -n 40; exec {} rekey .", env!("CARGO_BIN_EXE_sealwax")));
    let output = sandbox.command(script).env("SEALWAX_IDENTITY", &alice.file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(names.iter().all(|name| sandbox.read(name).contains("bob@")));
}

#[test]
fn other_readers_than_last_time_are_agreed_to_first() {
    let sandbox = Sandbox::new();
    let (alice, mallory) = (sandbox.person("alice"), sandbox.person("mallory"));
    let names = repository(&sandbox, &[&alice], 2);
    let policy = sandbox.read(".sealwax.toml");
    let changed = policy
        .replace("[recipients]\n", &format!("[recipients]\nmallory = \"{}\"\n", mallory.recipient))
        .replace("recipients = [\"alice\"]", "recipients = [\"alice\", \"mallory\"]");
    sandbox.write(".sealwax.toml", changed);
    let before = sandbox.read(&names[0]);
    assert_snapshot!(sandbox.sealwax(["rekey", &names[0]]).by(&alice).run(), @"
    exit 1
    err: error: [HOME]/repo/.sealwax.toml: the readers of the rule for ** (Secret, EncryptedSecret) changed: mallory@FINGERPRINT came; nothing was written
    err: hint: Is it meant? `git log -p` shows who changed the policy; then pass --accept-recipients.
    ");
    assert_snapshot!(sandbox.sealwax(["set", &names[0], "password"]).input("s3cr3t").run(), @"
    exit 1
    err: error: [HOME]/repo/.sealwax.toml: the readers of the rule for ** (Secret, EncryptedSecret) changed: mallory@FINGERPRINT came; nothing was written
    err: hint: Is it meant? `git log -p` shows who changed the policy; then pass --accept-recipients.
    ");
    assert_eq!(sandbox.read(&names[0]), before);
    assert_eq!(sandbox.sealwax(["rekey", "--dry-run", "."]).run().code, Some(0), "looking needs no agreement");
    sandbox.sealwax(["rekey", "--accept-recipients", &names[0]]).by(&alice).run().ok();
    assert!(reads(&sandbox, &mallory, &names[0]));
    // Agreed to once, it is the usual state.
    sandbox.sealwax(["rekey", &names[1]]).by(&alice).run().ok();
}

#[test]
fn a_rotation_goes_on_though_documents_changed_places() {
    let (sandbox, alice) = Sandbox::with_policy();
    let other = SECRET.replace("name: db", "name: cache");
    let sealed = sandbox.encrypted("db.yaml", &format!("{SECRET}---\n{other}"));
    sandbox.commit_all();
    let (first, second) = sealed.split_once("---\n").unwrap();
    sandbox.write("db.yaml", format!("{second}---\n{first}"));
    sandbox.sealwax(["rotate", "--resume", "."]).by(&alice).run().ok();
    let after = sandbox.read("db.yaml");
    assert!(!after.contains(key_of(first)) && !after.contains(key_of(second)), "both have new keys");
}

#[test]
fn a_file_that_is_named_twice_is_changed_once() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("apps/db.yaml", SECRET);
    let twice = ["rotate", "apps/db.yaml", "./apps", "apps/../apps/db.yaml"];
    sandbox.sealwax(twice).by(&alice).run().ok();
}

#[test]
fn a_run_that_is_killed_leaves_whole_files_and_is_taken_up_again() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    let names = repository(&sandbox, &[&alice, &bob], 150);
    sandbox.policy(&[&alice]);
    for milliseconds in [20, 40, 60, 80, 100, 130, 160, 200] {
        let mut run = sandbox.sealwax(["rekey", "."]).by(&alice);
        let mut child = run.start();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        let files = names.iter().map(String::as_str).collect::<Vec<_>>();
        let verified = sandbox.sealwax(["verify"]).args(&files).by(&alice).run();
        assert!(verified.stderr.contains("300 values in 150 files open; 0 files failed"), "{verified}");
    }
    sandbox.sealwax(["rekey", "."]).by(&alice).run().ok();
    assert!(names.iter().all(|name| !sandbox.read(name).contains("bob@")));
    assert!(names.iter().step_by(40).all(|name| reads(&sandbox, &alice, name) && !reads(&sandbox, &bob, name)));
}

#[test]
fn files_of_other_names_are_found_too() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    sandbox.policy(&[&alice, &bob]);
    let names = ["UP.YAML", "db.yaml.tpl", "db.yml"];
    for name in names {
        sandbox.encrypted(name, SECRET);
    }
    sandbox.commit_all();
    sandbox.policy(&[&alice]);
    let outcome = sandbox.sealwax(["rekey", "."]).by(&alice).run();
    assert!(outcome.stderr.contains("has been able to read 6 values"), "{outcome}");
    assert!(names.iter().all(|name| !reads(&sandbox, &bob, name) && reads(&sandbox, &alice, name)));
}
