//! Properties of the format over generated files: what is decrypted is what was encrypted, byte for byte, and
//! nothing opens anywhere else.
#![expect(clippy::unwrap_used, clippy::unwrap_in_result, reason = "a failing unwrap is a failing test")]

#[path = "properties/generator.rs"]
mod generator;
#[path = "properties/oracle.rs"]
mod oracle;

use std::sync::LazyLock;

use generator::{file, json};
use proptest::prelude::*;
use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::{Keyring, Recipient};
use sealwax_format::native::{self, Layout, Opener, Place, Request, TokenKey};
use sealwax_format::{OsRandom, Path, Pattern, Plaintext, SecretBytes, Step, ValueType};

struct Alice {
    readers: Vec<Recipient>,
    keyring: Keyring,
}

static ALICE: LazyLock<Alice> = LazyLock::new(|| {
    let identity = age::x25519::Identity::generate();
    let readers = vec![Recipient::parse("alice", &identity.to_public().to_string()).unwrap()];
    let mut keyring = Keyring::default();
    keyring.add(readers[0].label().fingerprint().clone(), Box::new(identity));
    Alice { readers, keyring }
});

fn context() -> Place {
    Place::Context("tests".into())
}

fn encrypt(source: &str, syntax: Syntax, select: &str) -> Result<String, sealwax_format::Error> {
    let file = File::parse(source, syntax)?;
    let select = [Pattern::parse(select).unwrap()];
    let readers = ALICE.readers.as_slice();
    let request = || Some(Request { select: &select, place: context(), readers, previous: None });
    let requests: Vec<_> = file.documents.iter().map(|_| request()).collect();
    native::encrypt(&file, &requests, &mut OsRandom).map(|(text, _)| text.to_string())
}

