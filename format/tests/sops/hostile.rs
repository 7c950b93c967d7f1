//! Files made to fill the memory or the stack, or to take forever: they are refused, or read in linear time.

use sealwax_format::document::walk::hidden;
use sealwax_format::document::{File, ParseError, Syntax};
use sealwax_format::keys::{Keyring, Recipient};
use sealwax_format::native::{self, Opener, Place};
use sealwax_format::sops::{
    At, FileKey, Layout, Metadata, Output, OutputError, Plains, ReadError, Request, Selector, Stash, encrypt,
};
use sealwax_format::{OsRandom, Pattern};

const BLOCK: &str = "sops:\n  lastmodified: \"2026-01-02T03:04:05Z\"\n  version: 3.13.3\n";

fn refused(text: &str) -> At {
    Layout::read(&File::parse(text, Syntax::Yaml).unwrap()).map(|_| ()).unwrap_err()
}

#[test]
fn values_behind_aliases_are_counted_one_by_one() {
    let items = "1, ".repeat(300);
    let aliases = "*x, ".repeat(50);
    let text = format!("a_unencrypted: &x [{items}]\nb_unencrypted: [{aliases}]\n");
    let at = refused(&format!("{text}{BLOCK}"));
    assert!(matches!(at.error, ReadError::TooMuch), "{at:?}");
    assert_eq!(at.line, Some(2), "the alias, and not what it stands for");
    // Of every document of a file together.
    let each = format!("a_unencrypted: &x [{items}]\nb_unencrypted: [{}]\n{BLOCK}", "*x, ".repeat(20));
    assert!(Layout::read(&File::parse(&each, Syntax::Yaml).unwrap()).is_ok());
    assert!(matches!(refused(&format!("{each}---\n{each}")).error, ReadError::TooMuch));

    let file = File::parse(&text, Syntax::Yaml).unwrap();
    assert!(matches!(Plains::of(&file), Err(OutputError::Aliases(name)) if name == "b_unencrypted"));
    assert!(hidden(&file.documents[0]).is_none());
}

#[test]
fn one_long_value_behind_many_aliases_is_too_much() {
    let text = format!("a: &x {}\nb: [{}]\n", "v".repeat(100_000), "*x, ".repeat(5000));
    assert!(matches!(refused(&format!("{text}{BLOCK}")).error, ReadError::TooMuch));
    let file = File::parse(&text, Syntax::Yaml).unwrap();
    assert!(matches!(Plains::of(&file), Err(OutputError::Aliases(_))));
    assert!(hidden(&file.documents[0]).is_none());
}

/// Every value holds a copy of the keys above it.
#[test]
fn long_keys_above_many_values_are_refused() {
    let (key, deep) = ("k".repeat(200_000), ("[".repeat(250), "]".repeat(250)));
    let items = "1, ".repeat(30_000);
    for (text, syntax, line) in [
        (format!("{{\"{key}\":\n[{items}1]}}"), Syntax::Json, 2),
        (format!("a: 1\n? {key}\n: b: [{items}]\n"), Syntax::Yaml, 3),
        (format!("{}{}1{}", deep.0, "1, ".repeat(100_000), deep.1), Syntax::Json, 1),
    ] {
        let error = File::parse(&text, syntax).unwrap_err();
        assert_eq!(error, ParseError::Keys { line }, "{syntax:?}");
    }
    // Behind aliases the values are fewer, and their keys as long.
    let text = format!("a: &x [{items}]\n? {key}\n: *x\n", items = "1, ".repeat(2000));
    assert!(matches!(refused(&format!("{text}{BLOCK}")).error, ReadError::TooMuch));
    assert!(hidden(&File::parse(&text, Syntax::Yaml).unwrap().documents[0]).is_none());
}

#[test]
fn nesting_ends_before_the_stack_does() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(File::parse(&nested(255), Syntax::Json).is_ok() && File::parse(&nested(255), Syntax::Yaml).is_ok());
    let both = |lines: usize| format!("\n{}{}", "- ".repeat(lines), nested(55));
    assert!(File::parse(&both(200), Syntax::Yaml).is_ok());
    assert_eq!(File::parse(&both(201), Syntax::Yaml).unwrap_err(), ParseError::Nesting { line: 2 });
    for levels in [256, 100_000] {
        let error = File::parse(&format!("\n{}", nested(levels)), Syntax::Json).unwrap_err();
        assert_eq!(error, ParseError::Nesting { line: 2 });
        let maps = format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        assert_eq!(File::parse(&maps, Syntax::Json).unwrap_err(), ParseError::Nesting { line: 1 });
        assert!(File::parse(&nested(levels), Syntax::Yaml).is_err());
        assert!(File::parse(&"- ".repeat(levels), Syntax::Yaml).is_err());
    }
}

