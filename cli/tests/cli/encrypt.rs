//! `sealwax encrypt`: what it changes and what it says.

use insta::assert_snapshot;

use crate::common::{SECRET, Sandbox};

/// A file with two values to encrypt.
pub(crate) const VALUES: &str = "db:\n  host: db.example.org\n  password: s3cr3t-db\nsmtp:\n  token: s3cr3t-smtp\n";

#[test]
fn in_place_without_a_policy() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    sandbox.write("db.yaml", SECRET);
    let outcome = sandbox.sealwax(["encrypt", "db.yaml", "--to", &alice.to(), "--select", "stringData.*"]).run();
    assert_snapshot!(outcome, @"
    exit 0
    err: db.yaml: sealed 2 for Secret prod/db, readers: alice
    ");
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
}

#[test]
fn by_policy() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.write("values.yaml", VALUES);
    assert_snapshot!(sandbox.sealwax(["encrypt", "values.yaml"]).run(), @r#"
    exit 0
    err: values.yaml: sealed 2 for context "values of the tests", readers: alice
    "#);
    assert_snapshot!(sandbox.show("values.yaml"), @r#"
    db:
      host: db.example.org
      password: >-
        ENC[wax1,SHORT,BASE64]
    smtp:
      token: >-
        ENC[wax1,SHORT,BASE64]
    sealwax:
      version: 1
      sealedFor: {context: "values of the tests"}
      key: KEYID
      readers:
        alice@FINGERPRINT: >-
          SHORT:BASE64
    "#);
}

#[test]
fn to_standard_output_leaves_the_file() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.write("values.yaml", VALUES);
    assert_snapshot!(sandbox.sealwax(["encrypt", "--stdout", "values.yaml"]).run(), @r#"
    exit 0
    out: db:
    out:   host: db.example.org
    out:   password: >-
    out:     ENC[wax1,SHORT,BASE64]
    out: smtp:
    out:   token: >-
    out:     ENC[wax1,SHORT,BASE64]
    out: sealwax:
    out:   version: 1
    out:   sealedFor: {context: "values of the tests"}
    out:   key: KEYID
    out:   readers:
    out:     alice@FINGERPRINT: >-
    out:       SHORT:BASE64
    err: values.yaml: sealed 2 for context "values of the tests", readers: alice
    "#);
    assert_eq!(sandbox.read("values.yaml"), VALUES);
}

#[test]
fn standard_input_with_the_rule_of_a_path() {
    let (sandbox, alice) = Sandbox::with_policy();
    let outcome = sandbox.sealwax(["encrypt", "-", "--path", "prod/values.yaml"]).input(VALUES).run();
    assert_snapshot!(outcome, @"
    exit 3
    err: error: prod: cannot be read: No such file or directory (os error 2)
    ");

    std::fs::create_dir(sandbox.path("prod")).unwrap();
    let outcome = sandbox.sealwax(["encrypt", "-", "--path", "prod/values.yaml"]).input(VALUES).run();
    assert_snapshot!(outcome, @r#"
    exit 0
    out: db:
    out:   host: db.example.org
    out:   password: >-
    out:     ENC[wax1,SHORT,BASE64]
    out: smtp:
    out:   token: >-
    out:     ENC[wax1,SHORT,BASE64]
    out: sealwax:
    out:   version: 1
    out:   sealedFor: {context: "values of the tests"}
    out:   key: KEYID
    out:   readers:
    out:     alice@FINGERPRINT: >-
    out:       SHORT:BASE64
    err: standard input: sealed 2 for context "values of the tests", readers: alice
    "#);
    let plain = sandbox.sealwax(["decrypt", "-"]).by(&alice).input(&outcome.stdout).run().ok();
    assert_eq!(plain, VALUES);
}

#[test]
fn one_bad_file_stops_no_other_and_the_worst_decides() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.write("a.yaml", VALUES);
    sandbox.write("refused.yaml", "password: &x s3cr3t-anchored\nother: *x\n");
    sandbox.write("broken.yaml", "password: s3cr3t-1\n  oops: [s3cr3t-2\n");
    sandbox.write("z.yaml", VALUES);
    let outcome = sandbox.sealwax(["encrypt", "a.yaml", "refused.yaml", "broken.yaml", "missing.yaml", "z.yaml"]).run();
    assert_snapshot!(outcome, @r#"
    exit 3
    err: a.yaml: sealed 2 for context "values of the tests", readers: alice
    err: error: refused.yaml:1: password: the value cannot be encrypted: an anchor (&name) stands on it or around it; write the value out at each place and remove the anchor
    err: error: broken.yaml:2: the file cannot be read: not valid YAML: mapping values are not allowed in this context
    err: error: missing.yaml: cannot be read: No such file or directory (os error 2)
    err: z.yaml: sealed 2 for context "values of the tests", readers: alice
    "#);
    for name in ["a.yaml", "z.yaml"] {
        assert!(!sandbox.read(name).contains("s3cr3t"), "{name} is encrypted");
    }
    assert!(sandbox.read("refused.yaml").contains("s3cr3t-anchored"), "left as it was");
    sandbox.assert_clean();
}

#[test]
fn each_document_by_its_own_rule() {
    let (sandbox, alice) = Sandbox::with_policy();
    let text = format!(
        "{SECRET}---\npassword: s3cr3t-plain\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{namespace: prod, name: c}}\ndata: {{a: b}}\n"
    );
    sandbox.write("all.yaml", &text);
    assert_snapshot!(sandbox.sealwax(["encrypt", "all.yaml"]).run(), @r#"
    exit 0
    err: all.yaml: sealed 2 for Secret prod/db, readers: alice
    err: all.yaml: sealed 1 for context "values of the tests", readers: alice
    "#);
    assert_eq!(sandbox.sealwax(["decrypt", "all.yaml"]).by(&alice).run().ok(), text);
}

#[test]
fn what_is_encrypted_stays_and_what_was_added_gets_a_key_of_its_own() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("values.yaml", VALUES);
    assert_snapshot!(sandbox.sealwax(["encrypt", "values.yaml"]).run(), @"
    exit 0
    err: values.yaml: nothing new to encrypt (2 encrypted)
    ");
    assert_eq!(sandbox.read("values.yaml"), before);

    let added = before.replacen("smtp:\n", "smtp:\n  password: s3cr3t-new\n", 1);
    sandbox.write("values.yaml", &added);
    assert_snapshot!(sandbox.sealwax(["encrypt", "values.yaml"]).run(), @r#"
    exit 0
    err: values.yaml: sealed 1 (2 kept) for context "values of the tests", readers: alice
    "#);
    let after = sandbox.read("values.yaml");
    let kept = before.lines().filter(|line| !after.contains(line)).count();
    assert_eq!(kept, 0, "every line of before is still there");
    assert_snapshot!(sandbox.show("values.yaml"), @r#"
    db:
      host: db.example.org
      password: >-
        ENC[wax1,SHORT,BASE64]
    smtp:
      password: >-
        ENC[wax1,KEYID,BASE64,
        alice@FINGERPRINT:BASE64]
      token: >-
        ENC[wax1,SHORT,BASE64]
    sealwax:
      version: 1
      sealedFor: {context: "values of the tests"}
      key: KEYID
      readers:
        alice@FINGERPRINT: >-
          SHORT:BASE64
    "#);
    let plain = sandbox.sealwax(["decrypt", "values.yaml"]).by(&alice).run().ok();
    assert_eq!(plain, VALUES.replacen("smtp:\n", "smtp:\n  password: s3cr3t-new\n", 1));
}

#[test]
fn many_keys_of_their_own_call_for_a_fold() {
    let (sandbox, _) = Sandbox::with_policy();
    let before = sandbox.encrypted("values.yaml", "password: s3cr3t-0\n");
    let added: String = (1..=9).map(|n| format!("x{n}: {{password: s3cr3t-{n}}}\n")).collect();
    sandbox.write("values.yaml", format!("{added}{before}"));
    assert_snapshot!(sandbox.sealwax(["encrypt", "values.yaml"]).run(), @r#"
    exit 0
    err: values.yaml: sealed 9 (1 kept) for context "values of the tests", readers: alice
    err: hint: values.yaml: 9 values carry a key of their own; someone who can read them may run `sealwax rekey --fold`.
    "#);
}

#[test]
fn a_null_stays_and_is_reported() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.write("values.yaml", "a: {password: null}\nb: {password: s3cr3t-b}\nc: {password: \"\"}\n");
    assert_snapshot!(sandbox.sealwax(["encrypt", "values.yaml"]).run(), @r#"
    exit 0
    err: values.yaml: sealed 2 for context "values of the tests", readers: alice
    err: warning: values.yaml: a.password is null and stays in the clear
    "#);
    assert_snapshot!(sandbox.show("values.yaml"), @r#"
    a: {password: null}
    b: {password: "ENC[wax1,SHORT,BASE64]"}
    c: {password: "ENC[wax1,SHORT,BASE64]"}
    sealwax:
      version: 1
      sealedFor: {context: "values of the tests"}
      key: KEYID
      readers:
        alice@FINGERPRINT: >-
          SHORT:BASE64
    "#);
}

#[test]
fn everything_selected_leaves_identity_and_kind() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {namespace: prod, name: db, labels: {a: b}}\ntype: Opaque\nimmutable: true\nstringData: {a: s3cr3t-a, pin: '31337'}\n";
    sandbox.write("db.yaml", text);
    sandbox.sealwax(["encrypt", "db.yaml", "--to", &alice.to(), "--select", "**"]).run().ok();
    assert_snapshot!(sandbox.show("db.yaml"), @r#"
    apiVersion: v1
    kind: Secret
    metadata: {namespace: prod, name: db, labels: {a: b}}
    type: >-
      ENC[wax1,SHORT,BASE64]
    immutable: >-
      ENC[wax1,SHORT,BASE64]
    stringData: {a: "ENC[wax1,SHORT,BASE64]", pin: "ENC[wax1,SHORT,BASE64]"}
    sealwax:
      version: 1
      sealedFor: {namespace: prod, name: db}
      key: KEYID
      readers:
        alice@FINGERPRINT: >-
          SHORT:BASE64
    "#);
    assert_eq!(sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run().ok(), text);
}

#[test]
fn without_a_context_it_hints() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    sandbox.write("values.yaml", VALUES);
    let outcome =
        sandbox.sealwax(["encrypt", "--stdout", "values.yaml", "--to", &alice.to(), "--select", "db.password"]).run();
    assert_snapshot!(outcome.stderr, @"
    values.yaml: sealed 1 for files without a context, readers: alice
    hint: values.yaml: sealed without a context, so its values also open in other files without one; pass --context TEXT or write context in the policy's rule.
    ");
    let outcome = sandbox
        .sealwax(["encrypt", "--stdout", "values.yaml", "--to", &alice.to(), "--select", "db.password"])
        .args(&["--context", "payments"])
        .run();
    assert_snapshot!(outcome.stderr, @r#"values.yaml: sealed 1 for context "payments", readers: alice"#);
}

#[test]
fn scopes_and_patterns_of_places() {
    let (sandbox, alice) = Sandbox::with_policy();
    for flags in [&["--scope", "namespace"][..], &["--scope", "cluster"], &["--for", "preview-*/db"]] {
        sandbox.write("db.yaml", SECRET.replace("prod", "preview-7"));
        let outcome = sandbox.sealwax(["encrypt", "db.yaml"]).args(flags).run();
        assert_eq!(outcome.code, Some(0));
        assert!(sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run().code == Some(0), "{flags:?}");
    }
    sandbox.write("db.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["encrypt", "db.yaml", "--for", "nonsense"]).run(), @"
    exit 2
    err: error: --for nonsense: write NAMESPACE/NAME, such as 'preview-*/db'
    ");
    assert_snapshot!(sandbox.sealwax(["encrypt", "db.yaml", "--for", "other-*/db"]).run(), @"
    exit 2
    err: error: db.yaml: Secret other-*/db does not fit the object, which is Secret prod/db
    err: hint: Values sealed so would not open. What an overlay sets later, leave out of the manifest.
    ");
}

#[test]
fn a_recipient_from_a_file() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    sandbox.write("keys/prod.pub", format!("# the cluster\n{}\n", alice.recipient));
    sandbox.write("db.yaml", SECRET);
    let outcome = sandbox.sealwax(["encrypt", "db.yaml", "--to", "keys/prod.pub", "--select", "stringData.*"]).run();
    assert_snapshot!(outcome, @"
    exit 0
    err: db.yaml: sealed 2 for Secret prod/db, readers: prod
    ");
}
