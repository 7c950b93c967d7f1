//! The places where SOPS looks for age identities, beside ours: first those that trouble nobody, each read once in a run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use sealwax_format::keys::Keyring;
use zeroize::Zeroizing;

use super::load::{Aside, Loader};
use super::{Identities, poisoned};
use crate::error::CommandError;
use crate::program;

/// The variable that tells a command whose identity is wanted.
const RECIPIENT: &str = "SOPS_AGE_RECIPIENT";
/// More than any identities that a command prints.
const MOST_BYTES: usize = 1 << 20;

/// Identities by the trouble that they are, least first. SOPS asks and starts everything before it tries anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// age's own lines, in files and variables; SSH keys that are named.
    Named,
    /// The usual SSH keys.
    Ssh,
    /// SSH keys with a passphrase, which is asked for if a file is for that key.
    LockedSsh,
    /// Identity files with a passphrase.
    LockedFiles,
    /// What other programs print for a recipient.
    Commands,
    /// Devices, and whatever else has a plugin.
    Plugins,
}

impl Stage {
    /// In the order in which they are tried.
    pub(crate) const ALL: [Self; 6] =
        [Self::Named, Self::Ssh, Self::LockedSsh, Self::LockedFiles, Self::Commands, Self::Plugins];
}

/// The identities of a place.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) ring: Keyring,
    /// Why there are not more: a place that SOPS names may be broken as long as another opens the file.
    pub(crate) problems: Vec<String>,
}

/// What this run has found.
#[derive(Default)]
pub(super) struct Places {
    /// The lock is held while they load, so that each file is read once.
    named: Mutex<Option<Arc<Named>>>,
    ssh: OnceLock<[Arc<Found>; 2]>,
    files: OnceLock<Arc<Found>>,
    commands: Mutex<HashMap<String, Arc<OnceLock<Arc<Found>>>>>,
}

struct Named {
    found: Arc<Found>,
    ssh: Arc<Found>,
    plugins: Arc<Found>,
    files: Vec<(PathBuf, Zeroizing<Vec<u8>>)>,
}

impl Identities<'_> {
    /// The identities of a stage. Commands are asked for those of this recipient.
    pub(crate) fn for_sops(&self, stage: Stage, recipient: &str) -> Result<Vec<Arc<Found>>, CommandError> {
        let named = self.named()?;
        Ok(match stage {
            Stage::Named => vec![Arc::clone(&named.found)],
            Stage::Ssh => vec![Arc::clone(&self.usual_ssh()[0])],
            Stage::LockedSsh => vec![Arc::clone(&named.ssh), Arc::clone(&self.usual_ssh()[1])],
            Stage::LockedFiles => vec![Arc::clone(self.sops.files.get_or_init(|| Arc::new(self.unlocked(&named))))],
            Stage::Commands => self.printed_for(recipient)?.into_iter().collect(),
            Stage::Plugins => vec![Arc::clone(&named.plugins)],
        })
    }

    fn named(&self) -> Result<Arc<Named>, CommandError> {
        let mut named = self.sops.named.lock().map_err(|_| poisoned())?;
        if let Some(known) = &*named {
            return Ok(Arc::clone(known));
        }
        let mut loader = self.with_near(Loader::new(self.attended).patient())?;
        let problems = add_places(&mut loader);
        let (ring, Aside { ssh, files, plugins }) = loader.into_parts();
        let found = |ring, problems| Arc::new(Found { ring, problems });
        let loaded =
            Named { found: found(ring, problems), ssh: found(ssh, vec![]), plugins: found(plugins, vec![]), files };
        Ok(Arc::clone(named.insert(Arc::new(loaded))))
    }

    /// The usual SSH keys: those that open at once, and those that ask.
    fn usual_ssh(&self) -> &[Arc<Found>; 2] {
        self.sops.ssh.get_or_init(|| {
            let mut loader = Loader::new(self.attended).patient();
            loader.usual_ssh_keys();
            let (ring, aside) = loader.into_parts();
            [ring, aside.ssh].map(|ring| Arc::new(Found { ring, problems: Vec::new() }))
        })
    }

    /// Asks for the passphrases of identity files.
    fn unlocked(&self, named: &Named) -> Found {
        let mut loader = Loader::new(self.attended);
        let mut problems = Vec::new();
        for (path, bytes) in &named.files {
            if let Err(reason) = loader.unlock(bytes, path) {
                problems.push(format!("{}: {reason}", path.display()));
            }
        }
        Found { ring: loader.into_parts().0, problems }
    }

    /// What the commands print for a recipient. Each runs once for each recipient, and what it prints is kept.
    fn printed_for(&self, recipient: &str) -> Result<Option<Arc<Found>>, CommandError> {
        let commands = [(KEY_COMMAND, false), (SSH_COMMAND, true)];
        let set = commands.map(|(name, is_ssh)| variable(name).map(|command| (name, is_ssh, command)));
        if !self.attended || set.iter().all(Option::is_none) {
            return Ok(None);
        }
        let mut known = self.sops.commands.lock().map_err(|_| poisoned())?;
        let once = Arc::clone(known.entry(recipient.to_owned()).or_default());
        drop(known);
        let run = || {
            let mut loader = Loader::new(self.attended);
            let mut problems = Vec::new();
            for (name, is_ssh, command) in set.into_iter().flatten() {
                let added = printed(&command, recipient)
                    .and_then(|text| if is_ssh { loader.ssh_key(&text, Path::new(name)) } else { loader.lines(&text) });
                problems.extend(added.err().map(|reason| format!("{name}: {reason}")));
            }
            Arc::new(Found { ring: loader.into_parts().0, problems })
        };
        Ok(Some(Arc::clone(once.get_or_init(run))))
    }
}

