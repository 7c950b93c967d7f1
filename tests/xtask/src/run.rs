//! Runs cargo and builds the workspace's programs.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use xtask::tools::{target_dir, workspace_root};

use crate::Failure;

/// The workspace's programs and the variables by which tests find them.
const PROGRAMS: [(&str, &str); 3] = [
    ("sealwax", "SEALWAX_BIN"),
    ("sealwax-controller", "SEALWAX_CONTROLLER_BIN"),
    ("sealwax-supervisor", xtask::plane::SUPERVISOR),
];

/// Tests and programs in one go: built apart, cargo unifies features differently and compiles kube twice.
const BUILD: [&str; 5] = ["build", "--workspace", "--lib", "--bins", "--tests"];

/// A cargo command at the workspace's top, in the target directory that we were built in ourselves.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace_root()).env("CARGO_TARGET_DIR", target_dir());
    command
}

/// Runs the command to its end; anything but success is a failure.
pub(crate) fn finish(mut command: Command, what: &str) -> Result<(), Failure> {
    let status = command.status().map_err(|source| Failure::Cargo { command: what.to_owned(), source })?;
    if status.success() { Ok(()) } else { Err(Failure::Unsuccessful(format!("{what} failed"))) }
}

/// Builds every program and test; returns the variables that tell tests where the programs are.
///
/// Tests and programs are built in one go: built apart, cargo unifies features differently and compiles kube twice.
pub(crate) fn build_everything() -> Result<Vec<(&'static str, PathBuf)>, Failure> {
    finish(cargo(&BUILD), "cargo build")?;
    Ok(programs())
}

/// Builds the programs alone, unless the environment names all of them already.
pub(crate) fn build_programs() -> Result<Vec<(&'static str, PathBuf)>, Failure> {
    if !PROGRAMS.iter().all(|(_, variable)| env::var_os(variable).is_some()) {
        finish(cargo(&["build", "--workspace", "--bins"]), "cargo build")?;
    }
    Ok(programs())
}

fn programs() -> Vec<(&'static str, PathBuf)> {
    let dir = target_dir().join("debug");
    PROGRAMS
        .into_iter()
        // What the user names stays in force.
        .map(|(name, variable)| (variable, env::var_os(variable).map_or_else(|| dir.join(name), PathBuf::from)))
        .filter(|(_, path)| path.is_file())
        .collect()
}
