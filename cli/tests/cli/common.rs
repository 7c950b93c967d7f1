//! A sandbox around the built command: a home and a work folder of its own, and nothing of the machine's.

use std::ffi::OsStr;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::normalise::normalise;

/// Stands in every value that the tests encrypt; no message may hold it.
pub(crate) const MARK: &str = "s3cr3t";
/// The same for numbers.
pub(crate) const NUMBER: &str = "31337";
/// `MARK` in base64, as it begins a value.
pub(crate) const MARK_BASE64: &str = "czNjcjN0";

/// A Secret with a comment, two quoting styles and a number of columns to keep.
pub(crate) const SECRET: &str = "\
apiVersion: v1
kind: Secret
metadata:
  namespace: prod
  name: db
stringData:
  # who
  username: s3cr3t-user
  password: \"s3cr3t-pass\"   # keep
";

/// What both rules of the usual policy have after their recipients.
pub(crate) const RULES: &str = r#"
[[rule]]
path = "**"
kinds = ["Secret", "EncryptedSecret"]
encrypt = ["data.*", "stringData.*"]
recipients = [READERS]

[[rule]]
path = "**"
encrypt = ["**.password", "**.token"]
recipients = [READERS]
context = "values of the tests"
"#;

/// Someone with a key.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) recipient: String,
}

impl Person {
    /// As `--to` wants it.
    pub(crate) fn to(&self) -> String {
        format!("{}={}", self.name, self.recipient)
    }
}

/// The folders of one test.
pub(crate) struct Sandbox {
    root: TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let root = TempDir::with_prefix("sealwax-cli-").unwrap();
        for folder in ["repo", "tmp", "run", "people"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        Self { root }
    }

    /// With a key for alice and a policy that encrypts the usual fields for her.
    pub(crate) fn with_policy() -> (Self, Person) {
        let sandbox = Self::new();
        let alice = sandbox.person("alice");
        sandbox.policy(&[&alice]);
        (sandbox, alice)
    }

    /// Its home; the work folder and the folders for temporary files are below.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("repo").join(name)
    }

    /// Writes a file into the work folder, with the folders above it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::File::create(&path).unwrap().write_all(content.as_ref()).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The contents of a file as a snapshot shows them.
    pub(crate) fn show(&self, name: &str) -> String {
        normalise(&self.read(name), self.root())
    }

    /// Makes a key pair outside the work folder.
    pub(crate) fn person(&self, name: &str) -> Person {
        self.person_with(name, &[])
    }

    pub(crate) fn person_with(&self, name: &str, flags: &[&str]) -> Person {
        let file = self.root.path().join("people").join(format!("{name}.txt"));
        let recipient = self.sealwax(["keygen", "-o", file.to_str().unwrap()]).args(flags).run().ok();
        Person { name: name.to_owned(), file, recipient: recipient.trim().to_owned() }
    }

    /// Writes the usual policy for these readers.
    pub(crate) fn policy(&self, readers: &[&Person]) {
        self.policy_with(readers, &RULES.replace("READERS", &names(readers)));
    }

    /// Writes a policy with these recipients and rules.
    pub(crate) fn policy_with(&self, readers: &[&Person], rules: &str) {
        // As on a machine that has not written by this policy yet.
        let _ = fs::remove_dir_all(self.root.path().join(".local/state"));
        let lines: String = readers.iter().map(|p| format!("{} = \"{}\"\n", p.name, p.recipient)).collect();
        self.write(".sealwax.toml", format!("version = 1\n\n[recipients]\n{lines}{rules}"));
    }

    /// A file of this content, encrypted by the policy.
    pub(crate) fn encrypted(&self, name: &str, content: &str) -> String {
        self.write(name, content);
        self.sealwax(["encrypt", name]).run().ok();
        self.read(name)
    }

    /// A run of the command in the work folder.
    pub(crate) fn sealwax<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run<'_> {
        let mut command = self.command(env!("CARGO_BIN_EXE_sealwax"));
        command.args(arguments);
        Run { sandbox: self, command, input: Vec::new() }
    }

    /// Another program in the same environment.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let root = self.root.path();
        let mut command = Command::new(program);
        command.current_dir(root.join("repo")).env_clear();
        command.env("HOME", root).env("TMPDIR", root.join("tmp")).env("XDG_RUNTIME_DIR", root.join("run"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C").env("TZ", "UTC");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Test").env(format!("GIT_{role}_EMAIL"), "test@example.org");
        }
        command
    }

    pub(crate) fn git(&self, arguments: &[&str]) {
        let output = self.command("git").args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes the work folder a repository with everything in it committed.
    pub(crate) fn commit_all(&self) {
        self.git(&["init", "--quiet", "--initial-branch", "main"]);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "test"]);
    }

    /// An executable shell script outside the work folder.
    pub(crate) fn script(&self, name: &str, body: &str) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.root.path().join(name);
        // Written by another process: a descriptor of ours, inherited by a process that another test starts in this
        // moment, would make the script "busy".
        let mut writer = Command::new("sh");
        writer.args(["-c", "cat > \"$1\"", "sh"]).arg(&path).stdin(Stdio::piped());
        let mut child = writer.spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("#!/bin/sh\nset -eu\n{body}\n").as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Fails if plaintext or half-written files were left behind anywhere.
    pub(crate) fn assert_clean(&self) {
        for folder in ["tmp", "run"] {
            let left: Vec<_> = fs::read_dir(self.root.path().join(folder)).unwrap().collect();
            assert!(left.is_empty(), "left behind: {left:?}");
        }
        for entry in fs::read_dir(self.path(".")).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(!name.to_string_lossy().starts_with(".sealwax-"), "left behind: {}", name.display());
        }
    }
}

