//! An edit cycle loses nothing: what is decrypted and encrypted again is the same file, byte for byte.

use proptest::prelude::*;
use sealwax_format::OsRandom;
use sealwax_format::document::walk::{Leaf, leaves};
use sealwax_format::document::{File, Syntax};
use sealwax_format::sops::{
    At, Cipher, FileKey, Layout, Metadata, OpenedValue, ReadError, Report, Request, Seen, Selector, Stash, Type,
    encrypt, see,
};

use crate::generator::{file, json};

/// A file key, and metadata that hold no wrap of it: this is not about keys.
pub(crate) struct Bench {
    pub(crate) cipher: Cipher,
    metadata: Metadata,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let metadata = Metadata::new(Vec::new(), None, Selector::default(), false, 1_767_323_045, "3.13.3");
        Self { cipher: FileKey::mint(&mut OsRandom).unwrap().cipher(), metadata }
    }

    pub(crate) fn encrypt(&self, plain: &str, syntax: Syntax, stash: Option<&Stash>) -> Result<Report, String> {
        let file = File::parse(plain, syntax).map_err(|error| error.to_string())?;
        let request = Request { metadata: &self.metadata, cipher: &self.cipher, stash, allow_nothing: true };
        encrypt(&file, &request, &mut OsRandom).map_err(|at| format!("{at:?}"))
    }
}

/// Opens a file, and gives its plain text and what is to be kept of it.
pub(crate) fn open(text: &str, syntax: Syntax, cipher: &Cipher) -> (String, Stash, Metadata) {
    let file = File::parse(text, syntax).unwrap();
    let layout = Layout::read(&file).unwrap_or_else(|at| panic!("{at:?}\n{text}"));
    let opened: Vec<OpenedValue> = layout.open(&file, cipher, true).unwrap_or_else(|at| panic!("{at:?}\n{text}"));
    let plain = layout.decrypt(&file, cipher, &opened).unwrap_or_else(|at| panic!("{at:?}\n{text}"));
    let stash = Stash::of(&layout, &file, cipher, &opened, &mut OsRandom).unwrap();
    (plain.to_string(), stash, layout.metadata)
}

/// Decrypts a file and encrypts it again, with everything and with a later time.
pub(crate) fn cycle(text: &str, syntax: Syntax, cipher: &Cipher) {
    let (plain, stash, metadata) = open(text, syntax, cipher);
    let parsed = File::parse(&plain, syntax).unwrap_or_else(|error| panic!("{error:?}\n{plain}"));
    let request = Request { metadata: &metadata, cipher, stash: Some(&stash), allow_nothing: true };
    let report = encrypt(&parsed, &request, &mut OsRandom).unwrap_or_else(|at| panic!("{at:?}\n{plain}\n---\n{text}"));
    assert_eq!(*report.text, text, "the plain file is\n{plain}");
    assert_eq!(report.sealed, 0);

    let later = metadata.modified(4_000_000_000, "3.99.9");
    let request = Request { metadata: &later, cipher, stash: Some(&stash), allow_nothing: true };
    let report = encrypt(&parsed, &request, &mut OsRandom).unwrap();
    let (again, ..) = open(&report.text, syntax, cipher);
    assert_eq!(again, plain);
    let changed = differences(text, &report.text);
    let stated = |line: &str| ["mac", "lastmodified", "version"].iter().any(|name| line.contains(name));
    assert!(changed.iter().all(|line| stated(line)), "{changed:?}");
}

/// The values of a plain file with their paths. A float without a fraction comes back as an integer, so numbers are alike.
fn values(text: &str, syntax: Syntax) -> Vec<String> {
    let file = File::parse(text, syntax).unwrap();
    let shown = |leaf: &Leaf<'_>| match leaf.scalar.map(|scalar| see(syntax, leaf.node, scalar).unwrap()) {
        None => format!("{}: an alias", leaf.path),
        Some(Seen::Null) => format!("{}: null", leaf.path),
        Some(Seen::Value(kind, bytes)) => {
            let kind = if kind == Type::Float { Type::Int } else { kind };
            format!("{}: {} {}", leaf.path, kind.as_str(), String::from_utf8_lossy(&bytes))
        }
    };
    let of_document = |document| leaves(document).iter().map(shown).collect::<Vec<_>>();
    file.documents.iter().flat_map(of_document).collect()
}

