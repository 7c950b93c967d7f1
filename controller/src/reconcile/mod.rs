//! The reconcilers, one folder a kind: `observe` reads, `plan` is pure, `apply` writes.

pub mod encrypted_secret;
pub mod external_secret;
