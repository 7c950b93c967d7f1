//! Files on the disk: modes, links, unchanged files, and writers that meet.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use insta::assert_snapshot;

use crate::common::{SECRET, Sandbox};

#[test]
fn the_mode_is_kept() {
    let (sandbox, alice) = Sandbox::with_policy();
    for mode in [0o600, 0o640, 0o755] {
        let path = sandbox.write("db.yaml", SECRET);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        sandbox.sealwax(["encrypt", "db.yaml"]).run().ok();
        sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t").run().ok();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
        // Plaintext is for its owner alone, whoever could read the ciphertext.
        sandbox.sealwax(["decrypt", "--in-place", "db.yaml"]).by(&alice).run().ok();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode & 0o700);
    }
}

#[test]
fn a_symbolic_link_stays_one_and_its_target_is_replaced() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.write("real/db.yaml", SECRET);
    symlink("real/db.yaml", sandbox.path("db.yaml")).unwrap();
    sandbox.sealwax(["encrypt", "db.yaml"]).run().ok();
    assert!(sandbox.path("db.yaml").is_symlink());
    assert!(sandbox.read("real/db.yaml").contains("ENC[wax1,"));
    assert!(!sandbox.path("real/db.yaml").is_symlink());
}

#[test]
fn an_unchanged_file_is_not_written() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    let identity = |name: &str| {
        let metadata = fs::metadata(sandbox.path(name)).unwrap();
        (metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.ctime_nsec())
    };
    let before = identity("db.yaml");
    sandbox.sealwax(["encrypt", "db.yaml"]).run().ok();
    sandbox.sealwax(["rekey", "db.yaml"]).by(&alice).run().ok();
    sandbox.sealwax(["edit", "db.yaml"]).by(&alice).env("EDITOR", "true").run().ok();
    sandbox.sealwax(["verify", "db.yaml"]).by(&alice).run().ok();
    assert_eq!(identity("db.yaml"), before);
}

#[test]
fn a_folder_that_cannot_be_written() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.write("folder/db.yaml", SECRET);
    // Root may write everywhere, but not into a folder that is gone: a dangling link and a folder as a file.
    symlink("nowhere.yaml", sandbox.path("dangling.yaml")).unwrap();
    assert_snapshot!(sandbox.sealwax(["encrypt", "dangling.yaml", "folder"]).run(), @"
    exit 3
    err: error: dangling.yaml: cannot be read: No such file or directory (os error 2)
    err: error: folder: cannot be read: Is a directory (os error 21)
    ");
}

#[test]
fn a_file_changed_meanwhile_is_not_overwritten() {
    let (sandbox, alice) = Sandbox::with_policy();
    let sealed = sandbox.encrypted("db.yaml", SECRET);
    let original = sandbox.path("db.yaml");
    let editor = sandbox.script(
        "editor",
        &format!(
            "sed -i.bak s/s3cr3t-pass/s3cr3t-mine/ \"$1\"\nrm \"$1.bak\"\necho '# theirs' >> '{}'",
            original.display()
        ),
    );
    let outcome = sandbox.sealwax(["edit", "db.yaml"]).by(&alice).env("EDITOR", editor).run();
    assert_snapshot!(outcome, @"
    exit 1
    err: error: [HOME]/repo/db.yaml: changed by someone else meanwhile; nothing was written
    err: hint: Run the command again.
    err: hint: Your edit was kept, encrypted, in db.yaml.edited.
    ");
    assert_eq!(sandbox.read("db.yaml"), format!("{sealed}# theirs\n"));
    let kept = sandbox.sealwax(["get", "db.yaml.edited", "password"]).by(&alice).run();
    assert_eq!(kept.code, Some(0), "what was typed is not lost");
    sandbox.assert_clean();
}

#[test]
fn a_file_that_disappeared_meanwhile_is_not_brought_back() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    let editor =
        sandbox.script("editor", &format!("echo '# mine' >> \"$1\"\nrm '{}'", sandbox.path("db.yaml").display()));
    let outcome = sandbox.sealwax(["edit", "db.yaml"]).by(&alice).env("EDITOR", editor).run();
    assert_snapshot!(outcome, @"
    exit 1
    err: error: db.yaml: cannot be written: No such file or directory (os error 2)
    err: hint: Your edit was kept, encrypted, in db.yaml.edited.
    ");
    assert!(!sandbox.path("db.yaml").exists());
    sandbox.assert_clean();
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    let program = env!("CARGO_BIN_EXE_sealwax");
    let script = format!("'{program}' decrypt db.yaml | true; exit ${{PIPESTATUS[0]}}");
    let status = sandbox.command("bash").args(["-c", &script]).env("SEALWAX_IDENTITY", &alice.file).status().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn nobody_who_listens_is_no_failure() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    let calls = [("decrypt db.yaml none.yaml", 3), ("rekey --fold db.yaml", 0), ("status none.yaml db.yaml", 3)];
    for (call, code) in calls {
        let mut shell = sandbox.command("sh");
        shell.args(["-c", &format!("\"$0\" {call} 2>/dev/full"), env!("CARGO_BIN_EXE_sealwax")]);
        assert_eq!(shell.env("SEALWAX_IDENTITY", &alice.file).output().unwrap().status.code(), Some(code), "{call}");
    }
}

#[test]
fn names_move_no_cursor() {
    let (sandbox, _) = Sandbox::with_policy();
    let outcome = sandbox.sealwax(["decrypt", "a\u{1b}[2Kb\u{202e}c.yaml"]).run();
    assert!(outcome.stderr.contains("a\\u{1b}[2Kb\\u{202e}c.yaml"), "{outcome}");
}
