//! Files that SOPS 3.13 wrote: they open, their checksums hold, and what is altered is seen.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "sops/cycle.rs"]
mod cycle;
#[path = "properties/generator.rs"]
mod generator;
#[path = "sops/hostile.rs"]
mod hostile;
#[path = "sops/stash.rs"]
mod stash;
#[path = "sops/yaml_values.rs"]
mod yaml_values;

use std::path::PathBuf;

use sealwax_format::OsRandom;
use sealwax_format::document::walk::leaves;
use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::{Fingerprint, Keyring, decrypt_file};
use sealwax_format::sops::{Cipher, FileKey, Layout, ReadError, Request, Seen, Service, Stash, encrypt, see};

/// SOPS's own test identity, which protects nothing.
const IDENTITY: &str = "AGE-SECRET-KEY-1G0Q5K9TV4REQ3ZSQRMTMG8NSWQGYT0T7TZ33RAZEE0GZYVZN0APSU24RK7";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/sops")
}

fn names() -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".enc.yaml")?.to_owned()))
        .collect();
    names.sort();
    names
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

fn cipher(layout: &Layout<'_>) -> Cipher {
    let identity: age::x25519::Identity = IDENTITY.parse().unwrap();
    let mut ring = Keyring::default();
    ring.add(Fingerprint::of(&identity.to_public().to_string()), Box::new(identity));
    let wrap = layout.metadata.wraps().find(|wrap| wrap.service == Service::Age).unwrap();
    FileKey::from_bytes(decrypt_file(wrap.enc.as_bytes(), &ring).unwrap().expose()).unwrap().cipher()
}

/// The values of a plain file, as SOPS sees them.
fn values(text: &str) -> Vec<String> {
    let file = File::parse(text, Syntax::Yaml).unwrap();
    let mut found = Vec::new();
    for (number, document) in file.documents.iter().enumerate() {
        for leaf in leaves(document) {
            let seen = see(Syntax::Yaml, leaf.node, leaf.scalar.unwrap()).unwrap();
            let shown = match seen {
                Seen::Null => "null".to_owned(),
                Seen::Value(kind, bytes) => format!("{} {}", kind.as_str(), String::from_utf8_lossy(&bytes)),
            };
            found.push(format!("{number} {}: {shown}", leaf.path));
        }
    }
    found
}

#[test]
fn what_sops_wrote_opens_and_its_checksum_holds() {
    let names = names();
    assert!(names.len() >= 6, "the vectors are gone: {names:?}");
    for name in names {
        let text = read(&format!("{name}.enc.yaml"));
        let file = File::parse(&text, Syntax::Yaml).unwrap();
        let layout = Layout::read(&file).unwrap_or_else(|at| panic!("{name}: {at:?}"));
        let opened = layout.open(&file, &cipher(&layout), true);
        let opened = opened.unwrap_or_else(|at| panic!("{name}: {at:?}"));
        assert!(!opened.is_empty(), "{name}");
        let plain = layout.decrypt(&file, &cipher(&layout), &opened).unwrap_or_else(|at| panic!("{name}: {at:?}"));
        assert!(!plain.contains("ENC["), "{name}: {}", *plain);
        let (ours, theirs) = (values(&plain), values(&read(&format!("{name}.dec.yaml"))));
        assert_eq!(ours, theirs, "{name}: {}", *plain);
    }
}

#[test]
fn a_value_that_was_taken_away_is_missed() {
    let text = read("nested.enc.yaml");
    let line = text.lines().find(|line| line.contains("ENC[") && !line.contains("mac:")).unwrap();
    let file_text = text.replace(&format!("{line}\n"), "");
    let file = File::parse(&file_text, Syntax::Yaml).unwrap();
    let layout = Layout::read(&file).unwrap();
    let cipher = cipher(&layout);
    assert!(matches!(layout.open(&file, &cipher, true).unwrap_err().error, ReadError::Mac));
    layout.open(&file, &cipher, false).unwrap();
}

#[test]
fn what_is_opened_and_written_again_opens_again() {
    for name in names() {
        let text = read(&format!("{name}.enc.yaml"));
        let file = File::parse(&text, Syntax::Yaml).unwrap();
        let layout = Layout::read(&file).unwrap();
        let cipher = cipher(&layout);
        let opened = layout.open(&file, &cipher, true).unwrap();
        let plain = layout.decrypt(&file, &cipher, &opened).unwrap();

        let stash = Stash::of(&layout, &file, &cipher, &opened, &mut OsRandom).unwrap();
        let request =
            Request { metadata: &layout.metadata, cipher: &cipher, stash: Some(&stash), allow_nothing: false };
        let parsed = File::parse(&plain, Syntax::Yaml).unwrap();
        let report =
            encrypt(&parsed, &request, &mut OsRandom).unwrap_or_else(|error| panic!("{name}: {error:?}\n{}", *plain));
        assert_eq!(report.sealed, 0, "{name}: unchanged values keep their tokens");

        let again = File::parse(&report.text, Syntax::Yaml).unwrap();
        let layout = Layout::read(&again).unwrap();
        let opened = layout.open(&again, &cipher, true).unwrap_or_else(|at| panic!("{name}: {at:?}\n{}", *report.text));
        let back = layout.decrypt(&again, &cipher, &opened).unwrap();
        assert_eq!(*back, *plain, "{name}");
    }
}

#[test]
fn what_is_encrypted_comes_back_with_the_same_values() {
    let plain = "# top\n\nname:   application # inline\npassword: 'it''s'\nlist:\n- a\n# in the list\n- \"b\"\nnested:\n    # inside\n    port: 0x1F\n    text: |\n        one\n        two\n    flow: {a: 1, b: [x, y]}\n    empty: \"\"\n    nothing:\n";
    let file = File::parse(plain, Syntax::Yaml).unwrap();
    let text = read("types.enc.yaml");
    let block = File::parse(&text, Syntax::Yaml).unwrap();
    let layout = Layout::read(&block).unwrap();
    let cipher = cipher(&layout);
    let request = Request { metadata: &layout.metadata, cipher: &cipher, stash: None, allow_nothing: false };
    let report = encrypt(&file, &request, &mut OsRandom).unwrap();
    for secret in ["application", "it's", "one\n", "inside", "in the list"] {
        assert!(!report.text.contains(secret), "{secret} in {}", *report.text);
    }
    let again = File::parse(&report.text, Syntax::Yaml).unwrap();
    let layout = Layout::read(&again).unwrap();
    let opened = layout.open(&again, &cipher, true).unwrap();
    let back = layout.decrypt(&again, &cipher, &opened).unwrap();
    assert_eq!(values(&back), values(plain), "{}", *back);
}
