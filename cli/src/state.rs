//! Where this machine keeps what only it knows, outside every repository.

use std::path::PathBuf;

/// `$XDG_STATE_HOME/sealwax`, else `~/.local/state/sealwax`; `None` without a home.
pub(crate) fn folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = variable("XDG_STATE_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/state")))?;
    Some(base.join("sealwax"))
}