/// The lines of the second text that are not in the first at their place.
fn differences<'t>(old: &str, new: &'t str) -> Vec<&'t str> {
    assert_eq!(old.lines().count(), new.lines().count(), "{old}\n---\n{new}");
    old.lines().zip(new.lines()).filter(|(old, new)| old != new).map(|(_, new)| new).collect()
}

#[test]
fn what_sops_wrote_comes_back() {
    for name in crate::names() {
        let text = crate::read(&format!("{name}.enc.yaml"));
        let file = File::parse(&text, Syntax::Yaml).unwrap();
        cycle(&text, Syntax::Yaml, &crate::cipher(&Layout::read(&file).unwrap()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_global_rejects: 60, ..ProptestConfig::default() })]

    #[test]
    fn yaml_comes_back(source in file()) {
        let bench = Bench::new();
        // Too many that are refused fail the test.
        let report = bench.encrypt(&source, Syntax::Yaml, None);
        prop_assume!(report.is_ok());
        let sealed = report.unwrap().text;
        cycle(&sealed, Syntax::Yaml, &bench.cipher);
        let (plain, ..) = open(&sealed, Syntax::Yaml, &bench.cipher);
        prop_assert_eq!(values(&plain, Syntax::Yaml), values(&source, Syntax::Yaml));
    }

    #[test]
    fn json_comes_back(value in json(), pretty in prop::bool::ANY) {
        let value = serde_json::json!({ "outer": value });
        let source = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let bench = Bench::new();
        let report = bench.encrypt(&source, Syntax::Json, None);
        prop_assert!(report.is_ok(), "{:?}\n{}", report, source);
        let sealed = report.unwrap().text;
        cycle(&sealed, Syntax::Json, &bench.cipher);
        let (plain, ..) = open(&sealed, Syntax::Json, &bench.cipher);
        prop_assert_eq!(values(&plain, Syntax::Json), values(&source, Syntax::Json));
    }
}

/// A token stands where `TOKEN` does, for the value `v` at the path of a top-level key.
#[test]
fn tokens_come_back_as_they_were_written() {
    let bench = Bench::new();
    let sealed = bench.encrypt("a: v\nb: w\n# c\nlist:\n- x\n# in\n- x\n- x\n", Syntax::Yaml, None).unwrap().text;
    let token = |key: &str| {
        let line = sealed.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim().to_owned()
    };
    let (a, b) = (token("a: "), token("b: "));
    for written in [format!("\"{a}\""), format!("'{a}'"), format!(">-\n  {a}"), format!("|-\n    {a}\n")] {
        cycle(&sealed.replace(&a, &written), Syntax::Yaml, &bench.cipher);
    }
    // An encrypted comment as SOPS writes it in a list; a block in the middle; blank lines and comments around it.
    let item = sealed.lines().find(|line| line.starts_with("#ENC") && line.contains("comment")).unwrap().to_owned();
    let in_list = sealed.rsplit_once("#ENC").unwrap().1.split('\n').next().unwrap().to_owned();
    cycle(&sealed.replace(&format!("#ENC{in_list}"), &format!("- ENC{in_list}")), Syntax::Yaml, &bench.cipher);
    cycle(&sealed.replace(&item, &format!("\n\n{item}\n\n")), Syntax::Yaml, &bench.cipher);
    let (values, block) = sealed.split_once("sops:\n").unwrap();
    let block = format!("sops:\n{block}");
    let (first, rest) = values.split_once("b: ").unwrap();
    for moved in [
        format!("{block}{values}"),
        format!("{item}\n{block}\n{item}\n\n{values}"),
        format!("{first}\n{item}\n{block}\n{item}\nb: {rest}"),
        format!("{values}\n{item}\n\n{block}\n{item}\n    {item}\n"),
        format!("{values}{}", block.trim_end()),
        format!("---\n{values}{block}...\n---\nb: {b}\n"),
        sealed.replace('\n', "\r\n"),
    ] {
        let file = File::parse(&moved, Syntax::Yaml).unwrap();
        let layout = Layout::read(&file).unwrap();
        match layout.open(&file, &bench.cipher, true) {
            // The file with a second document has another checksum.
            Err(At { error: ReadError::Mac, .. }) if moved.contains("...") => {}
            Ok(_) if !moved.contains("...") => cycle(&moved, Syntax::Yaml, &bench.cipher),
            opened => panic!("{opened:?}\n{moved}"),
        }
    }
}

