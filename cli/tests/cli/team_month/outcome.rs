//! What must hold after branches were joined: everything is there, or a conflict shows both sides.

use std::collections::BTreeSet;

use super::clones::Clones;
use super::meetings::Meeting;
use super::ways::Joined;

/// Checks one cell.
pub(super) fn check(clones: &Clones, meeting: &Meeting, way: &str, driver: bool, joined: &Joined) {
    let cell = format!("{}, by {way}, {} the driver", meeting.name, if driver { "with" } else { "without" });
    let text = match &joined.tree {
        Some(tree) => clones.git(&["show", &format!("{tree}:{}", clones.file)]),
        None => std::fs::read_to_string(clones.path()).unwrap(),
    };
    nothing_lost(clones, &text, &cell, &joined.told);
    if joined.clean {
        assert!(!driver || meeting.left.is_empty(), "{cell}: merged what a person must decide\n{text}");
        let opened = clones.decrypt(&text);
        assert_eq!(opened.code, Some(0), "{cell}: {}\n{text}", opened.stderr);
        let plain = opened.ok();
        let has = |line: &&str| plain.lines().any(|standing| standing == *line);
        // Without the driver, what a person would have to decide may pass unseen: but all of it is there.
        if meeting.left.is_empty() {
            assert!(meeting.has.iter().all(has), "{cell}:\n{plain}");
            assert!(!meeting.has_not.iter().any(has), "{cell}:\n{plain}");
        }
        return;
    }
    if driver {
        let left: BTreeSet<_> = left_to_a_person(&joined.told, clones.file).into_iter().collect();
        assert_eq!(left, meeting.left.iter().map(ToString::to_string).collect(), "{cell}: {}\n{text}", joined.told);
    } else {
        assert!(!meeting.as_text, "{cell}: {}\n{text}", joined.told);
    }
    assert!(text.contains("<<<<<<< ") && text.contains(">>>>>>> "), "{cell}: no markers\n{text}");
    if joined.tree.is_none() {
        assert!(!clones.git(&["ls-files", "--unmerged"]).is_empty(), "{cell}: Git does not know of the conflict");
    }
}

/// Every ciphertext that either branch brought, and each that both kept, is in the text.
fn nothing_lost(clones: &Clones, text: &str, cell: &str, told: &str) {
    let sealed = |state: &str| ciphertexts(&clones.git(&["show", &format!("{state}:{}", clones.file)]));
    let (base, ours, theirs) = (sealed("base"), sealed("ours"), sealed("theirs"));
    let there = ciphertexts(text);
    let brought = ours.difference(&base).chain(theirs.difference(&base)).chain(ours.intersection(&theirs));
    for one in brought {
        assert!(there.contains(one), "{cell}: a value is lost\n{told}\n{text}");
    }
}

/// What stands between the key id of a token and its end or its wraps.
fn ciphertexts(text: &str) -> BTreeSet<String> {
    let tokens = text.split("ENC[wax1,").skip(1).filter_map(|token| token.split([',', ']']).nth(1));
    tokens.map(str::to_owned).collect()
}

/// The paths in the driver's messages: `warning: FILE:LINE: PATH: reason`. A rebase shows its progress before them.
fn left_to_a_person(told: &str, file: &str) -> Vec<String> {
    let start = format!("warning: {file}:");
    let lines = told.lines().filter_map(|line| Some(line.split_once(&start)?.1));
    let paths = lines.map(|line| {
        let words = line.split_once(": ").map_or("", |(_, rest)| rest);
        words.split_once(": ").map_or("", |(path, _)| path)
    });
    paths.map(str::to_owned).collect()
}
