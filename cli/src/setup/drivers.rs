//! Git's configuration of this clone: what the drivers in `.gitattributes` run. It cannot be committed.

use super::{Setup, State};
use crate::error::CommandError;

/// A cached text conversion would put what it shows into the object database.
const SETTINGS: [(&str, &str); 4] = [
    ("diff.sealwax.textconv", "sealwax git textconv"),
    ("diff.sealwax.cachetextconv", "false"),
    ("merge.sealwax.name", "merge by encrypted value"),
    ("merge.sealwax.driver", "sealwax git merge %O %A %B --marker-size %L --path %P"),
];

pub(super) fn look(setup: &Setup) -> Result<State, CommandError> {
    let missing: Vec<_> = missing(setup).map(|(name, _)| name).collect();
    if missing.is_empty() {
        return Ok(State::Good("Git shows and merges by our drivers".to_owned()));
    }
    Ok(State::Missing(format!("Git's configuration lacks {}", missing.join(", "))))
}

pub(super) fn make(setup: &Setup) -> Result<String, CommandError> {
    let missing: Vec<_> = missing(setup).collect();
    for (name, value) in missing {
        setup.repository.set(name, value)?;
    }
    Ok("Git's configuration of this clone: drivers for diffs and merges".to_owned())
}

fn missing(setup: &Setup) -> impl Iterator<Item = (&'static str, &'static str)> {
    SETTINGS.into_iter().filter(|(name, value)| !stands(setup, name, value))
}

/// A driver with other flags, such as `--reveal`, is somebody's choice.
fn stands(setup: &Setup, name: &str, value: &str) -> bool {
    let command = |text: &str| text.split_whitespace().take(3).map(str::to_owned).collect::<Vec<_>>();
    match setup.repository.setting(name) {
        None => false,
        Some(found) if value.starts_with("sealwax ") => command(&found).get(1..) == command(value).get(1..),
        Some(found) => found == value,
    }
}
