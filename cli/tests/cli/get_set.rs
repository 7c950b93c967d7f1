//! `sealwax get`, `set` and `unset`.

use insta::assert_snapshot;

use crate::common::{SECRET, Sandbox};

const NESTED: &str = "db:\n  password: s3cr3t-db\nsmtp:\n  password: s3cr3t-smtp\n  host: mail\nlist:\n  - token: s3cr3t-0\n  - token: s3cr3t-1\n";

#[test]
fn get_prints_the_value_and_nothing_else() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    let get = |path: &str| sandbox.sealwax(["get", "db.yaml", path]).by(&alice).run();
    assert_snapshot!(get("stringData.password"), @"
    exit 0
    out: s3cr3t-pass
    ");
    assert_eq!(get("password").ok(), "s3cr3t-pass", "no line break is added");
    assert_eq!(get("metadata.name").ok(), "db", "values in the clear too");
    assert_eq!(
        sandbox.sealwax(["get", "-", "password"]).by(&alice).input(sandbox.read("db.yaml")).run().ok(),
        "s3cr3t-pass"
    );
}

#[test]
fn get_of_what_is_not_there() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    let get = |path: &str| sandbox.sealwax(["get", "db.yaml", path]).by(&alice).run();
    assert_snapshot!(get("nothing"), @"
    exit 1
    err: error: db.yaml: nothing: there is no value at this path
    ");
    assert_snapshot!(get("stringData"), @"
    exit 1
    err: error: db.yaml: stringData: this is a mapping or a list; name one value in it
    ");
    assert_snapshot!(get("a..b"), @r#"
    exit 2
    err: error: a..b: a segment is empty; write keys separated by single dots, or "" for an empty key
    "#);
    assert_snapshot!(sandbox.sealwax(["get", "db.yaml", "password"]).run(), @"
    exit 1
    err: error: db.yaml:10: stringData.password: none of your identities is a reader; named readers: alice@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    ");
}

#[test]
fn short_paths_where_they_are_unambiguous() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", NESTED);
    let get = |path: &str| sandbox.sealwax(["get", "db.yaml", path]).by(&alice).run();
    assert_snapshot!(get("password"), @"
    exit 2
    err: error: db.yaml: password may be any of db.password, smtp.password
    err: hint: Write more of the path.
    ");
    assert_eq!(get("smtp.password").ok(), "s3cr3t-smtp");
    assert_eq!(get("list[1].token").ok(), "s3cr3t-1");
    assert_snapshot!(sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t-x").run(), @"
    exit 2
    err: error: db.yaml: password may be any of db.password, smtp.password
    err: hint: Write more of the path.
    ");
}

#[test]
fn set_from_standard_input_drops_one_line_break_and_says_so() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t-new\n").run(), @"
    exit 0
    err: one final line break of standard input was dropped (--keep-newline keeps it)
    err: db.yaml: sealed stringData.password for Secret prod/db, readers: alice
    ");
    let after = sandbox.read("db.yaml");
    assert_eq!(after.find("password:"), before.find("password:"));
    assert!(after.ends_with(&before[before.find("sealwax:").unwrap()..]), "the key block is untouched");
    for (input, flags, expected) in [
        ("s3cr3t-new", &[][..], "s3cr3t-new"),
        ("s3cr3t-new\r\n", &[], "s3cr3t-new"),
        ("s3cr3t-new\n\n", &[], "s3cr3t-new\n"),
        ("s3cr3t-new\n", &["--keep-newline"], "s3cr3t-new\n"),
        ("s3cr3t: [ # \"'\\ \u{e9}\u{1f511}", &[], "s3cr3t: [ # \"'\\ \u{e9}\u{1f511}"),
        ("", &[], ""),
    ] {
        sandbox.sealwax(["set", "db.yaml", "password"]).args(flags).input(input).run().ok();
        assert_eq!(sandbox.sealwax(["get", "db.yaml", "password"]).by(&alice).run().ok(), expected);
    }
}

#[test]
fn set_from_a_file_exactly() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    let bytes = b"s3cr3t\r\n\x00\xff\n\n";
    sandbox.write("value", bytes);
    assert_snapshot!(sandbox.sealwax(["set", "db.yaml", "password", "--value-file", "value"]).run(), @"
    exit 0
    err: db.yaml: sealed stringData.password for Secret prod/db, readers: alice
    ");
    let outcome = sandbox.sealwax(["get", "db.yaml", "password"]).by(&alice).run();
    assert_eq!(outcome.stdout, bytes);
    assert_snapshot!(sandbox.sealwax(["set", "db.yaml", "password", "--value-file", "missing"]).run(), @"
    exit 3
    err: error: missing: cannot be read: No such file or directory (os error 2)
    ");
}

#[test]
fn set_from_the_environment() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    let set = || sandbox.sealwax(["set", "db.yaml", "password", "--from-env", "DB_PASSWORD"]);
    assert_snapshot!(set().env("DB_PASSWORD", "s3cr3t-env\n").run(), @"
    exit 0
    err: db.yaml: sealed stringData.password for Secret prod/db, readers: alice
    ");
    assert_eq!(sandbox.sealwax(["get", "db.yaml", "password"]).by(&alice).run().ok(), "s3cr3t-env\n");
    assert_snapshot!(set().run(), @"
    exit 2
    err: error: the environment variable DB_PASSWORD is not set
    ");
}

#[test]
fn set_generates_a_different_value_for_each_path() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["set", "db.yaml", "password", "username", "--generate", "40"]).run(), @"
    exit 0
    err: db.yaml: sealed stringData.password for Secret prod/db, readers: alice
    err: db.yaml: sealed stringData.username for Secret prod/db, readers: alice
    ");
    let get = |path: &str| sandbox.sealwax(["get", "db.yaml", path]).by(&alice).run().ok();
    let (password, username) = (get("password"), get("username"));
    assert_ne!(password, username);
    for value in [password, username] {
        assert_eq!(value.len(), 40);
        assert!(value.chars().all(|c| c.is_ascii_alphanumeric()));
    }
    assert_eq!(sandbox.sealwax(["set", "db.yaml", "password", "--generate", "0"]).run().code, Some(2));
}

#[test]
fn set_never_takes_a_value_from_the_command_line() {
    let (sandbox, _) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    let flags = ["--value-file", "x", "--generate", "3"];
    let outcome = sandbox.sealwax(["set", "db.yaml", "password"]).args(&flags).run();
    assert_eq!(outcome.code, Some(2), "sources exclude each other: {outcome}");
    assert_eq!(sandbox.read("db.yaml"), before);
}

#[test]
fn set_of_new_keys() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["set", "db.yaml", "api-key"]).input("s3cr3t-key").run(), @"
    exit 0
    err: db.yaml: sealed stringData.api-key for Secret prod/db, readers: alice
    ");
    let plain = sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run().ok();
    assert_eq!(plain, format!("{SECRET}  api-key: s3cr3t-key\n"));
    assert_snapshot!(sandbox.sealwax(["set", "db.yaml", "metadata.labels"]).input("s3cr3t").run(), @"
    exit 2
    err: error: db.yaml: metadata.labels: no pattern of the rule selects it
    err: hint: Add it to encrypt in the policy's rule, or pass --select PATTERN.
    ");
}

#[test]
fn set_refuses_what_no_rule_selects() {
    let (sandbox, _) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", NESTED);
    assert_snapshot!(sandbox.sealwax(["set", "db.yaml", "smtp.host"]).input("s3cr3t-host").run(), @"
    exit 2
    err: error: db.yaml: smtp.host: no pattern of the rule selects it
    err: hint: Add it to encrypt in the policy's rule, or pass --select PATTERN.
    ");
    assert_snapshot!(sandbox.sealwax(["set", "-", "smtp.host"]).input("s3cr3t-host").run(), @"
    exit 2
    err: error: set needs a file, not standard input
    ");
    assert_eq!(sandbox.read("db.yaml"), before);
}

#[test]
fn set_in_a_plain_file() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.write("db.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t").run(), @"
    exit 1
    err: error: db.yaml:8: stringData.username: other values that should be encrypted stand in the clear; run `sealwax encrypt` first
    ");
    sandbox.write("one.yaml", "a: 1\npassword: s3cr3t-old\n");
    assert_snapshot!(sandbox.sealwax(["set", "one.yaml", "password"]).input("s3cr3t").run(), @r#"
    exit 0
    err: one.yaml: sealed password for context "values of the tests", readers: alice
    "#);
    assert_snapshot!(sandbox.show("one.yaml"), @r#"
    a: 1
    password: >-
      ENC[wax1,KEYID,BASE64,
      alice@FINGERPRINT:BASE64]
    sealwax:
      version: 1
      sealedFor: {context: "values of the tests"}
    "#);
}

#[test]
fn set_several_paths_to_one_value() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", NESTED);
    sandbox.sealwax(["set", "db.yaml", "db.password", "smtp.password"]).input("s3cr3t-both").run().ok();
    for path in ["db.password", "smtp.password"] {
        assert_eq!(sandbox.sealwax(["get", "db.yaml", path]).by(&alice).run().ok(), "s3cr3t-both");
    }
}

#[test]
fn documents_are_chosen_by_number_or_name() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("all.yaml", &format!("{SECRET}---\n{}", SECRET.replace("name: db", "name: cache")));
    let get = |doc: &[&str]| sandbox.sealwax(["get", "all.yaml", "password"]).args(doc).by(&alice).run();
    assert_snapshot!(get(&[]), @"
    exit 2
    err: error: all.yaml: holds 2 documents
    err: hint: Choose one with --doc N or --doc Kind/name.
    ");
    assert_snapshot!(get(&["--doc", "3"]), @"
    exit 2
    err: error: all.yaml: has no document 3
    ");
    assert_snapshot!(get(&["--doc", "Secret/nothing"]), @"
    exit 2
    err: error: all.yaml: has no document Secret/nothing
    ");
    sandbox.sealwax(["set", "all.yaml", "password", "--doc", "Secret/cache"]).input("s3cr3t-2").run().ok();
    assert_eq!(get(&["--doc", "1"]).ok(), "s3cr3t-pass");
    assert_eq!(get(&["--doc", "2"]).ok(), "s3cr3t-2");
    assert_eq!(get(&["--doc", "Secret/cache"]).ok(), "s3cr3t-2");
    sandbox.sealwax(["unset", "all.yaml", "password", "--doc", "2"]).run().ok();
    assert_eq!(get(&["--doc", "2"]).code, Some(1));
    assert_eq!(get(&["--doc", "1"]).ok(), "s3cr3t-pass");
}

#[test]
fn items_of_data_are_base64_in_the_file_only() {
    let (sandbox, alice) = Sandbox::with_policy();
    let secret = SECRET
        .replace("stringData:", "data:")
        .replace("s3cr3t-user", "czNjcjN0LXVzZXI=")
        .replace("s3cr3t-pass", "czNjcjN0LXBhc3M=");
    sandbox.encrypted("db.yaml", &secret);
    let get = |path: &str| sandbox.sealwax(["get", "db.yaml", path]).by(&alice).run();
    assert_eq!(get("username").ok(), "s3cr3t-user");
    sandbox.sealwax(["set", "db.yaml", "data.password"]).input("s3cr3t-new").run().ok();
    assert_eq!(get("password").ok(), "s3cr3t-new");
    sandbox.sealwax(["set", "db.yaml", "data.\"tls.key\""]).input(b"s3cr3t\x00\xff").run().ok();
    assert_eq!(get("data.\"tls.key\"").stdout, b"s3cr3t\x00\xff");
    assert_snapshot!(sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run(), @"
    exit 0
    out: apiVersion: v1
    out: kind: Secret
    out: metadata:
    out:   namespace: prod
    out:   name: db
    out: data:
    out:   # who
    out:   username: czNjcjN0LXVzZXI=
    out:   password: czNjcjN0LW5ldw==   # keep
    out:   tls.key: czNjcjN0AP8=
    ");
}

#[test]
fn unset_removes_the_entry() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["unset", "db.yaml", "username"]).run(), @"
    exit 0
    err: db.yaml: removed stringData.username; Git's history still holds it, encrypted
    ");
    let plain = sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run().ok();
    assert_eq!(plain, SECRET.replace("  username: s3cr3t-user\n", ""));
    assert_snapshot!(sandbox.sealwax(["unset", "db.yaml", "username"]).run(), @"
    exit 1
    err: error: db.yaml: username: there is no value at this path
    ");
    assert_snapshot!(sandbox.sealwax(["unset", "db.yaml", "password"]).run(), @"
    exit 1
    err: error: db.yaml: stringData.password: the file was left as it is: it is the only entry of its mapping; remove the mapping instead
    ");
}
