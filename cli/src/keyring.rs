//! Where identities are looked up: command line, environment, configuration, `~/.ssh`, and through them the teams.

use std::collections::{BTreeSet, HashMap};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use age::secrecy::{ExposeSecret as _, SecretString};
use sealwax_format::keys::{Fingerprint, Keyring, Recipient, pq};
use zeroize::Zeroizing;

use crate::error::{Code, CommandError};
use crate::policy::Policy;
use crate::{plugins, ui};

/// The environment variable with the path of an identity file.
const PATH_VARIABLE: &str = "SEALWAX_IDENTITY";
/// The environment variable with an identity itself, for CI.
const KEY_VARIABLE: &str = "SEALWAX_IDENTITY_KEY";
/// The file below the user's configuration folder.
const CONFIGURED: &str = "sealwax/identity.txt";

/// Flags that say whose keys to use.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct IdentityArgs {
    /// File with your private key: age, post-quantum age, SSH, or an age plugin's (repeatable)
    #[arg(long, short = 'i', value_name = "FILE")]
    identity: Vec<PathBuf>,
}

/// The identities of this run, loaded no sooner than needed and no more than needed.
pub(crate) struct Identities<'a> {
    args: &'a IdentityArgs,
    /// Those named outright. The lock is held while they load, so that a passphrase is asked for once.
    near: Mutex<Option<Arc<Keyring>>>,
    /// Those and `~/.ssh` and teams, by the teams' files.
    far: Mutex<HashMap<Vec<PathBuf>, Arc<Keyring>>>,
}

impl<'a> Identities<'a> {
    pub(crate) fn new(args: &'a IdentityArgs) -> Self {
        Self { args, near: Mutex::default(), far: Mutex::default() }
    }

    /// The identities for a file whose wraps carry these fingerprints: those named outright if one of them fits, else
    /// also `~/.ssh` and those teams of the policy that are among the readers.
    pub(crate) fn for_readers(
        &self,
        readers: &BTreeSet<Fingerprint>,
        policy: Option<&Policy>,
    ) -> Result<Arc<Keyring>, CommandError> {
        let near = self.near()?;
        if near.fingerprints().any(|own| readers.contains(own)) {
            return Ok(near);
        }
        let teams = policy.map(|policy| policy.team_identities(readers)).unwrap_or_default();
        let mut far = self.far.lock().map_err(|_| poisoned())?;
        if let Some(known) = far.get(&teams) {
            return Ok(Arc::clone(known));
        }
        let mut ring = Keyring::default();
        self.load_near(&mut ring)?;
        load_ssh(&mut ring);
        load_teams(&mut ring, &teams);
        let ring = Arc::new(ring);
        far.insert(teams, Arc::clone(&ring));
        Ok(ring)
    }

    /// All of them but the teams', for files that do not say who reads them.
    pub(crate) fn own(&self) -> Result<Keyring, CommandError> {
        let mut ring = Keyring::default();
        self.load_near(&mut ring)?;
        load_ssh(&mut ring);
        Ok(ring)
    }

    fn near(&self) -> Result<Arc<Keyring>, CommandError> {
        let mut near = self.near.lock().map_err(|_| poisoned())?;
        if let Some(near) = &*near {
            return Ok(Arc::clone(near));
        }
        let mut ring = Keyring::default();
        self.load_near(&mut ring)?;
        Ok(Arc::clone(near.insert(Arc::new(ring))))
    }

    /// Whether any identity has been named or configured, so that trying to open something makes sense.
    pub(crate) fn any_configured(&self) -> bool {
        let variable = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        !self.args.identity.is_empty()
            || variable(PATH_VARIABLE)
            || variable(KEY_VARIABLE)
            || configured().is_some_and(|path| path.is_file())
    }

    fn load_near(&self, ring: &mut Keyring) -> Result<(), CommandError> {
        for file in &self.args.identity {
            load_file(ring, file)?;
        }
        if let Some(path) = std::env::var_os(PATH_VARIABLE).filter(|path| !path.is_empty()) {
            load_file(ring, Path::new(&path))?;
        }
        if let Some(text) = std::env::var(KEY_VARIABLE).ok().map(Zeroizing::new).filter(|text| !text.trim().is_empty())
        {
            load_lines(ring, &text).map_err(|reason| CommandError::usage(format!("{KEY_VARIABLE}: {reason}")))?;
        }
        match configured().filter(|path| path.is_file()) {
            Some(path) => load_file(ring, &path),
            None => Ok(()),
        }
    }
}

/// The identity file that `keygen` makes by default and every command finds.
pub(crate) fn configured() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")))?;
    Some(folder.join(CONFIGURED))
}

fn load_file(ring: &mut Keyring, path: &Path) -> Result<(), CommandError> {
    let bytes = std::fs::read(path).map(Zeroizing::new);
    let bytes = bytes.map_err(|error| CommandError::io(Code::Usage, "the identity cannot be read", path, &error))?;
    load_bytes(ring, &bytes, path).map_err(|reason| CommandError::usage(format!("{}: {reason}", path.display())))
}

fn load_bytes(ring: &mut Keyring, bytes: &[u8], path: &Path) -> Result<(), String> {
    let is_age_file =
        bytes.starts_with(b"age-encryption.org/v1") || bytes.starts_with(b"-----BEGIN AGE ENCRYPTED FILE");
    if is_age_file {
        return load_lines(ring, &open_with_passphrase(bytes, path)?);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "not an identity file".to_owned())?;
    if text.starts_with("-----BEGIN") { load_ssh_key(ring, text, path) } else { load_lines(ring, text) }
}

