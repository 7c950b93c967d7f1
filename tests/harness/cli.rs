//! The command people run, in an environment that holds nothing of the machine's.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use tempfile::TempDir;

use crate::guarded::program;

/// The built `sealwax` with a home and a work directory of its own.
#[derive(Debug)]
pub struct Cli {
    program: PathBuf,
    home: TempDir,
    environment: Vec<(OsString, OsString)>,
}

/// What a run left behind.
#[derive(Clone, Debug)]
pub struct CliOutput {
    /// The exit status.
    pub status: ExitStatus,
    /// Standard output, byte for byte.
    pub stdout: Vec<u8>,
    /// Standard error as text.
    pub stderr: String,
}

impl Cli {
    /// With an empty home and an empty work directory.
    pub fn new() -> Self {
        Self::with_program(program("SEALWAX_BIN", "sealwax"))
    }

    /// The same for any program, such as a release build.
    pub fn with_program(program: PathBuf) -> Self {
        let home = TempDir::with_prefix("sealwax-home-").expect("a temporary directory can be made");
        fs::create_dir(home.path().join("work")).expect("a work directory can be made");
        Self { program, home, environment: Vec::new() }
    }

    /// Its home directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The directory it runs in.
    pub fn work(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// Sets a variable for all further runs.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Writes a file into the work directory and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(name);
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("a directory can be made");
        let mut file = fs::File::create(&path).expect("a file can be written");
        file.write_all(content.as_ref()).expect("a file can be written");
        path
    }

    /// The content of a file in the work directory.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.work().join(name)).unwrap_or_else(|error| panic!("cannot read {name}: {error}"))
    }

    /// A command in this environment: for git, kubectl and others that must not see the machine's either.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let home = self.home.path();
        let mut command = Command::new(program);
        command.current_dir(self.work()).env_clear();
        command.env("HOME", home).env("XDG_CONFIG_HOME", home.join(".config")).env("TMPDIR", env::temp_dir());
        command.env("PATH", env::var_os("PATH").unwrap_or_default());
        command.env("LC_ALL", "C").env("TZ", "UTC").env("NO_COLOR", "1");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Test").env(format!("GIT_{role}_EMAIL"), "test@example.org");
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs sealwax with nothing on standard input.
    pub fn run(&self, arguments: &[&str]) -> CliOutput {
        self.run_with_input(arguments, b"")
    }

    /// Runs sealwax with the bytes on standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> CliOutput {
        let mut command = self.command(&self.program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("sealwax starts");
        let mut stdin = child.stdin.take().expect("was piped");
        // Written beside the reading of the output, or both sides could wait for each other.
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(input));
            child.wait_with_output().expect("sealwax can be waited for")
        });
        CliOutput {
            status: output.status,
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Default for Cli {
    fn default() -> Self {
        Self::new()
    }
}

impl CliOutput {
    /// Standard output as text; panics with standard error unless the run was successful.
    pub fn success(&self) -> String {
        assert!(self.status.success(), "sealwax failed ({}): {}", self.status, self.stderr);
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error; panics unless the run ended with this exit code.
    pub fn failure(&self, code: i32) -> &str {
        assert_eq!(self.status.code(), Some(code), "standard error: {}", self.stderr);
        &self.stderr
    }
}
