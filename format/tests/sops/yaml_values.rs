//! Values of YAML that this program's parser and go-yaml could take for different things.

use sealwax_format::OsRandom;
use sealwax_format::document::{File, Syntax};
use sealwax_format::sops::{FileKey, Metadata, Request, Selector, encrypt};

use crate::cycle::open;

/// Encrypts a file and opens it again: what was in it, or why it is refused, with the line.
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
