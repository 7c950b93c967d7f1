//! The SOPS format, read and written on the same document model as the native one: a file keeps its layout, comments and
//! quoting, which SOPS itself does not.

pub mod binary;
mod block;
mod character_class;
mod cipher;
mod comments;
mod expression;
mod flat;
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
mod selector;
pub mod shamir;
mod stash;
mod strict;
mod time;
mod tree;
mod write;

pub use cipher::{Cipher, FileKey, Token, TokenError, Type};
pub use expression::Expression;
pub use metadata::{BLOCK_KEY, Group, Metadata, MetadataError, Service, Wrap};
pub use output::{Output, OutputError, Plain, Plains};
pub use read::{At, Layout, OpenedValue, ReadError, Value};
pub use scalar::{ScalarError, Seen, normalised, see};
pub use selector::{DEFAULT_SUFFIX, FIELDS, Selector, SelectorError};
pub use stash::Stash;
pub use strict::CharacterError;
pub use write::{Report, Request, WriteError, encrypt};
