//! Why a file cannot be read. Messages hold lines and reasons, never a piece of the file: it may be a secret.

use super::allowance::MAX_NESTING;

/// A file that is not valid, or not safe to edit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Not YAML.
    #[error("not valid YAML: {reason}")]
    Yaml {
        /// Line, counted from 1.
        line: usize,
        /// The parser's words, which hold nothing of the file.
        reason: String,
    },
    /// Not JSON.
    #[error("not valid JSON")]
    Json {
        /// Line, counted from 1.
        line: usize,
    },
    /// Not dotenv.
    #[error("not valid dotenv: a line is neither empty, nor a comment, nor has an equals sign")]
    Dotenv {
        /// Line, counted from 1.
        line: usize,
    },
    /// Not INI, or not such that it could be written back.
    #[error("not INI as it is followed here: {reason}")]
    Ini {
        /// Line, counted from 1.
        line: usize,
        /// What is not followed; nothing of the file.
        reason: &'static str,
    },
    /// The same key twice in one mapping.
    #[error("a key stands twice in the same mapping; readers disagree on which one counts, so remove one")]
    DuplicateKey {
        /// Line of the second, counted from 1.
        line: usize,
    },
    /// A line break that is a lone carriage return.
    #[error("a line ends with a carriage return alone; convert the file to LF or CRLF")]
    LoneCarriageReturn {
        /// Line, counted from 1.
        line: usize,
    },
    /// Mappings and lists within each other.
    #[error("mappings and lists are nested deeper than {MAX_NESTING} levels")]
    Nesting {
        /// Line, counted from 1.
        line: usize,
    },
    /// Keys that would fill the memory, as every value below them holds a copy.
    #[error("the keys above the values are too long or too many in all; shorten them, or split the file")]
    Keys {
        /// Line of the value for which there was no room, counted from 1.
        line: usize,
    },
    /// A construct whose place in the source could not be found, so that editing it would be unsafe.
    #[error("a value is written in a way that cannot be edited safely; write it in quotes")]
    Unplaced {
        /// Line, counted from 1.
        line: usize,
    },
}

impl ParseError {
    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        match self {
            Self::Yaml { line, .. }
            | Self::Json { line }
            | Self::Dotenv { line }
            | Self::Ini { line, .. }
            | Self::DuplicateKey { line }
            | Self::LoneCarriageReturn { line }
            | Self::Nesting { line }
            | Self::Keys { line }
            | Self::Unplaced { line } => *line,
        }
    }
}
