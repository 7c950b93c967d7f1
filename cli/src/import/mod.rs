//! From values that a store keeps to an `EncryptedSecret` in the clear, read with the credentials of whoever runs this.
//!
//! | room | holds |
//! |---|---|
//! | `manifests`, `given` | what to read, said by manifests or by the command line |
//! | `connect` | clients of stores, with the user's own credentials |
//! | `read` | the values, all or none |
//! | `object` | the `EncryptedSecret` that they make |

mod connect;
mod given;
mod manifests;
mod object;
mod read;

use std::collections::BTreeMap;

use sealwax_crds::ExternalSecretSpec;

pub(crate) use connect::source_failed;
pub(crate) use given::of_command_line;
pub(crate) use manifests::of_files;
pub(crate) use object::{Shape, holds};
pub(crate) use read::{Imported, read_all};

/// An `ExternalSecret`, or what the command line says in its stead.
#[derive(Debug)]
pub(crate) struct Wish {
    /// How messages call it.
    pub(crate) shown: String,
    /// Whether a manifest says it.
    pub(crate) is_manifest: bool,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) spec: ExternalSecretSpec,
}

/// Everything that is to be read, and where.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) all: Vec<Wish>,
    pub(crate) stores: manifests::Stores,
    /// What was passed over.
    pub(crate) warnings: Vec<String>,
}
