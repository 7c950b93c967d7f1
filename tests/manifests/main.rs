//! What is in `deploy/`, tried by the programs that will read it: Helm, kustomize, promtool, Lua, and a real API server.

mod common;

mod admission;
mod chart;
mod gitops;
mod monitoring;
mod overlays;
mod policies;
mod rights;
