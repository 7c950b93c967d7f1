//! `sealwax render`: the Secret that the controller would make.

use insta::assert_snapshot;

use crate::common::Sandbox;

const SECRET: &str = "\
apiVersion: v1
kind: Secret
metadata:
  namespace: prod
  name: db
  labels:
    app: shop
  annotations: {note: 'say \"hi\"'}
type: kubernetes.io/basic-auth
stringData:
  username: s3cr3t-user
  password: |
    s3cr3t
    lines
  'yes': 'no'
data:
  blob: AP9zM2NyM3Q=
";

fn sealed(sandbox: &Sandbox) {
    sandbox.sealwax(["seal", "-", "-o", "db.yaml"]).input(SECRET).run().ok();
}

#[test]
fn gives_back_the_values_of_the_original() {
    let (sandbox, alice) = Sandbox::with_policy();
    sealed(&sandbox);
    let outcome = sandbox.sealwax(["render", "db.yaml"]).by(&alice).run();
    assert_snapshot!(outcome, @r#"
    exit 0
    out: apiVersion: v1
    out: kind: Secret
    out: metadata:
    out:   namespace: "prod"
    out:   name: "db"
    out:   labels:
    out:     "app": "shop"
    out:   annotations:
    out:     "note": "say \"hi\""
    out: type: "kubernetes.io/basic-auth"
    out: data:
    out:   "blob": "AP9zM2NyM3Q="
    out:   "password": "czNjcjN0CmxpbmVzCg=="
    out:   "username": "czNjcjN0LXVzZXI="
    out:   "yes": "bm8="
    "#);
    let rendered: serde_yaml::Value = serde_yaml::from_slice(&outcome.stdout).unwrap();
    let data = rendered["data"].as_mapping().unwrap();
    let expected: [(&str, &[u8]); 4] =
        [("blob", b"\x00\xffs3cr3t"), ("password", b"s3cr3t\nlines\n"), ("username", b"s3cr3t-user"), ("yes", b"no")];
    assert_eq!(data.len(), expected.len());
    for (item, value) in expected {
        let encoded = data[item].as_str().unwrap();
        assert_eq!(sealwax_format::base64::decode(encoded).unwrap().as_slice(), value, "{item}");
    }
    assert_eq!(rendered["type"].as_str(), Some("kubernetes.io/basic-auth"));
    assert_eq!(rendered["metadata"]["annotations"]["note"].as_str(), Some("say \"hi\""));
}

#[test]
fn of_standard_input_and_of_one_document() {
    let (sandbox, alice) = Sandbox::with_policy();
    sealed(&sandbox);
    let one = sandbox.sealwax(["render", "db.yaml"]).by(&alice).run().ok();
    let sealed = sandbox.read("db.yaml");
    assert_eq!(sandbox.sealwax(["render", "-"]).by(&alice).input(&sealed).run().ok(), one);
    let two = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\n---\n{sealed}");
    let run = |doc: &[&str]| sandbox.sealwax(["render", "-"]).args(doc).by(&alice).input(&two).run();
    assert_eq!(run(&["--doc", "2"]).ok(), one);
    assert_eq!(run(&["--doc", "EncryptedSecret/db"]).ok(), one);
    assert_snapshot!(run(&[]), @"
    exit 2
    err: error: standard input: holds 2 documents
    err: hint: Choose one with --doc N or --doc Kind/name.
    ");
    assert_snapshot!(run(&["--doc", "1"]), @"
    exit 1
    err: error: standard input: is no EncryptedSecret
    ");
}

#[test]
fn target_names_the_secret() {
    let (sandbox, alice) = Sandbox::with_policy();
    sealed(&sandbox);
    let renamed = sandbox.read("db.yaml").replace("  target:\n", "  target:\n    name: other\n");
    let outcome = sandbox.sealwax(["render", "-"]).by(&alice).input(renamed).run().ok();
    assert!(outcome.contains("  name: \"other\"\n"), "{outcome}");
}

#[test]
fn all_or_nothing() {
    let (sandbox, alice) = Sandbox::with_policy();
    sealed(&sandbox);
    let sealed = sandbox.read("db.yaml");
    let bob = sandbox.person("bob");
    assert_snapshot!(sandbox.sealwax(["render", "db.yaml"]).run(), @"
    exit 1
    err: error: db.yaml: none of your identities is a reader; named readers: alice@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    ");
    assert_snapshot!(sandbox.sealwax(["render", "db.yaml"]).by(&bob).run(), @"
    exit 1
    err: error: db.yaml: none of your identities is a reader; named readers: alice@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    ");
    let render = |text: String| sandbox.sealwax(["render", "-"]).by(&alice).input(text).run();
    assert_snapshot!(render(sealed.replace("namespace: prod\n  name", "namespace: dev\n  name")), @"
    exit 1
    err: error: standard input: the values are sealed for prod/db, not for this object; `sealwax copy` or `sealwax rebind` them for this place
    ");
    assert_snapshot!(render(sealed.replace("  data:\n", "  data:\n    clear: s3cr3t-clear\n")), @"
    exit 1
    err: error: standard input: item clear is not encrypted; run `sealwax encrypt` on the manifest and replace the value, which has been readable in the cluster
    ");
    assert_snapshot!(render(sealed.replace("username:", "user:")), @"
    exit 1
    err: error: standard input: item user: altered, or sealed for another place
    ");
    assert_snapshot!(render(sealed.replace("  namespace: prod\n  name: db\n", "  name: db\n")), @"
    exit 3
    err: error: standard input: is not a complete EncryptedSecret
    err: hint: It needs metadata.namespace, metadata.name and spec.sealedFor; `sealwax inspect` shows what it has.
    ");
    assert_snapshot!(render("a: s3cr3t\n".to_owned()), @"
    exit 1
    err: error: standard input: is no EncryptedSecret
    ");
    assert_snapshot!(render("a: [s3cr3t\n".to_owned()), @"
    exit 3
    err: error: standard input:1: the file cannot be read: not valid YAML: unclosed bracket '['
    ");
}
