//! What was encrypted, and would stand in the clear after a change: refused, wherever it comes to stand.

use insta::assert_snapshot;

use super::{decrypt, encrypted};
use crate::common::{Outcome, Person, Sandbox};

const EXPOSED: &str = "was encrypted and would stand in the clear";

fn edit(sandbox: &Sandbox, person: &Person, script: &str) -> Outcome {
    let editor = sandbox.script("editor", script);
    sandbox.sealwax(["edit", "values.yaml"]).by(person).env("EDITOR", editor).run()
}

/// A file that is encrypted by a selector.
fn selected(selector: &str, text: &str) -> (Sandbox, Person) {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    sandbox.write(".sops.yaml", format!("creation_rules:\n  - {selector}\n    age: {}\n", alice.recipient));
    sandbox.write("values.yaml", text);
    sandbox.sealwax(["encrypt", "values.yaml"]).run().ok();
    (sandbox, alice)
}

#[test]
fn a_narrowed_selector_gets_no_new_values() {
    let (sandbox, alice) = encrypted();
    // In no checksum, and so anybody's to change.
    let narrowed = sandbox.read("values.yaml").replace("^password", "^password$");
    sandbox.write("values.yaml", &narrowed);
    let edit = |script: &str| {
        let editor = sandbox.script("editor", script);
        sandbox.sealwax(["edit", "values.yaml"]).by(&alice).env("EDITOR", editor).run()
    };
    assert_snapshot!(edit("printf 'password2: s3cr3t-new\\n' >> \"$1\""), @"
    exit 1
    err: error: values.yaml:12: password2: is new and would stand in the clear: the file says encrypted_regex: ^password$, creation_rules[0] of .sops.yaml says encrypted_regex: ^password
    err: hint: Apply the rule first, with `sealwax rekey`.
    err: hint: The file was left as it was, and the changes were dropped.
    ");
    assert_eq!(sandbox.read("values.yaml"), narrowed);
    edit("sed -i 's/s3cr3t-two/s3cr3t-2/; s/5432/5433/' \"$1\"").ok();
    sandbox.sealwax(["rekey", "values.yaml"]).by(&alice).run().ok();
    edit("printf 'password2: s3cr3t-new\\n' >> \"$1\"").ok();
    assert!(!sandbox.read("values.yaml").contains("s3cr3t"));
}

#[test]
fn what_stood_in_the_clear_may_stay_there() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    let rule = format!("  - encrypted_comment_regex: sealed\n    age: {}\n", alice.recipient);
    sandbox.write(".sops.yaml", format!("creation_rules:\n{rule}"));
    let text = "name: postgres\n# sealed\nuser: postgres\nitems:\n  # sealed\n  - s3cr3t-one\n  - in the clear\n";
    sandbox.write("values.yaml", text);
    sandbox.sealwax(["encrypt", "values.yaml"]).run().ok();
    let edit = |script: &str| {
        let editor = sandbox.script("editor", script);
        sandbox.sealwax(["edit", "values.yaml"]).by(&alice).env("EDITOR", editor).run()
    };
    edit("sed -i 's/s3cr3t-one/s3cr3t-1/' \"$1\"").ok();
    edit("sed -i '/  # sealed/d; /s3cr3t-1/d' \"$1\"").ok();
    assert_eq!(decrypt(&sandbox, &alice).ok(), text.replace("  # sealed\n  - s3cr3t-one\n", ""));
    let exposed = edit("echo 'other: postgres' >> \"$1\"");
    assert!(exposed.stderr.contains("other: was encrypted and would stand in the clear"), "{exposed}");
}

