//! `decrypt(encrypt(file))` is the file, byte for byte.

use crate::common::{SECRET, Sandbox};

/// Files whose every value of a key `password` or `token` is encrypted, in all manners of writing.
const FILES: &[(&str, &str)] = &[
    ("crlf.yaml", "a: 1\r\npassword: s3cr3t\r\n# end\r\n"),
    ("bom.yaml", "\u{feff}password: s3cr3t\n"),
    ("no-newline.yaml", "a: b\npassword: s3cr3t"),
    ("no-newline-block.yaml", "password: |\n  s3cr3t\n  second"),
    ("crlf-block.yaml", "password: |-\r\n  s3cr3t\r\n  second\r\nb: c\r\n"),
    ("quotes.yaml", "a: {password: 's3cr3t ''one'''}\nb: {password: \"s3cr3t \\\"two\\\" \\u00e9 \\x41\"}\n"),
    ("folded.yaml", "password: >+\n  s3cr3t\n  folded\n\n  more\n\nafter: 1\n"),
    ("indented.yaml", "a:\n    b:\n        - token:   s3cr3t   # why\n          x: y\n        - token: 's3cr3t'\n"),
    ("plain-lines.yaml", "password: s3cr3t on\n  two lines\n  three\nafter: 1\n"),
    ("types.yaml", "a: {password: 31337}\nb: {password: 3.1e4}\nc: {password: yes}\nd: {password: 2001-12-14}\n"),
    ("binary.yaml", "password: !!binary |\n  czNjcjN0AAEC\n  AwQF\nb: 1\n"),
    ("empty.yaml", "password: \"\"\ntoken: ''\nx: {password: ~, token: s3cr3t}\n"),
    ("document-marks.yaml", "%YAML 1.2\n---\npassword: s3cr3t\n...\n---\npassword: s3cr3t\n"),
    ("flow.yaml", "{a: [{token: s3cr3t}, {token: \"s3cr3t\"}], b: {password: 's3cr3t'}}\n"),
    ("unicode.yaml", "password: \u{1f511} s3cr3t \u{e9}\n\u{43a}\u{43b}\u{44e}\u{447}:\n  password: s3cr3t\n"),
    ("tabs.yaml", "password:\ts3cr3t\t# tab\n"),
    ("spaces.yaml", "\n\n# head\n\npassword:    s3cr3t\n\n\n"),
    ("json.json", "{\n\t\"password\": \"s3cr3t \\u00e9\\/\",\n\t\"b\": {\"token\": 31337}\n}\n"),
    ("compact.json", "{\"password\":\"s3cr3t\",\"x\":{\"password\":true}}"),
];

#[test]
fn of_one_call_over_every_way_of_writing() {
    let (sandbox, alice) = Sandbox::with_policy();
    for (name, text) in FILES {
        sandbox.write(name, text);
    }
    let names: Vec<_> = FILES.iter().map(|(name, _)| *name).collect();
    sandbox.sealwax(["encrypt"]).args(&names).run().ok();
    for (name, text) in FILES {
        let sealed = sandbox.read(name);
        assert!(!sealed.contains("s3cr3t") && !sealed.contains("31337"), "{name}: {sealed}");
        let plain = sandbox.sealwax(["decrypt", name]).by(&alice).run().ok();
        assert_eq!(&plain, text, "{name}");
    }
    sandbox.sealwax(["decrypt", "--in-place"]).args(&names).by(&alice).run().ok();
    for (name, text) in FILES {
        assert_eq!(&sandbox.read(name), text, "{name}");
    }
}

#[test]
fn line_ends_and_marks_survive_encryption_itself() {
    let (sandbox, _) = Sandbox::with_policy();
    let crlf = sandbox.encrypted("crlf.yaml", "a: 1\r\npassword: s3cr3t\r\n");
    assert_eq!(crlf.matches('\n').count(), crlf.matches("\r\n").count(), "every line ends in CRLF");
    assert!(sandbox.encrypted("bom.yaml", "\u{feff}password: s3cr3t\n").starts_with('\u{feff}'));
    assert!(!sandbox.encrypted("end.yaml", "password: s3cr3t").ends_with('\n'));
}

#[test]
fn a_multi_document_file_of_objects() {
    let (sandbox, alice) = Sandbox::with_policy();
    let text = format!("# first\n{SECRET}---\n# second\n{}", SECRET.replace("name: db", "name: cache"));
    sandbox.encrypted("all.yaml", &text);
    assert_eq!(sandbox.sealwax(["decrypt", "all.yaml"]).by(&alice).run().ok(), text);
}

#[test]
fn many_files_at_once() {
    let (sandbox, alice) = Sandbox::with_policy();
    let names: Vec<_> = (0..60).map(|n| format!("{n}.yaml")).collect();
    for name in &names {
        sandbox.write(name, format!("password: s3cr3t-{name}\n"));
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    sandbox.sealwax(["encrypt"]).args(&names).run().ok();
    let all = sandbox.sealwax(["decrypt"]).args(&names).by(&alice).run().ok();
    let expected: String = names.iter().map(|name| format!("password: s3cr3t-{name}\n")).collect();
    assert_eq!(all, expected, "in the order of the command line");
}
