//! `rotate`, `updatekeys`, `groups`: who can open a file afterwards.

use insta::assert_snapshot;

use super::{Desk, VALUES};
use crate::common::Person;

fn opens(desk: &Desk, name: &str, person: &Person) -> bool {
    let outcome = desk.stranger(["decrypt", name]).env("SOPS_AGE_KEY_FILE", &person.file).run();
    outcome.code == Some(0)
}

#[test]
fn rotate_into_a_file_without_comments_leaves_nothing_in_the_clear() {
    let desk = Desk::new();
    desk.sandbox.write("c.yaml", "# sealed\na: s3cr3t-one\nb: x\n");
    desk.sops(["encrypt", "-i", "--encrypted-comment-regex", "sealed", "c.yaml"]).run().ok();
    let rotate = |to: &'static str| desk.sops(["rotate", "--output-type", to, "--output", "out", "c.yaml"]).run();
    assert_snapshot!(rotate("json"), @"
    exit 23
    err: c.yaml: 1 value encrypted, and 0 would be in a file of that type
    err: hint: The selector goes by comments: leave the type as it is.
    ");
    assert!(!desk.sandbox.path("out").exists());
    rotate("yaml").ok();
    desk.sandbox.write("two.yaml", "a: s3cr3t-one\n---\nb: x\n");
    desk.sops(["encrypt", "-i", "two.yaml"]).run().ok();
    let several = desk.sops(["rotate", "--output-type", "json", "two.yaml"]).run();
    assert!(several.stderr.contains("has several documents"), "{several}");
    assert!(desk.sandbox.read("out").contains("a: ENC["));
}

#[test]
fn rotate_changes_the_data_key_and_the_readers() {
    let desk = Desk::with_file();
    let bob = desk.sandbox.person("bob");
    let token = |text: &str| text.lines().find(|line| line.starts_with("a: ")).unwrap().to_owned();
    let before = desk.sandbox.read("e.yaml");
    let printed = desk.sops(["rotate", "e.yaml"]).run().ok();
    assert_ne!(token(&printed), token(&before));
    assert_eq!(desk.sandbox.read("e.yaml"), before);
    desk.sops(["rotate", "-i", "--add-age", &bob.recipient, "e.yaml"]).run().ok();
    assert!(opens(&desk, "e.yaml", &bob) && opens(&desk, "e.yaml", &desk.alice));
    desk.sops(["-r", "-i", "--rm-age", &bob.recipient, "e.yaml"]).run().ok();
    assert!(!opens(&desk, "e.yaml", &bob) && opens(&desk, "e.yaml", &desk.alice));
    assert_eq!(desk.sops(["decrypt", "e.yaml"]).run().ok(), VALUES);
    assert_eq!(
        desk.code(["rotate", "-i", "--rm-age", &desk.alice.recipient, "e.yaml"]),
        Some(1),
        "nobody would be left"
    );
    assert_eq!(desk.code(["rotate"]), Some(100));
    assert_eq!(desk.code(["rotate", "missing"]), Some(2));
    assert_eq!(desk.code(["rotate", "--add-age", &bob.recipient, "missing"]), Some(49));
    assert_eq!(desk.code(["-r", "--add-age", &bob.recipient, "missing"]), Some(49));
}

#[test]
fn updatekeys_shows_what_changes_and_asks() {
    let desk = Desk::with_file();
    let bob = desk.sandbox.person("bob");
    assert_snapshot!(desk.sops(["updatekeys", "e.yaml"]).run(), @"
    exit 1
    err: config file not found
    err: hint: A .sops.yaml is looked for above the file and above the working directory; or name it with --config.
    ");
    desk.rule(&["path_regex: e", &format!("age: {},{}", desk.alice.recipient, bob.recipient)]);
    let before = desk.sandbox.read("e.yaml");
    assert_snapshot!(desk.sops(["updatekeys", "e.yaml"]).run(), @"
    exit 1
    out: The following changes will be made to the file's groups:
    out: Group 1
    out:     RECIPIENT
    out: +++ RECIPIENT
    err: Syncing keys for file e.yaml
    err: Is this okay? (y/n):EOF
    err: hint: Nobody answered. --yes goes on without asking.
    ");
    desk.sops(["updatekeys", "e.yaml"]).input("perhaps\nn\n").run().ok();
    assert_eq!(desk.sandbox.read("e.yaml"), before);
    desk.sops(["updatekeys", "e.yaml"]).input("y\n").run().ok();
    assert!(opens(&desk, "e.yaml", &bob));
    let body = |text: &str| text.split("\nsops:").next().unwrap().to_owned();
    assert_eq!(body(&desk.sandbox.read("e.yaml")), body(&before), "the values stay as they are");
    assert_snapshot!(desk.sops(["updatekeys", "-y", "e.yaml"]).run(), @"
    exit 0
    err: Syncing keys for file e.yaml
    err: File e.yaml already up to date
    ");
    desk.rule(&["path_regex: e", &format!("age: {}", desk.alice.recipient)]);
    desk.sops(["updatekeys", "--yes", "e.yaml"]).run().ok();
    assert!(!opens(&desk, "e.yaml", &bob));
    let outcome = desk.sops(["updatekeys", "-y", "missing", "e.yaml"]).run();
    assert!(outcome.code == Some(1) && outcome.stderr.contains("failed updating 1 key(s)"), "{outcome}");
    assert_eq!(desk.code(["updatekeys", "-y", "."]), Some(1));
    assert_eq!(desk.code(["updatekeys", "-y"]), Some(100));
}

#[test]
fn groups_come_and_go() {
    let desk = Desk::with_file();
    let bob = desk.sandbox.person("bob");
    desk.sops(["groups", "add", "-f", "e.yaml", "--age", &bob.recipient, "-i"]).run().ok();
    assert!(!opens(&desk, "e.yaml", &bob) && !opens(&desk, "e.yaml", &desk.alice), "both are needed");
    assert_snapshot!(desk.sops(["groups", "delete", "-f", "e.yaml", "7"]).run(), @"
    exit 1
    err: there is no key group 7: the file has 2
    err: hint: The first group is 0.
    ");
    let both = format!(
        "{}\n{}",
        std::fs::read_to_string(&desk.alice.file).unwrap(),
        std::fs::read_to_string(&bob.file).unwrap()
    );
    let delete = |flags: &[&str]| {
        let run = desk.stranger(["groups", "delete", "-i", "-f", "e.yaml"]).args(flags).env("SOPS_AGE_KEY", &both);
        run.run()
    };
    let outcome = delete(&["0"]);
    assert!(outcome.code == Some(1) && outcome.stderr.contains("impossible to satisfy"), "{outcome}");
    delete(&["--shamir-secret-sharing-threshold", "1", "0"]).code.filter(|code| *code == 0).unwrap();
    assert!(opens(&desk, "e.yaml", &bob) && !opens(&desk, "e.yaml", &desk.alice));
    assert_eq!(desk.code(["groups", "delete", "-f", "e.yaml"]), Some(1));
    assert_eq!(desk.code(["groups", "add", "-f", "e.yaml"]), Some(1), "a group without a key");
    assert_eq!(desk.code(["groups", "add", "-f", "missing", "--age", &bob.recipient]), Some(2));
}
