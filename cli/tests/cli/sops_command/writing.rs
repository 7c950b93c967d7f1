//! `encrypt`, `edit`, `set`, `unset`: what is written, and the exit codes.

use insta::assert_snapshot;

use super::{Desk, VALUES};

#[test]
fn encrypts_every_type_and_back() {
    let desk = Desk::new();
    for (name, content) in [
        ("a.yaml", VALUES),
        ("a.json", "{\"a\": \"s3cr3t\", \"l\": [1, {\"k\": 2.5}]}\n"),
        ("a.env", "# c\nA=s3cr3t\nB=two words\n"),
        ("a.ini", "[s]\na = s3cr3t\nb = x\n"),
        ("a.bin", "s3cr3t \u{1} bytes"),
    ] {
        desk.encrypted(name, content);
        assert!(!desk.sandbox.read(name).contains("s3cr3t"), "{name}");
        assert_eq!(desk.sops(["decrypt", name]).run().ok().trim_end(), content.trim_end(), "{name}");
    }
    // From one type to another, and from standard input.
    let flags = ["encrypt", "--input-type", "yaml", "--output-type", "json", "--filename-override", "x"];
    desk.sandbox.write("from.json", desk.sops(flags).input("a: 1\nb: [x]\n").run().ok());
    assert_eq!(desk.values("from.json"), "{\"a\":1,\"b\":[\"x\"]}");
}

