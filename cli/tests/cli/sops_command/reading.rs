//! `decrypt` and `filestatus`: what is printed, where it goes, and the exit codes.

use std::os::unix::fs::PermissionsExt as _;

use insta::assert_snapshot;

use super::{Desk, VALUES};

#[test]
fn prints_the_file_as_it_was() {
    let desk = Desk::with_file();
    assert_eq!(desk.sops(["decrypt", "e.yaml"]).run().ok(), VALUES);
    let encrypted = desk.sandbox.read("e.yaml");
    let from_stdin = desk.sops(["decrypt", "--input-type", "yaml", "--output-type", "yaml"]).input(&encrypted);
    assert_eq!(from_stdin.run().ok(), VALUES);
    assert_eq!(desk.sops(["decrypt", "--filename-override", "x.yaml"]).input(&encrypted).run().ok(), VALUES);
}

#[test]
fn extracts_as_sops_prints() {
    let desk = Desk::with_file();
    let cases = [
        ("[\"a\"]", "s3cr3t-a"),
        ("['a']", "s3cr3t-a"),
        ("[\"n\"]", "5\n"),
        ("[\"f\"]", "1.5\n"),
        ("[\"b\"]", "true\n"),
        ("[\"z\"]", "null\n"),
        ("[\"m\"]", "x: 1\n\"y\":\n    - 1\n    - two\n"),
        ("[\"l\"]", "- one\n- k: s3cr3t-k\n"),
        ("[\"l\"][1]", "k: s3cr3t-k\n"),
        ("[\"l\"][0]", "one"),
    ];
    for (path, expected) in cases {
        assert_eq!(desk.sops(["decrypt", "--extract", path, "e.yaml"]).run().ok(), expected, "{path}");
    }
    let json = desk.sops(["decrypt", "--output-type", "json", "--extract", "[\"m\"]", "e.yaml"]).run().ok();
    assert_eq!(json, "{\n\t\"x\": 1,\n\t\"y\": [\n\t\t1,\n\t\t\"two\"\n\t]\n}\n");
    assert_snapshot!(desk.sops(["decrypt", "--extract", "[\"m\"][\"nope\"]", "e.yaml"]).run(), @"
    exit 1
    err: error truncating tree: component ['nope'] not found
    ");
    assert_snapshot!(desk.sops(["decrypt", "--extract", "m", "e.yaml"]).run(), @"
    exit 91
    err: error parsing --extract path: component m doesn't end with ]
    ");
}

#[test]
fn prints_other_types_and_says_what_has_no_place_there() {
    let desk = Desk::with_file();
    desk.encrypted("e.env", "A=s3cr3t-a\nB=two words\n");
    desk.encrypted("e.bin", "s3cr3t\n");
    let as_type = |kind: &str, file: &str| desk.sops(["decrypt", "--output-type", kind, file]).run();
    assert_eq!(as_type("json", "e.env").ok(), "{\n\t\"A\": \"s3cr3t-a\",\n\t\"B\": \"two words\"\n}\n");
    assert_eq!(as_type("binary", "e.bin").ok(), "s3cr3t\n");
    assert_snapshot!(as_type("dotenv", "e.yaml"), @"
    exit 4
    err: Error dumping file: e.yaml: m is a mapping or a list, and such a file holds texts only
    ");
    assert_snapshot!(as_type("binary", "e.yaml"), @"
    exit 4
    err: Error dumping file: e.yaml: the file has no text under the key data
    err: hint: If this is no file of bytes, choose another type with --output-type.
    ");
}

#[test]
fn each_failure_has_its_exit_code() {
    let desk = Desk::with_file();
    let text = desk.sandbox.read("e.yaml");
    let lines = |keep: &dyn Fn(&str) -> bool| -> String {
        text.lines().filter(|line| keep(line)).map(|line| format!("{line}\n")).collect()
    };
    desk.sandbox.write("less.yaml", lines(&|line| !line.starts_with("n:")));
    assert_snapshot!(desk.sops(["decrypt", "less.yaml"]).run(), @"
    exit 51
    err: MAC mismatch. less.yaml: the checksum (mac) does not fit: values were added, removed, moved or changed outside of SOPS
    err: hint: --ignore-mac opens the file all the same; then look at what was changed.
    ");
    assert_eq!(desk.code(["decrypt", "--ignore-mac", "less.yaml"]), Some(0));
    desk.sandbox.write("none.yaml", lines(&|line| !line.starts_with("    mac:")));
    assert_eq!(desk.code(["decrypt", "none.yaml"]), Some(51));
    desk.sandbox.write("moved.yaml", text.replacen("\nn: ENC", "\nnn: ENC", 1));
    assert_eq!(desk.code(["decrypt", "moved.yaml"]), Some(25));
    assert_snapshot!(desk.stranger(["decrypt", "e.yaml"]).run(), @"
    exit 128
    err: Failed to get the data key required to decrypt the SOPS file.
    err: Error getting data key: 0 successful groups required, got 0
    err: e.yaml: none of its keys opens it
    err:   age RECIPIENT: none of your identities is for it
    err: hint: Pass --identity FILE, or set SEALWAX_IDENTITY, SOPS_AGE_KEY_FILE or SOPS_AGE_KEY to what holds your age key.
    ");
    desk.sandbox.write("plain.yaml", VALUES);
    assert_snapshot!(desk.sops(["decrypt", "plain.yaml"]).run(), @"
    exit 1
    err: sops metadata not found
    err: hint: plain.yaml is not encrypted, or is of another type: see --input-type.
    ");
    assert_snapshot!(desk.sops(["decrypt", "missing.yaml"]).run(), @r#"
    exit 100
    err: Error: cannot operate on non-existent file "missing.yaml"
    "#);
    assert_eq!(desk.code([]), Some(100));
    assert_eq!(desk.code(["decrypt", "--decryption-order", "age,age", "e.yaml"]), Some(112));
    assert_eq!(desk.sops(["decrypt", "e.yaml"]).env("SOPS_DECRYPTION_ORDER", "pgp,age").run().code, Some(0));
    assert_eq!(desk.code(["--config", "missing", "decrypt", "e.yaml"]), Some(1));
}

#[test]
fn results_go_where_the_flags_say() {
    let desk = Desk::with_file();
    assert_eq!(desk.code(["decrypt", "-i", "--output", "o", "e.yaml"]), Some(8));
    assert_eq!(desk.code(["decrypt", "-i"]), Some(8));
    let mode = |name: &str| std::fs::metadata(desk.sandbox.path(name)).unwrap().permissions().mode() & 0o777;
    desk.sops(["decrypt", "--output", "o.yaml", "e.yaml"]).run().ok();
    assert_eq!((desk.sandbox.read("o.yaml").as_str(), mode("o.yaml")), (VALUES, 0o600));
    std::fs::set_permissions(desk.sandbox.path("o.yaml"), std::fs::Permissions::from_mode(0o640)).unwrap();
    desk.sops(["decrypt", "--output", "o.yaml", "--extract", "[\"n\"]", "e.yaml"]).run().ok();
    assert_eq!((desk.sandbox.read("o.yaml").as_str(), mode("o.yaml")), ("5\n", 0o640));
    assert_eq!(desk.sops(["decrypt", "--output", "/dev/stdout", "e.yaml"]).run().ok(), VALUES);
    assert_eq!(desk.code(["decrypt", "--output", "no/such/folder", "e.yaml"]), Some(3));
    desk.sops(["-d", "-i", "e.yaml"]).run().ok();
    assert_eq!(desk.sandbox.read("e.yaml"), VALUES);
    desk.sandbox.assert_clean();
}

#[test]
fn filestatus_says_whether_a_file_is_encrypted() {
    let desk = Desk::with_file();
    desk.sandbox.write("plain.yaml", VALUES);
    desk.sandbox.write("broken.yaml", "a: [\n");
    assert_eq!(desk.stranger(["filestatus", "e.yaml"]).run().ok(), "{\"encrypted\":true}\n");
    assert_eq!(desk.stranger(["filestatus", "plain.yaml"]).run().ok(), "{\"encrypted\":false}\n");
    assert_eq!(desk.code(["filestatus", "broken.yaml"]), Some(1));
    assert_eq!(desk.code(["filestatus", "missing.yaml"]), Some(1));
    assert_eq!(desk.code(["filestatus"]), Some(100));
}
