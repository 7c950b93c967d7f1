//! What is delivered, and what is in it: crates, documentation, and `deploy/`, tried by the programs that will read it: Helm, kustomize, promtool, Lua, and a real API server.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

mod admission;
mod chart;
mod dependencies;
mod documentation;
mod flags;
mod gitops;
mod installed;
mod life;
mod monitoring;
mod overlays;
mod policies;
mod rights;
mod roles;
