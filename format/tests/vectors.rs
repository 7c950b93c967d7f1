//! The test vectors of the format, `tests/vectors/native/`, and age's own for post-quantum wraps.
//!
//! `UPDATE_VECTORS=1 cargo test -p sealwax-format --test vectors` makes the native ones anew (`make.rs` says what is in them).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing unwrap is a failing test")]

#[path = "vectors/age.rs"]
mod age_vectors;
#[path = "vectors/make.rs"]
mod make;

use std::collections::BTreeMap;
use std::path::PathBuf;

use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::{Fingerprint, Keyring, Label, OpenKeyError, pq};
use sealwax_format::native::{self, KeyBlockError, Layout, Opener, Place, Readers, Request, SealedFor};
use sealwax_format::{DataKey, Error, Pattern, Problem, Random, RandomError, base64};

/// A vector as it stands in its file.
pub(crate) struct Vector {
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) file: String,
}

impl Vector {
    fn parse(text: &str) -> Self {
        let (head, file) = text.split_once("\n\n").unwrap();
        let fields = head.lines().map(|line| line.split_once(": ").unwrap());
        Self { fields: fields.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(), file: file.to_owned() }
    }

    pub(crate) fn render(&self) -> String {
        let head: Vec<_> = self.fields.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        format!("{}\n\n{}", head.join("\n"), self.file)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn syntax(&self) -> Syntax {
        if self.get("syntax") == Some("json") { Syntax::Json } else { Syntax::Yaml }
    }
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/native")
}

pub(crate) fn keyring(identity: &str) -> Keyring {
    let mut ring = Keyring::default();
    if identity.starts_with("AGE-SECRET-KEY-PQ-") {
        let identity: pq::Identity = identity.parse().unwrap();
        ring.add(Fingerprint::of(&identity.to_public().to_string()), Box::new(identity));
    } else {
        let identity: age::x25519::Identity = identity.parse().unwrap();
        ring.add(Fingerprint::of(&identity.to_public().to_string()), Box::new(identity));
    }
    ring
}

/// The values of a file as the `value` fields state them, or its failure class.
pub(crate) fn read(file: &str, syntax: Syntax, keyring: &Keyring) -> Result<Vec<String>, &'static str> {
    let class = |error: Error| class(&error.problem);
    let file = File::parse(file, syntax).map_err(|error| class(error.into()))?;
    let mut opener = Opener::new(keyring);
    let mut values = Vec::new();
    for index in 0..file.documents.len() {
        let layout = Layout::read(&file, index).map_err(class)?;
        for opened in native::open_all(&file, &layout, &mut opener).map_err(class)? {
            let path = &layout.leaves[opened.leaf].path;
            let steps = path.0.iter().map(|step| match step {
                sealwax_format::Step::Key(key) => serde_json::Value::from(key.as_str()),
                sealwax_format::Step::Item(position) => serde_json::Value::from(*position),
            });
            let path = serde_json::Value::from(steps.collect::<Vec<_>>());
            let value = base64::encode(opened.plaintext.value.expose());
            values.push(format!("{index} {path} {} {value}", opened.plaintext.value_type as u8));
        }
    }
    Ok(values)
}

fn class(problem: &Problem) -> &'static str {
    match problem {
        Problem::Parse(_) | Problem::Hazard(_) => "document",
        Problem::KeyBlock(KeyBlockError::MixedKeys) | Problem::MixedKeys => "mixed-keys",
        Problem::KeyBlock(_) | Problem::NoBlock => "block",
        Problem::Token(_) => "token",
        Problem::NoIdentity { .. } => "no-identity",
        Problem::OpenKey(OpenKeyError::OtherKey(_)) => "key",
        Problem::OpenKey(_) => "wrap",
        Problem::WrongPlace { .. } => "place",
        Problem::Altered => "altered",
        other => panic!("no failure class for {other:?}"),
    }
}