#[test]
fn lines_are_indented_as_the_file_is() {
    let bench = Bench::new();
    for plain in [
        "a:\n  b: |\n    one\n    two\n",
        "a:\n    b: |-\n        one\n        two\nc: |\n    one\n    two\n",
        "a:\n    - |-\n      one\n      two\nc:\n    d:\n        - e: |\n            one\n            two\n",
        "a: |\n  one\n  two\n",
    ] {
        let report = bench.encrypt(plain, Syntax::Yaml, None).unwrap();
        assert_eq!(open(&report.text, Syntax::Yaml, &bench.cipher).0, plain);
    }
}

#[test]
fn a_version_stays_without_quotes() {
    let bench = Bench::new();
    let text = bench.encrypt("a: one\n", Syntax::Yaml, None).unwrap().text;
    assert!(text.ends_with("    version: 3.13.3\n"), "{}", text.as_str());
    let (plain, stash, metadata) = open(&text, Syntax::Yaml, &bench.cipher);
    let plain = File::parse(&plain, Syntax::Yaml).unwrap();
    for (version, written) in [("3.14.0", "3.14.0"), ("3.14", "\"3.14\"")] {
        let metadata = metadata.clone().modified(4_000_000_000, version);
        let request = Request { metadata: &metadata, cipher: &bench.cipher, stash: Some(&stash), allow_nothing: true };
        let again = encrypt(&plain, &request, &mut OsRandom).unwrap().text;
        assert!(again.ends_with(&format!("    version: {written}\n")), "{}", again.as_str());
    }
}

#[test]
fn empty_files_and_values_come_back() {
    let bench = Bench::new();
    for plain in
        ["{}\n", "{}", "---\n{}\n---\na: b\n", "a: \"\"\nb:\nc: ~\nd: {}\ne: []\nf: ''\n", "a: b\n---\n---\nc: d\n"]
    {
        let sealed = bench.encrypt(plain, Syntax::Yaml, None).unwrap_or_else(|error| panic!("{error}: {plain}"));
        assert!(sealed.text.contains("    mac: ENC["), "Flux finds it: {}", *sealed.text);
        cycle(&sealed.text, Syntax::Yaml, &bench.cipher);
    }
    for plain in ["{}", "{ }\n", "{\n}\n", "{\"a\": null, \"b\": \"\"}"] {
        let sealed = bench.encrypt(plain, Syntax::Json, None).unwrap_or_else(|error| panic!("{error}: {plain}"));
        cycle(&sealed.text, Syntax::Json, &bench.cipher);
    }
    assert!(bench.encrypt("# only\n", Syntax::Yaml, None).is_err());
    assert!(bench.encrypt("- a\n", Syntax::Yaml, None).is_err());
}

#[test]
fn one_changed_value_changes_one_scalar() {
    let bench = Bench::new();
    let plain = "# head\na: same\nb: same  # why\nlist:\n- same\n- same\n# in\n- same\nnest: {a: same, b: [same, same]}\n---\na: same\nlist: [same]\n";
    let sealed = bench.encrypt(plain, Syntax::Yaml, None).unwrap().text;
    let (opened, stash, _) = open(&sealed, Syntax::Yaml, &bench.cipher);
    let places: Vec<_> = opened.match_indices("same").map(|(at, _)| at).collect();
    assert_eq!(places.len(), plain.matches("same").count());
    for at in places {
        let edited = format!("{}other{}", &opened[..at], &opened[at + 4..]);
        let report = bench.encrypt(&edited, Syntax::Yaml, Some(&stash)).unwrap();
        assert_eq!(report.sealed, 1, "{edited}");
        let changed = differences(&sealed, &report.text);
        // The checksum stands in both documents.
        assert_eq!(changed.len(), 3, "{changed:?}");
        assert_eq!(open(&report.text, Syntax::Yaml, &bench.cipher).0, edited);
    }
}

