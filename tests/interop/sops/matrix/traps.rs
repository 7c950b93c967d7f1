//! What has set other programs apart from SOPS: documents that both must read alike, by whole processes.

use std::fmt::Write as _;

use data_encoding::BASE64;

use super::plan::FileType;
use super::programs::{Place, Programs};
use super::spans;
use crate::common::age_key;

/// A work directory with an age key and a rule for it, which has these lines too.
pub(super) fn place<'p>(programs: &'p Programs, more: &str) -> Place<'p> {
    let mut cli = programs.place();
    let person = age_key(&cli, "me", &[]);
    cli.env("SOPS_AGE_KEY_FILE", person.identity());
    cli.write(".sops.yaml", format!("creation_rules:\n  - age: {}\n{more}", person.recipient));
    Place { cli, programs }
}

/// Encrypts a text with a program; the encrypted file.
pub(super) fn encrypted(place: &Place<'_>, by_us: bool, name: &str, plain: &[u8]) -> String {
    place.cli.write(name, plain);
    let done = if by_us { place.sealwax(&["encrypt", name], b"") } else { place.sops(&["encrypt", "-i", name]) };
    done.unwrap_or_else(|why| panic!("{why}"));
    place.cli.read(name)
}

fn opened(place: &Place<'_>, by_us: bool, name: &str) -> Vec<u8> {
    let done = if by_us { place.sealwax(&["decrypt", name], b"") } else { place.sops(&["decrypt", name]) };
    done.unwrap_or_else(|why| panic!("{why}\n{}", place.cli.read(name)))
}

/// A text as SOPS lays it out after it went through it once: what it understood of the values.
fn understood(place: &Place<'_>, name: &str, plain: &[u8]) -> String {
    encrypted(place, false, name, plain);
    String::from_utf8(opened(place, false, name)).unwrap()
}

/// Both programs take a text for the same values, whoever encrypts it and whoever opens it. Returns what SOPS prints.
fn agree(place: &Place<'_>, name: &str, plain: &str) -> String {
    let expected = understood(place, name, plain.as_bytes());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    encrypted(place, false, name, plain.as_bytes());
    let ours = opened(place, true, name);
    assert_eq!(understood(place, name, &ours), expected, "SOPS writes, we read {}", text(ours));
    encrypted(place, true, name, plain.as_bytes());
    assert_eq!(text(opened(place, false, name)), expected, "we write, SOPS reads");
    let ours = opened(place, true, name);
    assert_eq!(understood(place, name, &ours), expected, "we write, we read {}", text(ours));
    expected
}

