//! The custom resources of sealwax, group `sealwax.dev`; the YAML beside this package is generated from these types.
//!
//! The YAML in `*.yaml` is what people install. `cargo test -p sealwax-crds` compares it with the types, and
//! `UPDATE_CRDS=1 cargo test -p sealwax-crds` writes it anew.

mod condition;
mod encrypted_secret;
mod rules;
mod schema;

pub use condition::{FRESH, READY, RECONCILING, STALLED};
pub use encrypted_secret::EncryptedSecretStatus as SecretStatus;
pub use encrypted_secret::{
    EncryptedSecret, EncryptedSecretSpec, EncryptedSecretStatus, MergePolicy, OnDelete, SealedFor, Target, Template,
    TemplateMetadata,
};
pub use rules::{FORBIDDEN_TYPES, OWN_PREFIX};
pub use schema::all;
