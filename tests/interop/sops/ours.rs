//! The codec under test, by its public names.

use sealwax_format::OsRandom;
use sealwax_format::document::{File, Syntax};
use sealwax_format::sops::{
    Cipher, FileKey, Group, Layout, Metadata, Request, Seen, Selector, Service, Stash, Type, Wrap, encrypt, normalised,
    see,
};
use sealwax_format::{Path, Step};

use super::oracle::Leaf;

/// The key of every file here.
pub(crate) const KEY: [u8; 32] = [7; 32];

pub(crate) fn cipher() -> Cipher {
    FileKey::from_bytes(&KEY).unwrap().cipher()
}

/// Metadata with a selector, and a key that nobody asks for.
pub(crate) fn metadata((field, text): (&'static str, &str), mac_only_encrypted: bool) -> Metadata {
    let none = "none".to_owned();
    let wrap = Wrap { service: Service::Age, key: none.clone(), enc: none, fields: Vec::new(), context: Vec::new() };
    let selector = Selector::of([(field, text)]).unwrap();
    Metadata::new(vec![Group { wraps: vec![wrap] }], None, selector, mac_only_encrypted, 1_700_000_000, "3.13.3")
}

/// An encrypted file, or why there is none.
pub(crate) fn seal(plain: &str, syntax: Syntax, metadata: &Metadata, stash: Option<&Stash>) -> Result<String, String> {
    let file = File::parse(plain, syntax).map_err(|error| error.to_string())?;
    let request = Request { metadata, cipher: &cipher(), stash, allow_nothing: true };
    let report = encrypt(&file, &request, &mut OsRandom).map_err(|at| format!("{at:?}"))?;
    Ok(report.text.to_string())
}

/// An opened file.
pub(crate) struct Opened {
    pub(crate) plain: String,
    pub(crate) values: Vec<Leaf>,
    pub(crate) stash: Stash,
    pub(crate) metadata: Metadata,
}

/// Opens a file with its checksum.
pub(crate) fn open(text: &str, syntax: Syntax) -> Result<Opened, String> {
    let cipher = cipher();
    let file = File::parse(text, syntax).map_err(|error| error.to_string())?;
    let layout = Layout::read(&file).map_err(|at| format!("{at:?}"))?;
    let opened = layout.open(&file, &cipher, true).map_err(|at| format!("{at:?}"))?;
    let plain = layout.decrypt(&file, &cipher, &opened).map_err(|at| format!("{at:?}"))?.to_string();
    let stash = Stash::of(&layout, &file, &cipher, &opened, &mut OsRandom).unwrap();
    let mut values = Vec::new();
    for (position, value) in layout.values.iter().enumerate() {
        let (kind, bytes) = match opened.iter().find(|one| one.value == position) {
            Some(one) if one.kind == Type::Comment => continue,
            Some(one) => (one.kind, normalised(one.kind, &one.plaintext).unwrap()),
            None => match see(syntax, value.leaf.node, value.leaf.scalar.unwrap()).unwrap() {
                Seen::Null => continue,
                Seen::Value(kind, bytes) => (kind, bytes),
            },
        };
        values.push((names(&value.leaf.path), kind.as_str().to_owned(), bytes.to_vec()));
    }
    Ok(Opened { plain, values, stash, metadata: layout.metadata })
}

fn names(path: &Path) -> Vec<String> {
    let names = path.0.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.clone()),
        Step::Item(_) => None,
    });
    names.collect()
}
