//! Particular merges: what a person would expect, one by one.

use sealwax_format::document::Syntax;
use sealwax_format::native::Reason;

use crate::history::{Edit, Start, edit, moved, open, replaced, seal};
use crate::{check, merged};

/// A Secret with its values at `stringData`, sealed for alice and bob.
const SECRET: Start = Start::of(3);

fn edited(text: &str, edits: &[Edit]) -> String {
    edits.iter().fold(text.to_owned(), |text, one| edit(&text, Syntax::Yaml, one))
}

/// Merges, checks that nothing was lost, and tells what is left to a person.
fn conflicts(base: &str, ours: &str, theirs: &str) -> Vec<(String, Reason)> {
    check(base, ours, theirs, Syntax::Yaml).unwrap();
    let told = merged(base, ours, theirs, Syntax::Yaml).conflicts;
    told.into_iter().map(|one| (one.path.map_or(String::new(), |path| path.to_string()), one.reason)).collect()
}

#[test]
fn a_fold_and_an_edit_clash_at_the_edited_value_alone() {
    let base = SECRET.text();
    let folded = edited(&base, &[Edit::Fold { people: 2 }]);
    let other = edited(&base, &[Edit::Set { key: 2, value: 0 }, Edit::Set { key: 7, value: 0 }]);
    for (ours, theirs) in [(&folded, &other), (&other, &folded)] {
        assert_eq!(conflicts(&base, ours, theirs), [("stringData.k2".to_owned(), Reason::Fold)]);
    }
}

#[test]
fn two_folds_leave_the_key_block_and_every_value_to_a_person() {
    let base = SECRET.text();
    let fold = || edited(&base, &[Edit::Fold { people: 2 }]);
    let told = conflicts(&base, &fold(), &fold());
    assert_eq!(told.iter().filter(|(_, reason)| *reason == Reason::Changed).count(), 6);
    assert!(told.iter().any(|(_, reason)| *reason == Reason::Block));
}

#[test]
fn a_value_that_a_leaver_could_read_does_not_come_back() {
    let base = SECRET.text();
    let without_bob = edited(&base, &[Edit::Fold { people: 1 }]);
    let added = edited(&base, &[Edit::Set { key: 8, value: 1 }]);
    for (ours, theirs) in [(&without_bob, &added), (&added, &without_bob)] {
        let told = conflicts(&base, ours, theirs);
        assert!(
            matches!(told.as_slice(), [(path, Reason::Leaver(bob))] if path == "stringData.k8" && bob.name() == "bob")
        );
    }
}

#[test]
fn readers_are_sets() {
    let base = edited(&SECRET.text(), &[Edit::Set { key: 1, value: 3 }]);
    let carol = edited(&base, &[Edit::Rewrap { people: 3 }]);
    let edited_there = edited(&base, &[Edit::Set { key: 1, value: 4 }, Edit::Set { key: 0, value: 4 }]);
    assert_eq!(conflicts(&base, &carol, &edited_there), [], "new wraps around the old value are no change of it");
    // Everyone is wrapped anew on both sides, which differ in every byte of the new wraps.
    let also_carol = edited(&base, &[Edit::Rewrap { people: 3 }, Edit::Set { key: 3, value: 4 }]);
    assert_eq!(conflicts(&base, &carol, &also_carol), []);
}

#[test]
fn a_new_reader_of_the_old_key_and_a_new_key_clash() {
    let base = SECRET.text();
    let carol = edited(&base, &[Edit::Rewrap { people: 3 }]);
    let folded = edited(&base, &[Edit::Fold { people: 2 }]);
    let told = conflicts(&base, &carol, &folded);
    assert!(
        told.iter().all(|(path, reason)| path.is_empty() && *reason == Reason::Block) && !told.is_empty(),
        "{told:?}"
    );
}

#[test]
fn a_value_changed_here_and_taken_away_there_clashes() {
    let base = SECRET.text();
    let changed = edited(&base, &[Edit::Set { key: 1, value: 0 }]);
    let gone = edited(&base, &[Edit::Unset { key: 1 }]);
    assert_eq!(conflicts(&base, &changed, &gone), [("stringData.k1".to_owned(), Reason::Removed)]);
    let moved = edited(&base, &[Edit::Unset { key: 1 }, Edit::Set { key: 1, value: 0 }]);
    assert_eq!(conflicts(&base, &moved, &gone), [("stringData.k1".to_owned(), Reason::Removed)]);
}

#[test]
fn a_value_for_another_place_does_not_come_along() {
    let base = SECRET.text();
    let elsewhere = moved(&base, "prod", "elsewhere");
    let added = edited(&base, &[Edit::Set { key: 8, value: 1 }]);
    assert_eq!(conflicts(&base, &elsewhere, &added), [("stringData.k8".to_owned(), Reason::Place)]);
    let changed = edited(&base, &[Edit::Set { key: 0, value: 1 }]);
    let told = conflicts(&base, &added, &moved(&changed, "prod", "elsewhere"));
    assert_eq!(told, [("stringData.k8".to_owned(), Reason::Place)]);
}

