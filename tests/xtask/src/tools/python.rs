//! Makes the Python environment of the second implementation of the format, `tests/vectors/reader.py`.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use super::{Report, ToolError, cache_dir, locked, workspace_root};

/// The interpreter of an environment with the packages pinned in `tests/vectors/requirements.txt`.
pub fn python(report: Report<'_>) -> Result<PathBuf, ToolError> {
    let requirements = workspace_root().join("tests/vectors/requirements.txt");
    let pins = fs::read(&requirements).map_err(ToolError::files(&requirements))?;
    let dir = cache_dir("python", &[&pins])?;
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
                    .args(["-m", "pip", "install", "--quiet", "--requirement"])
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
