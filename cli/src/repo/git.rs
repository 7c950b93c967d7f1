//! One call of `git`: at the root of the repository, without a pager, a prompt, a lock or a network.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::error::CommandError;

/// A call that is being put together.
pub(super) struct Git {
    command: Command,
    shown: String,
    quiet: bool,
}

impl Git {
    /// `git` at a root. What Git itself told a hook (`GIT_INDEX_FILE`, `GIT_DIR`, a quarantine) is passed on: those
    /// paths are relative to the root too.
    pub(super) fn new<'a>(root: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut command = Command::new("git");
        let arguments: Vec<_> = arguments.into_iter().collect();
        command.current_dir(root).arg("--no-pager").args(&arguments);
        command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0").env("GIT_NO_LAZY_FETCH", "1");
        // What a commit holds, and not what somebody put in its place (`git replace`).
        command.env("GIT_NO_REPLACE_OBJECTS", "1");
        // Paths are names, and no patterns.
        command.env("GIT_LITERAL_PATHSPECS", "1");
        command.stdin(Stdio::null());
        Self { command, shown: arguments.first().copied().unwrap_or_default().to_owned(), quiet: false }
    }

    /// Adds an argument that need not be text.
    pub(super) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// What goes wrong is expected, and not Git's to tell.
    pub(super) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Runs it and takes what it prints.
    pub(super) fn output(mut self) -> Result<Vec<u8>, CommandError> {
        self.command.stderr(Stdio::piped());
        let output = self.command.output().map_err(|error| self.missing(&error))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let told = String::from_utf8_lossy(&output.stderr);
        let told = if self.quiet { "" } else { told.trim() };
        let told: String = told.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Err(CommandError::refused(format!("git {}: failed: {told}", self.shown)))
    }

    /// The same as text.
    pub(super) fn text(self) -> Result<String, CommandError> {
        let shown = self.shown.clone();
        String::from_utf8(self.output()?).map_err(|_| CommandError::refused(format!("git {shown}: printed no text")))
    }

    /// Starts it, to be talked to.
    pub(super) fn start(mut self) -> Result<Child, CommandError> {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        self.command.spawn().map_err(|error| self.missing(&error))
    }

    fn missing(&self, error: &std::io::Error) -> CommandError {
        CommandError::refused(format!("git {}: cannot be run: {error}", self.shown)).hint("Is Git installed?")
    }
}