/// Two documents that look alike, and one after them that either side may add.
#[test]
fn documents_are_told_apart_by_their_objects() {
    let one = SECRET.text();
    let two = moved(&one, "name: db}", "name: other}");
    let base = format!("{one}---\n{two}");
    let swapped = format!("{two}---\n{}", edited(&one, &[Edit::Set { key: 0, value: 1 }]));
    let changed = format!("{one}---\n{}", edited(&two, &[Edit::Set { key: 0, value: 2 }]));
    let result = merged(&base, &swapped, &changed, Syntax::Yaml);
    assert!(open(&result.text, Syntax::Yaml).is_ok() || !result.conflicts.is_empty());
    let third = moved(&one, "name: db}", "name: third}");
    let added = format!("{base}---\n{third}");
    let result = merged(&base, &added, &changed, Syntax::Yaml);
    assert!(result.conflicts.is_empty(), "{}", *result.text);
    assert_eq!(*result.text, format!("{changed}---\n{third}"));
}

/// Items of lists have no names: their values follow the text.
#[test]
fn values_in_lists_follow_their_items() {
    let item = |name: &str| format!("- name: {name}\n  k: secret-{name}\n");
    let base = seal(&format!("v:\n{}{}", item("a"), item("b")));
    let with_first = seal(&base.replacen("v:\n", &format!("v:\n{}", item("first")), 1));
    let changed = seal(&replaced(&base, "v[0].k", "new"));
    for (ours, theirs) in [(&with_first, &changed), (&changed, &with_first)] {
        let result = merged(&base, ours, theirs, Syntax::Yaml);
        assert!(result.conflicts.is_empty(), "{}", *result.text);
        let expected = format!("v:\n{}{}{}", item("first"), item("a").replace("secret-a", "new"), item("b"));
        assert_eq!(open(&result.text, Syntax::Yaml).unwrap(), expected);
    }
}

#[test]
fn one_value_of_a_list_changed_twice_clashes() {
    let base = seal("v:\n- k: a\n- k: b\n");
    let [ours, theirs] = ["x", "y"].map(|value| replaced(&base, "v[1].k", value));
    let told = conflicts(&base, &ours, &theirs);
    assert_eq!(told, [("v[1].k".to_owned(), Reason::Changed)]);
}

/// In JSON, the comma after an entry depends on what follows: both sides add the same entry, one of them another.
#[test]
fn what_cannot_be_joined_is_shown_side_by_side() {
    let start = Start::of(2);
    let base = start.text();
    let set = |keys: &[usize]| {
        keys.iter().fold(base.clone(), |text, key| edit(&text, start.syntax, &Edit::Set { key: *key, value: 0 }))
    };
    let (ours, theirs) = (set(&[6]), set(&[6, 8]));
    assert!(!check(&base, &ours, &theirs, start.syntax).unwrap());
    let told = merged(&base, &ours, &theirs, start.syntax).conflicts;
    assert!(told.iter().all(|conflict| conflict.reason == Reason::Whole), "{told:?}");
}

#[test]
fn line_breaks_stay_as_each_side_has_them() {
    let base = Start::of(5).text();
    assert!(base.contains("\r\n"));
    // A first line that breaks in another way, and a value set after it.
    let mixed = format!("# a comment\n{base}");
    let changed = edited(&mixed, &[Edit::Set { key: 0, value: 0 }]);
    for (ours, theirs) in [(&base, &changed), (&changed, &base)] {
        assert_eq!(*merged(&base, ours, theirs, Syntax::Yaml).text, changed);
    }
}

/// A value that moved into a stretch that clashes is there on both sides of the conflict.
#[test]
fn a_moved_value_is_not_part_of_its_neighbours_conflict() {
    let start = Start::of(2);
    let base = start.text();
    let apply = |edits: &[Edit]| edits.iter().fold(base.clone(), |text, one| edit(&text, start.syntax, one));
    let ours = apply(&[Edit::Set { key: 5, value: 0 }]);
    let theirs = apply(&[Edit::Unset { key: 5 }, Edit::Unset { key: 2 }, Edit::Set { key: 2, value: 0 }]);
    assert!(!check(&base, &ours, &theirs, start.syntax).unwrap());
}

/// Documents that cannot be matched, because one came in front of others without names.
#[test]
fn a_leaver_does_not_come_back_in_a_document_that_cannot_be_told_apart() {
    let one = Start::of(0).text();
    let two = edited(&one.replace("plain-0", "plain-1"), &[Edit::Fold { people: 2 }]);
    let base = format!("{one}---\n{two}");
    let without_bob = |text: &str| edited(text, &[Edit::Fold { people: 1 }]);
    let first = without_bob(&one.replace("plain-0", "plain-2"));
    let ours = format!("{first}---\n{}---\n{}", without_bob(&one), without_bob(&two));
    let theirs = format!("{}---\n{two}", edited(&one, &[Edit::Set { key: 8, value: 1 }]));
    for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
        let result = merged(&base, ours, theirs, Syntax::Yaml);
        assert!(result.conflicts.iter().all(|one| one.reason == Reason::Whole), "{:?}", result.conflicts);
        assert!(!result.conflicts.is_empty());
    }
    // Documents that still have their keys are known by them.
    let ours = format!("{first}---\n{one}---\n{two}");
    let expected = format!("{first}---\n{theirs}");
    for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
        let result = merged(&base, ours, theirs, Syntax::Yaml);
        assert!(result.conflicts.is_empty(), "{:?}", result.conflicts);
        assert_eq!(*result.text, expected);
    }
}
