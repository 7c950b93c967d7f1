//! Builds the workspace's own programs and says where they lie.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{ToolError, workspace_root};

/// The target directory and the profile's part of it, told from where the running program lies.
fn profile_dir() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let dir = program.parent()?;
    // Test programs lie one deeper, in `deps`.
    if dir.ends_with("deps") { dir.parent().map(Path::to_path_buf) } else { Some(dir.to_path_buf()) }
}

/// The target directory of the running program: it follows `CARGO_TARGET_DIR` without reading it.
pub fn target_dir() -> PathBuf {
    profile_dir().and_then(|dir| dir.parent().map(Path::to_path_buf)).unwrap_or_else(|| workspace_root().join("target"))
}

/// The program `name` of the workspace's `package`: the one that the environment variable names, or else built now,
/// so that a test never runs yesterday's program.
pub fn build_binary(variable: &str, package: &str, name: &str) -> Result<PathBuf, ToolError> {
    if let Some(given) = env::var_os(variable) {
        return Ok(PathBuf::from(given));
    }
    let release = profile_dir().is_some_and(|dir| dir.ends_with("release"));
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(&cargo)
        .args(["build", "--quiet", "--package", package, "--bin", name])
        .args(release.then_some("--release"))
        .arg("--target-dir")
        .arg(target_dir())
        .current_dir(workspace_root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|source| ToolError::NotInstalled {
            program: cargo.to_string_lossy().into_owned(),
            advice: "install the Rust toolchain",
            source,
        })?;
    if !status.success() {
        return Err(ToolError::BuildFailed { what: format!("`cargo build --package {package}`") });
    }
    Ok(target_dir().join(if release { "release" } else { "debug" }).join(name))
}
