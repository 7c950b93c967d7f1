//! Help texts, the reference made of them, completions, man pages, and the shape of the command line.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use insta::assert_snapshot;

use crate::common::Sandbox;

fn help(command: &[String]) -> String {
    let sandbox = Sandbox::new();
    sandbox.sealwax(command.iter().map(String::as_str).chain(["--help"])).run().ok()
}

/// A command, its help and that of all below it, in their order.
fn collect(command: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let text = help(command);
    let listed = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<_> = listed
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    found.push((command.to_vec(), text));
    for name in names {
        collect(&[command, &[name]].concat(), found);
    }
}

fn commands() -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    collect(&[], &mut found);
    found
}

#[test]
fn the_reference_is_what_the_help_says() {
    let mut text =
        "# The command line\n\nWhat `sealwax COMMAND --help` says, for all commands. This page is generated.\n"
            .to_owned();
    for (command, help) in commands() {
        let name = [&["sealwax".to_owned()], &command[..]].concat().join(" ");
        write!(text, "\n## {name}\n\n```text\n{}\n```\n", help.trim_end()).unwrap();
    }
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/cli.md");
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::File::create(&file).unwrap().write_all(text.as_bytes()).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap();
    assert!(
        committed == text,
        "docs/reference/cli.md is not what the program says: run this test with UPDATE_GOLDENS=1"
    );
}

#[test]
fn every_command_teaches_by_example() {
    let found = commands();
    assert!(found.len() > 20, "the commands were not found: {found:?}");
    for (command, help) in found {
        // Groups list their commands instead.
        assert!(help.contains("xample") || help.contains("\nCommands:") || command == ["keygen"], "{command:?}");
    }
}

#[test]
fn no_line_of_help_is_broken_by_a_narrow_terminal() {
    for (command, help) in commands() {
        let long = help.lines().find(|line| line.chars().count() > 100);
        assert_eq!(long, None, "{command:?}");
    }
}

#[test]
fn man_pages_for_all_commands() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("man")).unwrap();
    sandbox.sealwax(["man", "man"]).run().ok();
    for (command, _) in commands() {
        let name = [&["sealwax".to_owned()], &command[..]].concat().join("-");
        let page = sandbox.read(&format!("man/{name}.1"));
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
    }
}

#[test]
fn completions_for_bash() {
    let sandbox = Sandbox::new();
    let script = sandbox.sealwax(["completions", "bash"]).run().ok();
    for command in ["keygen", "encrypt", "recipients", "--select"] {
        assert!(script.contains(command), "{command}");
    }
    let mut bash = sandbox.command("bash");
    let output = bash.args(["-n", "-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.sealwax(["encrypt"]).run(), @"
    exit 2
    err: error: the following required arguments were not provided:
    err:   <FILE>...
    err: 
    err: Usage: sealwax encrypt <FILE>...
    err: 
    err: For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.sealwax(["decrypt", "--force", "x.yaml"]).run(), @"
    exit 2
    err: error: the following required arguments were not provided:
    err:   --in-place
    err: 
    err: Usage: sealwax decrypt --in-place --force <FILE>...
    err: 
    err: For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.sealwax(["no-such-command"]).run(), @"
    exit 2
    err: error: unrecognized subcommand 'no-such-command'
    err: 
    err: Usage: sealwax <COMMAND>
    err: 
    err: For more information, try '--help'.
    ");
}

#[test]
fn colour_on_demand_never_reaches_a_pipe() {
    let sandbox = Sandbox::new();
    // `Outcome` refuses escape sequences in any message.
    let outcome = sandbox.sealwax(["encrypt", "missing.yaml"]).env("TERM", "xterm-256color").run();
    assert_eq!(outcome.code, Some(3), "{outcome}");
}
