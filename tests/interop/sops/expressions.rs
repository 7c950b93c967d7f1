//! Expressions: what SOPS selects by one, we select; what is none for Go is none for us.

use std::collections::BTreeSet;

use data_encoding::BASE64;
use sealwax_format::sops::{Selector, SelectorError};
use serde_json::json;

use super::model::Dice;
use super::oracle::Oracle;
use super::ours;
use crate::common;

/// Names that expressions are tried on.
const NAMES: [&str; 38] = [
    "always",
    "a",
    "A",
    "aa",
    "ab",
    "abc",
    "b",
    "s",
    "ss",
    "sss",
    "s{",
    "secret",
    "<secret>",
    "a secret b",
    "password",
    "PASSWORD",
    "metadata",
    "data",
    "stringData",
    "12",
    "٣",
    "é",
    "aéa",
    "É",
    "_",
    "-",
    "a-b_1",
    "a.b",
    "a&b",
    "a~b",
    "[:foo",
    ":",
    "{}",
    "\\",
    "K",
    "\u{212a}",
    "\u{17f}",
    "x\ny",
];

/// Expressions that people write, and those that two libraries are likely to read in two ways.
const EXPRESSIONS: [&str; 96] = [
    "^(data|stringData)$",
    "data",
    "(?i)pass",
    "^.*(secret|password).*$",
    "^[a-z]+$",
    "^\\w+$",
    "^\\d+$",
    "\\bsecret\\b",
    "\\<secret\\>",
    "(?x) a",
    "(?R)a$",
    "(?u)a",
    "(?-u)a",
    "s{1,1001}",
    "s{1001}",
    "s{0,1000}",
    "s**",
    "s+*",
    "s??",
    "s*?",
    "s+?+",
    "s{2}{2}",
    "(s{2}){2}",
    "(s{100}){11}",
    "(s{100}){10}",
    "\\u0073",
    "\\p{Alphabetic}",
    "\\pL",
    "\\p{Lu}",
    "\\P{L}",
    "\\p{^L}",
    "\\P{^Greek}",
    "\\pN",
    "s{",
    "s{,2}",
    "s{01}",
    "s{1",
    "}",
    "]",
    "[[:foo",
    "[[:foo]",
    "[[:foo:]]",
    "[[:alpha:]]",
    "^[[:^alpha:]]$",
    "\\b{start}",
    "a{2,1}",
    "*",
    "(*)",
    "|*",
    "(?<=a)b",
    "(?!a)",
    "(a)\\1",
    "(?P<x>a)",
    "(?<x>a)",
    "(?P<>a)",
    "(?P<x-y>a)",
    "(?'x'a)",
    "(?P=x)",
    "\\Qa.b\\E",
    "\\Qa.b",
    "\\Q\\E*",
    "a\\Q\\E*",
    "a(?i)*",
    "(?i)*",
    "^*",
    "$*",
    "\\b*",
    "\\x41",
    "\\x{41}",
    "\\x{}",
    "\\x4",
    "\\101",
    "\\0",
    "\\8",
    "\\1",
    "[\\Q]",
    "[\\b]",
    "[a\\-b]",
    "[a-]",
    "[-a]",
    "[]a]",
    "[^]a]",
    "[]",
    "[^\\W]",
    "[\\D]",
    "[a&&b]",
    "[a~~b]",
    "[a--b]",
    "[z-a]",
    "[\\d-z]",
    "[a-\\d]",
    "(?i)[^k]",
    "(?i)s",
    "(?s).",
    "(?m)^y$",
    "x$",
];

/// Pieces of random ones.
const PIECES: [&str; 52] = [
    "a",
    "b",
    "s",
    "é",
    "k",
    ".",
    "^",
    "$",
    "|",
    "(",
    ")",
    "(?:",
    "(?i)",
    "(?i:",
    "(?-i)",
    "(?sm-iU)",
    "(?x)",
    "(?P<n>",
    "*",
    "+",
    "?",
    "{",
    "}",
    "{2}",
    "{1,}",
    "{0,3}",
    "{,3}",
    "{02}",
    "[",
    "]",
    "[^",
    "[a-c]",
    "[[:alpha:]]",
    "[:",
    ":]",
    "-",
    "&&",
    "\\",
    "\\d",
    "\\W",
    "\\s",
    "\\b",
    "\\B",
    "\\A",
    "\\z",
    "\\<",
    "\\pL",
    "\\x41",
    "\\Q",
    "\\E",
    "\\.",
    "\\101",
];

/// What SOPS encrypts by an expression.
fn selected(oracle: &mut Oracle, expression: &str) -> BTreeSet<String> {
    let entries: serde_json::Map<_, _> = NAMES.iter().map(|name| ((*name).to_owned(), json!("clear"))).collect();
    let text = serde_json::to_vec(&entries).unwrap();
    let more = json!({ "key": BASE64.encode(&ours::KEY), "selector": "encrypted_regex", "value": expression });
    let sealed = oracle.ask("encrypt", "json", &text, &more).unwrap();
    let sealed: serde_json::Value = serde_json::from_slice(&sealed.data).unwrap();
    let is_sealed = |name: &&&str| sealed[**name] != "clear";
    NAMES.iter().filter(is_sealed).map(|name| (*name).to_owned()).collect()
}

/// Compares both; whether we take the expression.
fn compare(oracle: &mut Oracle, expression: &str) -> bool {
    // What is no expression matches not even this, which stands first: nothing before it can make it a part of itself.
    let expression = &format!("^always$|{expression}");
    let theirs = selected(oracle, expression);
    match Selector::of([("encrypted_regex", expression.as_str())]) {
        Ok(selector) => {
            let ours = NAMES.iter().filter(|name| selector.selects([**name], []));
            let ours: BTreeSet<_> = ours.map(|name| (*name).to_owned()).collect();
            assert_eq!(ours, theirs, "{expression}");
            true
        }
        Err(SelectorError::Invalid(_)) => {
            assert!(theirs.is_empty(), "SOPS takes {expression}, which selects {theirs:?}");
            false
        }
        Err(_) => false,
    }
}

#[test]
fn expressions_select_what_they_select_in_sops() {
    let mut oracle = Oracle::start(&common::sops_oracle());
    let taken = EXPRESSIONS.iter().filter(|expression| compare(&mut oracle, expression)).count();
    assert!(taken > 50, "only {taken} are taken");
    let dice = &mut Dice::new(1);
    let mut taken = 0;
    for _ in 0..3000 {
        let expression: String = (0..=dice.below(6)).map(|_| *dice.pick(&PIECES)).collect();
        taken += usize::from(compare(&mut oracle, &expression));
    }
    assert!(taken > 1000, "only {taken} are taken");
}
