//! The format and the command against programs that we did not write: the stock age tools, OpenSSH, a plugin made with
//! age's framework, a reader in Python, and SOPS.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(unix)]

mod common;
mod passphrases;
mod plugin;
mod reader;
mod recipients;
mod sops;
mod sops_command;
mod sops_keys;
mod team;
mod terminal;
