//! The places where SOPS looks for age identities, beside ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use sealwax_format::keys::Keyring;
use zeroize::Zeroizing;

use super::{Identities, load::Loader, poisoned};
use crate::error::CommandError;

impl Identities<'_> {
    /// Ours, then SOPS's own, each place read once in a run.
    pub(crate) fn for_sops(&self) -> Result<Arc<Keyring>, CommandError> {
        let mut sops = self.sops.lock().map_err(|_| poisoned())?;
        if let Some(known) = &*sops {
            return Ok(Arc::clone(known));
        }
        let mut loader = self.loader()?;
        match add(&mut loader, self.attended) {
            Err(error) if self.attended => return Err(error),
            _ => {}
        }
        loader.usual_ssh_keys();
        Ok(Arc::clone(sops.insert(Arc::new(loader.ring))))
    }
}

fn add(loader: &mut Loader, attended: bool) -> Result<(), CommandError> {
    if let Some(path) = variable("SOPS_AGE_SSH_PRIVATE_KEY_FILE") {
        loader.file(Path::new(&path))?;
    }
    if let Some(text) = variable("SOPS_AGE_KEY") {
        // Separated by any blanks, so that a variable can hold several.
        let lines = Zeroizing::new(text.split_whitespace().collect::<Vec<_>>().join("\n"));
        loader.lines(&lines).map_err(|reason| CommandError::usage(format!("SOPS_AGE_KEY: {reason}")))?;
    }
    if let Some(path) = variable("SOPS_AGE_KEY_FILE") {
        loader.file(Path::new(&path))?;
    }
    if let Some(command) = variable("SOPS_AGE_KEY_CMD").filter(|_| attended) {
        let text = printed(&command)?;
        loader.lines(&text).map_err(|reason| CommandError::usage(format!("SOPS_AGE_KEY_CMD: {reason}")))?;
    }
    match usual().filter(|path| path.is_file()) {
        Some(path) => loader.file(&path),
        None => Ok(()),
    }
}

fn variable(name: &str) -> Option<Zeroizing<String>> {
    std::env::var(name).ok().map(Zeroizing::new).filter(|text| !text.trim().is_empty())
}

/// `sops/age/keys.txt` in the user's configuration folder.
fn usual() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = variable("XDG_CONFIG_HOME").or_else(|| {
        let home = variable("HOME")?;
        Some(if cfg!(target_os = "macos") { home.join("Library/Application Support") } else { home.join(".config") })
    })?;
    Some(folder.join("sops/age/keys.txt"))
}

/// What a command prints, such as one that asks a password manager. Split at blanks, as SOPS does it.
fn printed(command: &str) -> Result<Zeroizing<String>, CommandError> {
    let mut words = command.split_whitespace();
    let program = words.next().unwrap_or_default();
    let output = Command::new(program).args(words).stdin(Stdio::inherit()).stderr(Stdio::inherit()).output();
    let failed = |reason: String| CommandError::usage(format!("SOPS_AGE_KEY_CMD: {program}: {reason}"));
    let output = output.map_err(|error| failed(format!("cannot be run: {error}")))?;
    let bytes = Zeroizing::new(output.stdout);
    if !output.status.success() {
        return Err(failed("failed".to_owned()));
    }
    std::str::from_utf8(&bytes)
        .map(|text| Zeroizing::new(text.to_owned()))
        .map_err(|_| failed("printed no text".to_owned()))
}
