//! Files that somebody or an older version wrote otherwise: both programs refuse the same, and read the same.

use super::plan::FileType;
use super::programs::{Place, Programs};
use super::spans;
use super::traps::{encrypted, place};

const PLAIN: &str = "one: s3cr3t-one\ntwo: s3cr3t-two\nopen_unencrypted: a word\n";

fn both(place: &Place<'_>, arguments: &[&str]) -> [Result<Vec<u8>, String>; 2] {
    [place.sops(arguments), place.sealwax(arguments, b"")]
}

/// Neither program opens a file, and neither says a value.
fn refused(place: &Place<'_>, text: &str, arguments: &[&str]) {
    place.cli.write("file.yaml", text);
    for done in both(place, arguments) {
        let why = done.map(|printed| String::from_utf8_lossy(&printed).into_owned()).unwrap_err();
        assert!(!why.contains("s3cr3t"), "{why}");
    }
}

/// The line of a name, with its line break.
fn line<'t>(text: &'t str, name: &str) -> &'t str {
    text.split_inclusive('\n').find(|line| line.trim_start().starts_with(name)).unwrap()
}

fn token(text: &str) -> &str {
    let start = text.find("ENC[").unwrap();
    &text[start..=start + text[start..].find(']').unwrap()]
}

#[test]
fn a_wrong_or_missing_checksum_is_refused_and_can_be_ignored() {
    let programs = Programs::find();
    let place = place(&programs, "");
    for by_us in [false, true] {
        let text = encrypted(&place, by_us, "file.yaml", PLAIN.as_bytes());
        let mac = line(&text, "mac:");
        let other = encrypted(&place, by_us, "file.yaml", b"other: file\n");
        for wrong in [
            text.replace(mac, ""),
            text.replace(token(mac), token(line(&other, "mac:"))),
            text.replace("a word", "another word"),
            text.replace(line(&text, "lastmodified:"), "    lastmodified: \"2001-02-03T04:05:06Z\"\n"),
        ] {
            assert_ne!(wrong, text);
            refused(&place, &wrong, &["decrypt", "file.yaml"]);
        }
        place.cli.write("file.yaml", text.replace("a word", "another word"));
        for done in both(&place, &["decrypt", "--ignore-mac", "file.yaml"]) {
            assert!(String::from_utf8(done.unwrap()).unwrap().contains("another word"));
        }
    }
}

#[test]
fn a_token_of_another_place_is_refused_even_without_the_checksum() {
    let programs = Programs::find();
    let place = place(&programs, "");
    let text = encrypted(&place, false, "file.yaml", PLAIN.as_bytes());
    let (one, two) = (token(line(&text, "one:")), token(line(&text, "two:")));
    refused(&place, &text.replace(one, two), &["decrypt", "--ignore-mac", "file.yaml"]);
    let other = encrypted(&place, false, "file.yaml", PLAIN.as_bytes());
    let foreign = token(line(&other, "one:"));
    refused(&place, &text.replace(one, foreign), &["decrypt", "--ignore-mac", "file.yaml"]);
}

/// The block as versions before 3.13 wrote it: in the order of their structures, with lists of nothing until 3.10.
fn as_of(version: &str, text: &str) -> String {
    let (body, block) = text.split_once("sops:\n").unwrap();
    let age: String = block.split_inclusive('\n').skip(1).take_while(|line| line.starts_with("        ")).collect();
    // A recipient came before its wrap.
    let recipient = line(&age, "recipient:").trim_start();
    let enc: String = age.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("recipient:")).collect();
    let enc = enc.replacen("- enc:", "  enc:", 1);
    let (before, after) = match version {
        "3.12.1" => ("", ""),
        _ => ("    kms: []\n    gcp_kms: []\n    azure_kv: []\n    hc_vault: []\n", "    pgp: []\n"),
    };
    let (time, mac) = (line(block, "lastmodified:"), line(block, "mac:"));
    let suffix = line(block, "unencrypted_suffix:");
    format!(
        "{body}sops:\n{before}    age:\n        - {recipient}{enc}{time}{mac}{after}{suffix}    version: {version}\n"
    )
}

#[test]
fn metadata_of_older_versions() {
    let programs = Programs::find();
    let place = place(&programs, "");
    for version in ["3.5.0", "3.7.3", "3.9.4", "3.10.2", "3.12.1"] {
        let text = as_of(version, &encrypted(&place, false, "file.yaml", PLAIN.as_bytes()));
        place.cli.write("file.yaml", &text);
        for done in both(&place, &["decrypt", "file.yaml"]) {
            assert_eq!(String::from_utf8(done.unwrap()).unwrap(), PLAIN, "{version}");
        }
        place.sealwax(&["set", "file.yaml", "two"], b"s3cr3t-new").unwrap();
        // The version is that of what wrote last; the order stays.
        let after = place.cli.read("file.yaml").replace("version: 3.13.3", &format!("version: {version}"));
        spans::edited_only(FileType::Yaml, "two", &text, &after).unwrap_or_else(|why| panic!("{why}"));
        let opened = place.sops(&["decrypt", "file.yaml"]).unwrap();
        assert_eq!(String::from_utf8(opened).unwrap(), PLAIN.replace("s3cr3t-two", "s3cr3t-new"));
    }
}
