//! Where the gate looks: the work tree, the index, a commit, files on the disk; and what only a state as a whole tells.

use insta::assert_snapshot;

use super::{assert_silent, check, rules};
use crate::common::{SECRET, Sandbox};

/// A policy, an encrypted file, and everything committed.
pub(super) fn repository() -> Sandbox {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.policy_with(&[&sandbox.person("bob")], ONE_RULE);
    sandbox.encrypted("db.yaml", SECRET);
    sandbox.commit_all();
    sandbox
}

const ONE_RULE: &str = r#"
[[rule]]
path = "**"
kinds = ["Secret", "EncryptedSecret"]
encrypt = ["data.*", "stringData.*"]
recipients = ["bob"]
"#;

pub(super) fn revision(sandbox: &Sandbox, name: &str) -> String {
    let output = sandbox.command("git").args(["rev-parse", name]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(super) fn commit(sandbox: &Sandbox) -> String {
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--allow-empty", "--message", "test"]);
    revision(sandbox, "HEAD")
}

#[test]
fn the_work_tree_is_looked_at_by_default() {
    let sandbox = repository();
    assert_eq!(rules(&sandbox, &[]), [""; 0]);
    sandbox.write("plain.yaml", SECRET);
    sandbox.write(".gitignore", "ignored/\n");
    sandbox.write("ignored/plain.yaml", SECRET);
    assert_eq!(rules(&sandbox, &[]), ["WAX102 plain.yaml"], "files that Git would not add are none of its business");
    assert_eq!(rules(&sandbox, &["--worktree"]), ["WAX102 plain.yaml"]);
    assert_eq!(rules(&sandbox, &["--staged"]), [""; 0]);
    assert_snapshot!(sandbox.sealwax(["check"]).run(), @"
    exit 1
    out: plain.yaml:8: error WAX102: stringData.username: the value stands in the clear; the rule for ** in .sealwax.toml encrypts it
    out: plain.yaml:9: error WAX102: stringData.password: the value stands in the clear; the rule for ** in .sealwax.toml encrypts it
    out: 
    out: WAX102: Run `sealwax encrypt FILE`; if it was ever pushed, change the value at its origin.
    err: 4 files checked: 2 errors, 0 warnings, 0 notices
    ");
}

#[test]
fn what_is_staged_counts_and_not_what_lies_on_the_disk() {
    let sandbox = repository();
    let encrypted = sandbox.read("db.yaml");
    // As after `git add --patch`: the index has the plain value, the disk no longer.
    sandbox.write("db.yaml", SECRET);
    sandbox.git(&["add", "db.yaml"]);
    sandbox.write("db.yaml", &encrypted);
    assert_eq!(rules(&sandbox, &["--staged"]), ["WAX103 db.yaml"]);
    assert_eq!(rules(&sandbox, &[]), [""; 0]);
    // And the other way around.
    sandbox.git(&["add", "db.yaml"]);
    sandbox.write("db.yaml", SECRET);
    assert_eq!(rules(&sandbox, &["--staged"]), [""; 0]);
    assert_eq!(rules(&sandbox, &[]), ["WAX103 db.yaml"]);
}

#[test]
fn the_index_of_a_hook_is_the_one_that_git_names() {
    let sandbox = repository();
    let index = sandbox.root().join("other-index");
    std::fs::copy(sandbox.path(".git/index"), &index).unwrap();
    sandbox.write("plain.yaml", SECRET);
    let mut command = sandbox.command("git");
    assert!(command.env("GIT_INDEX_FILE", &index).args(["add", "plain.yaml"]).status().unwrap().success());
    assert_eq!(sandbox.sealwax(["check", "--staged"]).run().code, Some(0));
    let outcome = sandbox.sealwax(["check", "--staged"]).env("GIT_INDEX_FILE", &index).run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
}

#[test]
fn a_commit_is_judged_by_its_own_policy() {
    let sandbox = repository();
    sandbox.write("values.yaml", "password: s3cr3t-pass\n");
    let before = commit(&sandbox);
    let rule = "[[rule]]\npath = \"values.yaml\"\nencrypt = [\"password\"]\nrecipients = [\"bob\"]\ncontext = \"x\"\n";
    let policy = sandbox.read(".sealwax.toml");
    sandbox.write(".sealwax.toml", format!("{policy}{rule}"));
    let after = commit(&sandbox);
    assert_eq!(rules(&sandbox, &["--rev", &before]), [""; 0]);
    assert_eq!(rules(&sandbox, &["--rev", &after]), ["WAX102 values.yaml"]);
    // The disk has another policy than either.
    sandbox.write(".sealwax.toml", "nonsense");
    assert_eq!(rules(&sandbox, &["--rev", &after]), ["WAX102 values.yaml"]);
    assert_eq!(sandbox.sealwax(["check"]).run().code, Some(2));
    assert_eq!(sandbox.sealwax(["check", "--rev", "no-such-branch"]).run().code, Some(2));
}

#[test]
fn public_keys_come_from_the_state_that_is_looked_at() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    let rule = ONE_RULE.replace("[\"bob\"]", "[\"team\"]");
    sandbox.write(".sealwax.toml", format!("version = 1\n[recipients]\nteam = {{ file = \"team.pub\" }}\n{rule}"));
    sandbox.write("team.pub", format!("{}\n", alice.recipient));
    sandbox.encrypted("db.yaml", SECRET);
    sandbox.commit_all();
    sandbox.write("team.pub", format!("{}\n", bob.recipient));
    assert_eq!(rules(&sandbox, &["--rev", "HEAD"]), [""; 0]);
    assert_eq!(rules(&sandbox, &[]), ["WAX205 db.yaml"], "the same name with another key is superseded");
    // The new key decides over files that are not staged.
    sandbox.git(&["add", "team.pub"]);
    assert_eq!(rules(&sandbox, &["--staged"]), ["WAX205 db.yaml"]);
    std::fs::remove_file(sandbox.path("team.pub")).unwrap();
    assert_eq!(sandbox.sealwax(["check"]).run().code, Some(2), "a policy without its keys is broken");
}

#[test]
fn paths_need_no_repository() {
    let sandbox = Sandbox::new();
    sandbox.write("folder/plain.yaml", SECRET);
    sandbox.write("fine.yaml", "a: b\n");
    assert_eq!(rules(&sandbox, &["folder"]), ["WAX101 plain.yaml"]);
    assert_eq!(rules(&sandbox, &["fine.yaml"]), [""; 0]);
    assert_eq!(sandbox.sealwax(["check"]).run().code, Some(2));
    assert_eq!(sandbox.sealwax(["check", "no-such-file"]).run().code, Some(3));
    let alice = sandbox.person("alice");
    sandbox.policy(&[&alice]);
    assert_eq!(rules(&sandbox, &["folder/plain.yaml"]), ["WAX102 folder/plain.yaml"], "the nearest policy counts");
}

#[test]
fn plaintext_left_by_decrypting_in_place_is_found() {
    // Without a policy, so that only what Git's HEAD holds tells.
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    sandbox.write("values.yaml", "host: a\npassword: s3cr3t-pass\n");
    sandbox.sealwax(["encrypt", "values.yaml", "--select", "password", "--to", &alice.recipient]).run().ok();
    sandbox.commit_all();
    assert_eq!(rules(&sandbox, &[]), [""; 0]);
    sandbox.sealwax(["decrypt", "--in-place", "--force", "values.yaml"]).by(&alice).run().ok();
    assert_eq!(rules(&sandbox, &[]), ["WAX103 values.yaml"]);
    sandbox.git(&["add", "values.yaml"]);
    assert_eq!(rules(&sandbox, &["--staged"]), ["WAX103 values.yaml"]);
    sandbox.git(&["commit", "--quiet", "--message", "oops"]);
    assert_eq!(rules(&sandbox, &["--range", "HEAD~1..HEAD"]), ["WAX103 values.yaml"]);
    sandbox.write("values.yaml", "host: b\n");
    assert_eq!(rules(&sandbox, &[]), [""; 0], "a value that is gone is not in the clear");
}

#[test]
fn readers_that_change_with_the_policy_are_told() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    sandbox.policy(&[&alice]);
    sandbox.encrypted("db.yaml", SECRET);
    sandbox.commit_all();
    sandbox.policy(&[&alice, &bob]);
    sandbox.sealwax(["rekey", "db.yaml"]).by(&alice).run().ok();
    sandbox.git(&["add", "--all"]);
    let told = check(&sandbox, &["--staged"]);
    assert!(told.iter().any(|found| found.rule == "WAX603" && found.path == ".sealwax.toml"), "{told:?}");
    sandbox.git(&["commit", "--quiet", "--message", "bob"]);
    sandbox.write("db.yaml", sandbox.read("db.yaml") + "# a comment\n");
    sandbox.git(&["add", "--all"]);
    let told = check(&sandbox, &["--staged"]);
    assert!(!told.iter().any(|found| found.rule == "WAX603"), "{told:?}");
}

#[test]
fn decrypted_text_that_git_keeps_is_found() {
    let sandbox = repository();
    sandbox.git(&["config", "diff.other.cachetextconv", "true"]);
    sandbox.git(&["config", "diff.sealwax.cachetextconv", "false"]);
    assert_eq!(rules(&sandbox, &[]), [""; 0]);
    sandbox.git(&["config", "diff.sealwax.cachetextconv", "true"]);
    assert_eq!(rules(&sandbox, &["--staged"]), ["WAX604 .git/config"]);
    sandbox.git(&["config", "--unset", "diff.sealwax.cachetextconv"]);
    sandbox.git(&["update-ref", "refs/notes/textconv/sealwax", "HEAD"]);
    assert_eq!(rules(&sandbox, &["--rev", "HEAD"]), ["WAX604 .git/config"]);
}

#[test]
fn a_rule_that_selects_nothing_is_told_where_everything_is_looked_at() {
    let sandbox = repository();
    let policy = sandbox.read(".sealwax.toml");
    let rule = "\n[[rule]]\npath = \"no-such-folder/**\"\nencrypt = [\"a\"]\nrecipients = [\"bob\"]\ncontext = \"x\"\n";
    sandbox.write(".sealwax.toml", format!("{policy}{rule}"));
    assert_eq!(rules(&sandbox, &[]), ["WAX601 .sealwax.toml"]);
    assert_eq!(rules(&sandbox, &["db.yaml"]), [""; 0]);
    let outcome = sandbox.sealwax(["check"]).run();
    assert_silent(&outcome);
    assert_snapshot!(outcome, @"
    exit 1
    out: .sealwax.toml:12: error WAX601: rule for no-such-folder/**: selects no value in the whole repository
    out: 
    out: WAX601: Correct or remove the rule.
    err: 2 files checked: 1 error, 0 warnings, 0 notices
    ");
}

#[test]
fn a_second_policy_and_a_broken_one_are_errors() {
    let sandbox = repository();
    sandbox.write("team/.sealwax.toml", "version = 1\n");
    assert_eq!(rules(&sandbox, &[]), ["WAX602 team/.sealwax.toml"]);
    std::fs::remove_file(sandbox.path("team/.sealwax.toml")).unwrap();
    sandbox.write(".sealwax.toml", "version = 1\n[[rule]]\npath = \"**\"\nrecipients = [\"nobody\"]\n");
    assert_snapshot!(sandbox.sealwax(["check"]).run(), @"
    exit 2
    err: error: .sealwax.toml: no recipient is called nobody
    ");
    sandbox.git(&["add", "--all"]);
    assert_eq!(sandbox.sealwax(["check", "--staged"]).run().code, Some(2));
}

#[test]
fn a_file_that_the_policy_claims_must_be_readable() {
    let sandbox = repository();
    sandbox.write("broken.yaml", SECRET.replace("\"s3cr3t-pass\"", "\"s3cr3t-pass"));
    let outcome = sandbox.sealwax(["check"]).run();
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert_silent(&outcome);
    sandbox.write("broken.yaml", "a: [unclosed\n");
    assert_eq!(sandbox.sealwax(["check"]).run().code, Some(0), "the rule is for Secrets, and this is none");
    sandbox.write("broken.yaml", b"\0\x01\x02\0");
    assert_eq!(sandbox.sealwax(["check"]).run().code, Some(3), "nobody can tell what is in it");
}

#[test]
fn text_in_utf_16_hides_nothing() {
    let sandbox = Sandbox::new();
    let units = SECRET.encode_utf16().flat_map(u16::to_le_bytes);
    sandbox.write("wide.yaml", [0xff, 0xfe].into_iter().chain(units).collect::<Vec<u8>>());
    assert_eq!(rules(&sandbox, &["wide.yaml"]), ["WAX101 wide.yaml"]);
}

#[test]
fn text_in_another_encoding_is_searched_and_told() {
    let sandbox = Sandbox::new();
    let key = std::fs::read(sandbox.person("alice").file).unwrap();
    sandbox.write("notes.txt", [b"caf\xe9\n".as_slice(), &key].concat());
    sandbox.write("secret.yaml", [b"# caf\xe9\n".as_slice(), SECRET.as_bytes()].concat());
    sandbox.write("values.yaml", b"city: Orl\xe9ans\n");
    assert_eq!(rules(&sandbox, &["."]), ["WAX501 notes.txt", "WAX904 secret.yaml"]);
}

#[test]
fn what_lies_above_a_path_decides_over_it() {
    let sandbox = Sandbox::new();
    sandbox.git(&["init", "--quiet"]);
    let recipient = sandbox.person("alice").recipient;
    let rule = format!("creation_rules:\n  - path_regex: secrets/.*\n    age: {recipient}\n");
    sandbox.write(".sops.yaml", rule);
    sandbox.write("secrets/db/values.yaml", "password: s3cr3t\n");
    assert_eq!(rules(&sandbox, &["secrets/db"]), ["WAX301 secrets/db/values.yaml"]);
    sandbox.write("secrets/.sealwax.toml", "version = 1\n");
    assert_eq!(rules(&sandbox, &["secrets/db"]), ["WAX301 secrets/db/values.yaml", "WAX602 secrets/.sealwax.toml"]);
}

#[test]
fn a_policy_that_is_a_link_is_refused_everywhere() {
    let sandbox = repository();
    std::fs::rename(sandbox.path(".sealwax.toml"), sandbox.path("policy.toml")).unwrap();
    std::os::unix::fs::symlink("policy.toml", sandbox.path(".sealwax.toml")).unwrap();
    sandbox.git(&["add", "--all"]);
    for arguments in [["check", "--staged"], ["check", "--worktree"], ["encrypt", "db.yaml"]] {
        let outcome = sandbox.sealwax(arguments).run();
        assert_eq!(outcome.code, Some(2), "{outcome}");
    }
}

#[test]
fn a_name_cannot_write_on_a_terminal() {
    let sandbox = repository();
    sandbox.write("other/policy.toml", "version = 1\n");
    let place = "\"a\\e[2Jb\\u202ec\"";
    sandbox.write("db.yaml", sandbox.read("db.yaml").replace("name: db}", &format!("name: {place}}}")));
    let outcome = sandbox.sealwax(["check", "--format", "github"]).run();
    let shown = String::from_utf8_lossy(&outcome.stdout);
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{outcome}");
}
