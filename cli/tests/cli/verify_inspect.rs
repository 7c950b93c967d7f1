//! `sealwax verify` and `sealwax inspect`.

use insta::assert_snapshot;

use crate::common::{SECRET, Sandbox};
use crate::normalise::normalise;

#[test]
fn verify_counts_and_prints_no_value() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("a/db.yaml", SECRET);
    sandbox.encrypted("a/b/values.json", "{\"password\": \"s3cr3t\"}\n");
    sandbox.write("a/template.yaml", "{{ not yaml }}: [\n");
    sandbox.write("a/notes.txt", "ENC[wax1,s3cr3t]\n");
    sandbox.write("a/b/.git/broken.yaml", "x: ENC[wax1,s3cr3t]\n");
    assert_snapshot!(sandbox.sealwax(["verify", "a"]).by(&alice).run(), @"
    exit 0
    err: 3 values in 2 files open; 0 files failed
    ");
    assert_snapshot!(sandbox.sealwax(["verify", "a/db.yaml", "a/b/values.json"]).by(&alice).run(), @"
    exit 0
    err: 3 values in 2 files open; 0 files failed
    ");
}

#[test]
fn verify_finds_what_does_not_open() {
    let (sandbox, alice) = Sandbox::with_policy();
    let sealed = sandbox.encrypted("good.yaml", SECRET);
    sandbox.write("moved.yaml", sealed.replace("  namespace: prod\n", "  namespace: dev\n"));
    sandbox.write("cut.yaml", "a: 1\npassword: ENC[wax1,s3cr3t\n");
    assert_snapshot!(sandbox.sealwax(["verify", "."]).by(&alice).run(), @"
    exit 3
    err: error: ./cut.yaml:2: password: not a valid token: the token is cut off or has white space where none belongs
    err: error: ./moved.yaml: the values are sealed for Secret prod/db, and the object is Secret dev/db; ask someone who can read them to `sealwax rebind` or `sealwax copy`
    err: 2 values in 1 files open; 2 files failed
    ");
    assert_snapshot!(sandbox.sealwax(["verify", "good.yaml", "missing.yaml"]).by(&alice).run(), @"
    exit 3
    err: error: missing.yaml: cannot be read: No such file or directory (os error 2)
    err: 2 values in 1 files open; 1 files failed
    ");
    assert_snapshot!(sandbox.sealwax(["verify", "good.yaml"]).run(), @"
    exit 1
    err: error: good.yaml:8: stringData.username: none of your identities is a reader; named readers: alice@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    err: 0 values in 0 files open; 1 files failed
    ");
}

#[test]
fn verify_of_nothing() {
    let (sandbox, alice) = Sandbox::with_policy();
    assert_snapshot!(sandbox.sealwax(["verify", "."]).by(&alice).run(), @"
    exit 0
    err: 0 values in 0 files open; 0 files failed
    ");
}

#[test]
fn inspect_needs_no_key() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    sandbox
        .sealwax(["set", "db.yaml", "password"])
        .input("s3cr3t-longer-than-what-fits-into-the-shortest-value-of-64")
        .run()
        .ok();
    sandbox.write("plain.yaml", "a: s3cr3t\n---\nb: s3cr3t\n");
    sandbox.encrypted("values.yaml", "password: s3cr3t\n");
    assert_snapshot!(sandbox.sealwax(["inspect", "db.yaml", "plain.yaml", "values.yaml"]).run(), @r#"
    exit 0
    out: db.yaml document 1: Secret prod/db
    out:   sealed for:    Secret prod/db
    out:   named readers: alice@FINGERPRINT
    out:   stringData.username (92 bytes)
    out:   stringData.password (124 bytes, own key for alice@FINGERPRINT)
    out: plain.yaml document 1: no Kubernetes object
    out:   not encrypted
    out: plain.yaml document 2: no Kubernetes object
    out:   not encrypted
    out: values.yaml document 1: no Kubernetes object
    out:   sealed for:    context "values of the tests"
    out:   named readers: alice@FINGERPRINT
    out:   password (92 bytes)
    "#);
}

#[test]
fn inspect_as_json() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t").run().ok();
    let outcome = sandbox.sealwax(["inspect", "--format", "json", "db.yaml"]).run().ok();
    serde_json::from_str::<serde_json::Value>(&outcome).unwrap();
    assert_snapshot!(normalise(&outcome, sandbox.root()), @r#"
    [
      {
        "file": "db.yaml",
        "documents": [
          {
            "number": 1,
            "object": "Secret prod/db",
            "sealedFor": "Secret prod/db",
            "key": "KEYID",
            "readers": [
              "alice@FINGERPRINT"
            ],
            "values": [
              {
                "path": "stringData.username",
                "bytes": 92,
                "ownKey": false,
                "readers": [
                  "alice@FINGERPRINT"
                ]
              },
              {
                "path": "stringData.password",
                "bytes": 92,
                "ownKey": true,
                "readers": [
                  "alice@FINGERPRINT"
                ]
              }
            ]
          }
        ]
      }
    ]
    "#);
}

#[test]
fn inspect_of_what_cannot_be_read() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.encrypted("good.yaml", SECRET);
    sandbox.write("broken.yaml", "a: [s3cr3t\n");
    let outcome = sandbox.sealwax(["inspect", "broken.yaml", "missing.yaml", "good.yaml"]).run();
    assert_snapshot!(outcome, @"
    exit 3
    out: good.yaml document 1: Secret prod/db
    out:   sealed for:    Secret prod/db
    out:   named readers: alice@FINGERPRINT
    out:   stringData.username (92 bytes)
    out:   stringData.password (92 bytes)
    err: error: broken.yaml:1: the file cannot be read: not valid YAML: unclosed bracket '['
    err: error: missing.yaml: cannot be read: No such file or directory (os error 2)
    ");
}

#[test]
fn inspect_shows_a_lie_for_what_it_is() {
    let (sandbox, _) = Sandbox::with_policy();
    let sealed = sandbox.encrypted("db.yaml", SECRET);
    sandbox.write("db.yaml", sealed.replace("  namespace: prod\n", "  namespace: dev\n"));
    assert_snapshot!(sandbox.sealwax(["inspect", "db.yaml"]).run(), @"
    exit 0
    out: db.yaml document 1: Secret dev/db
    out:   sealed for:    the values are sealed for Secret prod/db, and the object is Secret dev/db; ask someone who can read them to `sealwax rebind` or `sealwax copy`
    out:   named readers: alice@FINGERPRINT
    out:   stringData.username (92 bytes)
    out:   stringData.password (92 bytes)
    ");
}
