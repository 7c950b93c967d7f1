//! `sealwax seal`: from a Secret to an `EncryptedSecret`.

use insta::assert_snapshot;

use crate::common::{Outcome, Person, Sandbox};

const DATA: &str = "\
# made by hand
apiVersion: v1
kind: Secret
metadata:
  creationTimestamp: null
  name: db
  namespace: prod
  labels: {app: shop}
type: kubernetes.io/basic-auth
data:
  # who
  username: czNjcjN0LXVzZXI=
  blob: /wBzM2NyM3Q=   # bytes
stringData:
  password: 's3cr3t-pass'
";

fn decrypted(sandbox: &Sandbox, person: &Person, name: &str) -> Outcome {
    sandbox.sealwax(["decrypt", name]).by(person).run()
}

#[test]
fn keeps_comments_and_decodes_data() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.write("secret.yaml", DATA);
    assert_snapshot!(sandbox.sealwax(["seal", "secret.yaml", "-o", "db.yaml"]).run(), @"
    exit 0
    err: db.yaml: sealed 3 for EncryptedSecret prod/db, readers: alice
    ");
    assert_snapshot!(sandbox.show("db.yaml"), @"
    # made by hand
    apiVersion: sealwax.dev/v1alpha1
    kind: EncryptedSecret
    metadata:
      name: db
      namespace: prod
      labels: {app: shop}
    spec:
      target:
        template:
          type: kubernetes.io/basic-auth
          metadata:
            labels:
              app: shop
      data:
        username: >-
          ENC[wax1,SHORT,BASE64]
        blob: >-   # bytes
          ENC[wax1,SHORT,BASE64]
        password: >-
          ENC[wax1,SHORT,BASE64]
      sealedFor: {namespace: prod, name: db}
      key: KEYID
      readers:
        alice@FINGERPRINT: >-
          SHORT:BASE64
    ");
    assert_snapshot!(decrypted(&sandbox, &alice, "db.yaml"), @"
    exit 0
    out: # made by hand
    out: apiVersion: sealwax.dev/v1alpha1
    out: kind: EncryptedSecret
    out: metadata:
    out:   name: db
    out:   namespace: prod
    out:   labels: {app: shop}
    out: spec:
    out:   target:
    out:     template:
    out:       type: kubernetes.io/basic-auth
    out:       metadata:
    out:         labels:
    out:           app: shop
    out:   data:
    out:     username: s3cr3t-user
    out:     blob: !!binary /wBzM2NyM3Q=   # bytes
    out:     password: 's3cr3t-pass'
    ");
    assert_eq!(sandbox.read("secret.yaml"), DATA, "the source is left alone");
}

#[test]
fn standard_input_with_the_rule_of_a_path() {
    let (sandbox, _) = Sandbox::with_policy();
    let outcome = sandbox.sealwax(["seal", "--path", "db.yaml"]).input(DATA).run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert_snapshot!(outcome.stderr, @"standard input: sealed 3 for EncryptedSecret prod/db, readers: alice");
    assert!(outcome.stdout.starts_with(b"# made by hand\napiVersion: sealwax.dev/v1alpha1\n"));
    assert_snapshot!(sandbox.sealwax(["seal"]).input(DATA).run(), @"
    exit 2
    err: error: standard input: no policy governs this file, and there is no --to
    err: hint: Write a .sealwax.toml at the root of the repository, or pass --to RECIPIENT; no rule of a .sops.yaml matches it either.
    ");
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.write("db.yaml", "precious: true\n");
    assert_snapshot!(sandbox.sealwax(["seal", "-", "-o", "db.yaml"]).input(DATA).run(), @"
    exit 1
    err: error: db.yaml: cannot be created: File exists (os error 17)
    err: hint: The file exists and is never overwritten; choose another name.
    ");
    assert_eq!(sandbox.read("db.yaml"), "precious: true\n");
}

#[test]
fn of_files() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.write("key.pem", "-----BEGIN s3cr3t-----\nline\n");
    sandbox.write("blob", b"\x00\xffs3cr3t");
    let files = ["seal", "--from-file", "tls.key=key.pem", "--from-file", "blob=blob", "-o", "tls.yaml"];
    assert_snapshot!(sandbox.sealwax(files).run(), @"
    exit 2
    err: error: --from-file: no namespace is known; write metadata.namespace, or pass --namespace or --scope cluster
    ");
    let place = ["--namespace", "prod", "--name", "tls"];
    assert_snapshot!(sandbox.sealwax(files).args(&place).run(), @"
    exit 0
    err: tls.yaml: sealed 2 for EncryptedSecret prod/tls, readers: alice
    ");
    assert_snapshot!(decrypted(&sandbox, &alice, "tls.yaml"), @"
    exit 0
    out: apiVersion: sealwax.dev/v1alpha1
    out: kind: EncryptedSecret
    out: metadata:
    out:   namespace: prod
    out:   name: tls
    out: spec:
    out:   data:
    out:     blob: !!binary AP9zM2NyM3Q=
    out:     tls.key: |
    out:       -----BEGIN s3cr3t-----
    out:       line
    ");
    assert_snapshot!(sandbox.sealwax(["seal", "--from-file", "key.pem"]).args(&place).run(), @"
    exit 2
    err: error: --from-file key.pem: write ITEM=FILE, such as tls.key=key.pem
    ");
}

#[test]
fn into_an_existing_one_needs_no_key() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.write("secret.yaml", DATA);
    sandbox.sealwax(["seal", "secret.yaml", "-o", "db.yaml"]).run().ok();
    let before = sandbox.read("db.yaml");
    let more = "apiVersion: v1\nkind: Secret\nmetadata: {name: more}\nstringData:\n  extra: s3cr3t-extra\n  username: s3cr3t-changed\n";
    assert_snapshot!(sandbox.sealwax(["seal", "-", "--into", "db.yaml"]).input(more).run(), @"
    exit 0
    err: db.yaml: sealed spec.data.extra for EncryptedSecret prod/db, readers: alice
    err: db.yaml: sealed spec.data.username for EncryptedSecret prod/db, readers: alice
    ");
    let after = sandbox.read("db.yaml");
    let lost = before.lines().filter(|line| !after.contains(line)).count();
    assert_eq!(lost, 1, "only the token that was replaced");
    assert_snapshot!(decrypted(&sandbox, &alice, "db.yaml"), @"
    exit 0
    out: # made by hand
    out: apiVersion: sealwax.dev/v1alpha1
    out: kind: EncryptedSecret
    out: metadata:
    out:   name: db
    out:   namespace: prod
    out:   labels: {app: shop}
    out: spec:
    out:   target:
    out:     template:
    out:       type: kubernetes.io/basic-auth
    out:       metadata:
    out:         labels:
    out:           app: shop
    out:   data:
    out:     username: s3cr3t-changed
    out:     blob: !!binary /wBzM2NyM3Q=   # bytes
    out:     password: 's3cr3t-pass'
    out:     extra: s3cr3t-extra
    ");
}

#[test]
fn a_raw_token_opens_where_it_is_pasted() {
    let (sandbox, alice) = Sandbox::with_policy();
    let place = ["--namespace", "prod", "--name", "db", "--path", "db.yaml"];
    let outcome = sandbox.sealwax(["seal", "--raw", "--item", "password"]).args(&place).input("s3cr3t-raw\n").run();
    assert_snapshot!(outcome, @"
    exit 0
    out: ENC[wax1,KEYID,BASE64, alice@FINGERPRINT:BASE64]
    err: sealed password for EncryptedSecret prod/db, readers: alice; spec.sealedFor must be {namespace: prod, name: db}
    ");
    let token = outcome.ok();
    let manifest = |name: &str| {
        format!(
            "apiVersion: sealwax.dev/v1alpha1\nkind: EncryptedSecret\nmetadata: {{namespace: prod, name: {name}}}\nspec:\n  sealedFor: {{namespace: prod, name: {name}}}\n  data:\n    password: \"{}\"\n",
            token.trim_end()
        )
    };
    sandbox.write("db.yaml", manifest("db"));
    assert_snapshot!(sandbox.sealwax(["render", "db.yaml"]).by(&alice).run(), @r#"
    exit 0
    out: apiVersion: v1
    out: kind: Secret
    out: metadata:
    out:   namespace: "prod"
    out:   name: "db"
    out: type: "Opaque"
    out: data:
    out:   "password": "czNjcjN0LXJhdwo="
    "#);
    sandbox.write("other.yaml", manifest("cache"));
    assert_snapshot!(sandbox.sealwax(["render", "other.yaml"]).by(&alice).run(), @"
    exit 1
    err: error: other.yaml: item password: altered, or sealed for another place
    ");
    assert_snapshot!(sandbox.sealwax(["seal", "--raw"]).input("s3cr3t").run(), @"
    exit 2
    err: error: the following required arguments were not provided:
    err:   --item <ITEM>
    err: 
    err: Usage: sealwax seal --raw --item <ITEM> [FILE]
    err: 
    err: For more information, try '--help'.
    ");
}

#[test]
fn only_secrets() {
    let (sandbox, _) = Sandbox::with_policy();
    let seal = |text: &str| sandbox.sealwax(["seal", "--path", "db.yaml"]).input(text).run();
    assert_snapshot!(seal("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: a, name: b}\ndata: {a: s3cr3t}\n"), @"
    exit 1
    err: error: standard input: is no v1 Secret
    ");
    assert_snapshot!(seal("a: s3cr3t\n"), @"
    exit 1
    err: error: standard input: is no v1 Secret
    ");
    assert_snapshot!(seal(&DATA.replace("czNjcjN0LXVzZXI=", "s3cr3t-not-base64")), @"
    exit 1
    err: error: standard input: item username of data is not base64
    ");
    assert_snapshot!(seal(&DATA.replace("'s3cr3t-pass'", "31337")), @"
    exit 1
    err: error: standard input: item password is not a string; put it in quotes
    ");
    assert_snapshot!(seal(&DATA.replace("password:", "username:")), @"
    exit 1
    err: error: standard input: item username stands in both data and stringData
    ");
    assert_snapshot!(seal(&format!("{DATA}immutable: true\n")), @"
    exit 1
    err: error: standard input: immutable Secrets cannot be sealed yet
    err: hint: Remove `immutable` from the manifest.
    ");
    assert_snapshot!(seal(&format!("{DATA}---\n{DATA}")), @"
    exit 2
    err: error: standard input: holds 2 documents; seal them one by one
    ");
    assert_snapshot!(seal("apiVersion: v1\nkind: Secret\nmetadata: {namespace: prod, name: db}\n"), @"
    exit 1
    err: error: standard input: the Secret holds no items
    ");
    assert_snapshot!(seal(&DATA.replace("  namespace: prod\n", "")), @"
    exit 2
    err: error: standard input: no namespace is known; write metadata.namespace, or pass --namespace or --scope cluster
    ");
    assert_snapshot!(seal(""), @"
    exit 3
    err: error: standard input: holds no document
    ");
}

#[test]
fn of_json_and_flow_style() {
    let (sandbox, alice) = Sandbox::with_policy();
    let json = "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"namespace\":\"prod\",\"name\":\"db\"},\"data\":{\"a\":\"czNjcjN0\"}}";
    let outcome = sandbox.sealwax(["seal", "-", "--path", "db.yaml", "-o", "db.yaml"]).input(json).run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert_snapshot!(decrypted(&sandbox, &alice, "db.yaml"), @"
    exit 0
    out: apiVersion: sealwax.dev/v1alpha1
    out: kind: EncryptedSecret
    out: metadata:
    out:   namespace: prod
    out:   name: db
    out: spec:
    out:   data:
    out:     a: s3cr3t
    ");
}

#[test]
fn a_copy_of_the_values_in_an_annotation_is_dropped() {
    let (sandbox, alice) = Sandbox::with_policy();
    let head = "apiVersion: v1\nkind: Secret\nmetadata:\n  namespace: prod\n  name: db\n";
    let copy = "kubectl.kubernetes.io/last-applied-configuration";
    for (annotations, kept) in [
        (format!("  annotations:\n    {copy}: |\n      {{\"a\":\"s3cr3t\"}}\n"), false),
        (format!("  annotations:\n    {copy}: |\n      {{\"a\":\"s3cr3t\"}}\n    note: kept\n"), true),
        (format!("  annotations: {{{copy}: 's3cr3t', note: kept}}\n"), true),
    ] {
        let secret = format!("{head}{annotations}stringData:\n  a: s3cr3t-a\n");
        let outcome = sandbox.sealwax(["seal", "--path", "db.yaml"]).input(&secret).run();
        let sealed = outcome.ok();
        assert!(!sealed.contains("s3cr3t") && !sealed.contains(copy), "{sealed}");
        assert_eq!(sealed.contains("note: kept"), kept, "{sealed}");
        let plain = sandbox.sealwax(["decrypt", "-"]).by(&alice).input(&sealed).run().ok();
        assert!(plain.contains("    a: s3cr3t-a\n"), "{plain}");
    }
}
