//! `sealwax rebind` and `sealwax copy`: values for another place.

use insta::assert_snapshot;

use crate::common::{SECRET, Sandbox};

#[test]
fn rebind_after_a_rename() {
    let (sandbox, alice) = Sandbox::with_policy();
    let sealed = sandbox.encrypted("db.yaml", SECRET);
    sandbox.write("db.yaml", sealed.replacen("  name: db\n", "  name: cache\n", 1));
    assert_snapshot!(sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run(), @"
    exit 1
    err: error: db.yaml: the values are sealed for Secret prod/db, and the object is Secret prod/cache; ask someone who can read them to `sealwax rebind` or `sealwax copy`
    ");
    assert_snapshot!(sandbox.sealwax(["encrypt", "db.yaml"]).run(), @"
    exit 1
    err: error: db.yaml: the document is sealed for Secret prod/db, and this write is for Secret prod/cache; use `sealwax rebind` to change the place
    ");
    assert_snapshot!(sandbox.sealwax(["rebind", "db.yaml"]).by(&alice).run(), @"
    exit 0
    err: db.yaml: 2 values moved from Secret prod/db to Secret prod/cache, readers: alice
    ");
    let plain = sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run().ok();
    assert_eq!(plain, SECRET.replace("name: db", "name: cache"));
}

#[test]
fn rebind_to_a_wider_scope() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["rebind", "db.yaml", "--scope", "namespace"]).by(&alice).run(), @"
    exit 0
    err: db.yaml: 2 values moved from Secret prod/db to Secret prod/*, readers: alice
    ");
    let renamed = sandbox.read("db.yaml").replacen("  name: db\n", "  name: cache\n", 1);
    let plain = sandbox.sealwax(["decrypt", "-"]).by(&alice).input(renamed).run().ok();
    assert_eq!(plain, SECRET.replace("name: db", "name: cache"), "opens under any name now");
}

#[test]
fn rebind_to_another_context() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("values.yaml", "password: s3cr3t\n");
    assert_snapshot!(sandbox.sealwax(["rebind", "values.yaml", "--context", "other"]).by(&alice).run(), @r#"
    exit 0
    err: values.yaml: 1 values moved from context "values of the tests" to context "other", readers: alice
    "#);
    assert_eq!(sandbox.sealwax(["decrypt", "values.yaml"]).by(&alice).run().ok(), "password: s3cr3t\n");
}

#[test]
fn rebind_needs_a_key_and_values() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    let bob = sandbox.person("bob");
    assert_snapshot!(sandbox.sealwax(["rebind", "db.yaml"]).by(&bob).run(), @"
    exit 1
    err: error: db.yaml:8: stringData.username: none of your identities is a reader; named readers: alice@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    ");
    assert_eq!(sandbox.read("db.yaml"), before);
    sandbox.write("plain.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["rebind", "plain.yaml"]).by(&alice).run(), @"
    exit 1
    err: error: plain.yaml: holds no encrypted values
    ");
}

#[test]
fn copy_to_another_namespace() {
    let (sandbox, alice) = Sandbox::with_policy();
    let before = sandbox.encrypted("db.yaml", SECRET);
    let copy = ["copy", "db.yaml", "staging.yaml", "--namespace", "staging"];
    assert_snapshot!(sandbox.sealwax(copy).by(&alice).run(), @"
    exit 0
    err: staging.yaml: sealed 2 for Secret staging/db, readers: alice
    ");
    let plain = sandbox.sealwax(["decrypt", "staging.yaml"]).by(&alice).run().ok();
    assert_eq!(plain, SECRET.replace("prod", "staging"));
    assert_eq!(sandbox.read("db.yaml"), before);
    assert_snapshot!(sandbox.sealwax(copy).by(&alice).run(), @"
    exit 1
    err: error: staging.yaml: cannot be created: File exists (os error 17)
    err: hint: The file exists and is never overwritten; choose another name.
    ");
}

#[test]
fn a_copied_file_does_not_open_elsewhere() {
    let (sandbox, alice) = Sandbox::with_policy();
    let sealed = sandbox.encrypted("db.yaml", SECRET);
    sandbox.write("staging.yaml", sealed.replace("prod", "staging"));
    assert_snapshot!(sandbox.sealwax(["decrypt", "staging.yaml"]).by(&alice).run(), @"
    exit 1
    err: error: staging.yaml:8: stringData.username: altered, or sealed for another place
    ");
}

#[test]
fn copy_for_other_readers() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    sandbox.policy_with(
        &[&alice, &bob],
        "[[rule]]\npath = \"prod/*\"\nencrypt = [\"stringData.*\"]\nrecipients = [\"alice\"]\n\
         [[rule]]\npath = \"staging/*\"\nencrypt = [\"stringData.*\"]\nrecipients = [\"bob\"]\n\
         [[rule]]\npath = \"public/*\"\nencrypt = [\"nothing\"]\nrecipients = [\"bob\"]\n",
    );
    sandbox.encrypted("prod/db.yaml", SECRET);
    for folder in ["staging", "public", "nowhere"] {
        std::fs::create_dir(sandbox.path(folder)).unwrap();
    }
    let copy = |to: &str| sandbox.sealwax(["copy", "prod/db.yaml", to, "--namespace", "staging"]).by(&alice).run();
    assert_snapshot!(copy("staging/db.yaml"), @"
    exit 0
    err: staging/db.yaml: sealed 2 for Secret staging/db, readers: bob
    ");
    assert_eq!(sandbox.sealwax(["decrypt", "staging/db.yaml"]).by(&bob).run().code, Some(0));
    assert_eq!(sandbox.sealwax(["decrypt", "staging/db.yaml"]).by(&alice).run().code, Some(1));
    assert_snapshot!(copy("public/db.yaml"), @"
    exit 2
    err: error: public/db.yaml: its rule encrypts nothing of what the source encrypts
    ");
    assert_snapshot!(copy("nowhere/db.yaml"), @"
    exit 2
    err: error: nowhere/db.yaml: its rule encrypts nothing of what the source encrypts
    ");
    assert!(!sandbox.path("public/db.yaml").exists() && !sandbox.path("nowhere/db.yaml").exists());
}

#[test]
fn copy_leaves_nothing_in_the_clear() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    let rule = |path: &str, encrypt: &str| {
        format!("[[rule]]\npath = \"{path}\"\nencrypt = [\"{encrypt}\"]\nrecipients = [\"alice\"]\ncontext = \"x\"\n")
    };
    let rules = [rule("from/*", "**.password"), rule("to/*", "a.*")].concat();
    sandbox.policy_with(&[&alice], &rules);
    sandbox.encrypted("from/values.yaml", "a: {password: s3cr3t-a}\nb: {password: s3cr3t-b}\n");
    std::fs::create_dir(sandbox.path("to")).unwrap();
    assert_snapshot!(sandbox.sealwax(["copy", "from/values.yaml", "to/values.yaml"]).by(&alice).run(), @"
    exit 1
    err: error: to/values.yaml: b.password: was encrypted and would stand in the clear
    err: hint: Add the path to encrypt in the policy's rule, or pass --select PATTERN.
    ");
    assert!(!sandbox.path("to/values.yaml").exists());
}
