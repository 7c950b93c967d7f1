//! `sealwax decrypt`: who can, what is refused, and what the refusals say.

use insta::assert_snapshot;

use crate::common::{SECRET, Sandbox};

#[test]
fn to_standard_output() {
    let (sandbox, alice) = Sandbox::with_policy();
    let sealed = sandbox.encrypted("db.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run(), @r#"
    exit 0
    out: apiVersion: v1
    out: kind: Secret
    out: metadata:
    out:   namespace: prod
    out:   name: db
    out: stringData:
    out:   # who
    out:   username: s3cr3t-user
    out:   password: "s3cr3t-pass"   # keep
    "#);
    assert_eq!(sandbox.read("db.yaml"), sealed);
}

#[test]
fn several_files_one_after_the_other() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("a.yaml", "password: s3cr3t-a\n");
    sandbox.encrypted("b.yaml", "password: s3cr3t-b\n");
    let outcome = sandbox.sealwax(["decrypt", "a.yaml", "missing.yaml", "b.yaml"]).by(&alice).run();
    assert_snapshot!(outcome, @"
    exit 3
    out: password: s3cr3t-a
    out: password: s3cr3t-b
    err: error: missing.yaml: cannot be read: No such file or directory (os error 2)
    ");
}

#[test]
fn identities_from_everywhere() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    let file = alice.file.to_str().unwrap();
    let key = std::fs::read_to_string(file).unwrap();
    let bob = sandbox.person("bob");
    let runs = [
        sandbox.sealwax(["decrypt", "db.yaml", "--identity", file]),
        sandbox.sealwax(["decrypt", "db.yaml", "-i", bob.file.to_str().unwrap(), "-i", file]),
        sandbox.sealwax(["decrypt", "db.yaml"]).env("SEALWAX_IDENTITY", file),
        sandbox.sealwax(["decrypt", "db.yaml"]).env("SEALWAX_IDENTITY_KEY", &key),
        sandbox.sealwax(["decrypt", "db.yaml"]).env("SEALWAX_IDENTITY_KEY", key.lines().last().unwrap()),
    ];
    for run in runs {
        assert_eq!(run.run().ok(), SECRET);
    }
}

