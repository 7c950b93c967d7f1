//! Black-box tests of the built command: what it prints, how it exits, and what it leaves on the disk.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(unix)]

mod common;
mod normalise;

mod decrypt;
mod edit;
mod encrypt;
mod files;
mod get_set;
mod help;
mod history;
mod keygen;
mod policy;
mod rebind_copy;
mod rekey;
mod render;
mod roundtrip;
mod seal;
mod verify_inspect;