fn decrypt(source: &str, syntax: Syntax) -> Result<String, sealwax_format::Error> {
    let file = File::parse(source, syntax)?;
    native::decrypt(&file, &mut Opener::new(&ALICE.keyring)).map(|opened| opened.text.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn decrypting_gives_back_the_file(source in file()) {
        if File::parse(&source, Syntax::Yaml).is_ok() {
            let sealed = match encrypt(&source, Syntax::Yaml, "**") {
                Ok(sealed) => sealed,
                Err(error) => return Err(TestCaseError::fail(format!("{error:?}\n{source}"))),
            };
            let opened = decrypt(&sealed, Syntax::Yaml);
            prop_assert!(opened.is_ok(), "{opened:?}\n{sealed}");
            prop_assert_eq!(opened.unwrap(), source);
        }
    }

    #[test]
    fn encrypting_twice_changes_nothing(source in file()) {
        if let Ok(sealed) = encrypt(&source, Syntax::Yaml, "**") {
            prop_assert_eq!(encrypt(&sealed, Syntax::Yaml, "**").unwrap(), sealed);
        }
    }

    #[test]
    fn json_comes_back_too(value in json(), pretty in prop::bool::ANY) {
        let value = serde_json::json!({ "outer": value });
        let source = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let sealed = encrypt(&source, Syntax::Json, "**").unwrap();
        prop_assert!(serde_json::from_str::<serde_json::Value>(&sealed).is_ok());
        prop_assert_eq!(decrypt(&sealed, Syntax::Json).unwrap(), source);
    }

    #[test]
    fn any_bytes_survive_a_token(value in prop::collection::vec(any::<u8>(), 0..600), kind in 1..3_u8) {
        let value_type = if kind == 1 { ValueType::String } else { ValueType::Binary };
        let plaintext = Plaintext::canonical(value_type, SecretBytes::from(value));
        let path = Path::of_keys(&["a"]);
        let token = native::seal_alone(&mut OsRandom, ALICE.readers.as_slice(), &context(), &path, &plaintext).unwrap();
        let again = native::Token::parse(&token.to_string()).unwrap();
        prop_assert_eq!(Opener::new(&ALICE.keyring).open(None, &context(), &path, &again).unwrap(), plaintext);
    }
}

/// Files that once came back different or were refused without need.
#[test]
fn odd_files_come_back_too() {
    let files = [
        "a: b\n  ",
        "a: |\n  b\n  ",
        "a: |\n  b\n    ",
        "a:\n- b\n- - c\n  - d\n",
        "a: |+\n  b\n\n\n",
        "a: |\n  b",
        "a: b\n        ",
        "a: |\n  x\n      ",
        "a: b\n        \n# c\n",
        "a: b\n        \nc: d\n\n     \n",
        "a:\n  - b\n       \n  - c\n",
        "a:\n  b: c\n      # deep\n  # less\n# none\n",
        "a: b\n   # deep\nc: d\n",
        "a:\n- b\n  # x\n    # y\n",
        "a: b\nc:\n  \n",
        "a: b\nc:\n\n# end\n",
        "a: b\nc:   ",
        "a: b\nc: # comment\n",
        "a: |\n  b\n \n   \n  \nc: d\n",
        "a: >\n  b\n\n\n   \nc: d\n",
    ];
    for source in files {
        match encrypt(source, Syntax::Yaml, "**") {
            Ok(sealed) => assert_eq!(decrypt(&sealed, Syntax::Yaml).unwrap(), source, "{source:?}"),
            Err(error) => panic!("{source:?}: {error:?}"),
        }
    }
}

#[test]
fn mixed_line_breaks_come_back_or_are_refused() {
    assert!(encrypt("a: b\r", Syntax::Yaml, "**").is_err(), "a lone carriage return");
    for source in ["a: |\r\n  b\n   ", "a: |\n  b\r\n   c\n", "a: b\r\nc: |\n  d\r\n", "a: b\nc: d\r\n"] {
        if let Ok(sealed) = encrypt(source, Syntax::Yaml, "**") {
            assert_eq!(decrypt(&sealed, Syntax::Yaml).unwrap(), source, "{source:?}");
        }
    }
}

/// What would leave a secret readable, or make a file that nobody can open, is refused.
#[test]
fn hidden_and_identifying_values_are_refused() {
    let object = "apiVersion: v1\nkind: Secret\nmetadata: {namespace: a, name: b}\n";
    let cases = [
        ("x: &b {password: p}\nd: {<<: *b, other: o}\n".to_owned(), "d.password"),
        ("x: &b {password: p}\nd: {<<: [*b], other: o}\n".to_owned(), "**.password"),
        ("x: &b {password: p}\nd: *b\n".to_owned(), "d.*"),
        ("<<: {password: q}\n".to_owned(), "password"),
        ("a: &a [*a]\nb: c\n".to_owned(), "b"),
        (format!("{object}data: {{x: y}}\n"), "kind"),
        (format!("{object}data: {{x: y}}\n"), "metadata"),
        ("k: &k Secret\nkind: *k\napiVersion: v1\ndata: {x: y}\n".to_owned(), "data.*"),
    ];
    for (source, select) in cases {
        assert!(encrypt(&source, Syntax::Yaml, select).is_err(), "{select} in {source}");
    }
    // An alias that has nothing to do with the selected values is nobody's business.
    let source = "x: &b {other: p}\nd: *b\npassword: q\n";
    assert_eq!(decrypt(&encrypt(source, Syntax::Yaml, "password").unwrap(), Syntax::Yaml).unwrap(), source);
}

/// A call on a large hostile file ends in linear time: two hundred thousand collections on one line.
#[test]
fn one_long_line_is_no_trap() {
    let source = format!("a: [{}]\nb: secret\n", vec!["{b: c}"; 200_000].join(", "));
    let sealed = encrypt(&source, Syntax::Yaml, "b").unwrap();
    assert!(!sealed.contains("secret"));
}

/// A sealed document and its tokens by path.
fn sealed_pair() -> (String, Vec<(Path, native::Token)>) {
    let sealed = encrypt("a: one\nb: two\nc: {d: three}\n", Syntax::Yaml, "**").unwrap();
    let file = File::parse(&sealed, Syntax::Yaml).unwrap();
    let layout = Layout::read(&file, 0).unwrap();
    let tokens = layout.leaves.iter().map(|leaf| (leaf.path.clone(), layout.token(&file, leaf).unwrap().unwrap()));
    let tokens = tokens.collect();
    (sealed.clone(), tokens)
}

#[test]
fn a_token_opens_only_at_its_own_path_and_place() {
    let (sealed, tokens) = sealed_pair();
    let file = File::parse(&sealed, Syntax::Yaml).unwrap();
    let layout = Layout::read(&file, 0).unwrap();
    let block = layout.block.as_ref();
    let mut opener = Opener::new(&ALICE.keyring);
    let object = |group: &str, kind: &str, namespace: &str, name: &str| Place::Object {
        group: group.into(),
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
    };
    for (path, token) in &tokens {
        assert!(opener.open(block, &context(), path, token).is_ok());
        let elsewhere = [
            Place::Context(String::new()),
            Place::Context("tests2".into()),
            object("", "Secret", "tests", "x"),
            object("", "", "", ""),
        ];
        for place in &elsewhere {
            assert!(opener.open(block, place, path, token).is_err(), "{place}");
        }
        for (other, _) in tokens.iter().filter(|(other, _)| other != path) {
            assert!(opener.open(block, &context(), other, token).is_err(), "{other}");
        }
        assert!(opener.open(block, &context(), &path.child(Step::Item(0)), token).is_err());
    }
}

#[test]
fn a_token_opens_only_for_its_own_object() {
    let place = |group: &str, kind: &str, namespace: &str, name: &str| Place::Object {
        group: group.into(),
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
    };
    let home = place("g", "K", "ns", "name");
    let path = Path::of_keys(&["data", "x"]);
    let plaintext = Plaintext::canonical(ValueType::String, SecretBytes::from(b"v".to_vec()));
    let token = native::seal_alone(&mut OsRandom, ALICE.readers.as_slice(), &home, &path, &plaintext).unwrap();
    let mut opener = Opener::new(&ALICE.keyring);
    assert!(opener.open(None, &home, &path, &token).is_ok());
    let moved = [("", "K", "ns", "name"), ("g", "k", "ns", "name"), ("g", "K", "n", "sname"), ("g", "K", "*", "*")];
    for (group, kind, namespace, name) in moved {
        assert!(opener.open(None, &place(group, kind, namespace, name), &path, &token).is_err());
    }
}

#[test]
fn every_flipped_bit_of_a_token_is_refused() {
    let path = Path::of_keys(&["a"]);
    let plaintext = Plaintext::canonical(ValueType::String, SecretBytes::from(b"v".to_vec()));
    let token = native::seal_alone(&mut OsRandom, ALICE.readers.as_slice(), &context(), &path, &plaintext).unwrap();
    let text = token.to_string();
    let opens = |text: &str| {
        let Ok(token) = native::Token::parse(text) else { return false };
        Opener::new(&ALICE.keyring).open(None, &context(), &path, &token).is_ok()
    };
    assert!(opens(&text));
    for bit in 0..text.len() * 8 {
        let mut bytes = text.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(altered) = String::from_utf8(bytes) else { continue };
        // A reader's name is a claim that nothing rests on; its fingerprint decides which identity is tried.
        let only_the_name = native::Token::parse(&altered).is_ok_and(|t| match (&t.key, &token.key) {
            (TokenKey::Own { id: a, wraps: v }, TokenKey::Own { id: b, wraps: w }) => {
                a == b && t.sealed == token.sealed && v[0].1 == w[0].1 && v[0].0.fingerprint() == w[0].0.fingerprint()
            }
            _ => false,
        });
        assert!(only_the_name || !opens(&altered), "bit {bit}");
    }
}

#[test]
fn a_planted_key_never_encrypts_a_later_value() {
    // Mallory can write and not read: she makes a document key, wraps it correctly for Alice, and waits.
    let planted = encrypt("a: bait\n", Syntax::Yaml, "a").unwrap();
    let grown = planted.replace("sealwax:", "b: later secret\nsealwax:");
    let sealed = encrypt(&grown, Syntax::Yaml, "**").unwrap();
    let file = File::parse(&sealed, Syntax::Yaml).unwrap();
    let layout = Layout::read(&file, 0).unwrap();
    let document_key = layout.block.as_ref().unwrap().key.as_ref().unwrap().id.clone();
    let token_at = |name: &str| {
        let leaf = layout.leaf(&Path::of_keys(&[name])).unwrap();
        layout.token(&file, leaf).unwrap().unwrap()
    };
    assert!(matches!(token_at("a").key, TokenKey::Document(_)));
    assert!(matches!(token_at("b").key, TokenKey::Own { id, .. } if id != document_key));

    // `set` over an existing value and a fold mint keys of their own too.
    let select = [Pattern::parse("**").unwrap()];
    let readers = ALICE.readers.as_slice();
    let request = Request { select: &select, place: context(), readers, previous: None };
    let value = Plaintext::canonical(ValueType::String, SecretBytes::from(b"new".to_vec()));
    let text = native::set_value(&file, &layout, &request, &Path::of_keys(&["a"]), &value, &mut OsRandom).unwrap();
    let after = File::parse(&text, Syntax::Yaml).unwrap();
    let after_layout = Layout::read(&after, 0).unwrap();
    let token = after_layout.token(&after, after_layout.leaf(&Path::of_keys(&["a"])).unwrap()).unwrap().unwrap();
    assert!(matches!(token.key, TokenKey::Own { id, .. } if id != document_key));

    let mut opener = Opener::new(&ALICE.keyring);
    let opened = native::open_all(&file, &layout, &mut opener).unwrap();
    let mut rewrite = sealwax_format::document::rewrite::Rewrite::new(&file);
    native::fold(&file, &layout, &opened, &context(), readers, &mut OsRandom, &mut rewrite).unwrap();
    let folded = rewrite.finish().unwrap();
    assert!(!folded.contains(document_key.as_str()) && !folded.contains(document_key.short()));
    assert_eq!(decrypt(&folded, Syntax::Yaml).unwrap(), "a: bait\nb: later secret\n");
}

#[test]
fn unchanged_values_keep_their_tokens() {
    let sealed = encrypt("a: one  # note\nb: two\nc: |\n  three\n", Syntax::Yaml, "**").unwrap();
    let file = File::parse(&sealed, Syntax::Yaml).unwrap();
    let layout = Layout::read(&file, 0).unwrap();
    let opened = native::open_all(&file, &layout, &mut Opener::new(&ALICE.keyring)).unwrap();
    let previous = native::Previous::new(&layout, opened).unwrap();
    let edited = decrypt(&sealed, Syntax::Yaml).unwrap().replace("two", "2");
    let file = File::parse(&edited, Syntax::Yaml).unwrap();
    let select = [Pattern::parse("**").unwrap()];
    let request =
        Request { select: &select, place: context(), readers: ALICE.readers.as_slice(), previous: Some(&previous) };
    let (again, reports) = native::encrypt(&file, &[Some(request)], &mut OsRandom).unwrap();
    assert_eq!((reports[0].kept, reports[0].sealed.len()), (2, 1));
    let changed: Vec<_> = again.lines().filter(|line| !sealed.contains(*line)).collect();
    assert_eq!(changed.len(), 2, "the ciphertext and its one wrap: {}", *again);
    assert_eq!(decrypt(&again, Syntax::Yaml).unwrap(), edited);
}
