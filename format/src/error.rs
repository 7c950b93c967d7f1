//! What can be wrong with a file or an operation on it, and where.

use crate::document::ParseError;
use crate::document::resolve::ResolveError;
use crate::document::rewrite::RewriteError;
use crate::document::walk::Hazard;
use crate::keys::{Label, OpenKeyError, WrapError};
use crate::native::{KeyBlockError, TokenError};
use crate::path::Path;
use crate::primitives::RandomError;

/// A problem and its place in the file. Displays as the problem alone: whoever knows the file's name puts it,
/// the line and the path in front.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct Error {
    /// Line, counted from 1, if there is one.
    pub line: Option<usize>,
    /// Path of the value, if it is about one.
    pub path: Option<Path>,
    /// What is wrong.
    #[source]
    pub problem: Problem,
}

impl Error {
    /// A problem of the file as a whole.
    pub fn of_file(problem: impl Into<Problem>) -> Self {
        Self { line: None, path: None, problem: problem.into() }
    }

    /// A problem on a line.
    pub fn at_line(line: usize, problem: impl Into<Problem>) -> Self {
        Self { line: Some(line), path: None, problem: problem.into() }
    }
}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        Self::at_line(error.line(), error)
    }
}

/// What the caller can do about a problem; the CLI's exit codes follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The operation was refused or failed.
    Refused,
    /// The policy or the command line must say something else.
    Policy,
    /// The input could not be read.
    Unreadable,
}

/// What is wrong. Texts hold no value and no piece of one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Not a file of its syntax.
    #[error("the file cannot be read")]
    Parse(#[from] ParseError),
    /// Not a token.
    #[error("not a valid token")]
    Token(#[from] TokenError),
    /// The key block is malformed.
    #[error("the key block cannot be read")]
    KeyBlock(#[from] KeyBlockError),
    /// Cannot be encrypted where it stands.
    #[error("the value cannot be encrypted")]
    Hazard(#[from] Hazard),
    /// Its type cannot be encrypted.
    #[error("the value cannot be encrypted")]
    Resolve(#[from] ResolveError),
    /// Above the size limit.
    #[error("the value is larger than 1 MiB")]
    TooLarge,
    /// A number or truth value where Kubernetes wants text.
    #[error("the value is not a string; put it in quotes, as Kubernetes wants it")]
    NotAString,
    /// There is no mapping to put a key block in.
    #[error("the document is not a mapping, so there is no place for its key block")]
    NoMapping,
    /// `metadata.namespace` is absent and nothing else names one.
    #[error("no namespace is known; write metadata.namespace, or pass --namespace or --scope cluster")]
    NoNamespace,
    /// `metadata.name` is absent and nothing else names one.
    #[error("no name is known; write metadata.name, or pass --name or --scope namespace")]
    NoName,
    /// A name that is a pattern where one name is meant.
    #[error("a namespace or name holds *; to seal for several places, say so with --for or --scope")]
    Wildcard,
    /// A value that says what the object is.
    #[error("it says what the object is, and must stay readable; select other values")]
    Identifying,
    /// A place inside the key block.
    #[error("this is part of the key block, which sealwax writes itself")]
    InBlock,
    /// The block is sealed for another place than policy, command line and manifest say.
    #[error(
        "the document is sealed for {found}, and this write is for {wanted}; use `sealwax rebind` to change the place"
    )]
    OtherPlace {
        /// What the block says.
        found: String,
        /// What the write is for.
        wanted: String,
    },
    /// The object is not where its values are sealed for.
    #[error(
        "the values are sealed for {sealed_for}, and the object is {object}; ask someone who can read them to `sealwax rebind` or `sealwax copy`"
    )]
    WrongPlace {
        /// What the block says.
        sealed_for: String,
        /// What the object is.
        object: String,
    },
    /// No one would be able to read.
    #[error("there are no readers; name them in the policy or with --to")]
    NoReaders,
    /// Above the limit.
    #[error("there are more than 64 readers; make a team of them")]
    TooManyReaders,
    /// A key could not be wrapped.
    #[error("the data key could not be wrapped for {label}")]
    Wrap {
        /// For whom.
        label: Label,
        /// Why not.
        #[source]
        source: WrapError,
    },
    /// No random bytes.
    #[error("no key could be made")]
    Random(#[from] RandomError),
    /// Tokens of the document key without a key block.
    #[error("the document holds tokens and no key block; restore the block from Git")]
    NoBlock,
    /// A token or wrap of another document key than the block names.
    #[error(
        "tokens and wraps of two different keys are mixed, as after a bad merge; take the key block and its tokens from one side"
    )]
    MixedKeys,
    /// No identity at hand is a reader.
    #[error("none of your identities is a reader; named readers: {}", list(.readers))]
    NoIdentity {
        /// Who the wraps are labelled for.
        readers: Vec<Label>,
    },
    /// A wrap failed.
    #[error("the data key cannot be opened")]
    OpenKey(#[source] OpenKeyError),
    /// The authenticated decryption said no.
    #[error("altered, or sealed for another place")]
    Altered,
    /// A value whose contents cannot stand in this file.
    #[error("the value cannot be written into this file")]
    Unwritable,
    /// The edit was not made.
    #[error("the file was left as it is")]
    Rewrite(#[from] RewriteError),
    /// Decrypting would not give back the same bytes.
    #[error(
        "the file is written in a way that would not come back byte for byte; look at its blank lines, line ends and comments near the values"
    )]
    NotReversible,
    /// There is nothing at a path.
    #[error("there is no value at this path")]
    NoSuchPath,
    /// A mapping or list where one value is meant.
    #[error("this is a mapping or a list; name one value in it")]
    NotAValue,
    /// A value that stands in the clear.
    #[error("the value is not encrypted")]
    NotEncrypted,
    /// Values that should be encrypted stand in the clear.
    #[error("other values that should be encrypted stand in the clear; run `sealwax encrypt` first")]
    ClearNeighbours,
}

impl Problem {
    /// What the caller can do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Parse(_) | Self::Token(_) | Self::KeyBlock(_) => Class::Unreadable,
            Self::NoReaders
            | Self::TooManyReaders
            | Self::NoNamespace
            | Self::NoName
            | Self::Wildcard
            | Self::Identifying => Class::Policy,
            _ => Class::Refused,
        }
    }
}

fn list(labels: &[Label]) -> String {
    if labels.is_empty() {
        return "none".to_owned();
    }
    labels.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
