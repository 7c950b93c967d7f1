//! What of an earlier state of a file is used again, and what is not.

use sealwax_format::document::{File, Syntax};
use sealwax_format::sops::Layout;

use crate::cycle::{Bench, cycle, open};

#[test]
fn a_selected_comment_in_the_clear_is_encrypted_by_the_next_edit() {
    let bench = Bench::new();
    let sealed = bench.encrypt("a: v\nb_unencrypted:\n  c: d\n", Syntax::Yaml, None).unwrap().text;
    let sealed = sealed.replace("b_un", "# top secret\nb_un").replace("  c: d", "  # not selected\n  c: d");
    let (plain, stash, _) = open(&sealed, Syntax::Yaml, &bench.cipher);
    let again = bench.encrypt(&plain, Syntax::Yaml, Some(&stash)).unwrap().text;
    assert!(!again.contains("top secret") && again.contains("# not selected"), "{}", *again);
    assert_eq!(open(&again, Syntax::Yaml, &bench.cipher).0, plain);
    // A token that opens nowhere here is no secret, and stays.
    let other = Bench::new().encrypt("# x\na: b\n", Syntax::Yaml, None).unwrap().text;
    let token = other.lines().next().unwrap();
    let sealed = again.replace("b_un", &format!("{token}\nb_un"));
    cycle(&sealed, Syntax::Yaml, &bench.cipher);
}

#[test]
fn tokens_under_another_key_are_not_used_again() {
    let (bench, other) = (Bench::new(), Bench::new());
    let plain = "# note\na: v\nlist: [w, w]\n";
    let sealed = bench.encrypt(plain, Syntax::Yaml, None).unwrap().text;
    let (_, mut stash, _) = open(&sealed, Syntax::Yaml, &bench.cipher);
    let again = other.encrypt(plain, Syntax::Yaml, Some(&stash)).unwrap();
    assert_eq!((again.sealed, again.kept), (3, 0));
    assert_eq!(open(&again.text, Syntax::Yaml, &other.cipher).0, plain);
    // Nor are they taken in.
    let file = File::parse(&again.text, Syntax::Yaml).unwrap();
    let layout = Layout::read(&file).unwrap();
    let opened = layout.open(&file, &other.cipher, true).unwrap();
    stash.add(&layout, &file, &other.cipher, &opened);
    assert_eq!(*bench.encrypt(plain, Syntax::Yaml, Some(&stash)).unwrap().text, *sealed);
}
