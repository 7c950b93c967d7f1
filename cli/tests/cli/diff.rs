//! `sealwax diff`, `status` and `git textconv`: what changed, with every value masked.

use insta::assert_snapshot;

use crate::common::{Person, SECRET, Sandbox};

/// A repository with an encrypted Secret, committed.
fn repository() -> (Sandbox, Person) {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    sandbox.commit_all();
    (sandbox, alice)
}

/// The text without what differs from run to run: tags.
fn untagged(text: &str) -> String {
    let mut words = Vec::new();
    for part in text.split("<sealed ") {
        words.push(if words.is_empty() { part } else { part.get(8..).unwrap() });
    }
    words.join("<sealed TAG")
}

#[test]
fn textconv_masks_values_and_keeps_the_rest() {
    let (sandbox, alice) = repository();
    sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t-new").run().ok();
    let shown = sandbox.sealwax(["git", "textconv", "db.yaml"]).by(&alice).run();
    assert_snapshot!(untagged(&shown.to_string()), @"
    exit 0
    out: apiVersion: v1
    out: kind: Secret
    out: metadata:
    out:   namespace: prod
    out:   name: db
    out: stringData:
    out:   # who
    out:   username: <sealed TAG:   password: <sealed TAG key, for alice>   # keep
    out: sealwax:
    out:   version: 1
    out:   sealedFor: {namespace: prod, name: db}
    out:   key: KEYID
    out:   readers:
    out:     alice@FINGERPRINT: <wrapped>
    ");
    let shown = sandbox.sealwax(["git", "textconv", "--reveal", "db.yaml"]).by(&alice).run();
    assert_snapshot!(shown, @"
    exit 0
    out: apiVersion: v1
    out: kind: Secret
    out: metadata:
    out:   namespace: prod
    out:   name: db
    out: stringData:
    out:   # who
    out:   username: s3cr3t-user
    out:   password: s3cr3t-new   # keep
    out: # document 1: readers:
    out: #   alice@FINGERPRINT
    ");
    let without_key = sandbox.sealwax(["git", "textconv", "--reveal", "db.yaml"]).run();
    assert!(without_key.ok().contains("password: <sealed "), "without a key there is nothing to reveal");
}

#[test]
fn equal_values_have_equal_fingerprints_with_a_key_only() {
    let (sandbox, alice) = repository();
    let tag = |run: String| run.split("password: <sealed ").nth(1).unwrap()[..8].to_owned();
    let with = |person: &Person| tag(sandbox.sealwax(["git", "textconv", "db.yaml"]).by(person).run().ok());
    let without = || tag(sandbox.sealwax(["git", "textconv", "db.yaml"]).run().ok());
    let (keyed, sealed) = (with(&alice), without());
    sandbox.sealwax(["rotate", "db.yaml"]).by(&alice).run().ok();
    assert_eq!(with(&alice), keyed, "the same value under another key");
    assert_ne!(without(), sealed);
    // The secret of this machine is what keeps others from trying values against a fingerprint.
    std::fs::remove_dir_all(sandbox.root().join(".local")).unwrap();
    assert_ne!(with(&alice), keyed);
}

#[test]
fn textconv_never_fails_and_never_asks() {
    let (sandbox, _) = repository();
    sandbox.write("broken.yaml", "a: ENC[wax1,oops]\nb: [\n");
    let broken = sandbox.sealwax(["git", "textconv", "broken.yaml"]).run();
    assert_eq!(broken.ok(), "a: ENC[wax1,oops]\nb: [\n");
    assert_eq!(sandbox.sealwax(["git", "textconv", "missing.yaml"]).run().code, Some(0));
    sandbox.write("binary.yaml", b"\xff\xfeENC[wax1,");
    assert_eq!(sandbox.sealwax(["git", "textconv", "binary.yaml"]).run().stdout, b"\xff\xfeENC[wax1,");
    let plugin = sandbox.script("age-plugin-hang", "sleep 1000");
    let folder = std::path::Path::new(&plugin).parent().unwrap().to_str().unwrap().to_owned();
    sandbox.write("plugin.txt", "AGE-PLUGIN-HANG-1QQQQQQQ\n");
    let run = sandbox.sealwax(["git", "textconv", "db.yaml", "-i", "plugin.txt"]).env("PATH", folder).run();
    assert!(run.ok().contains("<sealed "));
    let run = sandbox.sealwax(["git", "textconv", "db.yaml", "-i", "missing.txt"]).run();
    assert!(run.ok().contains("<sealed "));
}

#[test]
fn git_diff_shows_one_line_for_each_value_that_changed() {
    let (sandbox, _) = repository();
    sandbox.write(".gitattributes", "*.yaml diff=sealwax\n");
    let program = env!("CARGO_BIN_EXE_sealwax");
    sandbox.git(&["config", "diff.sealwax.textconv", &format!("{program} git textconv")]);
    sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t-new").run().ok();
    let output = sandbox.command("git").args(["diff", "--unified=0"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let changed: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with(['+', '-']) && !line.starts_with("+++") && !line.starts_with("---"))
        .collect();
    assert_eq!(changed.len(), 2, "{text}");
    assert!(changed.iter().all(|line| line.contains("password: <sealed ")), "{text}");
    let log = sandbox.command("git").args(["log", "-p", "--stat"]).output().unwrap();
    assert!(log.status.success());
}

#[test]
fn diff_lists_values_and_readers() {
    let (sandbox, alice) = repository();
    let bob = sandbox.person("bob");
    sandbox.policy(&[&alice, &bob]);
    sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t-new").run().ok();
    sandbox.sealwax(["set", "db.yaml", "token"]).input("s3cr3t-token").run().ok();
    sandbox.sealwax(["unset", "db.yaml", "username"]).run().ok();
    let shown = sandbox.sealwax(["diff"]).run();
    assert_snapshot!(untagged(&shown.to_string()), @"
    exit 0
    out: db.yaml: Secret prod/db
    out:   + stringData.token  <sealed TAG:   - stringData.username  <sealed TAG:   ~ stringData.password  <sealed TAG<sealed TAG:   reader came: bob@FINGERPRINT
    ");
    assert_snapshot!(sandbox.sealwax(["diff", "--reveal"]).by(&alice).run(), @r#"
    exit 0
    out: db.yaml: Secret prod/db
    out:   + stringData.token  "s3cr3t-token"
    out:   - stringData.username  "s3cr3t-user"
    out:   ~ stringData.password  "s3cr3t-pass" -> "s3cr3t-new"
    out:   reader came: bob@FINGERPRINT
    "#);
    assert_snapshot!(sandbox.sealwax(["diff", "--summary"]).run(), @"
    exit 0
    out: 1 value changed in 1 file; 1 added; 1 removed; bob@FINGERPRINT newly named
    ");
    assert_eq!(sandbox.sealwax(["diff", "HEAD", "--", "other"]).run().ok(), "");
    sandbox.commit_all();
    assert_eq!(sandbox.sealwax(["diff"]).run().ok(), "");
    assert_snapshot!(sandbox.sealwax(["diff", "--summary", "HEAD~1..HEAD"]).run(), @"
    exit 0
    out: 1 value changed in 1 file; 1 added; 1 removed; bob@FINGERPRINT newly named
    ");
    assert_snapshot!(sandbox.sealwax(["diff", "nowhere"]).run(), @"
    exit 2
    err: error: nowhere: no commit of this repository has this name
    err: hint: In CI, fetch the whole history: a shallow clone has one commit only.
    ");
}

#[test]
fn a_fold_changes_no_value() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    sandbox.policy(&[&alice, &bob]);
    sandbox.encrypted("db.yaml", SECRET);
    sandbox.commit_all();
    sandbox.policy(&[&alice]);
    sandbox.sealwax(["rekey", "."]).by(&alice).run().ok();
    assert_snapshot!(sandbox.sealwax(["diff", "--summary"]).by(&alice).run(), @"
    exit 0
    out: 0 values changed in 1 file; 2 encrypted again, the same; bob@FINGERPRINT no longer named
    ");
    assert_snapshot!(sandbox.sealwax(["diff", "--summary"]).run(), @"
    exit 0
    out: 0 values changed in 1 file; 2 encrypted again, not compared; bob@FINGERPRINT no longer named
    ");
}

#[test]
fn diff_shows_what_came_into_the_clear() {
    let (sandbox, alice) = repository();
    sandbox.sealwax(["decrypt", "--in-place", "--force", "db.yaml"]).by(&alice).run().ok();
    let shown = sandbox.sealwax(["diff"]).run();
    assert_snapshot!(untagged(&shown.to_string()), @"
    exit 0
    out: db.yaml: Secret prod/db
    out:   ! stringData.password  <sealed TAGin the clear
    out:   ! stringData.username  <sealed TAGin the clear
    out:   reader went: alice@FINGERPRINT
    ");
}

#[test]
fn status_says_what_the_policy_would_change() {
    let (sandbox, alice) = repository();
    let bob = sandbox.person("bob");
    sandbox.policy(&[&alice, &bob]);
    sandbox.write("clear.yaml", SECRET);
    sandbox.write("template.yaml", "{{ x }}: [\n");
    sandbox.write("other.yaml", "replicas: 3\n");
    assert_snapshot!(sandbox.sealwax(["status"]).run(), @"
    exit 0
    out: clear.yaml: Secret prod/db
    out:   0 values encrypted, rule: ** (Secret, EncryptedSecret)
    out:   in the clear, to be encrypted: stringData.username, stringData.password
    out: db.yaml: Secret prod/db
    out:   2 values encrypted, rule: ** (Secret, EncryptedSecret)
    out:   sealed for: Secret prod/db
    out:   readers: alice@FINGERPRINT
    out:   rekey would add: bob@FINGERPRINT
    err: 2 values encrypted in 2 documents; 2 in the clear that should be; 1 document with other readers than the policy's
    ");
    let json = sandbox.sealwax(["status", "--format", "json", "clear.yaml"]).run().ok();
    assert_snapshot!(json, @r#"
    [
      {
        "file": "clear.yaml",
        "document": "Secret prod/db",
        "rule": "** (Secret, EncryptedSecret)",
        "sealedFor": null,
        "encrypted": 0,
        "readers": [],
        "clear": [
          "stringData.username",
          "stringData.password"
        ],
        "add": [],
        "remove": [],
        "supersede": [],
        "problem": null
      }
    ]
    "#);
}

#[test]
fn paths_are_found_from_wherever_the_command_is_called() {
    let (sandbox, alice) = repository();
    sandbox.encrypted("apps/a.yaml", &SECRET.replace("name: db", "name: a"));
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message", "a"]);
    sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t-new").run().ok();
    std::fs::remove_file(sandbox.path("apps/a.yaml")).unwrap();
    for (path, shown) in [("../db.yaml", "db.yaml: "), ("./a.yaml", "apps/a.yaml: "), ("../apps", "apps/a.yaml: ")] {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_sealwax"));
        command.args(["diff", "HEAD", "--", path]).current_dir(sandbox.path("apps"));
        let output = command.env("SEALWAX_IDENTITY", &alice.file).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with(shown), "{path}: {text}");
    }
}

#[test]
fn before_the_first_commit() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    sandbox.git(&["init", "--quiet"]);
    sandbox.git(&["add", "--all"]);
    assert!(sandbox.sealwax(["diff"]).run().ok().contains("+ stringData.password"));
    assert_eq!(sandbox.sealwax(["diff", "nowhere...HEAD"]).run().code, Some(2));
}

#[test]
fn textconv_reads_the_file_that_git_names() {
    let sandbox = Sandbox::new();
    sandbox.write("-", "from the file\n");
    let shown = sandbox.sealwax(["git", "textconv", "-"]).input("from standard input\n").run().ok();
    assert_eq!(shown, "from the file\n");
}

#[test]
fn a_branch_is_compared_with_where_it_began() {
    let (sandbox, alice) = repository();
    sandbox.git(&["checkout", "--quiet", "-b", "feature"]);
    sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t-feature").run().ok();
    sandbox.git(&["commit", "--quiet", "--all", "--message", "feature"]);
    sandbox.git(&["checkout", "--quiet", "main"]);
    sandbox.sealwax(["set", "db.yaml", "username"]).input("s3cr3t-main").run().ok();
    sandbox.git(&["commit", "--quiet", "--all", "--message", "main"]);
    let summary = |range: &str| sandbox.sealwax(["diff", "--summary", range]).by(&alice).run().ok();
    assert_eq!(summary("main...feature"), "1 value changed in 1 file\n");
    assert_eq!(summary("main..feature"), "2 values changed in 1 file\n");
}

#[test]
fn what_cannot_be_read_is_no_all_clear() {
    let (sandbox, _) = repository();
    let text = sandbox.read("db.yaml");
    let (head, tail) = text.split_at(text.find("  password").unwrap());
    sandbox.write("db.yaml", format!("{head}<<<<<<< ours\n=======\n>>>>>>> theirs\n{tail}"));
    assert_snapshot!(sandbox.sealwax(["diff", "--summary"]).run(), @"
    exit 3
    out: 0 values changed in 0 files; 1 file could not be read
    err: error: db.yaml:10: the file cannot be read: not valid YAML: simple key expected ':'
    err: hint: Markers of a conflict stand from line 10 on: keep the lines of one side, delete the others with the markers.
    ");
    assert_snapshot!(sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t").run(), @"
    exit 3
    err: error: db.yaml:10: the file cannot be read: not valid YAML: simple key expected ':'
    err: hint: Markers of a conflict stand from line 10 on: keep the lines of one side, delete the others with the markers.
    ");
}
