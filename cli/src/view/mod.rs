//! Encrypted files for people's eyes: what is in them and what changed, with every value masked.

mod masked;
pub(crate) mod of_sops;
mod snapshot;
mod tags;

pub(crate) use masked::{masked, revealed};
pub(crate) use snapshot::{Difference, Document, Snapshot};
pub(crate) use tags::Tags;
