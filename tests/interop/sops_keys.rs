//! Keys of SOPS files under a passphrase, which is typed on a terminal: once, however many files are opened.

use std::ffi::OsStr;
use std::fs;

use sealwax_format::OsRandom;
use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::{Recipient, encrypt_file};
use sealwax_format::sops::{FileKey, Group, Layout, Metadata, Request, Service, Wrap, encrypt};
use sealwax_tests::Cli;

use crate::common::{age, age_key, sealwax, ssh_key, typing};

const PASSPHRASE: &str = "correct horse battery staple";
const PLAIN: &str = "password: s3cr3t-pass\n";

/// A file of SOPS for these recipients.
fn write(cli: &Cli, name: &str, recipients: &[&str]) {
    let key = FileKey::mint(&mut OsRandom).unwrap();
    let wraps = recipients.iter().map(|recipient| {
        let enc = encrypt_file(&[Recipient::parse("x", recipient).unwrap()], key.expose()).unwrap();
        Wrap { service: Service::Age, key: (*recipient).to_owned(), enc, fields: Vec::new(), context: Vec::new() }
    });
    let block = "sops:\n  age: []\n  lastmodified: \"2026-01-02T03:04:05Z\"\n  version: 3.13.3\n";
    let block = Layout::read(&File::parse(block, Syntax::Yaml).unwrap()).unwrap().metadata;
    let metadata = Metadata { groups: vec![Group { wraps: wraps.collect() }], ..block };
    let plain = File::parse(PLAIN, Syntax::Yaml).unwrap();
    let request = Request { metadata: &metadata, cipher: &key.cipher(), stash: None, allow_nothing: false };
    cli.write(name, encrypt(&plain, &request, &mut OsRandom).unwrap().text.as_str());
}

/// How often the terminal asked while two files were verified.
fn questions(cli: &Cli) -> usize {
    let arguments = ["verify", "one.yaml", "two.yaml"].map(OsStr::new);
    let shown = typing(cli, ("passphrase", PASSPHRASE), &sealwax(), &arguments);
    assert!(!shown.contains(PASSPHRASE), "typed in the dark: {shown}");
    shown.matches("Passphrase for").count()
}

#[test]
fn an_ssh_key_is_asked_about_once_and_only_for_its_own_files() {
    let mut cli = Cli::new();
    let person = ssh_key(&cli, "me", &["-t", "ed25519"], PASSPHRASE);
    let other = age_key(&cli, "other", &[]);
    for name in ["one.yaml", "two.yaml"] {
        write(&cli, name, &[&other.recipient, &person.recipient]);
    }
    cli.env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", person.identity());
    assert_eq!(questions(&cli), 1);
    write(&cli, "one.yaml", &[&other.recipient]);
    write(&cli, "two.yaml", &[&other.recipient]);
    cli.env("SOPS_AGE_KEY_FILE", other.identity());
    assert_eq!(questions(&cli), 0);
}

#[test]
fn an_identity_file_is_asked_about_once_and_last() {
    let mut cli = Cli::new();
    let (person, other) = (age_key(&cli, "me", &[]), age_key(&cli, "other", &[]));
    let locked = cli.home().join("locked.age");
    let flags = [OsStr::new("-p"), OsStr::new("-o"), locked.as_os_str(), person.identity.as_os_str()];
    typing(&cli, ("passphrase", PASSPHRASE), &age(), &flags);
    fs::remove_file(&person.identity).unwrap();
    for name in ["one.yaml", "two.yaml"] {
        write(&cli, name, &[&person.recipient, &other.recipient]);
    }
    cli.env("SOPS_AGE_KEY_FILE", locked.to_str().unwrap());
    assert_eq!(questions(&cli), 1);
    cli.env("SEALWAX_IDENTITY", other.identity());
    assert_eq!(questions(&cli), 0);
}