#[test]
fn dotenv_comes_back() {
    let bench = Bench::new();
    for plain in ["# note\nA=b c\nB=\n\nC=a\\nb\n#end\n", "A=b", "\n\nA=b=c\n", "A= x \r\n"] {
        let sealed = bench.encrypt(plain, Syntax::Dotenv, None).unwrap().text;
        assert!(sealed.contains("sops_mac=ENC["), "Flux finds it: {}", *sealed);
        assert!(
            sealed
                .lines()
                .all(|line| line.is_empty() || line.contains("ENC[") || line.starts_with("sops_") || line == "B=")
        );
        cycle(&sealed, Syntax::Dotenv, &bench.cipher);
        assert_eq!(open(&sealed, Syntax::Dotenv, &bench.cipher).0, plain);
    }
    assert!(bench.encrypt("A=b\nno equals sign\n", Syntax::Dotenv, None).is_err());
    assert!(bench.encrypt("A=b\nsops_x=y\n", Syntax::Dotenv, None).is_err());
    // The block's lines stand anywhere, as long as they stand together.
    let sealed = bench.encrypt("A=b\nC=d\n", Syntax::Dotenv, None).unwrap().text;
    let (values, block) = sealed.split_at(sealed.find("sops_").unwrap());
    cycle(&format!("{block}{values}"), Syntax::Dotenv, &bench.cipher);
    for parted in [block.replace('\n', "\n\n"), format!("\n\n{}", block.replacen("\nsops_", "\n\n\nsops_", 1))] {
        cycle(&format!("{values}{parted}"), Syntax::Dotenv, &bench.cipher);
        cycle(&format!("{parted}{values}"), Syntax::Dotenv, &bench.cipher);
    }
    // A comment between them belongs to the file, and would be lost with them.
    let parted = block.replacen("\nsops_", "\n#x\nsops_", 1);
    assert!(File::parse(&format!("{values}{parted}"), Syntax::Dotenv).is_err());
}

#[test]
fn ini_comes_back() {
    let bench = Bench::new();
    let plain = "top = `a;b`\n\n; a section\n[one]\n# two\n; lines\nkey: \"\"\"two\nlines\"\"\"\nempty =\n\n[two]\n ;in\n other='x'\n";
    let sealed = bench.encrypt(plain, Syntax::Ini, None).unwrap().text;
    assert!(sealed.contains("\n[sops]\n"), "Flux finds it: {}", *sealed);
    for secret in ["a;b", "section", "lines", "in\n", "x"] {
        assert!(!sealed.split("[sops]").next().unwrap().contains(&format!(" {secret}")), "{secret}: {}", *sealed);
    }
    cycle(&sealed, Syntax::Ini, &bench.cipher);
    // Quotes are not kept where the value needs none.
    assert_eq!(open(&sealed, Syntax::Ini, &bench.cipher).0, plain.replace("'x'", "x"));
    for refused in ["a = b ; beside\n", "a = b\\\nc\n", "[open\n", "alone\n", "\"a\" = b\n", "- = b\n", "a = \"\"\"x\n"]
    {
        assert!(File::parse(refused, Syntax::Ini).is_err(), "{refused}");
    }
}

#[test]
fn what_follows_a_comment_is_selected_and_what_is_unclear_refused() {
    let bench = Bench::new();
    let selector = Selector::of([("encrypted_comment_regex", "secret")]).unwrap();
    let metadata = Metadata::new(Vec::new(), None, selector, false, 1_767_323_045, "3.13.3");
    let bench = Bench { metadata, ..bench };
    let plain =
        "a: 1\n# secret\nb: 2\nc: 3 # secret\nd: # secret\n  e: 4\n  f: [5, 6]\ng: 7\nh:\n  # secret\n  - 8\n  - 9\n";
    let sealed = bench.encrypt(plain, Syntax::Yaml, None).unwrap();
    assert_eq!(sealed.sealed, 6, "{}", *sealed.text);
    for clear in ["a: 1\n", "g: 7\n", "- 9\n", "# secret\n"] {
        assert!(sealed.text.contains(clear), "{clear}");
    }
    cycle(&sealed.text, Syntax::Yaml, &bench.cipher);
    for unclear in ["a:\n  - b\n# secret\n\nc: d\n", "a:\n  # secret\n  -\nc: d\n", "a:\n    b: c\n  # secret\nd: e\n"]
    {
        let error = bench.encrypt(unclear, Syntax::Yaml, None).unwrap_err();
        assert!(error.contains("UnclearComment"), "{error}: {unclear}");
    }
}
