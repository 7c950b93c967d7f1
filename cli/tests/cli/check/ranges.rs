//! What commits bring: in hooks, in ranges, on a server, in a repository without a work tree.

use super::rules;
use super::states::{commit, repository, revision};
use crate::common::{SECRET, Sandbox};

#[test]
fn a_hook_stops_a_commit_and_a_merge() {
    let sandbox = repository();
    let hook = format!("#!/bin/sh\nexec {} check --staged\n", env!("CARGO_BIN_EXE_sealwax"));
    for name in ["pre-commit", "pre-merge-commit"] {
        sandbox.write(&format!(".git/hooks/{name}"), &hook);
        sandbox.git(&["config", "core.hooksPath", ".git/hooks"]);
        let path = sandbox.path(&format!(".git/hooks/{name}"));
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    sandbox.write("plain.yaml", SECRET);
    sandbox.git(&["add", "plain.yaml"]);
    let output = sandbox.command("git").args(["commit", "--message", "leak"]).output().unwrap();
    assert!(!output.status.success());
    // `commit FILE` has an index of its own.
    let output = sandbox.command("git").args(["commit", "--message", "leak", "plain.yaml"]).output().unwrap();
    assert!(!output.status.success());
    sandbox.git(&["switch", "--quiet", "--create", "leak"]);
    sandbox.git(&["commit", "--quiet", "--no-verify", "--message", "leak"]);
    sandbox.git(&["switch", "--quiet", "main"]);
    let output = sandbox.command("git").args(["merge", "--no-ff", "leak"]).output().unwrap();
    assert!(!output.status.success());
    sandbox.git(&["merge", "--abort"]);
    sandbox.encrypted("other.yaml", &SECRET.replace("name: db", "name: other"));
    sandbox.git(&["add", "other.yaml"]);
    sandbox.git(&["commit", "--quiet", "--message", "fine"]);
}

#[test]
fn what_came_and_went_in_a_range_is_found() {
    let sandbox = repository();
    let start = revision(&sandbox, "HEAD");
    sandbox.write("leak.yaml", SECRET);
    let leak = commit(&sandbox);
    sandbox.encrypted("leak.yaml", SECRET);
    let mended = commit(&sandbox);
    assert_eq!(rules(&sandbox, &["--rev", "HEAD"]), [""; 0]);
    let range = format!("{start}..{mended}");
    assert_eq!(rules(&sandbox, &["--range", &range]), ["WAX102 leak.yaml"]);
    let outcome = sandbox.sealwax(["check", "--range", &range]).run();
    assert!(String::from_utf8_lossy(&outcome.stdout).contains(&leak[..10]), "{outcome}");
    assert_eq!(rules(&sandbox, &["--range", &format!("{leak}..{mended}")]), [""; 0]);
    // Zeros: a branch that is new, and one that is gone.
    let zeros = "0".repeat(40);
    assert_eq!(rules(&sandbox, &["--range", &format!("{zeros}..{mended}")]), ["WAX102 leak.yaml"]);
    assert_eq!(rules(&sandbox, &["--range", &format!("{mended}..{zeros}")]), [""; 0]);
    for nonsense in ["HEAD", "main...HEAD", "main..no-such-branch"] {
        assert_eq!(sandbox.sealwax(["check", "--range", nonsense]).run().code, Some(2), "{nonsense}");
    }
}

#[test]
fn a_merge_answers_for_what_it_brings_itself() {
    let sandbox = repository();
    sandbox.git(&["switch", "--quiet", "--create", "branch"]);
    sandbox.write("a.txt", "a\n");
    commit(&sandbox);
    sandbox.git(&["switch", "--quiet", "main"]);
    sandbox.write("leak.yaml", SECRET);
    commit(&sandbox);
    sandbox.git(&["switch", "--quiet", "branch"]);
    sandbox.git(&["merge", "--quiet", "--no-edit", "main"]);
    assert_eq!(rules(&sandbox, &["--range", "main..branch"]), [""; 0], "the leak is main's");
    sandbox.write("evil.yaml", SECRET);
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--amend", "--no-edit"]);
    assert_eq!(rules(&sandbox, &["--range", "main..branch"]), ["WAX102 evil.yaml"]);
}

#[test]
fn a_server_looks_at_a_push_before_it_takes_it() {
    let sandbox = repository();
    let hook = format!(
        "#!/bin/sh\nset -eu\nwhile read -r old new ref; do\n  {} check --range \"$old..$new\"\ndone\n",
        env!("CARGO_BIN_EXE_sealwax")
    );
    sandbox.git(&["init", "--quiet", "--bare", "../server.git"]);
    sandbox.write("../server.git/hooks/pre-receive", hook);
    let path = sandbox.path("../server.git/hooks/pre-receive");
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.git(&["-C", "../server.git", "config", "core.hooksPath", "hooks"]);
    sandbox.git(&["remote", "add", "origin", "../server.git"]);
    sandbox.git(&["push", "--quiet", "origin", "main"]);
    sandbox.git(&["push", "--quiet", "origin", "main:same"]);
    sandbox.write("leak.yaml", SECRET);
    commit(&sandbox);
    sandbox.encrypted("leak.yaml", SECRET);
    commit(&sandbox);
    for name in ["main:main", "main:new"] {
        let output = sandbox.command("git").args(["push", "origin", name]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains("WAX102"), "{name}: {told}");
    }
    sandbox.git(&["push", "--quiet", "origin", ":same"]);
}

#[test]
fn a_repository_without_a_work_tree_has_commits() {
    let sandbox = repository();
    sandbox.write("leak.yaml", SECRET);
    commit(&sandbox);
    sandbox.git(&["clone", "--quiet", "--bare", ".", "../bare.git"]);
    let run = |arguments: &[&str]| {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_sealwax"));
        command.current_dir(sandbox.path("../bare.git")).arg("check").args(arguments);
        command.output().unwrap().status.code()
    };
    assert_eq!(run(&["--rev", "HEAD"]), Some(1));
    assert_eq!(run(&["--rev", "HEAD~1"]), Some(0));
    assert_eq!(run(&["--range", "HEAD~1..HEAD"]), Some(1));
    assert_eq!(run(&[]), Some(2));
}

#[test]
fn what_is_not_in_the_clone_is_not_taken_for_fine() {
    let sandbox = repository();
    let start = revision(&sandbox, "HEAD");
    sandbox.write("leak.yaml", SECRET);
    commit(&sandbox);
    let object = revision(&sandbox, "HEAD:leak.yaml");
    sandbox.encrypted("leak.yaml", SECRET);
    let mended = commit(&sandbox);
    // As in a clone with `--filter=blob:none`, which has the objects of its work tree alone.
    std::fs::remove_file(sandbox.path(&format!(".git/objects/{}/{}", &object[..2], &object[2..]))).unwrap();
    let outcome = sandbox.sealwax(["check", "--range", &format!("{start}..{mended}")]).run();
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(String::from_utf8_lossy(&outcome.stdout).contains("leak.yaml:1: error WAX904"), "{outcome}");
}

#[test]
fn what_was_put_in_the_place_of_an_object_does_not_count() {
    let sandbox = repository();
    sandbox.write("leak.yaml", SECRET);
    let leak = commit(&sandbox);
    sandbox.git(&["replace", &revision(&sandbox, "HEAD:leak.yaml"), &revision(&sandbox, "HEAD:db.yaml")]);
    assert_eq!(rules(&sandbox, &["--rev", &leak]), ["WAX102 leak.yaml"]);
}

#[test]
fn a_value_that_a_later_commit_of_the_range_encrypts_was_readable() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    sandbox.write("a.txt", "a\n");
    sandbox.git(&["init", "--quiet"]);
    let start = commit(&sandbox);
    // Neither commit has a policy, and the file is no Secret.
    sandbox.write("values.yaml", "host: a\npassword: s3cr3t-pass\n");
    commit(&sandbox);
    sandbox.sealwax(["encrypt", "values.yaml", "--select", "password", "--to", &alice.recipient]).run().ok();
    let end = commit(&sandbox);
    assert_eq!(rules(&sandbox, &["--range", &format!("{start}..{end}")]), ["WAX103 values.yaml"]);
}