/// An identity file that age encrypted with a passphrase.
fn open_with_passphrase(bytes: &[u8], path: &Path) -> Result<Zeroizing<String>, String> {
    let decryptor = age::Decryptor::new(age::armor::ArmoredReader::new(bytes)).map_err(|error| error.to_string())?;
    if !decryptor.is_scrypt() {
        return Err("encrypted, but not with a passphrase".to_owned());
    }
    let question = format!("Passphrase for {}", path.display());
    let passphrase =
        ui::hidden_prompt(&question).ok_or("encrypted with a passphrase, and there is no terminal to ask for it")?;
    let identity = age::scrypt::Identity::new(SecretString::from(passphrase.as_str()));
    read_text(decryptor, &identity).map_err(|_| "the passphrase is wrong".to_owned())
}

fn read_text<R: std::io::Read>(
    decryptor: age::Decryptor<R>,
    identity: &dyn age::Identity,
) -> Result<Zeroizing<String>, age::DecryptError> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    decryptor.decrypt(std::iter::once(identity))?.read_to_string(&mut text)?;
    Ok(text)
}

/// age's own identity lines. An error names the line and never repeats it.
fn load_lines(ring: &mut Keyring, text: &str) -> Result<(), String> {
    let mut found = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        load_line(ring, line).map_err(|reason| format!("line {}: {reason}", number + 1))?;
        found = true;
    }
    if found { Ok(()) } else { Err("holds no identity".to_owned()) }
}

fn load_line(ring: &mut Keyring, line: &str) -> Result<(), String> {
    let upper = line.get(..18).unwrap_or(line).to_ascii_uppercase();
    if upper.starts_with("AGE-SECRET-KEY-PQ-") {
        let identity: pq::Identity = line.parse().map_err(|error: pq::ParseKeyError| error.to_string())?;
        ring.add(Fingerprint::of(&identity.to_public().to_string()), Box::new(identity));
    } else if upper.starts_with("AGE-SECRET-KEY-1") {
        let identity: age::x25519::Identity = line.parse().map_err(|_| "not a valid age identity".to_owned())?;
        ring.add(Fingerprint::of(&identity.to_public().to_string()), Box::new(identity));
    } else if upper.starts_with("AGE-PLUGIN-") {
        ring.add_unlabelled(plugins::identity(line).map_err(|error| error.to_string())?);
    } else if upper.starts_with("AGE1") || upper.starts_with("SSH-") {
        return Err("this is a public key; the private one is needed".to_owned());
    } else {
        return Err("not an identity".to_owned());
    }
    Ok(())
}

fn load_ssh_key(ring: &mut Keyring, text: &str, path: &Path) -> Result<(), String> {
    let identity = age::ssh::Identity::from_buffer(text.as_bytes(), Some(path.display().to_string()))
        .map_err(|_| "not a usable SSH private key".to_owned())?;
    if matches!(identity, age::ssh::Identity::Unsupported(_)) {
        return Err("an SSH key of a kind that age cannot use".to_owned());
    }
    let public =
        age::ssh::Recipient::try_from(identity.clone()).map_err(|_| "not a usable SSH private key".to_owned())?;
    let canonical = Recipient::parse("ssh", &public.to_string()).map_err(|error| error.to_string())?;
    ring.add(canonical.label().fingerprint().clone(), Box::new(identity.with_callbacks(plugins::Terminal)));
    Ok(())
}

/// The usual SSH keys. What cannot be used is passed over: nobody asked for it by name.
fn load_ssh(ring: &mut Keyring) {
    let Some(home) = std::env::var_os("HOME").map(PathBuf::from) else {
        return;
    };
    for name in ["id_ed25519", "id_rsa"] {
        let path = home.join(".ssh").join(name);
        if let Ok(text) = std::fs::read_to_string(&path).map(Zeroizing::new) {
            let _ = load_ssh_key(ring, &text, &path);
        }
    }
}

/// Opens the teams' identities that one of ours can open. One that is damaged must not keep us from reading with others.
fn load_teams(ring: &mut Keyring, files: &[PathBuf]) {
    for path in files.iter().filter(|path| path.is_file()) {
        if let Err(reason) = load_team(ring, path) {
            ui::warn(&format!("{}: {reason}; the team's identity is passed over", path.display()));
        }
    }
}

fn load_team(ring: &mut Keyring, path: &Path) -> Result<(), String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let decryptor =
        age::Decryptor::new(age::armor::ArmoredReader::new(&bytes[..])).map_err(|error| error.to_string())?;
    let mut text = Zeroizing::new(String::with_capacity(4096));
    match decryptor.decrypt(ring.identities()) {
        Ok(mut reader) => reader.read_to_string(&mut text).map_err(|error| error.to_string())?,
        // Not a member.
        Err(_) => return Ok(()),
    };
    load_lines(ring, &text)
}

fn poisoned() -> CommandError {
    CommandError::refused("loading the identities failed in another thread")
}

/// The text of a new identity file and its recipient.
pub(crate) fn generate(post_quantum: bool) -> (SecretString, String) {
    if post_quantum {
        let identity = pq::Identity::generate();
        (identity.to_secret_string(), identity.to_public().to_string())
    } else {
        let identity = age::x25519::Identity::generate();
        (SecretString::from(identity.to_string().expose_secret().to_owned()), identity.to_public().to_string())
    }
}