/// The names of readers as a policy lists them.
pub(crate) fn names(readers: &[&Person]) -> String {
    readers.iter().map(|person| format!("\"{}\"", person.name)).collect::<Vec<_>>().join(", ")
}

/// A run that is being put together.
pub(crate) struct Run<'s> {
    sandbox: &'s Sandbox,
    command: Command,
    input: Vec<u8>,
}

impl Run<'_> {
    pub(crate) fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a &'a str>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it as this person.
    pub(crate) fn by(self, person: &Person) -> Self {
        let file = person.file.clone();
        self.env("SEALWAX_IDENTITY", file)
    }

    pub(crate) fn input(mut self, input: impl AsRef<[u8]>) -> Self {
        self.input = input.as_ref().to_vec();
        self
    }

    pub(crate) fn start(&mut self) -> Child {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.spawn().unwrap()
    }

    pub(crate) fn run(mut self) -> Outcome {
        let child = self.start();
        self.finish(child)
    }

    /// Waits for a started run; messages are searched for secrets.
    pub(crate) fn finish(self, mut child: Child) -> Outcome {
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            // A command that needs no input ends without reading it.
            scope.spawn(|| {
                let _ = stdin.write_all(&self.input);
                drop(stdin);
            });
            child.wait_with_output().unwrap()
        });
        let stderr = String::from_utf8(output.stderr).unwrap();
        for secret in [MARK, MARK_BASE64, NUMBER, "AGE-SECRET-KEY"] {
            assert!(!stderr.contains(secret), "a message holds {secret}: {stderr}");
        }
        assert!(!stderr.contains('\x1b'), "colour in a pipe: {stderr:?}");
        Outcome { code: output.status.code(), root: self.sandbox.root().to_owned(), stdout: output.stdout, stderr }
    }
}

/// What a run left.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    root: PathBuf,
}

impl Outcome {
    /// Standard output of a run that was successful.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self}");
        String::from_utf8(self.stdout).unwrap()
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let stdout = normalise(&String::from_utf8_lossy(&self.stdout), &self.root);
        let stderr = normalise(&self.stderr, &self.root);
        match self.code {
            Some(code) => writeln!(f, "exit {code}")?,
            None => writeln!(f, "killed")?,
        }
        for (name, text) in [("out", stdout), ("err", stderr)] {
            for line in text.lines() {
                writeln!(f, "{name}: {line}")?;
            }
        }
        Ok(())
    }
}
