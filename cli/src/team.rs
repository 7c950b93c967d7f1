//! A team: one key for many people. `keys/ops.pub` names its members and holds its recipient; `keys/ops.age` holds its
//! identities, encrypted to the members.
//!
//! A member who leaves knows the team's key, so a new one is made then. The older identities stay in the file for those
//! who remain: what is wrapped for them opens until `sealwax rekey` has replaced the wraps, and in Git's history.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret as _;
use sealwax_format::SecretBytes;
use sealwax_format::keys::{Fingerprint, Keyring, Recipient, Strength, decrypt_file, encrypt_file};
use zeroize::Zeroizing;

use crate::error::{Code, CommandError, chain};
use crate::files::{self, Batch, Staged};
use crate::{keyring, plugins};

/// How a line of the `.pub` file starts that names a member.
const MEMBER: &str = "# member ";

/// The public half of a team.
pub(crate) struct Team {
    /// The folder and name of its files, without an extension.
    base: PathBuf,
    /// Recipients by the names that they have in the team.
    pub(crate) members: BTreeMap<String, Recipient>,
    /// What documents are wrapped for.
    pub(crate) recipient: Recipient,
    /// The file as it stands.
    text: String,
}

impl Team {
    /// Reads the team `name` whose files start with `base`.
    pub(crate) fn read(name: &str, base: &Path) -> Result<Self, CommandError> {
        let file = with_extension(base, "pub");
        let text = files::read_text(&file)?;
        let shown = file.display();
        let mut members = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let Some(member) = line.strip_prefix(MEMBER) else { continue };
            let (member, key) = member.split_once(' ').unwrap_or((member, ""));
            let recipient = plugins::recipient(member, key).map_err(|error| {
                CommandError::usage(format!("{shown}:{}: member {member}: {}", number + 1, chain(&error)))
            })?;
            members.insert(member.to_owned(), recipient);
        }
        if members.is_empty() {
            return Err(CommandError::usage(format!("{shown}: names no members"))
                .hint("A team is made by `sealwax team create`."));
        }
        let recipient = plugins::recipient(name, &crate::policy::first_recipient(&file)?)
            .map_err(|error| CommandError::usage(format!("{shown}: {}", chain(&error))))?;
        Ok(Self { base: base.to_owned(), members, recipient, text })
    }

    /// Makes a team with a key of its own.
    pub(crate) fn create(
        name: &str,
        base: &Path,
        members: &BTreeMap<String, Recipient>,
    ) -> Result<Recipient, CommandError> {
        let (identities, recipient) = Identities::generate(members)?;
        let text = public(name, members, &recipient);
        let sealed = identities.seal(members)?;
        if let Some(folder) = base.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|error| CommandError::io(Code::Refused, "cannot be made", folder, &error))?;
        }
        files::create(&with_extension(base, "age"), sealed.as_bytes(), false)?;
        files::create(&with_extension(base, "pub"), text.as_bytes(), false)?;
        plugins::recipient(name, &recipient).map_err(|error| CommandError::refused(chain(&error)))
    }

    /// Encrypts the same identities for other members.
    pub(crate) fn add(&self, members: &BTreeMap<String, Recipient>, secrets: &Secrets) -> Result<(), CommandError> {
        let sealed = secrets.identities.seal(members)?;
        let recipient = self.recipient.canonical();
        self.replace(&secrets.sealed, &sealed, &public(self.recipient.label().name(), members, recipient))
    }

    /// Gives the team a new key, which only those who remain can open.
    pub(crate) fn remove(
        &self,
        members: &BTreeMap<String, Recipient>,
        secrets: &Secrets,
    ) -> Result<Recipient, CommandError> {
        let (mut identities, recipient) = Identities::generate(members)?;
        identities.0.push_str("# before:\n");
        identities.0.push_str(&secrets.identities.0);
        let sealed = identities.seal(members)?;
        let name = self.recipient.label().name();
        self.replace(&secrets.sealed, &sealed, &public(name, members, &recipient))?;
        plugins::recipient(name, &recipient).map_err(|error| CommandError::refused(chain(&error)))
    }

    /// Opens the team's file, which only a member can.
    pub(crate) fn open(&self, keyring: &Keyring) -> Result<Secrets, CommandError> {
        let file = with_extension(&self.base, "age");
        let sealed = std::fs::read(&file).map(SecretBytes::from);
        let sealed = sealed.map_err(|error| CommandError::io(Code::Unreadable, "cannot be read", &file, &error))?;
        let opened = decrypt_file(sealed.expose(), keyring).map_err(|error| {
            CommandError::refused(format!("{}: {}", file.display(), chain(&error)))
                .hint("Only a member can change a team: pass --identity FILE, or set SEALWAX_IDENTITY.")
        })?;
        let text = opened.expose_str().map(|text| Zeroizing::new(text.to_owned()));
        let text = text.ok_or_else(|| CommandError::unreadable(format!("{}: holds no text", file.display())))?;
        Ok(Secrets { sealed, identities: Identities(text) })
    }

    /// Both files, or neither.
    fn replace(&self, before: &SecretBytes, sealed: &str, text: &str) -> Result<(), CommandError> {
        let mut batch = Batch::default();
        batch.add(Staged::write(&with_extension(&self.base, "age"), Some(before), sealed.as_bytes())?);
        let public = SecretBytes::from(self.text.clone());
        batch.add(Staged::write(&with_extension(&self.base, "pub"), Some(&public), text.as_bytes())?);
        batch.commit().into_iter().collect()
    }
}

/// What the `.age` file holds.
pub(crate) struct Secrets {
    /// The file as it stands.
    sealed: SecretBytes,
    identities: Identities,
}

impl Secrets {
    /// The team's key and those that it had before: a member knows them all.
    pub(crate) fn fingerprints(&self) -> BTreeSet<Fingerprint> {
        keyring::fingerprints(&self.identities.0)
    }
}

/// Identity lines: the team's own, then those that it had before.
struct Identities(Zeroizing<String>);

impl Identities {
    /// One of the members' kind: a post-quantum key would promise what a classical member's does not keep.
    fn generate(members: &BTreeMap<String, Recipient>) -> Result<(Self, String), CommandError> {
        let mut strengths = members.values().map(Recipient::strength);
        let first = strengths.next().ok_or_else(|| CommandError::usage("a team needs a member"))?;
        if strengths.any(|strength| strength != first) {
            return Err(CommandError::usage("post-quantum keys and others cannot share a team")
                .hint("All members need keys of one kind: `sealwax keygen --pq` makes post-quantum ones."));
        }
        let (secret, recipient) = keyring::generate(first == Strength::PostQuantum);
        let mut text = Zeroizing::new(String::with_capacity(16 * 1024));
        text.push_str(secret.expose_secret());
        text.push('\n');
        Ok((Self(text), recipient))
    }

    fn seal(&self, members: &BTreeMap<String, Recipient>) -> Result<String, CommandError> {
        let members: Vec<_> = members.values().cloned().collect();
        encrypt_file(&members, self.0.as_bytes())
            .map_err(|error| CommandError::refused(format!("the team's key: {}", chain(&error))))
    }
}

fn public(name: &str, members: &BTreeMap<String, Recipient>, recipient: &str) -> String {
    let members = members.iter().map(|(member, recipient)| format!("{MEMBER}{member} {}\n", recipient.canonical()));
    format!("# team {name}; change it with `sealwax team`\n{}{recipient}\n", members.collect::<String>())
}

fn with_extension(base: &Path, extension: &str) -> PathBuf {
    let mut file = base.as_os_str().to_owned();
    file.push(".");
    file.push(extension);
    file.into()
}