#[test]
fn a_secret_beside_an_encrypted_comment_never_stood_in_the_clear() {
    for secret in ["s3cr3t-one", "1234"] {
        let sandbox = Sandbox::new();
        let alice = sandbox.person("alice");
        let rule = format!("  - unencrypted_comment_regex: open\n    age: {}\n", alice.recipient);
        sandbox.write(".sops.yaml", format!("creation_rules:\n{rule}"));
        let text = format!("list:\n  # note\n\n  # open\n  - in the clear\n  - {secret}\n  - last one\n");
        sandbox.write("values.yaml", text);
        sandbox.sealwax(["encrypt", "values.yaml"]).run().ok();
        // As SOPS writes it: the comment is an item, and the others count from it.
        let items = sandbox.read("values.yaml").replacen("  #ENC[", "  - ENC[", 1);
        assert!(items.contains("list:\n  - ENC["), "{items}");
        sandbox.write("values.yaml", &items);
        let edit = |script: &str| {
            let editor = sandbox.script("editor", script);
            sandbox.sealwax(["edit", "values.yaml"]).by(&alice).env("EDITOR", editor).run()
        };
        let opened = edit(&format!("sed -i 's/  - {secret}/  # open\\n  - {secret}/' \"$1\""));
        let reason = "values.yaml:7: list[1]: was encrypted and would stand in the clear";
        assert!(opened.stderr.contains(reason), "{opened}");
        let moved = edit(&format!("sed -i '/  - in the clear/d; s/  - last one/  # open\\n  - {secret}/' \"$1\""));
        assert!(moved.stderr.contains("was encrypted and would stand in the clear"), "{moved}");
        assert_eq!(sandbox.read("values.yaml"), items);
        edit("sed -i 's/in the clear/still/' \"$1\"").ok();
    }
}

