//! The command on a terminal: hidden prompts, colour, control characters.

use std::ffi::OsStr;

use sealwax_tests::Cli;

use crate::common::{Person, VALUES, age_key, encrypt, sealwax, typing, typing_to};

const NOTHING: (&str, &str) = ("no such question", "");

#[test]
fn set_asks_in_the_dark() {
    let cli = Cli::new();
    let person = age_key(&cli, "me", &[]);
    encrypt(&cli, "values.yaml", &[&person]);
    let to = person.to();
    let arguments =
        ["set", "values.yaml", "db.password", "--to", &to, "--select", "**.password", "--context", "interop"];
    let shown = typing(&cli, ("value of", "s3cr3t-typed"), &sealwax(), &arguments.map(OsStr::new));
    assert!(shown.contains("Value of db.password:") && !shown.contains("s3cr3t"), "{shown}");
    let get = ["get", "values.yaml", "db.password", "-i", person.identity()];
    assert_eq!(cli.run(&get).success(), "s3cr3t-typed");
}

#[test]
fn colour_unless_told_otherwise() {
    let person = age_key(&Cli::new(), "me", &[]).to();
    let arguments = ["encrypt", "values.yaml", "--to", &person, "--select", "**"].map(OsStr::new);
    for (no_colour, coloured) in [("", true), ("1", false)] {
        let mut cli = Cli::new();
        cli.env("NO_COLOR", no_colour);
        cli.write("values.yaml", "a: null\nb: s3cr3t\n");
        let shown = typing(&cli, NOTHING, &sealwax(), &arguments);
        assert_eq!(shown.contains("\x1b["), coloured, "{shown:?}");
        assert!(shown.contains("warning:"), "{shown}");
    }
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let cli = Cli::new();
    let person = age_key(&cli, "me", &[]);
    encrypt(&cli, "values.yaml", &[&person]);
    let to = person.to();
    let set = ["set", "values.yaml", "db.password", "--to", &to, "--select", "**.password", "--context", "interop"];
    cli.run_with_input(&set, b"s3cr3t\x1b[2J\x07").success();
    let get = ["get", "values.yaml", "db.password", "-i", person.identity()];
    assert_eq!(cli.run(&get).success(), "s3cr3t\x1b[2J\x07", "exactly, where no one watches");
    let shown = typing(&cli, NOTHING, &sealwax(), &get.map(OsStr::new));
    assert_eq!(shown.trim_end(), "s3cr3t\\u{1b}[2J\\u{7}");
}

#[test]
fn a_changed_reader_is_asked_about() {
    let cli = Cli::new();
    let (alice, mallory) = (age_key(&cli, "alice", &[]), age_key(&cli, "mallory", &[]));
    let rule = "[[rule]]\npath = \"**\"\nencrypt = [\"**.password\"]\ncontext = \"interop\"\n";
    let policy = |people: &[&Person]| {
        let keys: Vec<_> = people.iter().map(|one| format!("{} = \"{}\"\n", one.name, one.recipient)).collect();
        let names: Vec<_> = people.iter().map(|one| format!("\"{}\"", one.name)).collect();
        let text = format!("version = 1\n[recipients]\n{}{rule}recipients = [{}]\n", keys.concat(), names.join(", "));
        cli.write(".sealwax.toml", text);
    };
    policy(&[&alice]);
    cli.write("first.yaml", VALUES);
    cli.run(&["encrypt", "first.yaml"]).success();

    policy(&[&alice, &mallory]);
    cli.write("second.yaml", VALUES);
    let encrypt = ["encrypt", "second.yaml"].map(OsStr::new);
    let (code, shown) = typing_to(&cli, ("encrypt for them", "n"), &sealwax(), &encrypt);
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("mallory@"), "{shown}");
    assert_eq!(cli.read("second.yaml"), VALUES, "declined: nothing is written");

    let (code, shown) = typing_to(&cli, ("encrypt for them", "y"), &sealwax(), &encrypt);
    assert_eq!(code, Some(0), "{shown}");
    assert!(cli.read("second.yaml").contains("mallory@"));
}

#[test]
fn long_work_shows_how_far_it_is() {
    let mut cli = Cli::new();
    cli.env("TERM", "xterm");
    let (alice, bob) = (age_key(&cli, "alice", &[]), age_key(&cli, "bob", &[]));
    encrypt(&cli, "v0.yaml", &[&alice]);
    let text = cli.read("v0.yaml");
    for number in 1..150 {
        cli.write(&format!("v{number}.yaml"), &text);
    }
    let to = [alice.to(), bob.to()];
    let rule = "[[rule]]\npath = \"**\"\nencrypt = [\"**.password\"]\ncontext = \"interop\"\nrecipients = [\"alice\", \"bob\"]\n";
    let keys: String = to.iter().map(|one| one.replace('=', " = \"") + "\"\n").collect();
    cli.write(".sealwax.toml", format!("version = 1\n[recipients]\n{keys}{rule}"));
    let (_, check) = typing_to(&cli, NOTHING, &sealwax(), &["check", "."].map(OsStr::new));
    assert!(check.contains("checking") && check.contains(" files, "), "{check}");
    let rekey = typing(&cli, NOTHING, &sealwax(), &["rekey", ".", "-i", alice.identity()].map(OsStr::new));
    assert!(rekey.contains("rekeying") && rekey.contains("/150 files"), "{rekey}");
    // Where no one watches there is none.
    let quiet = cli.run(&["rekey", ".", "-i", alice.identity()]);
    assert!(!quiet.stderr.contains("rekeying"), "{}", quiet.stderr);
}
