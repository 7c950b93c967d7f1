//! An SSH key that a passphrase protects: asked for when a file is for this key, and once in a run.

use std::sync::OnceLock;

use age::DecryptError;
use age::ssh::{EncryptedKey, Identity};
use age_core::format::{FileKey, Stanza};
use data_encoding::{BASE64, BASE64_NOPAD};
use sha2::{Digest as _, Sha256};

use crate::plugins::Terminal;

/// How much of a public key's hash a file shows of its reader.
const TAG_LEN: usize = 4;

/// A protected key, and what it is without its protection.
pub(super) struct LockedSshKey {
    key: EncryptedKey,
    file: String,
    tag: String,
    opened: OnceLock<Option<Identity>>,
}

impl LockedSshKey {
    /// `public` is its public half, as it stands in `authorized_keys`.
    pub(super) fn new(key: EncryptedKey, public: &str, file: String) -> Option<Self> {
        let public = BASE64.decode(public.split_whitespace().nth(1)?.as_bytes()).ok()?;
        let tag = BASE64_NOPAD.encode(Sha256::digest(public).get(..TAG_LEN)?);
        Some(Self { key, file, tag, opened: OnceLock::new() })
    }

    /// Nobody is asked twice: one who does not know the passphrase, or mistypes it, starts anew.
    fn open(&self) -> Option<&Identity> {
        use age::Callbacks as _;
        let ask = || {
            let passphrase = Terminal.request_passphrase(&format!("Passphrase for {}", self.file))?;
            self.key.decrypt(passphrase).ok().map(Identity::from)
        };
        self.opened.get_or_init(ask).as_ref()
    }
}

impl age::Identity for LockedSshKey {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if !stanza.tag.starts_with("ssh-") || stanza.args.first() != Some(&self.tag) {
            return None;
        }
        self.open().map_or(Some(Err(DecryptError::KeyDecryptionFailed)), |identity| identity.unwrap_stanza(stanza))
    }
}
