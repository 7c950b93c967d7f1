//! The SOPS format, read and written on the same document model as the native one: a file keeps its layout, comments and
//! quoting, which SOPS itself does not.
//!
//! | rooms | hold |
//! |---|---|
//! | `read`, `tree`, `strict` | a file: its values in SOPS's order, and what is refused |
//! | `comments`, `places`, `comment_items` | comments, where SOPS sees them, and those that it made items of lists |
//! | `plain`, `output`, `binary` | the way out: without encryption, in the file's layout or printed as another type |
//! | `write`, `sealing`, `stash`, `kept_block` | the way back: what did not change keeps its token and its writing |
//! | `merge`, `flat_merge` | three versions become one: through the native merge, or name by name |
//! | `metadata`, `block`, `flat` | the block of keys, nested or in flat names |
//! | `cipher`, `shamir` | tokens, the data key, and its shares |
//! | `scalar`, `number`, `time` | a value's type, as go-yaml reads it |
//! | `selector`, `expression`, `grammar`, `character_class` | which values; regular expressions of Go |

pub mod binary;
mod block;
mod character_class;
mod cipher;
mod comment_items;
mod comments;
mod expression;
mod flat;
mod flat_merge;
mod grammar;
mod kept_block;
pub mod merge;
mod metadata;
mod number;
mod output;
mod places;
mod plain;
mod read;
mod scalar;
mod sealing;
mod selector;
pub mod shamir;
mod stash;
mod strict;
mod time;
mod tree;
mod write;

pub use cipher::{Cipher, FileKey, Token, TokenError, Type};
pub use comments::comment_texts;
pub use expression::Expression;
pub use metadata::{BLOCK_KEY, Group, Metadata, MetadataError, Service, Wrap};
pub use output::{Output, OutputError, Plain, Plains};
pub use read::{At, Layout, OpenedValue, ReadError, Value};
pub use scalar::{ScalarError, Seen, normalised, see};
pub use selector::{DEFAULT_SUFFIX, FIELDS, Selector, SelectorError};
pub use stash::Stash;
pub use strict::CharacterError;
pub use write::{Report, Request, WriteError, encrypt};
