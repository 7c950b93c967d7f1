//! How real tools call SOPS, word by word, from reading their sources.

use super::{Desk, VALUES};

/// A tool, what it calls, what it writes to standard input, and the beginning of what it reads.
type Case<'a> = (&'a str, Vec<&'a str>, &'a str, &'a str);

#[test]
fn tools_get_what_they_ask_for() {
    let desk = Desk::with_file();
    desk.sandbox.write("plain.yaml", VALUES);
    let yaml = desk.sandbox.read("e.yaml");
    desk.encrypted("literal.json", "{\"a\": \"s3cr3t\"}");
    let json = desk.sandbox.read("literal.json");
    let types = |kind| ["--input-type", kind, "--output-type", kind];
    let with = |before: &[&'static str], kind, after: &[&'static str]| [before, &types(kind)[..], after].concat();
    let cases: Vec<Case<'_>> = vec![
        ("helm-secrets decrypt", with(&["--decrypt"], "yaml", &["e.yaml"]), "", VALUES),
        ("helm-secrets literal", with(&["--decrypt"], "json", &["/dev/stdin"]), &json, "{\"a\": \"s3cr3t\"}"),
        ("helm-secrets encrypt", with(&["--encrypt"], "yaml", &["plain.yaml"]), "", "#ENC["),
        ("community.sops", with(&["--enable-local-keyservice"], "yaml", &["--decrypt", "/dev/stdin"]), &yaml, VALUES),
        ("community.sops encrypt", with(&[], "yaml", &["--encrypt", "/dev/stdin"]), VALUES, "#ENC["),
        ("vscode-sops", vec!["--output-type", "yaml", "--input-type", "yaml", "--decrypt", "e.yaml"], "", VALUES),
        ("Go programs", vec!["-d", "e.yaml"], "", VALUES),
        ("Go programs", vec!["--decrypt", "--output-type", "json", "e.yaml"], "", "{\n\t\"a\": \"s3cr3t-a\""),
        ("git's textconv", vec!["decrypt", "e.yaml"], "", VALUES),
        ("shell scripts", vec!["-d", "--extract", "[\"a\"]", "e.yaml"], "", "s3cr3t-a"),
        ("shell scripts", vec!["decrypt", "e.yaml", "--extract", "[\"l\"][1][\"k\"]"], "", "s3cr3t-k"),
    ];
    for (tool, words, input, expected) in cases {
        let outcome = desk.sops(words.iter().copied()).input(input).run();
        assert_eq!(outcome.stderr, "", "{tool} {words:?}: helm-secrets reads both streams as one");
        let printed = outcome.ok();
        assert!(printed.starts_with(expected), "{tool} {words:?}: {printed}");
    }
}

#[test]
fn tools_find_what_they_look_for_in_files() {
    let desk = Desk::with_file();
    desk.encrypted("e.json", "{\"a\": 1}");
    desk.encrypted("e.bin", "s3cr3t");
    // helm-secrets greps for these.
    for name in ["e.yaml", "e.json", "e.bin"] {
        let is_mac = |line: &str| line.contains("mac") && line.contains(",type:str]");
        assert!(desk.sandbox.read(name).lines().any(is_mac), "{name}");
    }
    assert!(desk.sandbox.read("e.yaml").lines().any(|line| line == "sops:"));
    assert!(desk.sandbox.read("e.bin").contains("\"data\": \"ENC["));
}

#[test]
fn an_editor_that_copies_a_file_is_how_vscode_saves() {
    let desk = Desk::with_file();
    desk.sandbox.write("saved", VALUES.replace("two", "three"));
    let copy = desk.sandbox.script("copy", "cat saved > \"$1\"");
    let words = ["--output-type", "yaml", "--input-type", "yaml", "e.yaml"];
    desk.sops(words).env("EDITOR", &copy).run().ok();
    assert_eq!(desk.sops(["decrypt", "e.yaml"]).run().ok(), VALUES.replace("two", "three"));
    // New files: in another folder, with a copy of the configuration, and by the words of a message.
    desk.sandbox
        .write("copy/.sops.yaml", format!("creation_rules:\n  - path_regex: x\n    age: {}\n", desk.alice.recipient));
    desk.sandbox.write("copy/x.yaml", VALUES);
    desk.sandbox.write("copy/other.yaml", VALUES);
    let save = |file| desk.stranger(["--config", "copy/.sops.yaml", "--input-type", "yaml", "--encrypt", file]).run();
    assert!(save("copy/x.yaml").ok().contains("\nsops:\n"));
    assert!(save("copy/other.yaml").stderr.contains("no matching creation rules found"));
}

#[test]
fn who_asks_for_more_is_told_when_the_key_was_found() {
    let desk = Desk::with_file();
    let outcome = desk.sops(["--verbose", "--decrypt", "e.yaml"]).run();
    assert!(outcome.stderr.contains("Data key recovered successfully"), "{outcome}");
    assert_eq!(outcome.ok(), VALUES);
    let unopened = desk.stranger(["--verbose", "--decrypt", "e.yaml"]).run();
    assert!(!unopened.stderr.contains("recovered"), "{unopened}");
}
