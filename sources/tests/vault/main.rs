//! The Vault client against a real `OpenBao` server, whose program `SEALWAX_TEST_BAO` names.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod find;
mod login;
mod outage;
mod secrecy;
mod server;
mod tls;
mod transit;
mod values;
