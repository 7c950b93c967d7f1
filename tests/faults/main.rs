//! What the controller does when things break. Each test makes one fault, on a real control plane, and then asks: was any
//! good Secret lost or half written, and does everything converge without help?
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod clock;
mod kills;
mod leaders;
mod objects;
mod rights;
#[path = "../cluster/served.rs"]
mod served;
mod servers;
mod witness;
