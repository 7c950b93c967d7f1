//! The command line of SOPS, given to SOPS and to us in the same words: the same exit codes, the same values.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sealwax_tests::Cli;

use crate::common::{Person, age_key, sealwax, sops};

const YAML: &str = "# top\na: hello\nb: 5\nc: true\nm:\n  x: 1.5\n  list: [1, two]\nl:\n  - one\n  - k: v\n";

/// The files of every invocation: a name, what it holds, and whether SOPS encrypts it first.
const FILES: [(&str, &str, bool); 8] = [
    ("p.yaml", YAML, false),
    ("e.yaml", YAML, true),
    ("e.json", "{\"a\": \"x\", \"l\": [1, {\"k\": 2.5}]}", true),
    ("e.env", "A=x\n# c\nB=two words\n", true),
    ("e.ini", "[s]\na = 1\nb = x y\n", true),
    ("e.txt", "some\nbytes\n", true),
    ("list.yaml", "[1]\n", false),
    ("broken.yaml", "a: [\n", false),
];

/// What is called, and which file is looked at afterwards.
type Case<'c> = (&'c [&'c str], &'c str);

/// The invocations of which both print the same.
const PRINTED: [&[&str]; 25] = [
    &["decrypt", "--extract", "[\"a\"]", "e.yaml"],
    &["decrypt", "e.yaml", "--extract", "[\"b\"]"],
    &["decrypt", "--extract", "[\"m\"]", "e.yaml"],
    &["decrypt", "--extract", "[\"l\"]", "e.yaml"],
    &["-d", "--extract", "[\"l\"][1][\"k\"]", "e.yaml"],
    &["decrypt", "--extract", "[\"nope\"]", "e.yaml"],
    &["decrypt", "--extract", "a", "e.yaml"],
    &["decrypt", "--output-type", "json", "e.yaml"],
    &["decrypt", "--output-type", "json", "--extract", "[\"m\"]", "e.yaml"],
    &["decrypt", "--output-type", "json", "e.env"],
    &["decrypt", "--output-type", "json", "e.ini"],
    &["decrypt", "--output-type", "dotenv", "e.yaml"],
    &["decrypt", "--output-type", "binary", "e.yaml"],
    &["decrypt", "e.txt"],
    &["decrypt", "e.env"],
    &["decrypt", "p.yaml"],
    &["decrypt", "missing.yaml"],
    &["decrypt", "--nope"],
    &["decrypt", "--decryption-order", "age,age", "e.yaml"],
    &["filestatus", "e.yaml"],
    &["filestatus", "p.yaml"],
    &["exec-env", "e.env", "echo $A $B; exit 3"],
    &["exec-env", "e.yaml", "true"],
    &["exec-file", "e.env", "cat {}; exit 4"],
    &["exec-file", "--no-fifo", "--output-type", "json", "e.env", "cat {}"],
];

/// The invocations after which a file holds the same values.
const WRITTEN: [Case<'static>; 31] = [
    (&["encrypt", "-i", "p.yaml"], "p.yaml"),
    (&["-e", "-i", "--encrypted-regex", "^m$", "p.yaml"], "p.yaml"),
    (&["--mac-only-encrypted", "encrypt", "-i", "--unencrypted-suffix", "a", "p.yaml"], "p.yaml"),
    (&["encrypt", "--output-type", "json", "--output", "o.json", "p.yaml"], "o.json"),
    (&["encrypt", "e.yaml"], "e.yaml"),
    (&["encrypt", "list.yaml"], "e.yaml"),
    (&["encrypt", "broken.yaml"], "e.yaml"),
    (&["encrypt"], "e.yaml"),
    (&["encrypt", "--encrypted-regex", "a", "--encrypted-suffix", "b", "p.yaml"], "e.yaml"),
    (&["set", "e.yaml", "[\"a\"]", "\"z\""], "e.yaml"),
    (&["set", "e.yaml", "[\"a\"][\"b\"]", "1"], "e.yaml"),
    (&["set", "e.yaml", "[\"l\"][2]", "{\"x\": [1, null]}"], "e.yaml"),
    (&["set", "e.yaml", "[\"q\"][\"r\"]", "\"one\\ntwo\\n\""], "e.yaml"),
    (&["--set", "[\"m\"][\"x\"] true", "e.yaml"], "e.yaml"),
    (&["set", "e.json", "[\"l\"][0]", "2"], "e.json"),
    (&["set", "e.env", "[\"N\"]", "\"z\""], "e.env"),
    (&["set", "e.ini", "[\"t\"][\"n\"]", "\"z\""], "e.ini"),
    (&["set", "e.yaml", "[\"a\"", "1"], "e.yaml"),
    (&["set", "e.yaml", "[\"a\"]", "none"], "e.yaml"),
    (&["unset", "e.yaml", "[\"m\"][\"x\"]"], "e.yaml"),
    (&["unset", "e.yaml", "[\"l\"][0]"], "e.yaml"),
    (&["unset", "e.env", "[\"A\"]"], "e.env"),
    (&["unset", "e.yaml", "[\"nope\"]"], "e.yaml"),
    (&["unset", "--idempotent", "e.yaml", "[\"nope\"]"], "e.yaml"),
    (&["rotate", "-i", "e.yaml"], "e.yaml"),
    (&["-r", "-i", "e.txt"], "e.txt"),
    (&["rotate", "missing.yaml"], "e.yaml"),
    (&["updatekeys", "-y", "e.yaml"], "e.yaml"),
    (&["edit", "e.yaml"], "e.yaml"),
    (&["edit", "new.yaml"], "new.yaml"),
    (&["groups", "delete", "-f", "e.yaml"], "e.yaml"),
];

