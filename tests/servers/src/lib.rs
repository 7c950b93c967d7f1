//! The servers that sources are tried on: [`Bao`] (`OpenBao`, which speaks Vault's protocol), [`Moto`] (AWS), and a
//! [`Proxy`] before either of them that counts calls and makes faults.
//!
//! Everything here blocks, and runs on threads and processes of its own: no async runtime is needed, and one with a
//! single thread is not stopped by what a test waits for in here. All processes end with this one, however it ends.
//!
//! The programs are named by `SEALWAX_TEST_BAO` and `SEALWAX_TEST_MOTO`; `cargo xtask test` installs them and sets both.
//! A server of one's own replaces the shared one where tests need not stop it: `VAULT_ADDR` with `VAULT_TOKEN`, and
//! `AWS_ENDPOINT_URL`. Both are spoken to in plain HTTP. Tests that share a server use names of their own.
//!
//! What is called by tests alone panics with a sentence; [`Bao::launch`], [`Moto::launch`] and the `call`s return.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "a harness fails its test by panicking")]

mod bao;
mod http;
mod moto;
mod process;
mod proxy;

pub use bao::{Bao, tls_listener};
pub use moto::Moto;
pub use proxy::{Call, Proxy, Rule};
