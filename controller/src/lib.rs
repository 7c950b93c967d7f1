//! Keeps native Kubernetes `Secret`s equal to what Git says.
//!
//! ```text
//!  cluster_keys ──(keys)──> feeding (plans by reconcile/KIND) ──> writer ──> API server
//!   observe -> plan -> apply    observe -> plan -> apply
//! ```
//!
//! * [`startup`] wires clients, election and servers; [`args`] holds the flags; [`scopes`] watches the namespaces served.
//! * [`leader`] agrees with other replicas who leads; the [`fence`] before every write keeps that certain.
//! * [`cluster_keys`] follows the cluster's keys in the key namespace: makes, escrows and rotates them, and publishes
//!   the recipients.
//! * [`feeding`] brings each object's Secret to what its spec says: `observe` reads, a plan decides, `look` and `apply`
//!   carry it out. [`reconcile`] holds what is each kind's own: where values come from, and the plan, which is pure.
//! * [`writer`] makes the only changes that this program makes to the cluster, besides events and its own lease.
//!
//! Plaintext lives in `SecretBytes` from the moment it is opened until the request's body is built. It reaches no log,
//! event, status, metric or error.

pub mod admin;
pub mod args;
pub mod census;
pub mod clients;
pub mod cluster_keys;
pub mod conditions;
pub mod content;
pub mod drift;
pub mod events;
pub mod feeding;
pub mod fence;
pub mod last_good;
pub mod leader;
pub mod metrics;
pub mod ownership;
pub mod queue;
pub mod reconcile;
pub mod restart;
pub mod scopes;
pub mod startup;
pub mod store;
pub mod stores;
pub mod telemetry;
pub mod writer;

use std::process::ExitCode;

use clap::Parser;

/// Runs the controller until it is told to stop.
pub fn main() -> ExitCode {
    // Two TLS providers in one build make rustls refuse to choose; the choice is made before anything can ask.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    startup::main(args::Args::parse())
}
