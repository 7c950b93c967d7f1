//! An age plugin, built here with age's own framework.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use sealwax_tests::Cli;
use xtask::tools;

use crate::common::{CHANGED, Person, VALUES, age_key, encrypt, open_wraps, run};

/// Builds the plugin into a folder; Go's own cache makes all but the first time quick.
fn build(folder: &Path) {
    fs::create_dir(folder).unwrap();
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-o"]).arg(folder.join("age-plugin-sealwaxtest")).arg("./plugin");
    go.current_dir(tools::workspace_root().join("tests/interop/go")).env("CGO_ENABLED", "0").env("GOWORK", "off");
    run(&mut go);
}

/// The plugin in PATH, and someone with a key for it.
fn with_plugin() -> (Cli, Person) {
    let mut cli = Cli::new();
    let folder = cli.home().join("plugins");
    build(&folder);
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [folder.clone()].into_iter().chain(env::split_paths(&path));
    cli.env("PATH", env::join_paths(folders).unwrap());
    let text = run(cli.command(folder.join("age-plugin-sealwaxtest")).arg("keygen"));
    let identity = cli.home().join("plugin.txt");
    run(cli.command("sh").args(["-c", "printf %s \"$1\" > \"$2\"", "sh", &text]).arg(&identity));
    let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    (cli, Person { name: "token", identity, recipient })
}

#[test]
fn wraps_and_opens_beside_other_readers() {
    let (cli, token) = with_plugin();
    let other = age_key(&cli, "other", &[]);
    encrypt(&cli, "values.yaml", &[&token, &other]);
    assert_eq!(open_wraps(&cli, "values.yaml", &[&token, &other]), "4 wraps of 2 keys");
    for person in [&token, &other] {
        assert_eq!(cli.run(&["decrypt", "values.yaml", "-i", person.identity()]).success(), CHANGED);
    }
}

#[test]
fn a_missing_plugin_is_named() {
    let (mut cli, token) = with_plugin();
    encrypt(&cli, "values.yaml", &[&token]);
    let sealed = cli.read("values.yaml");
    cli.env("PATH", "/usr/bin:/bin");
    let missing = "age-plugin-sealwaxtest is not in PATH";
    let output = cli.run(&["decrypt", "values.yaml", "-i", token.identity()]);
    assert!(output.failure(2).contains(missing), "{}", output.stderr);
    cli.write("values.yaml", VALUES);
    let output = cli.run(&["encrypt", "values.yaml", "--to", &token.to(), "--select", "**.password"]);
    assert!(output.failure(2).contains(missing), "{}", output.stderr);
    assert_eq!(cli.read("values.yaml"), VALUES);
    assert!(!sealed.is_empty());
}

#[test]
fn a_key_of_another_one_does_not_open() {
    let (cli, token) = with_plugin();
    encrypt(&cli, "values.yaml", &[&token]);
    let text = run(cli.command("age-plugin-sealwaxtest").arg("keygen"));
    let output = cli.run(&["decrypt", "values.yaml", "-i", cli.write("stranger.txt", text).to_str().unwrap()]);
    assert!(output.failure(1).contains("values.yaml"), "{}", output.stderr);
}
