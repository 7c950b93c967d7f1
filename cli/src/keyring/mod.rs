//! Where identities are looked up: command line, environment, configuration, `~/.ssh`, and through them the teams.

mod load;
mod locked_ssh;
mod sops;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use age::secrecy::{ExposeSecret as _, SecretString};
use sealwax_format::keys::{Fingerprint, Keyring, pq};
use zeroize::Zeroizing;

use load::Loader;
pub(crate) use sops::{Found, Stage};

use crate::error::{Code, CommandError};
use crate::files;
use crate::policy::Policy;

/// The environment variable with the path of an identity file.
const PATH_VARIABLE: &str = "SEALWAX_IDENTITY";
/// The environment variable with an identity itself, for CI.
pub(crate) const KEY_VARIABLE: &str = "SEALWAX_IDENTITY_KEY";
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
    attended: bool,
    /// Those named outright. The lock is held while they load, so that a passphrase is asked for once.
    near: Mutex<Option<Arc<Keyring>>>,
    /// Those and `~/.ssh` and teams, by the teams' files.
    far: Mutex<HashMap<Vec<PathBuf>, Arc<Keyring>>>,
    /// Those named outright, and those of SOPS.
    sops: sops::Places,
}

impl<'a> Identities<'a> {
    pub(crate) fn new(args: &'a IdentityArgs) -> Self {
        Self { args, attended: true, near: Mutex::default(), far: Mutex::default(), sops: sops::Places::default() }
    }

    /// Those that open without a person, a device or another program: nothing is asked, nothing is waited for, and what
    /// cannot be loaded is passed over.
    pub(crate) fn unattended(args: &'a IdentityArgs) -> Self {
        Self { attended: false, ..Self::new(args) }
    }

    /// The identities for a file with data keys that are wrapped for these fingerprints: those named outright if they open
    /// every key, else also `~/.ssh` and those teams of the policy that are among the readers.
    pub(crate) fn for_keys(
        &self,
        keys: &BTreeSet<BTreeSet<Fingerprint>>,
        policy: Option<&Policy>,
    ) -> Result<Arc<Keyring>, CommandError> {
        let near = self.near()?;
        let closed = |readers: &&BTreeSet<Fingerprint>| !near.fingerprints().any(|own| readers.contains(own));
        let closed: Vec<_> = keys.iter().filter(closed).collect();
        if closed.is_empty() {
            return Ok(near);
        }
        let teams = policy.map(|policy| policy.team_identities(&closed)).unwrap_or_default();
        let mut far = self.far.lock().map_err(|_| poisoned())?;
        if let Some(known) = far.get(&teams) {
            return Ok(Arc::clone(known));
        }
        let mut loader = self.loader()?;
        loader.usual_ssh_keys();
        loader.teams(&teams);
        let ring = Arc::new(loader.ring);
        far.insert(teams, Arc::clone(&ring));
        Ok(ring)
    }

    /// All of them but the teams', for files that do not say who reads them.
    pub(crate) fn own(&self) -> Result<Keyring, CommandError> {
        let mut loader = self.loader()?;
        loader.usual_ssh_keys();
        Ok(loader.ring)
    }

    fn near(&self) -> Result<Arc<Keyring>, CommandError> {
        let mut near = self.near.lock().map_err(|_| poisoned())?;
        if let Some(near) = &*near {
            return Ok(Arc::clone(near));
        }
        let ring = self.loader()?.ring;
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

    /// Whether somebody may be asked, and other programs may be started.
    pub(crate) fn is_attended(&self) -> bool {
        self.attended
    }

    /// With those named outright.
    fn loader(&self) -> Result<Loader, CommandError> {
        self.with_near(Loader::new(self.attended))
    }

    fn with_near(&self, mut loader: Loader) -> Result<Loader, CommandError> {
        match self.load_near(&mut loader) {
            Err(error) if self.attended => Err(error),
            _ => Ok(loader),
        }
    }

    fn load_near(&self, loader: &mut Loader) -> Result<(), CommandError> {
        for file in &self.args.identity {
            loader.file(file)?;
        }
        if let Some(path) = std::env::var_os(PATH_VARIABLE).filter(|path| !path.is_empty()) {
            loader.file(Path::new(&path))?;
        }
        if let Some(text) = std::env::var(KEY_VARIABLE).ok().map(Zeroizing::new).filter(|text| !text.trim().is_empty())
        {
            loader.lines(&text).map_err(|reason| CommandError::usage(format!("{KEY_VARIABLE}: {reason}")))?;
        }
        match configured().filter(|path| path.is_file()) {
            Some(path) => loader.file(&path),
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

fn poisoned() -> CommandError {
    CommandError::refused("loading the identities failed in another thread")
}

/// The same, where one is to be made.
pub(crate) fn configured_or_error() -> Result<PathBuf, CommandError> {
    configured().ok_or_else(|| CommandError::usage("neither HOME nor XDG_CONFIG_HOME is set; name a file with -o FILE"))
}

/// Makes an identity file that does not exist yet, and the folder of the usual one; gives the recipient.
pub(crate) fn create(path: &Path, post_quantum: bool) -> Result<String, CommandError> {
    if configured().as_deref() == Some(path)
        && let Some(folder) = path.parent()
    {
        std::fs::create_dir_all(folder)
            .map_err(|error| CommandError::io(Code::Refused, "cannot be created", folder, &error))?;
    }
    let (identity, recipient) = generate(post_quantum);
    let text = Zeroizing::new(format!("# public key: {recipient}\n{}\n", identity.expose_secret()));
    files::create(path, text.as_bytes(), true)?;
    Ok(recipient)
}

/// The recipient of the usual identity file, as its comment says, or of an SSH key.
pub(crate) fn own_recipient() -> Option<String> {
    let named = std::env::var_os(PATH_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    let file = named.or_else(configured).and_then(|file| std::fs::read_to_string(file).ok()).map(Zeroizing::new);
    let stated = file.and_then(|text| {
        text.lines().find_map(|line| line.strip_prefix("# public key: ").map(|key| key.trim().to_owned()))
    });
    stated.or_else(|| {
        let mut public = ssh_keys().map(|key| key.with_extension("pub"));
        public.find_map(|file| std::fs::read_to_string(file).ok()).map(|text| text.trim().to_owned())
    })
}

/// The fingerprints of identity lines, as far as they can be told without a device.
pub(crate) fn fingerprints(identities: &str) -> BTreeSet<Fingerprint> {
    let mut loader = Loader::new(false);
    // A line that cannot be used hides none before it.
    let _ = loader.lines(identities);
    loader.ring.fingerprints().cloned().collect()
}

/// Whether one of the usual SSH keys is there.
pub(crate) fn has_ssh_key() -> bool {
    ssh_keys().any(|key| key.is_file())
}

/// The usual SSH keys.
fn ssh_keys() -> impl Iterator<Item = PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let names = ["id_ed25519", "id_rsa"];
    home.into_iter().flat_map(move |home| names.map(|name| home.join(".ssh").join(name)))
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
