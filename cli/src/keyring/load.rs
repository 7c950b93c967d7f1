//! Loading identities: age's own lines, SSH keys, files with a passphrase, and through them those of teams.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use age::secrecy::SecretString;
use sealwax_format::keys::{Fingerprint, Keyring, Recipient, pq};
use zeroize::Zeroizing;

use super::locked_ssh::LockedSshKey;
use crate::error::{Code, CommandError};
use crate::{plugins, ui};

/// Collects identities.
pub(super) struct Loader {
    pub(super) ring: Keyring,
    /// Somebody may be asked, and other programs may be started.
    attended: bool,
    /// Where those go that need it, if it is to be done only when nothing else helps.
    aside: Option<Aside>,
}

/// Identities that need somebody, put aside.
#[derive(Default)]
pub(super) struct Aside {
    /// SSH keys that ask for their passphrase when they are used.
    pub(super) ssh: Keyring,
    /// Files with a passphrase.
    pub(super) files: Vec<(PathBuf, Zeroizing<Vec<u8>>)>,
    /// Those of plugins.
    pub(super) plugins: Keyring,
}

impl Loader {
    pub(super) fn new(attended: bool) -> Self {
        Self { ring: Keyring::default(), attended, aside: None }
    }

    /// The same, and what needs somebody is put aside.
    pub(super) fn patient(self) -> Self {
        Self { aside: Some(Aside::default()), ..self }
    }

    /// What was found.
    pub(super) fn into_parts(self) -> (Keyring, Aside) {
        (self.ring, self.aside.unwrap_or_default())
    }

    pub(super) fn file(&mut self, path: &Path) -> Result<(), CommandError> {
        let bytes = std::fs::read(path).map(Zeroizing::new);
        let bytes =
            bytes.map_err(|error| CommandError::io(Code::Usage, "the identity cannot be read", path, &error))?;
        self.bytes(&bytes, path).map_err(|reason| CommandError::usage(format!("{}: {reason}", path.display())))
    }

    fn bytes(&mut self, bytes: &[u8], path: &Path) -> Result<(), String> {
        let is_age_file =
            bytes.starts_with(b"age-encryption.org/v1") || bytes.starts_with(b"-----BEGIN AGE ENCRYPTED FILE");
        if is_age_file {
            return self.locked_file(bytes, path);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| "not an identity file".to_owned())?;
        if text.starts_with("-----BEGIN") { self.ssh_key(text, path) } else { self.lines(text) }
    }

    fn locked_file(&mut self, bytes: &[u8], path: &Path) -> Result<(), String> {
        match &mut self.aside {
            _ if !self.attended => Ok(()),
            Some(aside) => {
                aside.files.push((path.to_owned(), Zeroizing::new(bytes.to_vec())));
                Ok(())
            }
            None => self.unlock(bytes, path),
        }
    }

    /// Asks for the passphrase of an identity file.
    pub(super) fn unlock(&mut self, bytes: &[u8], path: &Path) -> Result<(), String> {
        self.lines(&open_with_passphrase(bytes, path)?)
    }

    /// age's own identity lines. An error names the line and never repeats it.
    pub(super) fn lines(&mut self, text: &str) -> Result<(), String> {
        let mut found = false;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            self.line(line).map_err(|reason| format!("line {}: {reason}", number + 1))?;
            found = true;
        }
        if found { Ok(()) } else { Err("holds no identity".to_owned()) }
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let upper = line.get(..18).unwrap_or(line).to_ascii_uppercase();
        if upper.starts_with("AGE-SECRET-KEY-PQ-") {
            let identity: pq::Identity = line.parse().map_err(|error: pq::ParseKeyError| error.to_string())?;
            self.ring.add(Fingerprint::of(&identity.to_public().to_string()), Box::new(identity));
        } else if upper.starts_with("AGE-SECRET-KEY-1") {
            let identity: age::x25519::Identity = line.parse().map_err(|_| "not a valid age identity".to_owned())?;
            self.ring.add(Fingerprint::of(&identity.to_public().to_string()), Box::new(identity));
        } else if upper.starts_with("AGE-PLUGIN-") {
            if self.attended {
                let ring = self.aside.as_mut().map_or(&mut self.ring, |aside| &mut aside.plugins);
                ring.add_unlabelled(plugins::identity(line).map_err(|error| error.to_string())?);
            }
        } else if upper.starts_with("AGE1") || upper.starts_with("SSH-") {
            return Err("this is a public key; the private one is needed".to_owned());
        } else {
            return Err("not an identity".to_owned());
        }
        Ok(())
    }

    pub(super) fn ssh_key(&mut self, text: &str, path: &Path) -> Result<(), String> {
        let unusable = || "not a usable SSH private key".to_owned();
        let identity = age::ssh::Identity::from_buffer(text.as_bytes(), None).map_err(|_| unusable())?;
        if matches!(identity, age::ssh::Identity::Unsupported(_)) {
            return Err("an SSH key of a kind that age cannot use".to_owned());
        }
        let public = age::ssh::Recipient::try_from(identity.clone()).map_err(|_| unusable())?;
        let canonical = Recipient::parse("ssh", &public.to_string()).map_err(|error| error.to_string())?;
        let fingerprint = canonical.label().fingerprint().clone();
        match identity {
            age::ssh::Identity::Encrypted(key) if self.attended => {
                let key = LockedSshKey::new(key, canonical.canonical(), path.display().to_string());
                let ring = self.aside.as_mut().map_or(&mut self.ring, |aside| &mut aside.ssh);
                ring.add(fingerprint, Box::new(key.ok_or_else(unusable)?));
            }
            // A protected one that nobody is asked about opens nothing, and says so.
            identity => self.ring.add(fingerprint, Box::new(identity.with_callbacks(age::NoCallbacks))),
        }
        Ok(())
    }

    /// The usual SSH keys. What cannot be used is passed over: nobody asked for it by name.
    pub(super) fn usual_ssh_keys(&mut self) {
        for path in super::ssh_keys() {
            if let Ok(text) = std::fs::read_to_string(&path).map(Zeroizing::new) {
                let _ = self.ssh_key(&text, &path);
            }
        }
    }

    /// Opens the teams' identities that one of ours can open. One that is damaged must not keep us from reading with others.
    pub(super) fn teams(&mut self, files: &[PathBuf]) {
        for path in files.iter().filter(|path| path.is_file()) {
            if let Err(reason) = self.team(path) {
                ui::warn(&format!("{}: {reason}; the team's identity is passed over", path.display()));
            }
        }
    }

    fn team(&mut self, path: &Path) -> Result<(), String> {
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        let decryptor =
            age::Decryptor::new(age::armor::ArmoredReader::new(&bytes[..])).map_err(|error| error.to_string())?;
        let mut text = Zeroizing::new(String::with_capacity(4096));
        match decryptor.decrypt(self.ring.identities()) {
            Ok(mut reader) => reader.read_to_string(&mut text).map_err(|error| error.to_string())?,
            // Not a member.
            Err(_) => return Ok(()),
        };
        self.lines(&text)
    }
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
