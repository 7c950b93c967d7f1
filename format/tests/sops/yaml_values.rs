//! Values of YAML that this program's parser and go-yaml could take for different things.

use sealwax_format::OsRandom;
use sealwax_format::document::{File, Syntax};
use sealwax_format::sops::{Expression, FileKey, Layout, Metadata, ReadError, Request, Selector, WriteError, encrypt};

use crate::cycle::open;

/// Encrypts a file and opens it again: what was in it, or why it is refused, with the line.
#[expect(clippy::unwrap_in_result, reason = "only what is refused is an answer")]
fn there_and_back(plain: &str, syntax: Syntax) -> Result<String, (Option<usize>, String)> {
    let cipher = FileKey::mint(&mut OsRandom).unwrap().cipher();
    let metadata = Metadata::new(Vec::new(), None, Selector::default(), false, 1_767_323_045, "3.13.3");
    let file = File::parse(plain, syntax).unwrap();
    let request = Request { metadata: &metadata, cipher: &cipher, stash: None, allow_nothing: true };
    let report = encrypt(&file, &request, &mut OsRandom).map_err(|at| (at.line, chain(&at.error)))?;
    Ok(open(&report.text, syntax, &cipher).0)
}

fn chain(error: &dyn std::error::Error) -> String {
    let links = std::iter::successors(Some(error), |error| error.source());
    links.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[test]
fn digits_beyond_the_floats_stay_as_they_are() {
    assert_eq!(there_and_back("a: 1e400\nb: -.1e400\n", Syntax::Yaml).unwrap(), "a: \"1e400\"\nb: \"-.1e400\"\n");
    let (_, error) = there_and_back("{\"a\": 1e400}", Syntax::Json).unwrap_err();
    assert!(error.contains("out of range"), "{error}");
}

#[test]
fn a_value_under_a_tag_is_not_encrypted() {
    for value in
        ["!!int 5", "!!bool \"true\"", "!!float 1", "!!timestamp 2024-01-01", "!<!!int> 5", "!vault 0x10", "! x"]
    {
        let (line, error) = there_and_back(&format!("a: b\nc: {value}\n"), Syntax::Yaml).unwrap_err();
        assert!(line == Some(2) && error.contains("remove the tag"), "{value}: {error}");
    }
    // What is not encrypted keeps its tag, and is in the checksum as SOPS has it.
    for plain in [
        "a_unencrypted: !!int \"0x10\"\n",
        "a_unencrypted: !vault 0x10\n",
        "a: !!binary aGk=\n",
        "a: !!null\n",
        "a: !!str 5\n",
    ] {
        there_and_back(plain, Syntax::Yaml).unwrap();
    }
}

#[test]
fn what_ends_a_line_for_sops_alone_is_refused_in_both_directions() {
    let cipher = FileKey::mint(&mut OsRandom).unwrap().cipher();
    let metadata = Metadata::new(Vec::new(), None, Selector::default(), false, 1_767_323_045, "3.13.3");
    for end in ["\u{2028}", "\u{2029}", "\u{85}"] {
        let plain = format!("a: b\nc_unencrypted: d # x{end}password: hunter2\n");
        let (line, error) = there_and_back(&plain, Syntax::Yaml).unwrap_err();
        assert!(line == Some(2) && error.contains("ends a line for SOPS"), "{error}");
        // What a comment holds in an encrypted file.
        let file = File::parse("a: b\nc_unencrypted: d\n", Syntax::Yaml).unwrap();
        let request = Request { metadata: &metadata, cipher: &cipher, stash: None, allow_nothing: true };
        let sealed = encrypt(&file, &request, &mut OsRandom).unwrap().text;
        let sealed = sealed.replace("ed: d\n", &format!("ed: d # x{end}password: hunter2\n"));
        let file = File::parse(&sealed, Syntax::Yaml).unwrap();
        let at = Layout::read(&file).unwrap_err();
        assert!(at.line == Some(2) && matches!(at.error, ReadError::Character(_)), "{at:?}");
        // In double quotes it is a value like any other.
        let plain = format!("a: \"x\\u{:04x}y\"\n", u32::from(end.chars().next().unwrap()));
        assert_eq!(there_and_back(&plain, Syntax::Yaml).unwrap(), plain);
    }
    for (plain, syntax) in [("\u{feff}A=b\n", Syntax::Dotenv), ("\u{feff}{\"a\": 1}", Syntax::Json)] {
        let (line, error) = there_and_back(plain, syntax).unwrap_err();
        assert!(line == Some(1) && error.contains("byte order mark"), "{error}");
    }
    assert!(there_and_back("!!binary YQ==: b\n", Syntax::Yaml).unwrap_err().1.contains("a key is not a string"));
}

#[test]
fn a_comment_that_would_be_unclear_beside_the_block_is_refused_when_it_is_written() {
    let cipher = FileKey::mint(&mut OsRandom).unwrap().cipher();
    let expression = Expression::parse("encrypted_regex", "^[a-m]").unwrap();
    let metadata =
        Metadata::new(Vec::new(), None, Selector::EncryptedComment(expression), false, 1_767_323_045, "3.13.3");
    let encrypted = |plain: &str| {
        let file = File::parse(plain, Syntax::Yaml).unwrap();
        let request = Request { metadata: &metadata, cipher: &cipher, stash: None, allow_nothing: true };
        encrypt(&file, &request, &mut OsRandom).map(|report| report.text)
    };
    let text = encrypted("_:\n#call\na: b\n").unwrap();
    assert!(open(&text, Syntax::Yaml, &cipher).0.contains("a: b"));
    // The block stands as far in as the first key, and the comment does not.
    let Err(refused) = encrypted("  _:\n#call") else { panic!("written, and not readable") };
    assert_eq!(refused.line, Some(2));
}

#[test]
fn a_comment_that_go_yaml_gives_to_another_document_or_value_is_refused() {
    let cipher = FileKey::mint(&mut OsRandom).unwrap().cipher();
    let expression = Expression::parse("unencrypted_regex", "open").unwrap();
    let selector = Selector::UnencryptedComment(expression);
    let metadata = Metadata::new(Vec::new(), None, selector, false, 1_767_323_045, "3.13.3");
    let encrypted = |plain: &str| {
        let file = File::parse(plain, Syntax::Yaml).unwrap();
        let request = Request { metadata: &metadata, cipher: &cipher, stash: None, allow_nothing: true };
        encrypt(&file, &request, &mut OsRandom).map(|report| report.text.to_string())
    };
    for unclear in [
        "{a: x}\n# open\n---\nb: hunter2\n",
        "---\n# open\n---\nb: hunter2\n",
        "# open\n{a: x}\n---\nb: hunter2\n",
        "{a: x}\n...\n# open\n---\nb: hunter2\n",
        "\n---\n# open\n\nb: hunter2\n",
        "---\n&b\n# open\n\nb: hunter2\n",
        "a: x\n? k\n# open\n\nb: hunter2\n",
    ] {
        let error = encrypted(unclear).unwrap_err();
        assert!(matches!(error.error, WriteError::Value(ReadError::UnclearComment)), "{error:?}\n{unclear}");
    }
    for clear in ["# open\n---\nb: hunter2\n", "---\n# open\n\nb: hunter2\n", "a: x\n---\n# open\nb: hunter2\n"] {
        assert!(encrypted(clear).unwrap().contains("hunter2"), "{clear}");
    }
    // Below the block, where go-yaml makes it the block's.
    let text = encrypted("a: x\n---\n# open\nb: hunter2\n").unwrap().replacen("\n---\n# open\n", "\n# open\n---\n", 1);
    let file = File::parse(&text, Syntax::Yaml).unwrap();
    let refused = Layout::read(&file).unwrap_err();
    assert!(matches!(refused.error, ReadError::UnclearComment), "{refused:?}\n{text}");
}
