//! Merging over generated histories: every value of the result is what the rule says, or part of a conflict.
#![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

#[path = "merge/cases.rs"]
mod cases;
#[path = "merge/history.rs"]
mod history;

use std::collections::{BTreeMap, BTreeSet};

use history::{Edit, edit, edits, open, start, tokens};
use proptest::prelude::*;
use sealwax_format::document::Syntax;
use sealwax_format::native::{Markers, Merged, Texts, merge};

const MARKERS: Markers<'static> = Markers { size: 7, ours: "ours", theirs: "theirs", base: None };

fn merged(base: &str, ours: &str, theirs: &str, syntax: Syntax) -> Merged {
    merge(&Texts { base, ours, theirs }, syntax, &MARKERS).unwrap()
}

/// The text with every conflict resolved to one side.
fn resolve(text: &str, ours: bool) -> String {
    let (mut kept, mut keep) = (String::new(), true);
    for line in text.split_inclusive('\n') {
        match line.trim_end() {
            "<<<<<<< ours" => keep = ours,
            "=======" => keep = !ours,
            ">>>>>>> theirs" => keep = true,
            _ if keep => kept.push_str(line),
            _ => {}
        }
    }
    kept
}

/// Everything that must hold of a merge, told by tokens: by what identifies them, and by path. Whether it was clean.
fn check(base: &str, ours: &str, theirs: &str, syntax: Syntax) -> Result<bool, TestCaseError> {
    let result = merged(base, ours, theirs, syntax);
    let [before, here, there] = [base, ours, theirs].map(|text| tokens(text, syntax));
    let (left, right) = (resolve(&result.text, true), resolve(&result.text, false));
    let [in_left, in_right] = [&left, &right].map(|text| tokens(text, syntax));
    let context = || format!("{}\n--- of\n{base}\n--- and\n{ours}\n--- and\n{theirs}", *result.text);
    if result.conflicts.is_empty() {
        prop_assert!(left == *result.text, "markers without a conflict\n{}", context());
        let opened = open(&left, syntax);
        prop_assert!(opened.is_ok(), "{opened:?}\n{}", context());
    } else {
        let opens = open(&left, syntax).is_ok() || open(&right, syntax).is_ok();
        prop_assert!(opens, "no side of the conflict opens\n{}", context());
    }
    let named: BTreeSet<_> =
        result.conflicts.iter().filter_map(|conflict| conflict.path.as_ref()).map(ToString::to_string).collect();
    let whole = result.conflicts.iter().any(|conflict| conflict.path.is_none());
    let paths: BTreeSet<_> = before.keys().chain(here.keys()).chain(there.keys()).collect();
    for path in paths {
        let [o, a, b] = [&before, &here, &there].map(|tokens| tokens.get(path));
        let (left, right) = (in_left.get(path), in_right.get(path));
        let expected = if a == b || o == b { Some(a) } else { (o == a).then_some(b) };
        match expected {
            Some(expected) if left == right => prop_assert_eq!(left, expected, "{}\n{}", path, context()),
            _ if named.contains(path) || whole => prop_assert!(left == a && right == b, "{path}\n{}", context()),
            _ => prop_assert!(false, "{path}: a conflict that is not told\n{}", context()),
        }
    }
    Ok(result.conflicts.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_value_is_lost(before in start(), ours in edits(), theirs in edits()) {
        let apply = |edits: &[Edit]| edits.iter().fold(before.text(), |text, one| edit(&text, before.syntax, one));
        check(&before.text(), &apply(&ours), &apply(&theirs), before.syntax)?;
    }

    #[test]
    fn edits_of_different_values_merge(before in start(), values in prop::collection::vec(any::<bool>(), 6)) {
        let side = |mine: bool| {
            let keys = values.iter().enumerate().filter(|(_, owner)| **owner == mine).map(|(key, _)| key);
            keys.fold(before.text(), |text, key| edit(&text, before.syntax, &Edit::Set { key, value: 7 }))
        };
        prop_assert!(check(&before.text(), &side(true), &side(false), before.syntax)?, "a conflict");
    }

    #[test]
    fn a_side_that_did_nothing_changes_nothing(before in start(), other in edits()) {
        let text = before.text();
        let changed = other.iter().fold(text.clone(), |text, one| edit(&text, before.syntax, one));
        for (ours, theirs) in [(&text, &changed), (&changed, &text), (&changed, &changed)] {
            let result = merged(&text, ours, theirs, before.syntax);
            prop_assert_eq!(&*result.text, &changed);
            prop_assert!(result.conflicts.is_empty());
        }
    }
}

/// What a text holds, by path.
pub(crate) type Tokens = BTreeMap<String, (String, Vec<u8>)>;
