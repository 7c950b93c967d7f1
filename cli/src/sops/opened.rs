//! A file of SOPS with everything in it open, and the way back: what is left alone keeps its ciphertext and its writing.

use sealwax_format::document::File;
use sealwax_format::sops::{self, FileKey, Layout, Metadata, Report, Request, Stash};
use sealwax_format::{OsRandom, SecretBytes};
use zeroize::Zeroizing;

use super::config::{Creation, Selection};
use super::keys::Keys;
use super::{Held, LEAVE_IT, VERSION, now, unwritten};
use crate::commented::Comments;
use crate::error::CommandError;
use crate::files::{self, Input, Store};
use crate::keyring::Identities;
use crate::survey::claims_values;
use crate::ui::Note;

/// A file that was opened to be written again.
pub(crate) struct Opened {
    /// As people know the file.
    pub(crate) shown: String,
    /// What it is written as.
    pub(crate) store: Store,
    /// The file without encryption.
    pub(crate) plain: Zeroizing<Vec<u8>>,
    /// How many values were encrypted.
    pub(crate) values: usize,
    /// Keys and selector.
    pub(crate) metadata: Metadata,
    /// What was encrypted in it, and what was not.
    pub(crate) held: Held,
    /// The comments as they are stored, encrypted or not.
    pub(super) comments: Comments,
    key: FileKey,
    stash: Stash,
}

impl Opened {
    /// Opens an input if it is a file of SOPS.
    pub(crate) fn of(input: &Input, identities: &Identities<'_>) -> Result<Option<Self>, CommandError> {
        Self::with(input, identities, true)
    }

    /// The same, and its checksum is held against its values or not.
    pub(crate) fn with(
        input: &Input,
        identities: &Identities<'_>,
        check_mac: bool,
    ) -> Result<Option<Self>, CommandError> {
        if !claims_values(input.bytes.expose()) {
            return Ok(None);
        }
        let file = input.parse()?;
        if !Layout::is_one(&file) {
            return Ok(None);
        }
        let store = Store::of_text(input.path.as_deref(), file.source);
        Self::read(&input.shown, (store, &file), &Keys::new(identities), check_mac).map(Some)
    }

    /// Opens every value of a file and holds its checksum against them, unless told not to.
    pub(crate) fn read(
        shown: &str,
        (store, file): (Store, &File<'_>),
        keys: &Keys<'_>,
        check_mac: bool,
    ) -> Result<Self, CommandError> {
        let open = super::open(shown, file, keys, check_mac)?;
        let (store, plain) = open.plain(shown, store, file)?;
        Ok(Self {
            shown: shown.to_owned(),
            store,
            plain,
            held: open.held(file),
            comments: Comments::of([file]),
            values: open.values.len(),
            stash: Stash::of(&open.layout, file, &open.cipher, &open.values, &mut OsRandom)
                .map_err(|error| CommandError::refused(error.to_string()))?,
            metadata: open.layout.metadata,
            key: open.key,
        })
    }

    /// The plain file as a text of values, which bytes are not.
    pub(crate) fn text(&self) -> Result<&str, CommandError> {
        let text = std::str::from_utf8(&self.plain).ok().filter(|_| self.store != Store::Binary);
        text.ok_or_else(|| {
            CommandError::usage(format!("{}: holds bytes, and no values with paths", self.shown))
                .hint("It is opened as a whole: `sealwax decrypt`, `sealwax edit`, `sealwax exec --as file`.")
        })
    }

    /// The plain file, parsed.
    pub(crate) fn file(&self) -> Result<File<'_>, CommandError> {
        files::parse(&self.shown, self.text()?, self.store.syntax())
    }

    /// Encrypts what became of the plain file, for the same keys.
    pub(crate) fn seal(&self, edited: &[u8]) -> Result<Report, CommandError> {
        write(&self.shown, edited, self.store, &self.metadata, &self.key, Rest::Was(&self.stash))
    }

