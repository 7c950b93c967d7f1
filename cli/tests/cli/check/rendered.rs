//! `--rendered`: whether what is encrypted opens in the objects that Kustomize or Helm make.

use super::rules;
use crate::common::{Person, SECRET, Sandbox};

fn sealed() -> (Sandbox, Person, String) {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.write("secret.yaml", SECRET);
    let sealed = sandbox.sealwax(["seal", "secret.yaml"]).run().ok();
    (sandbox, alice, sealed)
}

#[test]
fn an_object_that_moved_is_found() {
    let (sandbox, _, sealed) = sealed();
    sandbox.write("out/fine.yaml", &sealed);
    assert_eq!(rules(&sandbox, &["--rendered", "out"]), [""; 0]);
    sandbox.write("out/moved.yaml", sealed.replace("  namespace: prod", "  namespace: stage"));
    let found = rules(&sandbox, &["--rendered", "out"]);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("WAX206 ") && found[0].ends_with("out/moved.yaml"), "{found:?}");
    // What Kustomize prefixes.
    let renamed = sealed.replace("  name: db", "  name: stage-db");
    let outcome = sandbox.sealwax(["check", "--rendered", "-"]).input(&renamed).run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert_eq!(sandbox.sealwax(["check", "--rendered", "-"]).input(&sealed).run().code, Some(0));
}

#[test]
fn other_rules_are_for_sources() {
    let (sandbox, ..) = sealed();
    assert_eq!(sandbox.sealwax(["check", "--rendered", "-"]).input(SECRET).run().code, Some(0));
    let broken = sandbox.sealwax(["check", "--rendered", "-"]).input("a: [\n").run();
    assert_eq!(broken.code, Some(3), "{broken}");
}