#[test]
fn refuses_what_cannot_be_encrypted() {
    let desk = Desk::with_file();
    let write = |name, content: &str| desk.sandbox.write(name, content);
    write("plain.yaml", VALUES);
    assert_snapshot!(desk.sops(["encrypt", "e.yaml"]).run(), @"
    exit 203
    err: The file you have provided contains a top-level entry called 'sops': e.yaml is encrypted already
    err: hint: If it is not, rename that entry: SOPS keeps its own data there.
    err: hint: If it is, change it with `sops edit`.
    ");
    write("empty.yaml", "");
    assert_eq!(desk.code(["encrypt", "empty.yaml"]), Some(92));
    for (name, content) in [("list.yaml", "[1]\n"), ("broken.yaml", "a: [\n"), ("broken.json", "{")] {
        write(name, content);
        assert_eq!(desk.code(["encrypt", name]), Some(2), "{name}");
    }
    assert_snapshot!(desk.stranger(["encrypt", "plain.yaml"]).run(), @"
    exit 1
    err: config file not found, or has no creation rules, and no keys provided through command line options
    err: hint: Name a key with --age or another flag, or write a .sops.yaml.
    ");
    assert_eq!(desk.code(["encrypt"]), Some(8));
    assert_eq!(desk.code(["encrypt", "--encrypted-regex", "a", "--encrypted-suffix", "b", "plain.yaml"]), Some(8));
    assert_eq!(desk.code(["encrypt", "--encryption-context", "x", "plain.yaml"]), Some(6));
    assert_eq!(desk.code(["encrypt", "--age", "nokey", "plain.yaml"]), Some(1));
    assert_eq!(desk.code(["encrypt", "missing.yaml"]), Some(100));
    // SOPS writes all of it in the clear.
    for wrong in ["(", "^nothing$"] {
        let outcome = desk.sops(["encrypt", "-i", "--encrypted-regex", wrong, "plain.yaml"]).run();
        assert_eq!((outcome.code, desk.sandbox.read("plain.yaml").as_str()), (Some(23), VALUES), "{outcome}");
    }
    write("nothing.yaml", "a: null\nb: \"\"\n");
    assert_eq!(desk.code(["encrypt", "--encrypted-regex", "^nothing$", "nothing.yaml"]), Some(0), "nothing is to hide");
}

#[test]
fn rules_say_what_flags_do_not() {
    let desk = Desk::new();
    desk.sandbox.write("x.yaml", VALUES);
    desk.sandbox.write("other.yaml", VALUES);
    let age = format!("age: {}", desk.alice.recipient);
    desk.rule(&["path_regex: x", &age, "encrypted_regex: ^a$"]);
    desk.stranger(["encrypt", "-i", "x.yaml"]).run().ok();
    let text = desk.sandbox.read("x.yaml");
    assert!(text.contains("\nn: 5\n") && !text.contains("s3cr3t-a") && text.contains("s3cr3t-k"), "{text}");
    let outcome = desk.stranger(["encrypt", "other.yaml"]).run();
    assert!(outcome.code == Some(1) && outcome.stderr.contains("no matching creation rules found"), "{outcome}");
    // Keys of flags, and the selector of the rule, which may name no key then.
    desk.rule(&["path_regex: other", "encrypted_regex: ^k$"]);
    desk.sops(["encrypt", "-i", "other.yaml"]).run().ok();
    let text = desk.sandbox.read("other.yaml");
    assert!(text.contains("s3cr3t-a") && !text.contains("s3cr3t-k"), "{text}");
    // A configuration elsewhere.
    desk.sandbox.write("etc/rules.yaml", format!("creation_rules:\n  - {age}\n"));
    desk.sandbox.write("third.yaml", VALUES);
    desk.stranger(["--config", "etc/rules.yaml", "encrypt", "-i", "third.yaml"]).run().ok();
    desk.rule(&["path_regex: x", &age, "encrypted_regexp: ^a$"]);
    assert_eq!(desk.code(["encrypt", "third.yaml"]), Some(1), "SOPS passes over the misspelt key");
}

#[test]
fn sets_values_where_they_belong() {
    let cases = [
        ("[\"a\"]", "\"z\"", "\"a\":\"z\""),
        ("[\"n\"]", "6", "\"n\":6"),
        ("[\"z\"]", "{\"x\": [1, 2.5]}", "\"z\":{\"x\":[1,2.5]}"),
        ("[\"a\"][\"b\"]", "1", "\"a\":{\"b\":1}"),
        ("[\"l\"][0]", "false", "\"l\":[false,"),
        ("[\"l\"][1][\"k\"]", "null", "{\"k\":null}"),
        ("[\"l\"][2]", "\"new\"", "\"new\"]"),
        ("[\"l\"][99]", "[1]", "[1]]"),
        ("[\"q\"][\"r\"][\"s\"]", "\"t\"", "\"q\":{\"r\":{\"s\":\"t\"}}"),
        ("[\"q\"]", "\"one\\ntwo\\n\"", "\"q\":\"one\\ntwo\\n\""),
    ];
    for (path, json, expected) in cases {
        let desk = Desk::with_file();
        let before = desk.sandbox.read("e.yaml");
        desk.sops(["set", "e.yaml", path, json]).run().ok();
        assert!(desk.values("e.yaml").contains(expected), "{path} {json}: {}", desk.values("e.yaml"));
        let by_flag = format!("{path} {json}");
        desk.sandbox.write("e.yaml", &before);
        desk.sops(["--set", &by_flag, "e.yaml"]).run().ok();
        assert!(desk.values("e.yaml").contains(expected), "{by_flag}");
        let head = before.lines().next().unwrap();
        assert_eq!(desk.sandbox.read("e.yaml").lines().next().unwrap(), head, "the rest keeps its ciphertext");
    }
}

#[test]
fn values_come_from_elsewhere_too_and_nothing_is_written_for_nothing() {
    let desk = Desk::with_file();
    desk.sops(["set", "--value-stdin", "e.yaml", "[\"a\"]"]).input("\"s3cr3t-new\"").run().ok();
    desk.sandbox.write("value", "\"s3cr3t-file\"\n");
    desk.sops(["set", "--value-file", "e.yaml", "[\"n\"]", "value"]).run().ok();
    let values = desk.values("e.yaml");
    assert!(values.contains("\"a\":\"s3cr3t-new\",\"n\":\"s3cr3t-file\""), "{values}");
    let before = desk.sandbox.read("e.yaml");
    desk.sops(["set", "--idempotent", "e.yaml", "[\"a\"]", "\"s3cr3t-new\""]).run().ok();
    desk.sops(["unset", "--idempotent", "e.yaml", "[\"nope\"]"]).run().ok();
    assert_eq!(desk.sandbox.read("e.yaml"), before);
    assert_eq!(desk.code(["set", "e.yaml", "[\"a\"", "1"]), Some(7));
    assert_eq!(desk.code(["set", "e.yaml", "[\"a\"]", "s3cr3t"]), Some(7));
    assert_eq!(desk.code(["--set", "[\"a\"]", "e.yaml"]), Some(7));
    assert_eq!(desk.code(["set", "e.yaml"]), Some(100));
    assert_eq!(desk.code(["set", "missing", "[\"a\"]", "1"]), Some(2));
    assert_eq!(desk.code(["set", "e.yaml", "[\"l\"][\"k\"]", "1"]), Some(1));
    assert_eq!(desk.sandbox.read("e.yaml"), before);
}

#[test]
fn a_value_that_the_selector_leaves_in_the_clear_is_told() {
    let desk = Desk::new();
    desk.sandbox.write("k.yaml", "data: {a: s3cr3t}\nmetadata: {name: x}\n");
    desk.sops(["encrypt", "-i", "--encrypted-regex", "^data$", "k.yaml"]).run().ok();
    assert_snapshot!(desk.sops(["set", "k.yaml", "[\"metadata\"][\"name\"]", "\"y\""]).run(), @"
    exit 0
    err: warning: k.yaml: ['metadata']['name']: the file's selector leaves it in the clear
    ");
    assert_eq!(desk.sops(["set", "k.yaml", "[\"data\"][\"b\"]", "\"s3cr3t\""]).run().stderr, "");

    // SOPS makes comments items of lists, and they count for none in a path.
    desk.sandbox.write("l.yaml", "list:\n  # note\n\n  # open\n  - x\n  - s3cr3t\n");
    desk.sops(["encrypt", "-i", "--unencrypted-comment-regex", "open", "l.yaml"]).run().ok();
    desk.sandbox.write("l.yaml", desk.sandbox.read("l.yaml").replacen("  #ENC[", "  - ENC[", 1));
    let set = |path: &'static str| desk.sops(["set", "l.yaml", path, "\"y\""]).run();
    assert!(set("[\"list\"][0]").stderr.contains("leaves it in the clear"));
    assert_eq!(set("[\"list\"][1]").stderr, "");
}

#[test]
fn unset_takes_out_entries_and_items() {
    let cases = [
        ("[\"a\"]", "{\"n\":5"),
        ("[\"m\"]", "\"z\":null,\"l\""),
        ("[\"m\"][\"x\"]", "\"m\":{\"y\""),
        ("[\"l\"][0]", "\"l\":[{\"k\""),
        ("[\"l\"][1][\"k\"]", "\"one\",{}]"),
    ];
    for (path, expected) in cases {
        let desk = Desk::with_file();
        desk.sops(["unset", "e.yaml", path]).run().ok();
        assert!(desk.values("e.yaml").contains(expected), "{path}: {}", desk.values("e.yaml"));
    }
    let desk = Desk::with_file();
    assert_snapshot!(desk.sops(["unset", "e.yaml", "[\"m\"][\"nope\"]"]).run(), @"
    exit 1
    err: Key not found: ['m']['nope']
    ");
    assert_eq!(desk.code(["unset", "e.yaml"]), Some(100));
    assert_eq!(desk.code(["unset", "e.yaml", "a"]), Some(7));
}

#[test]
fn edits_in_the_editor_that_sops_would_run() {
    let desk = Desk::with_file();
    let before = desk.sandbox.read("e.yaml");
    let edit = |editor: &str| desk.sops(["edit", "e.yaml"]).env("SOPS_EDITOR", editor).run();
    assert_snapshot!(edit("true"), @"
    exit 200
    err: File has not changed, exiting.
    ");
    assert_eq!(edit("/no/such/editor").code, Some(201));
    assert_eq!(edit("false").code, Some(201));
    let killed = desk.sandbox.script("killed", "echo x >> \"$1\"; kill -9 $$");
    assert_eq!(edit(&killed).code, Some(201));
    let broken = desk.sandbox.script("broken", "echo 'a: [' > \"$1\"");
    assert_eq!(edit(&broken).code, Some(2), "nobody is there to correct it");
    assert_eq!(desk.sandbox.read("e.yaml"), before);
    let args = desk
        .sandbox
        .script("editor", "test \"$1\" = 'an argument'; test \"${2##*/}\" = e.yaml; sed -i s/two/2/ \"$2\"");
    desk.sops(["e.yaml"]).env("EDITOR", format!("{args} 'an argument'")).run().ok();
    assert_eq!(desk.sops(["decrypt", "e.yaml"]).run().ok(), VALUES.replace("two", "2"));
    desk.sandbox.assert_clean();
}

#[test]
fn a_new_file_begins_with_an_example() {
    let desk = Desk::new();
    let keep = desk.sandbox.script("keep", "cp \"$1\" \"$HOME/example\"; printf 'a: s3cr3t\\n' > \"$1\"");
    desk.sops(["edit", "new.yaml"]).env("EDITOR", &keep).run().ok();
    assert_eq!(desk.values("new.yaml"), "{\"a\":\"s3cr3t\"}");
    let example = std::fs::read_to_string(desk.sandbox.root().join("example")).unwrap();
    assert!(example.contains("example_key: example_value\n"), "{example}");
    for name in ["new.json", "new.env", "new.ini", "new.txt"] {
        assert_eq!(desk.sops(["edit", name]).env("EDITOR", "true").run().code, Some(200), "{name}");
        assert!(!desk.sandbox.path(name).exists());
        let add = desk.sandbox.script("add", "sed -i s/Welcome/Hello/ \"$1\"");
        desk.sops([name]).env("EDITOR", &add).run().ok();
        assert!(desk.sops(["decrypt", name]).run().ok().contains("Hello"), "{name}");
    }
    assert_eq!(desk.code(["edit"]), Some(100));
}

#[test]
fn keys_are_shown_in_the_editor_and_taken_out_there() {
    let desk = Desk::new();
    let bob = desk.sandbox.person("bob");
    desk.sandbox.write("two.yaml", VALUES);
    let both = format!("{},{}", bob.recipient, desk.alice.recipient);
    desk.sops(["encrypt", "-i", "--age", &both, "two.yaml"]).run().ok();
    // Bob's entry is the first.
    let end = format!("/recipient: {}/", bob.recipient);
    let body = format!("sed -i '1,{end}{{/^ *- enc/,{end}d}}' \"$1\"");
    let editor = desk.sandbox.script("editor", &body);
    desk.sops(["edit", "-s", "two.yaml"]).env("EDITOR", &editor).run().ok();
    let text = desk.sandbox.read("two.yaml");
    assert!(!text.contains(&bob.recipient) && text.contains(&desk.alice.recipient), "{text}");
    assert_eq!(desk.sops(["decrypt", "two.yaml"]).run().ok(), VALUES);
}

#[test]
fn a_key_that_is_typed_over_another_gets_the_data_key_of_its_own() {
    let desk = Desk::with_file();
    let bob = desk.sandbox.person("bob");
    let body = format!("sed -i 's/{}/{}/' \"$1\"", desk.alice.recipient, bob.recipient);
    let editor = desk.sandbox.script("editor", &body);
    desk.sops(["edit", "-s", "e.yaml"]).env("EDITOR", &editor).run().ok();
    assert_ne!(desk.code(["decrypt", "e.yaml"]), Some(0));
    let by_bob = desk.stranger(["decrypt", "e.yaml"]).env("SOPS_AGE_KEY_FILE", &bob.file).run();
    assert_eq!(by_bob.ok(), VALUES);
}
