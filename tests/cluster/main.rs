//! Tests against a real control plane. They run in parallel, each in a namespace of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod control_plane;
mod encrypted_secret;
mod external;
mod keys;
mod places;
mod readme;
mod requests;
mod served;
mod sharing;