/// A value set by us in a file of SOPS changes nothing else, and SOPS opens the file.
fn set(place: &Place<'_>, (name, plain): (&str, &str), path: &str, value: &str) {
    let before = encrypted(place, false, name, plain.as_bytes());
    place.sealwax(&["set", name, path], value.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
    let last = path.trim_matches('"');
    spans::edited_only(FileType::Yaml, last, &before, &place.cli.read(name)).unwrap_or_else(|why| panic!("{why}"));
    let opened = String::from_utf8(opened(place, false, name)).unwrap();
    assert!(opened.contains(value), "{opened}");
}

#[test]
fn documents_share_key_and_checksum() {
    let programs = Programs::find();
    let place = place(&programs, "");
    let plain = "first: s3cr3t-one\nshared: s3cr3t-two\n---\nsecond: s3cr3t-three\nshared: s3cr3t-four\n---\nlast: 1\n";
    assert_eq!(agree(&place, "file.yaml", plain), plain);
    encrypted(&place, false, "file.yaml", plain.as_bytes());
    place.sealwax(&["set", "file.yaml", "shared", "--doc", "2"], b"s3cr3t-new").unwrap();
    let after = String::from_utf8(opened(&place, false, "file.yaml")).unwrap();
    assert_eq!(after, plain.replace("s3cr3t-four", "s3cr3t-new"));
}

#[test]
fn comments_in_lists() {
    let programs = Programs::find();
    let place = place(&programs, "");
    let plain = "list:\n    # first\n    - one\n    # second\n    - two\nkey: s3cr3t-value\n";
    assert_eq!(agree(&place, "file.yaml", plain), plain);
    set(&place, ("file.yaml", plain), "key", "s3cr3t-new");
}

#[test]
fn nothing_and_empty_text() {
    let programs = Programs::find();
    let place = place(&programs, "");
    let plain =
        "none: null\ntilde: ~\nnothing:\nempty: \"\"\nmap: {}\nlist: []\nlists: [null, \"\", {}]\nkey: s3cr3t-value\n";
    agree(&place, "file.yaml", plain);
    set(&place, ("file.yaml", plain), "key", "s3cr3t-new");
    agree(
        &place,
        "file.json",
        "{\"none\": null, \"empty\": \"\", \"map\": {}, \"list\": [null, \"\"], \"key\": \"x\"}",
    );
    agree(&place, "file.env", "EMPTY=\nKEY=value\n");
    agree(&place, "file.ini", "[a]\nempty =\nkey = value\n[b]\n");
}

#[test]
fn numbers_times_and_booleans_as_go_reads_them() {
    let programs = Programs::find();
    let place = place(&programs, "");
    let plain = "\
one: 1.0
large: 1e21
small: 1e-7
minus: -0.0
infinite: .inf
below: -.INF
none: .NaN
octal: 014
octal2: 0o14
hexadecimal: 0x1F
binary: 0b101
underscores: 12345_54321
date: 2024-01-01
time: 2001-12-14T21:59:43.10-05:00
blank: 2001-12-14 21:59:43.1
text: 2001-12-14 21:59:43.10 -5
clock: 12:30:45
upper: TRUE
mixed: False
word: yes
letter: 'n'
version: 1.2.3
most: 9223372036854775807
least: -9223372036854775808
";
    agree(&place, "file.yaml", plain);
    agree(
        &place,
        "file.json",
        r#"{"a": 1.0, "b": 1e3, "c": -0, "d": 9223372036854775807, "e": 1.5e300, "f": true, "g": "True"}"#,
    );
    agree(&place, "file.env", "A=TRUE\nB=014\nC=1.0\n");
}

#[test]
fn an_integer_above_64_bits_with_sign_is_refused_by_both() {
    let programs = Programs::find();
    let place = place(&programs, "");
    place.cli.write("file.yaml", "a: s3cr3t-value\nb: 18446744073709551615\n");
    assert!(place.sops(&["encrypt", "file.yaml"]).is_err());
    let why = place.sealwax(&["encrypt", "file.yaml"], b"").unwrap_err();
    assert!(why.contains("file.yaml:2: b: ") && !why.contains("s3cr3t"), "{why}");
}

#[test]
fn nonces_have_32_bytes() {
    let programs = Programs::find();
    let place = place(&programs, "");
    let text = encrypted(&place, true, "file.yaml", b"a: one\nb: [2, 3.5, true]\n# comment\nc: x\n");
    let nonces: Vec<_> = text.split(",iv:").skip(1).filter_map(|rest| rest.split(',').next()).collect();
    // Five values, a comment, and the checksum.
    assert_eq!(nonces.len(), 7, "{text}");
    assert!(nonces.iter().all(|nonce| BASE64.decode(nonce.as_bytes()).unwrap().len() == 32), "{nonces:?}");
}

#[test]
fn windows_line_ends_and_a_byte_order_mark() {
    let programs = Programs::find();
    let place = place(&programs, "");
    agree(&place, "file.yaml", "a: s3cr3t-one\r\nb:\r\n    c: s3cr3t-two\r\n");
    let text = encrypted(&place, true, "file.yaml", b"a: s3cr3t-one\r\nb:\r\n    c: s3cr3t-two\r\n");
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    agree(&place, "file.yaml", "\u{feff}a: s3cr3t-one\nb: 2\n");
    agree(&place, "file.json", "{\r\n\t\"a\": \"s3cr3t-one\"\r\n}\r\n");
}

#[test]
fn large_and_many_values() {
    let programs = Programs::find();
    let place = place(&programs, "");
    let large = format!("key: {}\nother: 1\n", "0123456789abcdef".repeat(65_536));
    assert_eq!(agree(&place, "file.yaml", &large), large);
    let mut many = String::new();
    for number in 0..5_000 {
        writeln!(many, "key{number}: value-{number}").unwrap();
    }
    assert_eq!(agree(&place, "file.yaml", &many), many);
}

#[test]
fn names_that_look_like_paths() {
    let programs = Programs::find();
    let place = place(&programs, "");
    let plain = "\"a:b\": s3cr3t-one\na:\n    b: s3cr3t-two\nc.d: s3cr3t-three\n🔑: s3cr3t-four\n\"\": s3cr3t-five\nx y: s3cr3t-six\n";
    agree(&place, "file.yaml", plain);
    set(&place, ("file.yaml", plain), "\"x y\"", "s3cr3t-new");
    agree(
        &place,
        "file.json",
        "{\"a:b\": \"one\", \"a\": {\"b\": \"two\"}, \"c.d\": 3, \"🔑\": \"four\", \"e\\u0000f\": \"five\"}",
    );
}

#[test]
fn binary_values() {
    let programs = Programs::find();
    let place = place(&programs, "");
    agree(&place, "file.yaml", "text: !!binary aGVsbG8=\nkey: s3cr3t-value\n");
    agree(&place, "file.yaml", "bytes: !!binary /wD+gA==\nkey: s3cr3t-value\n");
}

#[test]
fn anchors_and_merges_that_are_not_selected() {
    let programs = Programs::find();
    let place = place(&programs, "    encrypted_regex: ^password\n");
    let plain = "\
base: &base
    x: one
    list: &list [1, 2]
other:
    <<: *base
    password: s3cr3t-value
again: *list
";
    agree(&place, "file.yaml", plain);
    let text = encrypted(&place, true, "file.yaml", plain.as_bytes());
    assert!(text.contains("&base\n") && text.contains("<<: *base\n"), "{text}");
}
