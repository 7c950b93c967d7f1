//! `.gitattributes`: which files Git shows and merges by our drivers.

use super::{Setup, State};
use crate::error::{Code, CommandError};
use crate::files;
use sealwax_format::SecretBytes;

const FILE: &str = ".gitattributes";
/// Files without encrypted values are shown and merged by the drivers as Git would.
const PATTERNS: [&str; 3] = ["*.yaml", "*.yml", "*.json"];

pub(super) fn look(setup: &Setup) -> Result<State, CommandError> {
    let missing = missing(setup)?;
    if setup.repository.root().join(FILE).is_symlink() {
        let what = format!("{FILE} is a symbolic link, which Git does not follow here");
        return Ok(State::Yours(what, "Put a file in its place, and run this again.".to_owned()));
    }
    if missing.is_empty() {
        return Ok(State::Good(format!("{FILE} names the drivers")));
    }
    Ok(State::Missing(format!("{FILE} does not name the drivers for {}", missing.join(", "))))
}

pub(super) fn make(setup: &Setup) -> Result<String, CommandError> {
    let missing = missing(setup)?;
    let lines = missing.join(" diff=sealwax merge=sealwax\n") + " diff=sealwax merge=sealwax\n";
    let path = setup.repository.root().join(FILE);
    if path.exists() {
        let before = std::fs::read(&path).map(SecretBytes::from);
        let before = before.map_err(|error| CommandError::io(Code::Unreadable, "cannot be read", &path, &error))?;
        let mut after = before.expose().to_vec();
        if !after.is_empty() && !after.ends_with(b"\n") {
            after.push(b'\n');
        }
        after.extend_from_slice(lines.as_bytes());
        files::replace(&path, &before, &after)?;
    } else {
        files::create(&path, lines.as_bytes(), false)?;
    }
    Ok(format!("{FILE}: {} are shown and merged by value; commit it", missing.join(", ")))
}

/// The patterns for whose files Git would call other drivers.
fn missing(setup: &Setup) -> Result<Vec<&'static str>, CommandError> {
    let mut missing = Vec::new();
    for pattern in PATTERNS {
        let probe = pattern.replace('*', "sealwax-probe");
        let ours = |attribute| Ok::<_, CommandError>(setup.repository.attribute(attribute, &probe)? == "sealwax");
        if !(ours("diff")? && ours("merge")?) {
            missing.push(pattern);
        }
    }
    Ok(missing)
}