/// The command that prints age identities.
const KEY_COMMAND: &str = "SOPS_AGE_KEY_CMD";
/// The command that prints an SSH key.
const SSH_COMMAND: &str = "SOPS_AGE_SSH_PRIVATE_KEY_CMD";

/// Adds what SOPS names, and says what of it cannot be used.
fn add_places(loader: &mut Loader) -> Vec<String> {
    let mut problems = Vec::new();
    for name in ["SOPS_AGE_SSH_PRIVATE_KEY_FILE", "SOPS_AGE_KEY_FILE"] {
        if let Some(path) = variable(name)
            && let Err(error) = loader.file(Path::new(path.as_str()))
        {
            problems.push(format!("{name}: {}", error.message()));
        }
    }
    if let Some(text) = variable("SOPS_AGE_KEY") {
        // Separated by any blanks, so that a variable can hold several. Comments are whole lines.
        let lines = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
        let lines = Zeroizing::new(lines.collect::<Vec<_>>().join("\n"));
        problems.extend(loader.lines(&lines).err().map(|reason| format!("SOPS_AGE_KEY: {reason}")));
    }
    if let Some(path) = usual().filter(|path| path.is_file()) {
        problems.extend(loader.file(&path).err().map(|error| error.message().to_owned()));
    }
    problems
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

/// What a command prints, such as one that asks a password manager. Split into words as a shell does it; no shell runs.
fn printed(command: &str, recipient: &str) -> Result<Zeroizing<String>, String> {
    let words = shlex::split(command).filter(|words| !words.is_empty()).ok_or("its quotes do not match")?;
    let (program, arguments) = words.split_first().ok_or("names no program")?;
    let mut command = Command::new(program);
    command.args(arguments).env(RECIPIENT, recipient).stdin(Stdio::inherit()).stderr(Stdio::inherit());
    let output = program::output(&mut command, None, MOST_BYTES);
    let output = output.map_err(|error| format!("{program} cannot be run: {error}"))?;
    if !output.success {
        return Err(format!("{program} failed"));
    }
    let text = std::str::from_utf8(&output.printed).map_err(|_| format!("{program} printed no text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}
