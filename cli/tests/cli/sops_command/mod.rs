//! The command line of SOPS: what scripts see of it. The same against SOPS itself is in the workspace's own tests.

mod flags;
mod keys;
mod reading;
mod running;
mod tools;
mod writing;

use std::process::Command;

use crate::common::{Person, Run, Sandbox};

const VALUES: &str = "\
# head
a: s3cr3t-a   # why
n: 5
f: 1.5
b: true
z: null
m:
  x: 1

  y: [1, two]
l:
  - one
  - k: s3cr3t-k
";

/// A work folder with a key for alice.
struct Desk {
    sandbox: Sandbox,
    alice: Person,
}

impl Desk {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let alice = sandbox.person("alice");
        Self { sandbox, alice }
    }

    /// With `e.yaml`, encrypted for alice.
    fn with_file() -> Self {
        let desk = Self::new();
        desk.encrypted("e.yaml", VALUES);
        desk
    }

    fn encrypted(&self, name: &str, content: &str) {
        self.sandbox.write(name, content);
        self.sops(["encrypt", "-i", name]).run().ok();
    }

    /// A run by alice, who is also who encrypts for herself.
    fn sops<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Run<'_> {
        self.stranger(words)
            .env("SOPS_AGE_KEY_FILE", &self.alice.file)
            .env("SOPS_AGE_RECIPIENTS", &self.alice.recipient)
    }

    /// A run by somebody without a key, and for nobody.
    fn stranger<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Run<'_> {
        self.sandbox.sealwax(std::iter::once("sops").chain(words)).env("EDITOR", "false")
    }

    fn code<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Option<i32> {
        self.sops(words).run().code
    }

    /// The values of a file, without its layout.
    fn values(&self, name: &str) -> String {
        let printed = self.sops(["decrypt", "--output-type", "json", name]).run().ok();
        printed.split_whitespace().collect()
    }

    /// Writes a `.sops.yaml` with one rule.
    fn rule(&self, lines: &[&str]) {
        self.sandbox.write(".sops.yaml", format!("creation_rules:\n  - {}\n", lines.join("\n    ")));
    }

    /// The command under the name `sops`.
    fn by_name(&self) -> Command {
        let name = self.sandbox.root().join("sops");
        let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sealwax"), &name);
        let mut command = self.sandbox.command(&name);
        command.env("SOPS_AGE_KEY_FILE", &self.alice.file);
        command
    }
}
