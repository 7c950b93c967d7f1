//! Files printed as other types, and files of any bytes: what SOPS prints we print, and what it opens it opens by Flux's
//! way too.

use data_encoding::BASE64;
use sealwax_format::OsRandom;
use sealwax_format::document::{File, Syntax};
use sealwax_format::sops::{Layout, Output, Request, Stash, binary};
use serde_json::json;

use super::oracle::Oracle;
use super::ours;
use crate::common;

const TYPES: [(&str, Output); 5] = [
    ("yaml", Output::Text(Syntax::Yaml)),
    ("json", Output::Text(Syntax::Json)),
    ("dotenv", Output::Text(Syntax::Dotenv)),
    ("ini", Output::Text(Syntax::Ini)),
    ("binary", Output::Binary),
];

/// Files of each type that have something that another type lacks.
const FILES: [(&str, Syntax, &str); 7] = [
    (
        "yaml",
        Syntax::Yaml,
        "data: one\nn: 12\nf: 1234567.5\ng: 1e21\nh: 2.0\ni: 0.00001\nb: true\nt: 2024-01-01\ne: \"\"\n",
    ),
    ("yaml", Syntax::Yaml, "a:\n  b: \"<&>\"\n  c: [1, {d: x}, []]\n  e: {}\n  f: ~\n---\ng: h\n"),
    ("yaml", Syntax::Yaml, "s:\n  a: x\n  long_name: 'a;b'\nr:\n  f: 1.0\n  t: false\n"),
    ("json", Syntax::Json, "{\"data\": \"two\\nlines\", \"x\": null}\n"),
    ("json", Syntax::Json, "{\"l\": [1, 1.5, 1e300, -0.0000001], \"m\": {}}\n"),
    ("dotenv", Syntax::Dotenv, "data=a\\nb\nOTHER= b\n"),
    ("ini", Syntax::Ini, "[a]\nx = 1\nlonger = `a;b`\n\n[b]\ny = two words\n"),
];

fn oracle() -> Oracle {
    Oracle::start(&common::sops_oracle())
}

/// The values that SOPS sees in a plain file, without their types: YAML is not printed alike.
fn seen(oracle: &mut Oracle, format: &str, data: &[u8]) -> Vec<(Vec<String>, Vec<u8>)> {
    let leaves = oracle.ask("load", format, data, &json!({})).unwrap().leaves;
    leaves.into_iter().map(|(names, _, bytes)| (names, bytes)).collect()
}

#[test]
fn what_sops_prints_as_another_type_we_print_too() {
    let mut oracle = oracle();
    let mut printed = 0;
    for (format, syntax, text) in FILES {
        let sealed = ours::seal(text, syntax, &ours::metadata(("unencrypted_suffix", "_x"), false), None).unwrap();
        let file = File::parse(&sealed, syntax).unwrap();
        let layout = Layout::read(&file).unwrap();
        let opened = layout.open(&file, &ours::cipher(), true).unwrap();
        for (name, output) in TYPES {
            let asked = json!({ "key": BASE64.encode(&ours::KEY), "output": name });
            let theirs = oracle.ask("decrypt", format, sealed.as_bytes(), &asked);
            let ours = layout.print(&file, &opened, output);
            match (theirs, ours) {
                (Err(_), Err(_)) => {}
                (Ok(theirs), Ok(ours)) if name == "yaml" => {
                    assert_eq!(seen(&mut oracle, name, &ours), seen(&mut oracle, name, &theirs.data), "{text}");
                    printed += 1;
                }
                (Ok(theirs), Ok(ours)) => {
                    let (ours, theirs) = (String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs.data));
                    assert_eq!(ours, theirs, "{text} as {name}");
                    printed += 1;
                }
                (theirs, ours) => panic!("{text} as {name}: SOPS {theirs:?}, we {ours:?}"),
            }
        }
    }
    assert!(printed >= 18, "{printed}");
}

#[test]
fn any_bytes_go_both_ways() {
    let mut oracle = oracle();
    let metadata = ours::metadata(("unencrypted_suffix", "_unencrypted"), false);
    let asked = json!({ "key": BASE64.encode(&ours::KEY) });
    let long = vec![b'x'; 70_000];
    for bytes in [&b""[..], b"text\n", b"\0\xff\xfe\x80", b"{\"a\": 1}", &long] {
        let cipher = ours::cipher();
        let request = Request { metadata: &metadata, cipher: &cipher, stash: None, allow_nothing: true };
        let sealed = binary::encrypt(bytes, &request, &mut OsRandom).unwrap().text;
        let answer = oracle.ask("decrypt", "binary", sealed.as_bytes(), &asked).unwrap();
        assert!(answer.mac_ok && answer.data == bytes, "{}", *sealed);

        let theirs = oracle.ask("encrypt", "binary", bytes, &asked).unwrap();
        let theirs = String::from_utf8(theirs.data).unwrap();
        let file = File::parse(&theirs, Syntax::Json).unwrap();
        let layout = Layout::read(&file).unwrap();
        let opened = layout.open(&file, &cipher, true).unwrap();
        assert_eq!(binary::decrypt(&file, &layout, &opened).unwrap().as_slice(), bytes);
        let stash = Stash::of(&layout, &file, &cipher, &opened, &mut OsRandom).unwrap();
        let request = Request { metadata: &layout.metadata, cipher: &cipher, stash: Some(&stash), allow_nothing: true };
        let again = binary::encrypt(bytes, &request, &mut OsRandom).unwrap();
        assert_eq!(*again.text, theirs);
    }
}
