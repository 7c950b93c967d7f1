//! The harness of sealwax's cluster tests: a real control plane, namespaces, identities, programs and the audit log.
//!
//! A test begins with [`ControlPlane::shared`], makes a [`Namespace`] of its own, and may run at the same time as all
//! others. Whatever goes wrong in here panics with a sentence that says what: there is nothing a test could do.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    reason = "a harness fails its test by panicking, and explains itself on standard error"
)]

mod audit;
mod cli;
mod control_plane;
mod controller;
mod fault_proxy;
mod guarded;
mod identity;
mod kubectl;
mod namespace;
mod scrape;
pub mod supervisor;
mod wait;

pub use audit::{AuditLog, Mark, Request};
pub use cli::{Cli, CliOutput};
pub use control_plane::ControlPlane;
pub use controller::Controller;
pub use fault_proxy::{Fault, FaultProxy, Passing};
pub use guarded::Guarded;
pub use identity::Identity;
pub use kubectl::Kubectl;
pub use namespace::Namespace;
pub use scrape::{get, scrape};
pub use wait::wait_for;

/// Tells on standard error what takes long.
fn report(what: &str) {
    eprintln!("harness: {what}");
}
