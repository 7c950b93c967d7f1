//! Identities under a passphrase, which is typed on a terminal.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use sealwax_tests::Cli;

use crate::common::{CHANGED, Person, age, age_key, encrypt, sealwax, ssh_key, typing};

const PASSPHRASE: &str = "correct horse battery staple";

/// Decrypts in place, because the terminal mixes what is printed with what is asked.
fn decrypts(cli: &Cli, person: &Person, identity: &Path) {
    encrypt(cli, "values.yaml", &[person]);
    let sealed = cli.read("values.yaml");
    let message = cli.run(&["decrypt", "values.yaml", "-i", identity.to_str().unwrap()]).failure(2).to_owned();
    assert!(message.contains("passphrase"), "{message}");
    let arguments = ["decrypt", "--in-place", "values.yaml", "-i"].map(OsStr::new);
    let shown =
        typing(cli, ("passphrase", PASSPHRASE), &sealwax(), &[&arguments[..], &[identity.as_os_str()]].concat());
    assert!(!shown.contains(PASSPHRASE), "typed in the dark: {shown}");
    assert_eq!(cli.read("values.yaml"), CHANGED);
    assert_ne!(cli.read("values.yaml"), sealed);
}

#[test]
fn an_age_identity_file() {
    for flags in [&["-p"][..], &["-p", "-a"]] {
        let cli = Cli::new();
        let person = age_key(&cli, "me", &[]);
        let locked = cli.home().join("locked.age");
        let mut arguments: Vec<_> = flags.iter().map(OsStr::new).collect();
        arguments.extend([OsStr::new("-o"), locked.as_os_str(), person.identity.as_os_str()]);
        typing(&cli, ("passphrase", PASSPHRASE), &age(), &arguments);
        fs::remove_file(&person.identity).unwrap();
        decrypts(&cli, &person, &locked);
    }
}

#[test]
fn an_ssh_key() {
    let cli = Cli::new();
    let person = ssh_key(&cli, "me", &["-t", "ed25519"], PASSPHRASE);
    encrypt(&cli, "values.yaml", &[&person]);
    cli.run(&["decrypt", "values.yaml", "-i", person.identity()]).failure(1);
    let arguments = ["decrypt", "--in-place", "values.yaml", "-i", person.identity()].map(OsStr::new);
    let shown = typing(&cli, ("passphrase", PASSPHRASE), &sealwax(), &arguments);
    assert!(!shown.contains(PASSPHRASE), "typed in the dark: {shown}");
    assert_eq!(cli.read("values.yaml"), CHANGED);
}