/// The folder of one invocation, and who calls.
struct Desk<'c> {
    cli: &'c Cli,
    person: &'c Person,
    folder: PathBuf,
}

impl<'c> Desk<'c> {
    /// A folder with copies of the files.
    fn new(cli: &'c Cli, person: &'c Person, name: &str) -> Self {
        let folder = cli.work().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self { cli, person, folder }
    }

    fn copied(&self, name: &str) -> Self {
        let other = Self::new(self.cli, self.person, name);
        for entry in fs::read_dir(&self.folder).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, other.folder.join(path.file_name().unwrap())).unwrap();
        }
        other
    }

    fn command(&self, program: &Path, words: &[&str]) -> Command {
        let mut command = self.cli.command(program);
        command.current_dir(&self.folder).args(words).env("SOPS_DISABLE_VERSION_CHECK", "1");
        command.env("SOPS_AGE_KEY_FILE", self.person.identity()).env("SOPS_AGE_RECIPIENTS", &self.person.recipient);
        command.env("EDITOR", "sh -c \"echo 'added: s3cr3t' >> $0\"");
        command
    }

    /// The exit code and what was printed.
    fn call(&self, program: &Path, words: &[&str]) -> (Option<i32>, String) {
        let output = self.command(program, words).stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    /// The values of a file, by SOPS, which holds its checksum against them.
    fn values(&self, name: &str) -> (Option<i32>, String) {
        let kind = if name.ends_with(".txt") { "binary" } else { "json" };
        self.call(&sops(), &["decrypt", "--output-type", kind, name])
    }
}

/// The files, as SOPS encrypts them, and a link by which we are called.
fn desk<'c>(cli: &'c Cli, person: &'c Person) -> (Desk<'c>, PathBuf) {
    let desk = Desk::new(cli, person, "seed");
    for (name, content, encrypted) in FILES {
        fs::File::create(desk.folder.join(name)).unwrap().write_all(content.as_bytes()).unwrap();
        if encrypted {
            assert_eq!(desk.call(&sops(), &["encrypt", "-i", name]).0, Some(0), "{name}");
        }
    }
    let rule = format!("creation_rules:\n  - age: {}\n", person.recipient);
    fs::File::create(desk.folder.join(".sops.yaml")).unwrap().write_all(rule.as_bytes()).unwrap();
    let ours = cli.home().join("sops");
    std::os::unix::fs::symlink(sealwax(), &ours).unwrap();
    (desk, ours)
}

#[test]
fn both_print_the_same() {
    let cli = Cli::new();
    let person = age_key(&cli, "me", &[]);
    let (seed, ours) = desk(&cli, &person);
    for (number, words) in PRINTED.iter().enumerate() {
        let desk = seed.copied(&format!("printed-{number}"));
        let (expected, found) = (desk.call(&sops(), words), desk.call(&ours, words));
        assert_eq!(found.0, expected.0, "{words:?}: exit codes");
        // SOPS prints its help to where values go.
        if expected.0 == Some(0) || !expected.1.contains("USAGE") {
            assert_eq!(found.1, expected.1, "{words:?}");
        }
    }
}

#[test]
fn both_write_the_same_values() {
    let cli = Cli::new();
    let person = age_key(&cli, "me", &[]);
    let (seed, ours) = desk(&cli, &person);
    for (number, (words, file)) in WRITTEN.iter().enumerate() {
        let (theirs, own) = (seed.copied(&format!("theirs-{number}")), seed.copied(&format!("own-{number}")));
        let (expected, found) = (theirs.call(&sops(), words).0, own.call(&ours, words).0);
        assert_eq!(found, expected, "{words:?}: exit codes");
        assert_eq!(own.values(file), theirs.values(file), "{words:?}: values of {file}");
        // And the other way round.
        assert_eq!(own.call(&ours, &["filestatus", file]), theirs.call(&sops(), &["filestatus", file]), "{words:?}");
    }
}
