//! What `sealwax encrypt` refuses, and that it says where.

use insta::assert_snapshot;

use crate::common::{SECRET, Sandbox};
use crate::encrypt::VALUES;

#[test]
fn what_shares_a_value_by_reference_is_refused() {
    let (sandbox, _) = Sandbox::with_policy();
    for (name, text) in [
        ("anchor.yaml", "db:\n  password: &p s3cr3t-1\n"),
        ("alias.yaml", "x: &p s3cr3t-1\ndb:\n  password: *p\n"),
        ("merge.yaml", "x: &x\n  password: s3cr3t-1\ndb:\n  <<: *x\n"),
        ("around.yaml", "db: &db\n  password: s3cr3t-1\n"),
    ] {
        sandbox.write(name, text);
    }
    let outcome = sandbox.sealwax(["encrypt", "anchor.yaml", "alias.yaml", "merge.yaml", "around.yaml"]).run();
    assert_snapshot!(outcome, @"
    exit 1
    err: error: anchor.yaml:2: db.password: the value cannot be encrypted: an anchor (&name) stands on it or around it; write the value out at each place and remove the anchor
    err: error: alias.yaml:3: db.password: the value cannot be encrypted: it is an alias (*name); write the value out
    err: error: merge.yaml:4: db.password: the value cannot be encrypted: it is reached through a merge key (<<); write the value out
    err: error: around.yaml:2: db.password: the value cannot be encrypted: an anchor (&name) stands on it or around it; write the value out at each place and remove the anchor
    ");
}

#[test]
fn errors_name_file_line_and_path() {
    let (sandbox, _) = Sandbox::with_policy();
    for (name, text) in [
        ("duplicate.yaml", "a: 1\npassword: s3cr3t-1\npassword: s3cr3t-2\n"),
        ("token.yaml", "a: 1\ndb:\n  password: ENC[wax1,s3cr3t]\n"),
        ("other-token.yaml", "db:\n  token: ENC[AES256_GCM,data:s3cr3t]\n"),
        ("key.yaml", "443:\n  password: s3cr3t-1\n"),
        ("tag.yaml", "db:\n  password: !vault s3cr3t-1\n"),
        ("json.json", "{\"password\": \"s3cr3t-1\",}\n"),
        ("list.yaml", "- password: s3cr3t-1\n"),
        ("latin1.yaml", "password: s3cr3t-1\n"),
    ] {
        sandbox.write(name, text);
    }
    sandbox.write("latin1.yaml", b"password: s3cr3t-\xe9\n");
    let names = ["duplicate.yaml", "token.yaml", "other-token.yaml", "key.yaml", "tag.yaml", "json.json", "list.yaml"];
    assert_snapshot!(sandbox.sealwax(["encrypt"]).args(&names).args(&["latin1.yaml"]).run(), @"
    exit 3
    err: error: duplicate.yaml:3: the file cannot be read: a key stands twice in the same mapping; readers disagree on which one counts, so remove one
    err: error: token.yaml:3: db.password: not a valid token: the token is cut off or has white space where none belongs
    err: error: other-token.yaml:2: db.token: not a valid token: encrypted in a form that this version does not know
    err: error: key.yaml:2: 443.password: the value cannot be encrypted: a key on its path is not a string; put the key in quotes
    err: error: tag.yaml:2: db.password: the value cannot be encrypted: its tag gives it a meaning that encryption would lose; remove the tag or leave the value in the clear
    err: error: json.json:1: the file cannot be read: not valid JSON
    err: error: list.yaml:1: the document is not a mapping, so there is no place for its key block
    err: error: latin1.yaml: not UTF-8 text
    ");
}

#[test]
fn a_copy_of_the_values_in_an_annotation_is_refused() {
    let (sandbox, _) = Sandbox::with_policy();
    let annotation = "  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: '{\"a\":\"s3cr3t\"}'\n";
    sandbox.write("db.yaml", SECRET.replace("stringData:\n", &format!("{annotation}stringData:\n")));
    assert_snapshot!(sandbox.sealwax(["encrypt", "db.yaml"]).run(), @r#"
    exit 1
    err: error: db.yaml: metadata.annotations."kubectl.kubernetes.io/last-applied-configuration": holds the values in the clear
    err: hint: Remove this annotation; it is a copy that kubectl made of what was applied.
    "#);
}

#[test]
fn numbers_are_no_items_of_an_encrypted_secret() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.write(
        "db.yaml",
        "apiVersion: sealwax.dev/v1alpha1\nkind: EncryptedSecret\nmetadata: {namespace: prod, name: db}\nspec:\n  data:\n    pin: 31337\n",
    );
    assert_snapshot!(sandbox.sealwax(["encrypt", "db.yaml"]).run(), @"
    exit 1
    err: error: db.yaml:6: spec.data.pin: the value is not a string; put it in quotes, as Kubernetes wants it
    ");
}

#[test]
fn no_recipient_no_pattern_no_place() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    let to = alice.to();
    sandbox.write("db.yaml", SECRET);
    sandbox.write("bare.yaml", SECRET.replace("  namespace: prod\n", ""));
    sandbox.write("values.yaml", VALUES);
    assert_snapshot!(sandbox.sealwax(["encrypt", "db.yaml"]).run(), @"
    exit 2
    err: error: db.yaml: no policy governs this file, and there is no --to
    err: hint: Write a .sealwax.toml at the root of the repository, or pass --to RECIPIENT; no rule of a .sops.yaml matches it either.
    ");
    assert_snapshot!(sandbox.sealwax(["encrypt", "db.yaml", "--to", &to]).run(), @r#"
    exit 2
    err: error: db.yaml: nothing says which values to encrypt
    err: hint: Write encrypt = ["data.*", …] in the policy's rule, or pass --select 'data.*' (everything: '**').
    "#);
    assert_snapshot!(sandbox.sealwax(["encrypt", "bare.yaml", "--to", &to, "--select", "stringData.*"]).run(), @"
    exit 2
    err: error: bare.yaml: no namespace is known; write metadata.namespace, or pass --namespace or --scope cluster
    ");
    assert_snapshot!(sandbox.sealwax(["encrypt", "db.yaml", "--to", &to, "--select", "strinData.*"]).run(), @"
    exit 2
    err: error: db.yaml:1: the patterns select no value of this Secret
    err: hint: Check the spelling of the patterns: data.* and stringData.* hold a Secret's items.
    ");
    assert_snapshot!(sandbox.sealwax(["encrypt", "db.yaml", "--to", &to, "--select", "a..b"]).run(), @r#"
    exit 2
    err: error: --select: a segment is empty; write keys separated by single dots, or "" for an empty key
    "#);
    let place = ["encrypt", "values.yaml", "--to", &to, "--select", "**.password", "--scope", "cluster"];
    assert_snapshot!(sandbox.sealwax(place).run(), @"
    exit 2
    err: error: values.yaml: --scope and --for are for Kubernetes objects
    err: hint: This file has no apiVersion and kind; use --context TEXT.
    ");
    assert_eq!(sandbox.read("db.yaml"), SECRET);
}

#[test]
fn recipients_that_are_none() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    sandbox.write("db.yaml", SECRET);
    let secret_key = std::fs::read_to_string(&alice.file).unwrap();
    let private = secret_key.lines().last().unwrap();
    let mistyped = alice.recipient.replacen("age1", "age1q", 1);
    for (to, shown) in [(private, "private"), (mistyped.as_str(), "mistyped"), ("bob", "name")] {
        let outcome = sandbox.sealwax(["encrypt", "db.yaml", "--to", to, "--select", "**"]).run();
        assert_eq!(outcome.code, Some(2), "{shown}: {outcome}");
    }
    assert_snapshot!(sandbox.sealwax(["encrypt", "db.yaml", "--to", private, "--select", "**"]).run(), @"
    exit 2
    err: error: --to: this is a private key; a recipient is the public half, and the private one should be replaced now
    ");
    let alice_twice = ["encrypt", "db.yaml", "--to", &alice.to(), "--to", &alice.to(), "--select", "stringData.*"];
    assert_snapshot!(sandbox.sealwax(alice_twice).run(), @"
    exit 0
    err: db.yaml: sealed 2 for Secret prod/db, readers: alice, alice
    ");
}