/// The random bytes of a vector, in order; running out is a failure.
pub(crate) struct Fixed(Vec<u8>);

impl Random for Fixed {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError> {
        if self.0.len() < buffer.len() {
            return Err(RandomError);
        }
        let rest = self.0.split_off(buffer.len());
        buffer.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

/// The wraps of a vector, as they are.
struct Given(BTreeMap<String, Vec<(Label, Vec<u8>)>>);

impl Readers for Given {
    fn wraps(&self, key: &DataKey) -> Result<Vec<(Label, Vec<u8>)>, Problem> {
        Ok(self.0[key.id().as_str()].clone())
    }
}

fn vectors() -> Vec<(String, Vector)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "vector") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            found.push((name, Vector::parse(&std::fs::read_to_string(path).unwrap())));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(found.len() >= 30, "only {} vectors", found.len());
    found
}

#[test]
fn every_vector_reads_as_it_says() {
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        make::all();
    }
    for (name, vector) in vectors() {
        let outcome = read(&vector.file, vector.syntax(), &keyring(vector.get("identity").unwrap()));
        match vector.get("expect").unwrap() {
            "success" => {
                let values: Vec<_> =
                    vector.fields.iter().filter(|(k, _)| k == "value").map(|(_, v)| v.clone()).collect();
                assert_eq!(outcome.as_ref(), Ok(&values), "{name}");
                let plain = std::fs::read_to_string(folder().join(format!("{name}.plain"))).unwrap();
                let file = File::parse(&vector.file, vector.syntax()).unwrap();
                let ring = keyring(vector.get("identity").unwrap());
                assert_eq!(*native::decrypt(&file, &mut Opener::new(&ring)).unwrap().text, plain, "{name}");
            }
            class => assert_eq!(outcome, Err(class), "{name}"),
        }
    }
}

#[test]
fn every_positive_vector_encodes_identically() {
    let mut encoded = 0;
    for (name, vector) in vectors() {
        let Some(random) = vector.get("random") else { continue };
        encoded += 1;
        let plain = std::fs::read_to_string(folder().join(format!("{name}.plain"))).unwrap();
        let file = File::parse(&plain, vector.syntax()).unwrap();
        let sealed = File::parse(&vector.file, vector.syntax()).unwrap();
        let mut given = Given(BTreeMap::new());
        let mut selected = Vec::new();
        let mut places = Vec::new();
        for index in 0..sealed.documents.len() {
            let layout = Layout::read(&sealed, index).unwrap();
            let tokens = layout.leaves.iter().filter(|leaf| layout.token(&sealed, leaf).unwrap().is_some());
            selected.push(tokens.map(|leaf| Pattern::parse(&leaf.path.to_string()).unwrap()).collect::<Vec<_>>());
            let block = layout.block.clone().unwrap();
            places.push(place(&layout));
            let key = block.key.unwrap();
            given.0.insert(key.id.to_string(), key.wraps);
        }
        let requests: Vec<_> = selected
            .iter()
            .zip(places)
            .map(|(select, place)| Some(Request { select, place, readers: &given, previous: None }))
            .collect();
        let mut random = Fixed(data_encoding::HEXLOWER.decode(random.as_bytes()).unwrap());
        let (text, _) = native::encrypt(&file, &requests, &mut random).unwrap();
        assert_eq!(*text, vector.file, "{name}");
        assert!(random.0.is_empty(), "{name}: random bytes left over");
    }
    assert!(encoded >= 8, "only {encoded} vectors state their random bytes");
}

fn place(layout: &Layout<'_>) -> Place {
    match layout.block.as_ref().unwrap().sealed_for.clone() {
        SealedFor::Context(context) => Place::Context(context),
        SealedFor::Object { namespace, name } => {
            let object = layout.object.as_ref().unwrap();
            Place::Object { group: object.group.clone(), kind: object.kind.clone(), namespace, name }
        }
    }
}
