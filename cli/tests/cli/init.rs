//! `sealwax init` and `doctor`: a new repository, a new clone, and what is wrong with one.

use insta::assert_snapshot;

use crate::common::{SECRET, Sandbox};

/// What the doctor says, without the version of Git.
fn doctor(sandbox: &Sandbox) -> String {
    let shown = sandbox.sealwax(["doctor"]).run().to_string();
    shown.lines().filter(|line| !line.starts_with("err: git: Git ")).map(|line| format!("{line}\n")).collect()
}

/// A repository with a Secret in the clear, and nobody's key yet.
fn bare() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("apps/db.yaml", SECRET);
    sandbox.write("README.md", "hello\n");
    sandbox.commit_all();
    sandbox
}

#[test]
fn a_new_repository() {
    let sandbox = bare();
    assert_snapshot!(sandbox.sealwax(["init", "--check"]).run(), @"
    exit 1
    err: warning: identity: there is no private key, so nothing can be read here
    err: warning: policy: there is no .sealwax.toml, so nothing says what is encrypted, and for whom
    err: warning: attributes: .gitattributes does not name the drivers for *.yaml, *.yml, *.json
    err: warning: drivers: Git's configuration lacks diff.sealwax.textconv, diff.sealwax.cachetextconv, merge.sealwax.name, merge.sealwax.driver
    err: warning: hook: the pre-commit hook does not run `sealwax check`
    err: hint: `sealwax init` makes what is missing.
    ");
    assert!(!sandbox.path(".sealwax.toml").exists(), "a check makes nothing");
    assert_snapshot!(sandbox.sealwax(["init"]).run(), @"
    exit 0
    err: identity: made: private key written to [HOME]/.config/sealwax/identity.txt; its public half is RECIPIENT
    err: policy: made: .sealwax.toml: proposed from 1 Secrets; look at it, change it, commit it
    err: attributes: made: .gitattributes: *.yaml, *.yml, *.json are shown and merged by value; commit it
    err: drivers: made: Git's configuration of this clone: drivers for diffs and merges
    err: hook: made: hooks of this clone: `sealwax check --staged` runs before each commit and merge
    ");
    assert_snapshot!(sandbox.show(".sealwax.toml"), @r#"
    # What sealwax encrypts, and for whom. The first rule that matches a file decides.
    version = 1

    [recipients]
    me = "RECIPIENT"

    # Kubernetes Secrets, wherever they are. EncryptedSecrets have their values encrypted in any case.
    [[rule]]
    path = "**"
    kinds = ["Secret", "EncryptedSecret"]
    encrypt = ["data.*", "stringData.*"]
    recipients = ["me"]
    "#);
    let made: Vec<_> = [".sealwax.toml", ".gitattributes", ".git/config", ".git/hooks/pre-commit"]
        .iter()
        .map(|name| sandbox.read(name))
        .collect();
    assert_snapshot!(sandbox.sealwax(["init"]).run(), @"
    exit 0
    err: identity: [HOME]/.config/sealwax/identity.txt
    err: policy: .sealwax.toml has 1 rule
    err: attributes: .gitattributes names the drivers
    err: drivers: Git shows and merges by our drivers
    err: hook: `sealwax check` runs before each commit
    ");
    let again: Vec<_> = [".sealwax.toml", ".gitattributes", ".git/config", ".git/hooks/pre-commit"]
        .iter()
        .map(|name| sandbox.read(name))
        .collect();
    assert_eq!(made, again, "a second run changes nothing");
    assert_eq!(sandbox.sealwax(["init", "--check"]).run().code, Some(0));
    // What it proposed works.
    sandbox.sealwax(["encrypt", "apps/db.yaml"]).run().ok();
    assert_eq!(sandbox.sealwax(["get", "apps/db.yaml", "password"]).run().ok(), "s3cr3t-pass");
    assert_snapshot!(doctor(&sandbox), @"
    exit 0
    err: identity: [HOME]/.config/sealwax/identity.txt
    err: policy: .sealwax.toml has 1 rule
    err: attributes: .gitattributes names the drivers
    err: drivers: Git shows and merges by our drivers
    err: hook: `sealwax check` runs before each commit
    err: recipients: 1 can be used
    err: diff cache: nothing that diffs show is kept
    err: access: you are a named reader of 1 of 1 encrypted files
    ");
}

#[test]
fn rules_of_sops_are_taken_over() {
    let sandbox = bare();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    sandbox.write(
        ".sops.yaml",
        format!(
            "creation_rules:\n  - path_regex: apps/.*\\.yaml$\n    encrypted_regex: ^(data|stringData)$\n    age: {},{}\n  - path_regex: (a|b)/x\n    age: {}\n",
            alice.recipient, bob.recipient, bob.recipient
        ),
    );
    sandbox.sealwax(["init"]).run().ok();
    assert_snapshot!(sandbox.show(".sealwax.toml"), @r#"
    # What sealwax encrypts, and for whom. The first rule that matches a file decides.
    version = 1

    [recipients]
    me = "RECIPIENT"
    sops-1 = "RECIPIENT"
    sops-2 = "RECIPIENT"

    # As in .sops.yaml for apps/.*\.yaml$
    [[rule]]
    path = "**/*apps/**/*.yaml"
    encrypt = ["**.data", "**.stringData"]
    recipients = ["me", "sops-1", "sops-2"]
    context = "**/*apps/**/*.yaml"

    # .sops.yaml has a rule for (a|b)/x, which is no simple path: write it here yourself.

    # Kubernetes Secrets, wherever they are. EncryptedSecrets have their values encrypted in any case.
    [[rule]]
    path = "**"
    kinds = ["Secret", "EncryptedSecret"]
    encrypt = ["data.*", "stringData.*"]
    recipients = ["me"]
    "#);
    sandbox.sealwax(["encrypt", "apps/db.yaml"]).run().ok();
    assert_eq!(sandbox.sealwax(["get", "apps/db.yaml", "password"]).by(&bob).run().ok(), "s3cr3t-pass");
}

#[test]
fn what_is_there_stays() {
    let sandbox = bare();
    sandbox.write(".gitattributes", "*.png binary");
    sandbox.write(".git/hooks/pre-commit", "#!/bin/sh\nmake lint\n");
    assert_snapshot!(sandbox.sealwax(["init"]).run(), @"
    exit 1
    err: identity: made: private key written to [HOME]/.config/sealwax/identity.txt; its public half is RECIPIENT
    err: policy: made: .sealwax.toml: proposed from 1 Secrets; look at it, change it, commit it
    err: attributes: made: .gitattributes: *.yaml, *.yml, *.json are shown and merged by value; commit it
    err: drivers: made: Git's configuration of this clone: drivers for diffs and merges
    err: warning: hook: [HOME]/repo/.git/hooks/pre-commit: there is another hook
    err: hint: Add this line to [HOME]/repo/.git/hooks/pre-commit: sealwax check --staged
    ");
    assert_eq!(sandbox.read(".git/hooks/pre-commit"), "#!/bin/sh\nmake lint\n");
    assert!(sandbox.read(".gitattributes").starts_with("*.png binary\n*.yaml diff=sealwax merge=sealwax\n"));
}

#[test]
fn the_pre_commit_framework() {
    let sandbox = bare();
    sandbox.sealwax(["init", "--hook", "framework"]).run().ok();
    assert_snapshot!(sandbox.read(".pre-commit-config.yaml"), @"
    repos:
      - repo: local
        hooks:
          - id: sealwax-check
            name: sealwax check
            entry: sealwax check --staged
            language: system
            pass_filenames: false
            always_run: true
            stages: [pre-commit, pre-merge-commit]
    ");
    assert!(!sandbox.path(".git/hooks/pre-commit").exists());
    assert_eq!(sandbox.sealwax(["init", "--check"]).run().code, Some(0), "found again without the flag");
}

#[test]
fn a_new_clone_needs_its_own_configuration() {
    let sandbox = bare();
    sandbox.sealwax(["init"]).run().ok();
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--no-verify", "--message", "set up"]);
    sandbox.git(&["clone", "--quiet", ".", "../clone"]);
    let mut init = sandbox.command(env!("CARGO_BIN_EXE_sealwax"));
    let output = init.args(["init"]).current_dir(sandbox.root().join("clone")).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let made: Vec<_> = text.lines().filter(|line| line.contains(": made: ")).collect();
    assert_eq!(made.len(), 2, "drivers and hook, which cannot be committed: {text}");
}

#[test]
fn the_doctor_finds_what_is_wrong() {
    let sandbox = bare();
    assert_snapshot!(doctor(&sandbox), @"
    exit 1
    err: warning: identity: there is no private key, so nothing can be read here
    err: hint: `sealwax init` makes it.
    err: warning: policy: there is no .sealwax.toml, so nothing says what is encrypted, and for whom
    err: hint: `sealwax init` makes it.
    err: warning: attributes: .gitattributes does not name the drivers for *.yaml, *.yml, *.json
    err: hint: `sealwax init` makes it.
    err: warning: drivers: Git's configuration lacks diff.sealwax.textconv, diff.sealwax.cachetextconv, merge.sealwax.name, merge.sealwax.driver
    err: hint: `sealwax init` makes it.
    err: warning: hook: the pre-commit hook does not run `sealwax check`
    err: hint: `sealwax init` makes it.
    err: recipients: no policy yet
    err: diff cache: nothing that diffs show is kept
    err: access: you are a named reader of 0 of 0 encrypted files
    ");
    sandbox.sealwax(["init"]).run().ok();
    sandbox.git(&["config", "diff.sealwax.cachetextconv", "true"]);
    sandbox.git(&["update-ref", "refs/notes/textconv/sealwax", "HEAD"]);
    let identity = sandbox.root().join(".config/sealwax/identity.txt");
    sandbox.command("chmod").args(["644", identity.to_str().unwrap()]).status().unwrap();
    let outcome = sandbox.sealwax(["doctor"]).run();
    assert_eq!(outcome.code, Some(1));
    for words in ["chmod 600", "cachetextconv false"] {
        assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
    }
    sandbox.git(&["config", "diff.sealwax.cachetextconv", "false"]);
    assert!(sandbox.sealwax(["doctor"]).run().stderr.contains("git update-ref -d refs/notes/textconv/sealwax"));
}

#[test]
fn the_doctor_knows_who_cannot_read() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    sandbox.commit_all();
    assert!(sandbox.sealwax(["doctor"]).run().stderr.contains("you are a reader of none of 1 encrypted files"));
    assert!(sandbox.sealwax(["doctor"]).by(&alice).run().stderr.contains("you are a named reader of 1 of 1"));
}

#[test]
fn outside_of_a_repository() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.sealwax(["init"]).run(), @"
    exit 2
    err: error: this folder is in no Git repository
    err: hint: Go to a clone of one, or make one with `git init`.
    ");
}

#[test]
fn hooks_of_others_stay_theirs() {
    let sandbox = bare();
    let shared = sandbox.root().join("shared-hooks");
    std::fs::create_dir(&shared).unwrap();
    sandbox.git(&["config", "core.hooksPath", shared.to_str().unwrap()]);
    let outcome = sandbox.sealwax(["init"]).run();
    assert!(outcome.code == Some(1) && outcome.stderr.contains("core.hooksPath is"), "{outcome}");
    assert_eq!(std::fs::read_dir(&shared).unwrap().count(), 0, "every repository of the user has these hooks");
    sandbox.git(&["config", "--unset", "core.hooksPath"]);
    // Not text, and there all the same.
    sandbox.write(".git/hooks/pre-commit", b"\x7fELF\xff\xfe");
    let outcome = sandbox.sealwax(["init"]).run();
    assert!(outcome.code == Some(1) && outcome.stderr.contains("there is another hook"), "{outcome}");
}

#[test]
fn a_hook_that_git_passes_by_is_none() {
    let sandbox = bare();
    sandbox.sealwax(["init"]).run().ok();
    sandbox.command("chmod").args(["-x", ".git/hooks/pre-commit"]).status().unwrap();
    let outcome = sandbox.sealwax(["init", "--check"]).run();
    assert!(outcome.code == Some(1) && outcome.stderr.contains("chmod +x"), "{outcome}");
}

#[test]
fn links_lead_nowhere() {
    let sandbox = bare();
    let outside = sandbox.root().join("outside");
    std::os::unix::fs::symlink(&outside, sandbox.path(".gitattributes")).unwrap();
    for there in [false, true] {
        if there {
            std::fs::File::create(&outside).unwrap();
        }
        let outcome = sandbox.sealwax(["init"]).run();
        assert!(outcome.code == Some(1) && outcome.stderr.contains(".gitattributes is a symbolic link"), "{outcome}");
    }
    assert_eq!(std::fs::read_to_string(outside).unwrap(), "");
}

#[test]
fn what_is_taken_over_cannot_write_rules() {
    let sandbox = bare();
    let ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN CORP\\alice \"x\"";
    for (name, text) in [("id_ed25519", "no key of ours"), ("id_ed25519.pub", ssh)] {
        let path = sandbox.root().join(".ssh").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), text.as_bytes()).unwrap();
    }
    let injected = "x\\n[[rule]]\\npath = '**'\\nrecipients = ['evil']";
    sandbox.write(
        ".sops.yaml",
        format!(
            "creation_rules:\n  - path_regex: \"{injected}\"\n    age: \"age1x\\\"\\nevil = \\\"age1y\"\n  - encrypted_suffix: \"_x\\\"]\\nrecipients = ['evil']\\n#\"\n"
        ),
    );
    sandbox.sealwax(["init"]).run().ok();
    assert_snapshot!(sandbox.show(".sealwax.toml"), @r#"
    # What sealwax encrypts, and for whom. The first rule that matches a file decides.
    version = 1

    [recipients]
    me = 'ssh-ed25519 BASE64 CORP\alice "x"'

    # .sops.yaml has a rule for x [[rule]] path = '**' recipients = ['evil'], which is no simple path: write it here yourself.

    # As in .sops.yaml for every file
    [[rule]]
    path = "**"
    encrypt = ["**"]
    recipients = ["me"]
    context = "**"

    # Kubernetes Secrets, wherever they are. EncryptedSecrets have their values encrypted in any case.
    [[rule]]
    path = "**"
    kinds = ["Secret", "EncryptedSecret"]
    encrypt = ["data.*", "stringData.*"]
    recipients = ["me"]
    "#);
    sandbox.sealwax(["init", "--check"]).run().ok();
}
