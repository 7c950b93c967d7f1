//! Failures of the command `sops`: the exit codes of SOPS, and the words that scripts look for.

use std::process::ExitCode;

use crate::error::CommandError;
use crate::ui::Note;

/// The exit codes of SOPS that this command gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Generic = 1,
    CannotRead = 2,
    CannotWrite = 3,
    CannotPrint = 4,
    BadContext = 6,
    BadSetFormat = 7,
    ConflictingFlags = 8,
    CannotEncrypt = 23,
    CannotDecrypt = 25,
    NoFileToChangeKeysOf = 49,
    WrongMac = 51,
    BadTreePath = 91,
    NoDocument = 92,
    NoFile = 100,
    DuplicateKeyType = 112,
    NoDataKey = 128,
    NotModified = 200,
    NoEditor = 201,
    AlreadyEncrypted = 203,
}

/// What went wrong, and how the process ends.
#[derive(Debug)]
pub(super) struct Failure {
    code: Code,
    message: String,
    hints: Vec<String>,
}

impl Failure {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hints: Vec::new() }
    }

    /// An error of another room, which had no words of SOPS for it.
    pub(super) fn of(code: Code, error: &CommandError) -> Self {
        Self { code, message: error.message().to_owned(), hints: error.hints().to_vec() }
    }

    /// The same behind the words that SOPS has for it.
    pub(super) fn said(self, words: &str) -> Self {
        Self { message: format!("{words}{}", self.message), ..self }
    }

    /// The same with another exit code.
    pub(super) fn coded(self, code: Code) -> Self {
        Self { code, ..self }
    }

    /// Adds a sentence on what to do.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// As it is printed: the message alone, because scripts compare whole lines.
    pub(super) fn notes(&self) -> Vec<Note> {
        let hints = self.hints.iter().map(|hint| Note::Hint(hint.clone()));
        std::iter::once(Note::Done(self.message.clone())).chain(hints).collect()
    }

    /// The same for where nothing but text can be shown.
    pub(super) fn lines(&self) -> Vec<String> {
        let hints = self.hints.iter().map(|hint| format!("hint: {hint}"));
        std::iter::once(self.message.clone()).chain(hints).collect()
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code as u8)
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        Self::of(Code::Generic, &error)
    }
}