#[test]
fn taking_a_value_away_gives_its_comment_to_no_other() {
    let (sandbox, alice) = selected("unencrypted_comment_regex: open", "# open\nhost: db\npassword: s3cr3t-pass\n");
    let before = sandbox.read("values.yaml");
    assert_snapshot!(sandbox.sealwax(["unset", "values.yaml", "host"]).by(&alice).run(), @"
    exit 1
    err: error: values.yaml:2: password: was encrypted and would stand in the clear
    err: hint: The file's selector does not select it there. Leave it where it was, or change the rule in .sops.yaml.
    ");
    assert_eq!(sandbox.read("values.yaml"), before);
}

#[test]
fn bytes_and_truths_are_known_in_every_writing() {
    let text = "key_secret: !!binary /wABAgMEBQYHCAk=\nlist_secret: [true]\nname: app\n";
    let (sandbox, alice) = selected("encrypted_suffix: _secret", text);
    let before = sandbox.read("values.yaml");
    let binary = edit(&sandbox, &alice, "sed -i 's/^key_secret/key/' \"$1\"");
    assert!(binary.stderr.contains("values.yaml:1: key: ") && binary.stderr.contains(EXPOSED), "{binary}");
    assert_eq!(sandbox.read("values.yaml"), before);
    // Null says nothing.
    edit(&sandbox, &alice, "sed -i 's/^key_secret.*/key_secret: ~/' \"$1\"").ok();
}

#[test]
fn a_line_that_is_commented_out_takes_its_value_along() {
    let (sandbox, alice) = encrypted();
    let before = sandbox.read("values.yaml");
    assert_snapshot!(edit(&sandbox, &alice, "sed -i 's/  password: /  # password: /' \"$1\""), @"
    exit 1
    err: error: values.yaml:4: what the comment says was encrypted and would stand in the clear
    err: hint: The file's selector does not select it there. Leave it where it was, or change the rule in .sops.yaml.
    err: hint: The file was left as it was, and the changes were dropped.
    ");
    let block = edit(&sandbox, &alice, "sed -i 's/user: app /user: app # s3cr3t-one/' \"$1\"");
    assert!(block.stderr.contains(EXPOSED), "{block}");
    assert_eq!(sandbox.read("values.yaml"), before);
    edit(&sandbox, &alice, "sed -i 's/# head/# the password of the app/' \"$1\"").ok();
}

#[test]
fn items_may_be_added_before_an_encrypted_one() {
    let text = "list:\n  - first\n  # sealed\n  - s3cr3t-one\n";
    let (sandbox, alice) = selected("encrypted_comment_regex: sealed", text);
    let before = sandbox.read("values.yaml");
    let other =
        edit(&sandbox, &alice, "sed -i '/# sealed/d; s/- first/# sealed\\n  - first/; s/s3cr3t-one/s3cr3t-2/' \"$1\"");
    assert!(other.stderr.contains("list[1]: was encrypted"), "{other}");
    assert_eq!(sandbox.read("values.yaml"), before);
    edit(&sandbox, &alice, "sed -i 's/^  # sealed/  - second\\n  # sealed/' \"$1\"").ok();
    assert_eq!(decrypt(&sandbox, &alice).ok(), text.replace("  # sealed", "  - second\n  # sealed"));
}

#[test]
fn comments_within_values_are_none() {
    let text = "data:\n  config: |\n    # Settings of the database\n    host = db\n";
    let (sandbox, alice) = selected("encrypted_regex: ^data$", text);
    edit(&sandbox, &alice, "sed -i '1s/^/# Settings of the database\\n/' \"$1\"").ok();
}

#[test]
fn an_encrypted_comment_stays_so() {
    let text = "password:\n  # the code is 4711\n  one: s3cr3t-one\nother:\n  two: x\nlast:\n  three: y\n";
    let (sandbox, alice) = selected("encrypted_regex: ^password$", text);
    let before = sandbox.read("values.yaml");
    assert!(!before.contains("4711"), "{before}");
    let moved = edit(&sandbox, &alice, "sed -i '/4711/d; s/^  three/  # the code is 4711\\n  three/' \"$1\"");
    assert!(moved.stderr.contains("values.yaml:6: ") && moved.stderr.contains(EXPOSED), "{moved}");
    assert_eq!(sandbox.read("values.yaml"), before);
}

#[test]
fn a_rule_that_selects_less_writes_nothing_out_unasked() {
    let (sandbox, alice) = selected("encrypted_regex: ^(a|b)$", "a: s3cr3t-one\nb: s3cr3t-two\n");
    let before = sandbox.read("values.yaml");
    let narrower = sandbox.read(".sops.yaml").replace("^(a|b)$", "^a$");
    sandbox.write(".sops.yaml", narrower);
    let run = |words: &[&str]| sandbox.sealwax(words.iter().copied()).by(&alice).run();
    assert_snapshot!(run(&["rekey", "values.yaml"]), @"
    exit 1
    err: error: values.yaml:2: b: was encrypted and would stand in the clear
    err: hint: The rule in .sops.yaml does not select it any more. `git log -p` shows who changed it; is it meant, pass --accept-clear.
    ");
    let rotate = run(&["rotate", "."]);
    assert!(rotate.stderr.contains(EXPOSED), "{rotate}");
    assert_eq!(sandbox.read("values.yaml"), before);
    run(&["rekey", "--accept-clear", "values.yaml"]).ok();
    assert!(sandbox.read("values.yaml").contains("\nb: s3cr3t-two\n"));
}

#[test]
fn a_comment_that_a_narrowed_selector_leaves_out_stays_encrypted() {
    let text = "data:\n  # the code is 4711\n  password: x\n";
    let (sandbox, alice) = selected("encrypted_regex: ^(data|password)$", text);
    for name in ["values.yaml", ".sops.yaml"] {
        // The selector is in no checksum.
        sandbox.write(name, sandbox.read(name).replace("^(data|password)$", "^password$"));
    }
    let before = sandbox.read("values.yaml");
    for words in [&["rekey", "--fold", "values.yaml"][..], &["rotate", "."], &["sops", "rotate", "-i", "values.yaml"]] {
        let outcome = sandbox.sealwax(words.iter().copied()).by(&alice).run();
        assert_ne!(outcome.code, Some(0), "{outcome}");
        assert_eq!(sandbox.read("values.yaml"), before);
    }
}

#[test]
fn values_behind_aliases_are_no_new_ones() {
    let text = "base: &b {host: db}\ncopy: *b\npassword: s3cr3t-pass\n";
    let (sandbox, alice) = selected("encrypted_regex: ^password", text);
    let wider = sandbox.read(".sops.yaml").replace("^password", "^(password|pass)");
    sandbox.write(".sops.yaml", wider);
    edit(&sandbox, &alice, "sed -i 's/s3cr3t-pass/s3cr3t-new/' \"$1\"").ok();
}
