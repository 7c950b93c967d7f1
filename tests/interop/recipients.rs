//! Every type of recipient: the stock age opens what sealwax wraps, sealwax opens with the stock tools' keys.

use std::fs;

use sealwax_tests::Cli;

use crate::common::{CHANGED, Person, age_key, encrypt, open_wraps, ssh_key};

/// One reader of a type, both ways.
fn both_ways(cli: &Cli, person: &Person) {
    encrypt(cli, "values.yaml", &[person]);
    assert_eq!(open_wraps(cli, "values.yaml", &[person]), "2 wraps of 2 keys");
    assert_eq!(cli.run(&["decrypt", "values.yaml", "-i", person.identity()]).success(), CHANGED);
    cli.run(&["decrypt", "values.yaml"]).failure(1);
}

#[test]
fn x25519() {
    let cli = Cli::new();
    both_ways(&cli, &age_key(&cli, "classical", &[]));
}

#[test]
fn post_quantum() {
    let cli = Cli::new();
    let person = age_key(&cli, "quantum", &["-pq"]);
    assert!(person.recipient.starts_with("age1pq1"));
    both_ways(&cli, &person);
}

#[test]
fn ssh_ed25519() {
    let cli = Cli::new();
    both_ways(&cli, &ssh_key(&cli, "ed", &["-t", "ed25519"], ""));
}

#[test]
fn ssh_rsa() {
    let cli = Cli::new();
    both_ways(&cli, &ssh_key(&cli, "rsa", &["-t", "rsa", "-b", "2048"], ""));
}

#[test]
fn weak_and_foreign_ssh_keys_are_refused() {
    let cli = Cli::new();
    cli.write("values.yaml", crate::common::VALUES);
    for (name, flags) in [("weak", ["-t", "rsa", "-b", "1024"]), ("nist", ["-t", "ecdsa", "-b", "256"])] {
        let person = ssh_key(&cli, name, &flags, "");
        let output = cli.run(&["encrypt", "values.yaml", "--to", &person.to(), "--select", "**.password"]);
        assert!(output.failure(2).contains("recipient"), "{}", output.stderr);
    }
}

#[test]
fn all_of_them_at_once() {
    let cli = Cli::new();
    let people = [
        age_key(&cli, "classical", &[]),
        age_key(&cli, "quantum", &["-pq"]),
        ssh_key(&cli, "ed", &["-t", "ed25519"], ""),
        ssh_key(&cli, "rsa", &["-t", "rsa", "-b", "2048"], ""),
    ];
    let all: Vec<_> = people.iter().collect();
    encrypt(&cli, "values.yaml", &all);
    assert_eq!(open_wraps(&cli, "values.yaml", &all), "8 wraps of 2 keys");
    for person in &people {
        assert_eq!(cli.run(&["decrypt", "values.yaml", "-i", person.identity()]).success(), CHANGED);
    }
}

#[test]
fn ssh_keys_are_found_at_home() {
    for (name, flags) in [("id_ed25519", &["-t", "ed25519"][..]), ("id_rsa", &["-t", "rsa", "-b", "2048"])] {
        let cli = Cli::new();
        let mut person = ssh_key(&cli, name, flags, "");
        person.name = "me";
        encrypt(&cli, "values.yaml", &[&person]);
        fs::create_dir(cli.home().join(".ssh")).unwrap();
        fs::copy(&person.identity, cli.home().join(".ssh").join(name)).unwrap();
        assert_eq!(cli.run(&["decrypt", "values.yaml"]).success(), CHANGED);
    }
}

#[test]
fn sealwax_keys_are_keys_of_the_stock_tools() {
    for flags in [&[][..], &["--pq"]] {
        let cli = Cli::new();
        let identity = cli.home().join("own");
        let keygen = [&["keygen", "-o", identity.to_str().unwrap()], flags].concat();
        let recipient = cli.run(&keygen).success().trim().to_owned();
        let person = Person { name: "own", identity, recipient };
        encrypt(&cli, "values.yaml", &[&person]);
        assert_eq!(open_wraps(&cli, "values.yaml", &[&person]), "2 wraps of 2 keys");
    }
}
