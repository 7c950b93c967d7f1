//! The command on a terminal: hidden prompts, colour, control characters.

use std::ffi::OsStr;

use sealwax_tests::Cli;

use crate::common::{age_key, encrypt, sealwax, typing};

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
