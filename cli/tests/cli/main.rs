//! Black-box tests of the built command: what it prints, how it exits, and what it leaves on the disk.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::format_collect, reason = "a few short lines")]
#![cfg(unix)]

mod boundaries;
mod common;
mod normalise;

mod agreed;
mod check;
mod decrypt;
mod diff;
mod edit;
mod encrypt;
mod encrypt_refusals;
mod exec;
mod files;
mod get_set;
mod help;
mod history;
mod import;
mod init;
mod keygen;
mod keys;
mod merge;
mod migrate;
mod policy;
mod rebind_copy;
mod rekey;
mod render;
mod roundtrip;
mod seal;
mod sops;
mod sops_command;
mod sops_edit;
mod sops_keys;
mod sops_merge;
mod team;
mod team_month;
mod verify_inspect;
