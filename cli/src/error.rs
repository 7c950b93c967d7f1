//! Errors of commands: what failed, at which file, line and path, why, what to do, and the exit code.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use sealwax_format::{Class, Problem};

/// The documented exit codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Code {
    /// Done.
    #[default]
    Done = 0,
    /// Refused or failed.
    Refused = 1,
    /// Wrong usage, or the policy is wrong or silent.
    Usage = 2,
    /// An input could not be read or parsed.
    Unreadable = 3,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// Why a command, or its work on one file, failed.
#[derive(Clone, Debug)]
pub(crate) struct CommandError {
    code: Code,
    message: String,
    hints: Vec<String>,
    transient: bool,
}

impl CommandError {
    /// Refused or failed.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { code: Code::Refused, message: message.into(), hints: Vec::new(), transient: false }
    }

    /// The command line or the policy is at fault.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: Code::Usage, message: message.into(), hints: Vec::new(), transient: false }
    }

    /// An input could not be read.
    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self { code: Code::Unreadable, message: message.into(), hints: Vec::new(), transient: false }
    }

    /// An input or output operation on a file.
    pub(crate) fn io(code: Code, what: &str, path: &Path, error: &std::io::Error) -> Self {
        Self { code, message: format!("{}: {what}: {error}", path.display()), hints: Vec::new(), transient: false }
    }

    /// Something wrong with the contents of a file: names file, line and path, never a value.
    pub(crate) fn in_file(file: &str, error: &sealwax_format::Error) -> Self {
        let code = match error.problem.class() {
            Class::Refused => Code::Refused,
            Class::Policy => Code::Usage,
            Class::Unreadable => Code::Unreadable,
        };
        let mut message = file.to_owned();
        if let Some(line) = error.line {
            let _ = write!(message, ":{line}");
        }
        if let Some(path) = &error.path {
            let _ = write!(message, ": {path}");
        }
        let _ = write!(message, ": {}", chain(&error.problem));
        let this = Self { code, message, hints: Vec::new(), transient: false };
        match &error.problem {
            Problem::NoIdentity { .. } => {
                this.hint("pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key")
            }
            _ => this,
        }
    }

    /// Adds a sentence on what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same, about this.
    pub(crate) fn of(self, what: &str) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// Marks what may well succeed when it is tried again.
    pub(crate) fn transient(self, transient: bool) -> Self {
        Self { transient, ..self }
    }

    pub(crate) fn is_transient(&self) -> bool {
        self.transient
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn hints(&self) -> &[String] {
        &self.hints
    }
}

/// An error with its causes, each stating its own step.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        // Libraries' own messages often end with their cause's.
        if !text.ends_with(&words) {
            let _ = write!(text, ": {words}");
        }
        source = cause.source();
    }
    text
}
