//! Where results go: standard output, the file itself, or another one.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use super::call::Call;
use super::failure::{Code, Failure};
use super::source::Source;
use crate::error::CommandError;
use crate::files::{self, Input};

/// Whether a result is for everybody's eyes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Encrypted,
}

/// Refuses two places at once.
pub(super) fn check(call: &Call<'_>) -> Result<(), Failure> {
    if call.is_on("in-place") && !call.text("output").is_empty() {
        let message = "Error: cannot operate on both --output and --in-place";
        return Err(Failure::new(Code::ConflictingFlags, message));
    }
    Ok(())
}

/// Writes a result to where the flags say.
pub(super) fn write(call: &Call<'_>, source: &Source, bytes: &[u8], kind: Kind) -> Result<ExitCode, Failure> {
    if call.is_on("in-place") {
        return over(source, bytes);
    }
    match call.path("output") {
        Some(path) => to_file(path, bytes, kind)?,
        None => call.ui.data(bytes)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Replaces the file that was read.
pub(super) fn over(source: &Source, bytes: &[u8]) -> Result<ExitCode, Failure> {
    let path =
        source.input.path.as_deref().ok_or_else(|| {
            Failure::new(Code::ConflictingFlags, "Error: cannot use --in-place when reading from stdin")
        })?;
    files::replace(path, &source.input.bytes, bytes)
        .map_err(|error| Failure::of(Code::CannotWrite, &error).said("Could not open in-place file for writing: "))?;
    Ok(ExitCode::SUCCESS)
}

fn to_file(path: &Path, bytes: &[u8], kind: Kind) -> Result<(), Failure> {
    let failed =
        |error: CommandError| Failure::of(Code::CannotWrite, &error).said("Could not open output file for writing: ");
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {
            let before = Input::read_file(path).map_err(failed)?.bytes;
            files::replace(path, &before, bytes).map_err(failed)
        }
        // A pipe or a device, such as /dev/stdout.
        Ok(_) => {
            let written = OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(bytes));
            written.map_err(|error| failed(CommandError::refused(format!("{}: {error}", path.display()))))
        }
        Err(_) => files::create(path, bytes, kind == Kind::Plain).map_err(failed),
    }
}
