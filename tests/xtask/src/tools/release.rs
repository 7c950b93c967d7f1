//! Builds the programs as they are released: optimised, and static on Linux.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Report, ToolError, cargo::target_dir, workspace_root};

/// The released programs: package and program carry the same name.
pub const PROGRAMS: [&str; 2] = ["sealwax", "sealwax-controller"];

/// Builds one program and says where it lies.
///
/// On Linux it is static: for musl where that target is installed, else with glibc. Without relocations to work off at
/// every start, a command takes half a millisecond less. It holds no path of this machine, so that a build elsewhere can
/// give the same program.
pub fn build_release(program: &str, report: Report<'_>) -> Result<PathBuf, ToolError> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let failed = |source| ToolError::NotInstalled {
        program: cargo.to_string_lossy().into_owned(),
        advice: "install the Rust toolchain",
        source,
    };
    report(&format!("building {program} for release"));
    let target = release_target();
    let mut command = Command::new(&cargo);
    command.args(["build", "--quiet", "--release", "--locked", "--package", program, "--bin", program]);
    command.arg("--target-dir").arg(target_dir()).current_dir(workspace_root());
    if let Some(target) = &target {
        command.args(["--target", target]);
        // The flags as a list: a path may hold a blank.
        command.env("CARGO_ENCODED_RUSTFLAGS", flags().join("\u{1f}")).env_remove("RUSTFLAGS");
    }
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().map_err(failed)?;
    if !status.success() {
        return Err(ToolError::BuildFailed { what: format!("`cargo build --release --package {program}`") });
    }
    Ok(target_dir().join(target.unwrap_or_default()).join("release").join(program))
}

/// Static, and with other names for the directories that a panic message or a generated file would name.
fn flags() -> Vec<String> {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    // The last that matches counts, and the target directory often lies in the workspace.
    let places = [(cargo_home, "/cargo"), (Some(workspace_root()), "/sealwax"), (Some(target_dir()), "/target")];
    let mut flags = ["-Ctarget-feature=+crt-static", "-Crelocation-model=static"].map(str::to_owned).to_vec();
    for (place, name) in places {
        flags.extend(place.map(|place| format!("--remap-path-prefix={}={name}", place.display())));
    }
    flags
}

/// The static target of this machine; `None` where programs are not static.
fn release_target() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let architecture = env::consts::ARCH;
    let musl = format!("{architecture}-unknown-linux-musl");
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).current_dir(workspace_root()).output().ok()?;
    let sysroot = String::from_utf8(sysroot.stdout).ok()?;
    let installed = Path::new(sysroot.trim()).join("lib/rustlib").join(&musl).is_dir();
    // An explicit target, also for the machine's own: else the flags would reach the compiler's plug-ins, which cannot be
    // static.
    Some(if installed { musl } else { format!("{architecture}-unknown-linux-gnu") })
}
