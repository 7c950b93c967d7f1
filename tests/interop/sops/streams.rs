//! Random lines with marks of documents and a comment that decides: what SOPS leaves in the clear is in the clear in what
//! we write, and nothing else, or we refuse the file.

use data_encoding::BASE64;
use sealwax_format::document::Syntax;
use serde_json::{Value, json};

use super::model::Dice;
use super::oracle::Oracle;
use super::ours;
use crate::common;

/// Lines of files; `N` is another number on each.
const LINES: [&str; 32] = [
    "# open",
    "# open",
    "# open",
    "# open",
    "  # open",
    "kN: # open",
    "--- # open",
    "- # open",
    "# other",
    "---",
    "---",
    "---",
    "...",
    "%YAML 1.1",
    "",
    "",
    "kN: v.N",
    "kN: v.N",
    "kN: v.N",
    "kN: v.N",
    "  kN: v.N",
    "    kN: v.N",
    "- kN: v.N",
    "{kN: v.N}",
    "--- {kN: v.N}",
    "kN:",
    "? kN",
    ": v.N",
    "kN: [v.N,",
    "]",
    "&a",
    "!!map",
];

/// What go-yaml was seen to take the comment for otherwise than its place says, and what it takes as it stands.
const KNOWN: [&str; 12] = [
    "{a: x}\n# open\n---\nb: v.1\n",
    "---\n# open\n---\nb: v.1\n",
    "# open\n{a: x}\n---\nb: v.1\n",
    "a: v.0\n# open\n---\nb: v.1\n",
    "a: v.0\n...\n# open\n---\nb: v.1\n",
    "a: v.0\n--- # open\nb: v.1\n",
    "\n---\n# open\n\na: v.1\n",
    "%YAML 1.1\n# open\n\n---\na: v.1\n",
    "a: v.0\n? b\n# open\n\nc: v.1\n",
    "---\n&a\n# open\n\nb: v.1\n",
    "---\n# open\n\na: v.1\n",
    "%YAML 1.1\n# open\n---\na: v.1\n",
];

/// Which values stand in the clear.
fn clear(text: &str) -> Vec<usize> {
    (0..=MOST).filter(|number| text.contains(&format!("v.{number}"))).collect()
}

/// The most lines of a file.
const MOST: usize = 8;

fn random(dice: &mut Dice) -> String {
    let lines = 3 + dice.below(MOST - 2);
    (0..lines).map(|number| dice.pick(&LINES).replace('N', &number.to_string()) + "\n").collect()
}

/// Compares what both make of a file; whether both take it.
fn compare(oracle: &mut Oracle, text: &str, field: &'static str) -> bool {
    let metadata = ours::metadata((field, "open"), false);
    let more =
        json!({ "key": BASE64.encode(&ours::KEY), "selector": field, "value": "open", "mac_only_encrypted": false });
    let Ok(theirs) = oracle.ask("encrypt", "yaml", text.as_bytes(), &more) else { return false };
    let theirs = String::from_utf8(theirs.data).unwrap();
    read(oracle, &theirs, &more);
    let Ok(sealed) = ours::seal(text, Syntax::Yaml, &metadata, None) else { return false };
    assert_eq!(clear(&sealed), clear(&theirs), "{field}\n{text}\n--- SOPS wrote\n{theirs}");
    let answer = oracle.ask("decrypt", "yaml", sealed.as_bytes(), &more);
    let answer = answer.unwrap_or_else(|error| panic!("{error}\n{text}\n--- we wrote\n{sealed}"));
    assert!(answer.mac_ok, "the checksum is another\n{text}\n--- we wrote\n{sealed}");
    true
}

/// What SOPS wrote and opens, we open, or refuse for the comment.
fn read(oracle: &mut Oracle, theirs: &str, more: &Value) {
    let Ok(answer) = oracle.ask("decrypt", "yaml", theirs.as_bytes(), more) else { return };
    match ours::open(theirs, Syntax::Yaml) {
        Ok(opened) => assert_eq!(opened.values, answer.values(), "{theirs}"),
        Err(error) => assert!(!answer.mac_ok || error.contains("UnclearComment"), "{error}\n{theirs}"),
    }
}

#[test]
fn a_comment_decides_in_the_document_that_sops_gives_it_to() {
    let mut oracle = Oracle::start(&common::sops_oracle());
    let dice = &mut Dice::new(1);
    let random = (0..6000).map(|_| random(dice)).filter(|text| text.contains("# open") && text.contains("v."));
    let files = KNOWN.into_iter().map(str::to_owned).chain(random);
    let fields = ["unencrypted_comment_regex", "encrypted_comment_regex"];
    let each = files.flat_map(|text| fields.map(|field| (text.clone(), field)));
    let taken = each.filter(|(text, field)| compare(&mut oracle, text, field)).count();
    assert!(taken > 200, "only {taken} are taken");
}