/// The deepest that parses, behind an alias that stands as deep as one may: within the stack of a test, 2 MiB.
#[test]
fn the_deepest_file_is_read() {
    let deep = format!("{}{}1{}", "- ".repeat(100), "[".repeat(150), "]".repeat(150));
    let alias = format!("{}*x{}", "[".repeat(120), "]".repeat(120));
    let text = format!("a_unencrypted: &x\n  {deep}\nb_unencrypted: {alias}\n");
    let sealed = format!("{text}{BLOCK}");
    let file = File::parse(&sealed, Syntax::Yaml).unwrap();
    assert_eq!(Layout::read(&file).unwrap().values.len(), 2);
    let file = File::parse(&text, Syntax::Yaml).unwrap();
    Plains::of(&file).unwrap().print(Output::Text(Syntax::Yaml)).unwrap();
    // The native side stops earlier.
    assert!(hidden(&file.documents[0]).is_none());
    // An alias in its own anchor has no end.
    let text = "a_unencrypted: &x [*x]\n";
    assert!(matches!(refused(&format!("{text}{BLOCK}")).error, ReadError::Alias));
    let file = File::parse(text, Syntax::Yaml).unwrap();
    assert!(matches!(Plains::of(&file), Err(OutputError::Aliases(_))) && hidden(&file.documents[0]).is_none());
}

#[test]
fn a_flat_name_has_few_levels() {
    let block = |name: &str| format!("sops_lastmodified=2026-01-02T03:04:05Z\nsops_version=3.13.3\nsops_{name}=x\n");
    let read = |text: &str, syntax| {
        let file = File::parse(text, syntax).unwrap();
        Layout::read(&file).map(|_| ()).map_err(|at| at.error.to_string())
    };
    let kms = "key_groups__list_0__map_kms__list_0__map_context__map_name";
    let enc = "key_groups__list_0__map_kms__list_0__map_enc";
    read(&format!("{}sops_{enc}=x\n", block(kms)), Syntax::Dotenv).unwrap();
    for step in ["__map_b", "__list_0"] {
        let name = format!("a{}", step.repeat(100_000));
        read(&block(&name), Syntax::Dotenv).unwrap_err();
        let ini = block(&name).replace("sops_", "").replace('=', " = ");
        read(&format!("[a]\nb = 1\n[sops]\n{ini}"), Syntax::Ini).unwrap_err();
    }
}

/// A walk over all comments for each of them would take minutes here; one over each takes a second.
#[test]
fn many_comments_are_read_in_one_pass() {
    let by_comment = BLOCK.replace("sops:\n", "sops:\n  encrypted_comment_regex: c\n");
    let run = |line: &str| line.repeat(30_000);
    for (text, comments) in [
        (format!("a: 1\n{}b: 2\n{BLOCK}", run("# c\n")), true),
        (format!("a:\n  b: 1\n{}c: 2\n{BLOCK}", run("  # c\n")), true),
        (format!("a:\n- 1\n{}- 2\n{}{BLOCK}", run("# c\n"), run("  # c\n\n")), true),
        (format!("a: [\n{}2]\n{BLOCK}", run("1, # c\n")), true),
        (format!("{}b:\n{}  c: 2\n{by_comment}", run("# c\n"), run("  # c\n")), true),
        (format!("a:\n  b: 1\n{}{by_comment}", run("  # c\n")), true),
        (format!("a: &x{} 1\n{BLOCK}", "#".repeat(400_000)), false),
    ] {
        let file = File::parse(&text, Syntax::Yaml).unwrap();
        let layout = Layout::read(&file).unwrap();
        assert_eq!(format!("{layout:?}").contains("TreeComment"), comments);
    }
}

/// Twenty thousand values on one line, and below them as many comments.
fn wide() -> String {
    format!("a: [{}2]\n{}b: 1\n", "1, ".repeat(20_000), "# c\n".repeat(20_000))
}

/// The same: quadratic in the values or comments, a cycle would take minutes.
#[test]
fn many_values_and_comments_come_back() {
    let cipher = FileKey::mint(&mut OsRandom).unwrap().cipher();
    let metadata = Metadata::new(Vec::new(), None, Selector::default(), false, 1_767_323_045, "3.13.3");
    let plain = wide();
    let file = File::parse(&plain, Syntax::Yaml).unwrap();
    let request = Request { metadata: &metadata, cipher: &cipher, stash: None, allow_nothing: false };
    let sealed = encrypt(&file, &request, &mut OsRandom).unwrap().text;
    let sealed = File::parse(&sealed, Syntax::Yaml).unwrap();
    let layout = Layout::read(&sealed).unwrap();
    let opened = layout.open(&sealed, &cipher, true).unwrap();
    assert!(*layout.decrypt(&sealed, &cipher, &opened).unwrap() == plain);
    let stash = Stash::of(&layout, &sealed, &cipher, &opened, &mut OsRandom).unwrap();
    let request = Request { metadata: &layout.metadata, stash: Some(&stash), ..request };
    assert!(*encrypt(&file, &request, &mut OsRandom).unwrap().text == sealed.source);
}

#[test]
fn many_values_and_comments_come_back_in_the_native_format() {
    let identity = age::x25519::Identity::generate();
    let readers = [Recipient::parse("alice", &identity.to_public().to_string()).unwrap()];
    let mut keyring = Keyring::default();
    keyring.add(readers[0].label().fingerprint().clone(), Box::new(identity));
    let plain = wide();
    let file = File::parse(&plain, Syntax::Yaml).unwrap();
    let select = [Pattern::parse("**").unwrap()];
    let place = Place::Context("tests".to_owned());
    let request = native::Request { select: &select, place, readers: &readers[..], previous: None };
    let (sealed, _) = native::encrypt(&file, &[Some(request)], &mut OsRandom).unwrap();
    let sealed = File::parse(&sealed, Syntax::Yaml).unwrap();
    assert!(*native::decrypt(&sealed, &mut Opener::new(&keyring)).unwrap().text == plain);
}
