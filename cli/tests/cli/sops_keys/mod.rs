//! The keys of SOPS files: which opens, which is asked for last, and what is said if none does.

mod age;
mod pgp;
mod services;

use sealwax_format::OsRandom;
use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::{Recipient, encrypt_file};
use sealwax_format::sops::{FileKey, Group, Layout, Metadata, Request, Service, Wrap, encrypt};

use crate::common::{Run, Sandbox};

const PLAIN: &str = "password: s3cr3t-pass\n";

/// The block of a file that SOPS wrote.
fn metadata() -> Metadata {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/sops/types.enc.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    Layout::read(&File::parse(&text, Syntax::Yaml).unwrap()).unwrap().metadata
}

/// Writes `file.yaml` with these keys.
fn write(sandbox: &Sandbox, key: &FileKey, groups: Vec<Group>, threshold: Option<usize>) {
    let metadata = Metadata { groups, threshold, ..metadata() };
    let plain = File::parse(PLAIN, Syntax::Yaml).unwrap();
    let request = Request { metadata: &metadata, cipher: &key.cipher(), stash: None, allow_nothing: false };
    sandbox.write("file.yaml", encrypt(&plain, &request, &mut OsRandom).unwrap().text.as_bytes());
}

fn wrap(service: Service, key: &str, enc: String) -> Wrap {
    Wrap { service, key: key.to_owned(), enc, fields: Vec::new(), context: Vec::new() }
}

fn age_wrap(recipient: &str, share: &[u8]) -> Wrap {
    let parsed = Recipient::parse("x", recipient).unwrap();
    wrap(Service::Age, recipient, encrypt_file(&[parsed], share).unwrap())
}

fn group(wraps: Vec<Wrap>) -> Vec<Group> {
    vec![Group { wraps }]
}

fn decrypt(sandbox: &Sandbox) -> Run<'_> {
    sandbox.sealwax(["decrypt", "file.yaml"])
}

fn key() -> FileKey {
    FileKey::mint(&mut OsRandom).unwrap()
}
