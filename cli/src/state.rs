//! Where this machine keeps what only it knows, outside every repository.

use std::path::PathBuf;

/// `$XDG_STATE_HOME/sealwax`, else `~/.local/state/sealwax`; `None` without a home.
pub(crate) fn folder() -> Option<PathBuf> {
    // A relative one would lead into whatever folder the command is called in, and is to be ignored.
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let base = variable("XDG_STATE_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/state")))?;
    Some(base.join("sealwax"))
}