    /// The same, if nothing stands in the clear after it that was encrypted, or that is new and may be meant to be, as
    /// `rule` of `.sops.yaml` has another selector; and what is to be said of it.
    pub(crate) fn reseal(
        &self,
        edited: &[u8],
        rule: Option<&Selection>,
    ) -> Result<(Zeroizing<String>, Vec<Note>), CommandError> {
        let report = self.seal(edited)?;
        self.refuse_exposed(edited, &report.text, LEAVE_IT)?;
        if let Some(rule) = rule {
            self.refuse_added(edited, &report.text, rule)?;
        }
        let (sealed, kept, readers) = (report.sealed, report.kept, self.creation().readers());
        let note = format!("{}: sealed {sealed} ({kept} kept) for {readers}", self.shown);
        Ok((report.text, vec![Note::Done(note)]))
    }

    /// What is encrypted in it: what a log must not show.
    pub(crate) fn secrets(&self) -> Vec<SecretBytes> {
        self.held.secrets.iter().map(|(.., value)| value.duplicate()).collect()
    }

    /// The same file under the same data key for other keys.
    pub(crate) fn rewrap(&self, creation: &Creation, keys: &Keys<'_>) -> Result<Report, CommandError> {
        let groups = keys.rewrap(&self.metadata, &creation.groups, creation.threshold, &self.key)?;
        let metadata = Metadata { groups, threshold: threshold(creation), ..self.metadata.clone() };
        write(&self.shown, &self.plain, self.store, &metadata, &self.key, Rest::Was(&self.stash))
    }

    /// The same values under a new data key, by what a rule says.
    pub(crate) fn rotate(&self, creation: &Creation, keys: &Keys<'_>) -> Result<Report, CommandError> {
        encrypt(&self.shown, &self.plain, self.store, creation, keys)
    }

    /// By what the file itself says.
    pub(crate) fn creation(&self) -> Creation {
        Creation::of_file(&self.shown, &self.metadata)
    }
}

/// Encrypts a plain file under a new data key.
pub(crate) fn encrypt(
    shown: &str,
    plain: &[u8],
    store: Store,
    creation: &Creation,
    keys: &Keys<'_>,
) -> Result<Report, CommandError> {
    let (metadata, key) = mint(creation, keys)?;
    write(shown, plain, store, &metadata, &key, Rest::New)
}

/// A new data key, wrapped as a rule says, and the metadata for a file under it.
pub(crate) fn mint(creation: &Creation, keys: &Keys<'_>) -> Result<(Metadata, FileKey), CommandError> {
    let key = FileKey::mint(&mut OsRandom).map_err(|error| CommandError::refused(error.to_string()))?;
    let groups = keys.wrap(&creation.groups, creation.threshold, &key)?;
    let Creation { threshold, selector, mac_only_encrypted, .. } = creation.clone();
    Ok((Metadata::new(groups, threshold, selector, mac_only_encrypted, 0, VERSION), key))
}

/// SOPS writes how many groups are needed wherever there are several.
fn threshold(creation: &Creation) -> Option<usize> {
    (creation.groups.len() > 1).then(|| creation.threshold.unwrap_or(creation.groups.len()))
}

/// What else is known of a file that is written.
#[derive(Clone, Copy)]
pub(crate) enum Rest<'s> {
    /// It is new, and has something to encrypt.
    New,
    /// It is new, and may have nothing to encrypt.
    MayHaveNothing,
    /// What it was. An edit may have taken the last value away.
    Was(&'s Stash),
}

/// Encrypts a plain file under a data key, as of now.
pub(crate) fn write(
    shown: &str,
    plain: &[u8],
    store: Store,
    metadata: &Metadata,
    key: &FileKey,
    rest: Rest<'_>,
) -> Result<Report, CommandError> {
    let stash = if let Rest::Was(stash) = rest { Some(stash) } else { None };
    let metadata = Metadata { last_modified: now(), version: VERSION.to_owned(), ..metadata.clone() };
    let allow_nothing = !matches!(rest, Rest::New);
    let request = Request { metadata: &metadata, cipher: &key.cipher(), stash, allow_nothing };
    let report = if store == Store::Binary {
        sops::binary::encrypt(plain, &request, &mut OsRandom)
    } else {
        let text =
            std::str::from_utf8(plain).map_err(|_| CommandError::unreadable(format!("{shown}: not UTF-8 text")))?;
        sops::encrypt(&files::parse(shown, text, store.syntax())?, &request, &mut OsRandom)
    };
    report.map_err(|at| unwritten(shown, &at))
}
