//! What the developer commands and the test harness share: finding programs, and the control plane's supervisor.
//!
//! Nothing here prints; whoever calls passes a `report` function that is told before something slow begins.

pub mod archive;
pub mod generated;
pub mod plane;
pub mod tools;
