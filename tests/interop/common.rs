//! The tools on the bench, and keys made with them.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealwax_tests::Cli;
use xtask::tools;

/// A file with one value to encrypt and one to add later.
pub(crate) const VALUES: &str = "db:\n  password: 's3cr3t'   # why\nsmtp:\n  password: s3cr3t-2\n";
/// What `VALUES` is after `set`.
pub(crate) const CHANGED: &str = "db:\n  password: 's3cr3t'   # why\nsmtp:\n  password: s3cr3t-3\n";

fn given(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from)
}

fn quiet(_: &str) {}

/// The stock `age`.
pub(crate) fn age() -> PathBuf {
    given("SEALWAX_TEST_AGE").unwrap_or_else(|| tools::age(&quiet).unwrap().age)
}

/// The stock `age-keygen`.
pub(crate) fn age_keygen() -> PathBuf {
    given("SEALWAX_TEST_AGE_KEYGEN").unwrap_or_else(|| tools::age(&quiet).unwrap().age_keygen)
}

/// Python with the pinned packages.
pub(crate) fn python() -> PathBuf {
    given("SEALWAX_TEST_PYTHON").unwrap_or_else(|| tools::python(&quiet).unwrap())
}

/// SOPS's packages, asked line by line.
pub(crate) fn sops_oracle() -> PathBuf {
    given("SEALWAX_TEST_SOPS_ORACLE").unwrap_or_else(|| tools::sops(&quiet).unwrap().oracle)
}

/// The real `sops`.
pub(crate) fn sops() -> PathBuf {
    given("SEALWAX_TEST_SOPS").unwrap_or_else(|| tools::sops(&quiet).unwrap().sops)
}

/// The servers that hold keys: OpenBao's `bao`, and `moto_server` for AWS.
pub(crate) fn source_servers() -> [PathBuf; 2] {
    match (given("SEALWAX_TEST_BAO"), given("SEALWAX_TEST_MOTO")) {
        (Some(bao), Some(moto)) => [bao, moto],
        _ => tools::source_servers(&quiet).unwrap(),
    }
}

/// A script of this folder.
pub(crate) fn script(name: &str) -> PathBuf {
    tools::workspace_root().join("tests/interop").join(name)
}

/// Runs a command to success and returns its standard output.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {stdout}{}", String::from_utf8_lossy(&output.stderr));
    stdout
}

/// Someone's keys.
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) identity: PathBuf,
    pub(crate) recipient: String,
}

impl Person {
    /// As `--to` wants it.
    pub(crate) fn to(&self) -> String {
        format!("{}={}", self.name, self.recipient)
    }

    pub(crate) fn identity(&self) -> &str {
        self.identity.to_str().unwrap()
    }
}

fn keys(cli: &Cli) -> PathBuf {
    let folder = cli.home().join("keys");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A key of the stock `age-keygen`.
pub(crate) fn age_key(cli: &Cli, name: &'static str, flags: &[&str]) -> Person {
    let identity = keys(cli).join(name);
    run(cli.command(age_keygen()).args(flags).arg("-o").arg(&identity));
    let recipient = run(cli.command(age_keygen()).arg("-y").arg(&identity)).trim().to_owned();
    Person { name, identity, recipient }
}

/// A key of OpenSSH; missing `ssh-keygen` is a failure.
pub(crate) fn ssh_key(cli: &Cli, name: &'static str, flags: &[&str], passphrase: &str) -> Person {
    let identity = keys(cli).join(name);
    let mut command = cli.command("ssh-keygen");
    run(command.args(["-q", "-C", "someone@example.org", "-N", passphrase, "-f"]).arg(&identity).args(flags));
    let public = fs::read_to_string(identity.with_extension("pub")).unwrap();
    Person { name, identity, recipient: public.trim().to_owned() }
}

/// Encrypts `VALUES` into a file for these people, then writes one value anew without a key, so that the file has a
/// token of both forms.
pub(crate) fn encrypt(cli: &Cli, name: &str, people: &[&Person]) {
    cli.write(name, VALUES);
    let to: Vec<_> = people.iter().flat_map(|person| ["--to".to_owned(), person.to()]).collect();
    let flags = ["--select", "**.password", "--context", "interop"];
    let rest: Vec<_> = to.iter().map(String::as_str).chain(flags).collect();
    cli.run(&[&["encrypt", name], &rest[..]].concat()).success();
    cli.run_with_input(&[&["set", name, "smtp.password"], &rest[..]].concat(), b"s3cr3t-3").success();
    assert!(!cli.read(name).contains("s3cr3t"), "encrypted");
}

/// What the stock `age` finds in all wraps of a file.
pub(crate) fn open_wraps(cli: &Cli, name: &str, people: &[&Person]) -> String {
    let mut command = cli.command(python());
    command.arg(script("wraps.py")).arg(age()).arg(cli.work().join(name));
    for person in people {
        command.arg(format!("{}={}", person.name, person.identity()));
    }
    run(&mut command).trim().to_owned()
}

/// Runs a command on a terminal, answers questions that hold a word, and returns what it showed.
pub(crate) fn typing(cli: &Cli, asked: (&str, &str), program: &Path, arguments: &[&OsStr]) -> String {
    let (code, shown) = typing_to(cli, asked, program, arguments);
    assert_eq!(code, Some(0), "{shown}");
    shown
}

/// The same for a command that may fail: its exit code and what it showed.
pub(crate) fn typing_to(
    cli: &Cli,
    (word, answer): (&str, &str),
    program: &Path,
    arguments: &[&OsStr],
) -> (Option<i32>, String) {
    let mut command = cli.command(python());
    let output = command.arg(script("typist.py")).args([word, answer]).arg(program).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command, for what runs it on a terminal.
pub(crate) fn sealwax() -> PathBuf {
    tools::build_binary("SEALWAX_BIN", "sealwax", "sealwax").unwrap()
}