#[test]
fn no_identity_and_the_wrong_one() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    let bob = sandbox.person("bob");
    assert_snapshot!(sandbox.sealwax(["decrypt", "db.yaml"]).run(), @"
    exit 1
    err: error: db.yaml:8: stringData.username: none of your identities is a reader; named readers: alice@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    ");
    assert_snapshot!(sandbox.sealwax(["decrypt", "db.yaml"]).by(&bob).run(), @"
    exit 1
    err: error: db.yaml:8: stringData.username: none of your identities is a reader; named readers: alice@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    ");
}

#[test]
fn identities_that_are_none() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    sandbox.write("public.txt", format!("{}\n", alice.recipient));
    sandbox.write("empty.txt", "# nothing\n");
    sandbox.write("typo.txt", "# one\nAGE-SECRET-KEY-1QQQQQQQQQ\n");
    sandbox.write("other.txt", "s3cr3t-password\n");
    for name in ["missing.txt", "public.txt", "empty.txt", "typo.txt", "other.txt"] {
        let outcome = sandbox.sealwax(["decrypt", "db.yaml", "-i", name]).run();
        assert_eq!(outcome.code, Some(2), "{outcome}");
    }
    assert_snapshot!(sandbox.sealwax(["decrypt", "db.yaml", "-i", "typo.txt"]).run(), @"
    exit 2
    err: error: typo.txt: line 2: not a valid age identity
    ");
    assert_snapshot!(sandbox.sealwax(["decrypt", "db.yaml", "-i", "other.txt"]).run(), @"
    exit 2
    err: error: other.txt: line 1: not an identity
    ");
    assert_snapshot!(sandbox.sealwax(["decrypt", "db.yaml", "-i", "public.txt"]).run(), @"
    exit 2
    err: error: public.txt: line 1: this is a public key; the private one is needed
    ");
    let outcome = sandbox.sealwax(["decrypt", "db.yaml"]).env("SEALWAX_IDENTITY_KEY", "s3cr3t-nonsense").run();
    assert_snapshot!(outcome, @"
    exit 2
    err: error: SEALWAX_IDENTITY_KEY: line 1: not an identity
    ");
}

#[test]
fn in_place_in_a_work_tree_only_by_force() {
    let (sandbox, alice) = Sandbox::with_policy();
    let sealed = sandbox.encrypted("db.yaml", SECRET);
    sandbox.commit_all();
    assert_snapshot!(sandbox.sealwax(["decrypt", "--in-place", "db.yaml"]).by(&alice).run(), @"
    exit 1
    err: error: db.yaml: lies in a Git work tree, where plaintext is easily committed
    err: hint: Use `sealwax edit`, or pass --force.
    ");
    assert_eq!(sandbox.read("db.yaml"), sealed);
    assert_snapshot!(sandbox.sealwax(["decrypt", "--in-place", "--force", "db.yaml"]).by(&alice).run(), @"
    exit 0
    err: db.yaml: opened 2 values; they now stand in the clear
    ");
    assert_eq!(sandbox.read("db.yaml"), SECRET);
}

#[test]
fn in_place_through_a_link_into_a_work_tree() {
    let (sandbox, alice) = Sandbox::with_policy();
    let sealed = sandbox.encrypted("db.yaml", SECRET);
    sandbox.commit_all();
    let link = sandbox.root().join("link.yaml");
    std::os::unix::fs::symlink(sandbox.path("db.yaml"), &link).unwrap();
    let outcome = sandbox.sealwax(["decrypt", "--in-place", link.to_str().unwrap()]).by(&alice).run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert_eq!(sandbox.read("db.yaml"), sealed);
}

#[test]
fn in_place_elsewhere() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["decrypt", "--in-place", "db.yaml"]).by(&alice).run(), @"
    exit 0
    err: db.yaml: opened 2 values; they now stand in the clear
    ");
    assert_eq!(sandbox.read("db.yaml"), SECRET);
    assert_snapshot!(sandbox.sealwax(["decrypt", "--in-place", "-"]).by(&alice).run(), @"
    exit 2
    err: error: --in-place needs a file, not standard input
    ");
}

#[test]
fn a_file_without_encrypted_values() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.write("plain.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["decrypt", "plain.yaml"]).by(&alice).run(), @"
    exit 1
    err: error: plain.yaml: holds no encrypted values
    ");
}

#[test]
fn nothing_is_printed_of_a_file_with_one_bad_value() {
    let (sandbox, alice) = Sandbox::with_policy();
    let sealed = sandbox.encrypted("db.yaml", SECRET);
    let (username, password) = (token(&sealed, "username"), token(&sealed, "password"));
    sandbox.write("swapped.yaml", sealed.replace(username, "@@").replace(password, username).replace("@@", password));
    sandbox.write("moved.yaml", sealed.replace("name: db", "name: cache"));
    sandbox.write("cut.yaml", sealed.replace("]\nsealwax:", "\nsealwax:"));
    sandbox.write("no-block.yaml", sealed.split("sealwax:").next().unwrap());
    sandbox
        .write("widened.yaml", sealed.replace("name: db}", "name: '*'}").replace("    name: db\n", "    name: '*'\n"));
    let names = ["swapped.yaml", "moved.yaml", "cut.yaml", "no-block.yaml", "widened.yaml"];
    assert_snapshot!(sandbox.sealwax(["decrypt"]).args(&names).by(&alice).run(), @"
    exit 3
    err: error: swapped.yaml:8: stringData.username: altered, or sealed for another place
    err: error: moved.yaml:8: stringData.username: altered, or sealed for another place
    err: error: cut.yaml:10: stringData.password: not a valid token: the token is cut off or has white space where none belongs
    err: error: no-block.yaml:8: stringData.username: the document holds tokens and no key block; restore the block from Git
    err: error: widened.yaml:8: stringData.username: altered, or sealed for another place
    ");
}

#[test]
fn a_merge_that_mixed_two_keys() {
    let (sandbox, alice) = Sandbox::with_policy();
    let ours = sandbox.encrypted("db.yaml", SECRET);
    let theirs = sandbox.encrypted("db.yaml", SECRET);
    sandbox.write("db.yaml", ours.replace(token(&ours, "password"), token(&theirs, "password")));
    assert_snapshot!(sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run(), @"
    exit 1
    err: error: db.yaml:10: stringData.password: tokens and wraps of two different keys are mixed, as after a bad merge; take the key block and its tokens from one side
    ");
}

#[test]
fn git_conflict_markers() {
    let (sandbox, alice) = Sandbox::with_policy();
    let sealed = sandbox.encrypted("db.yaml", SECRET);
    sandbox.write("db.yaml", sealed.replace("  # who\n", "<<<<<<< ours\n  # who\n=======\n  # whom\n>>>>>>> theirs\n"));
    assert_snapshot!(sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run(), @"
    exit 3
    err: error: db.yaml:7: the file cannot be read: not valid YAML: simple key expected ':'
    err: hint: Markers of a conflict stand from line 7 on: keep the lines of one side, delete the others with the markers.
    ");
}

/// The token at a key, as it stands in the file.
fn token<'t>(sealed: &'t str, key: &str) -> &'t str {
    let after = &sealed[sealed.find(&format!("{key}: ")).unwrap()..];
    let start = after.find("ENC[").unwrap();
    let end = after.find(']').unwrap();
    &after[start..=end]
}
