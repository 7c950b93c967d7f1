//! `sealwax import`, and the keys of SOPS files, with real servers: `OpenBao`, and moto for AWS.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::format_collect, reason = "a few short lines")]
#![cfg(unix)]

#[expect(dead_code, reason = "shared with the tests that need no server, which use more of it")]
#[path = "../cli/common.rs"]
mod common;
#[path = "../cli/normalise.rs"]
mod normalise;

mod aws;
mod faults;
mod sops;
mod vault;

use common::{MARK, Outcome, Person, Sandbox};

/// An item of the file that was written, as the bytes that alice decrypts.
fn item(sandbox: &Sandbox, alice: &Person, name: &str) -> Vec<u8> {
    let outcome = sandbox.sealwax(["get", "db.yaml", &format!("spec.data.{name}")]).by(alice).run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome.stdout
}

/// That nothing was written, and no value was told.
fn assert_nothing(sandbox: &Sandbox, outcome: &Outcome) {
    assert!(!sandbox.path("db.yaml").exists(), "{outcome}");
    assert!(!String::from_utf8_lossy(&outcome.stdout).contains(MARK), "{outcome}");
    sandbox.assert_clean();
}
