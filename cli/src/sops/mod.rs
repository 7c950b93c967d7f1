//! Files of SOPS: opened and written with the keys that SOPS would use, by the rules of `.sops.yaml`.
//!
//! | room | holds |
//! |---|---|
//! | `config` | `.sops.yaml`: which rule governs a file |
//! | `keys` | the services that hold data keys |
//! | `creating` | a plain file becomes one of SOPS |
//! | `change` | what separates a file from its rule |
//! | `held`, `exposed` | what a file held, and what of it would stand in the clear after a change |
//! | `merge` | three versions become one |
//! | `opened` | a file with everything open, and the way back |

mod change;
pub(crate) mod config;
mod creating;
mod exposed;
mod held;
pub(crate) mod keys;
mod merge;
mod opened;

use sealwax_format::Path;
use sealwax_format::document::rewrite::Rewrite;
use sealwax_format::document::{File, Syntax, entry, removal};
use sealwax_format::sops::{At, Cipher, FileKey, Layout, OpenedValue, ReadError, WriteError, binary};
use zeroize::Zeroizing;

pub(crate) use change::Change;
pub(crate) use creating::{encrypt, encrypt_bytes, is_clear};
pub(crate) use exposed::{LEAVE_IT, Secrets};
pub(crate) use held::{Held, text_of};
pub(crate) use merge::merged;
pub(crate) use opened::{Opened, Rest, mint, write};

use crate::error::{CommandError, chain};
use crate::files::Store;
use keys::Keys;

/// The version of SOPS whose way of writing files this is, and whose command line. SOPS compares it with its own.
pub(crate) const VERSION: &str = "3.13.3";

/// A file that was opened.
pub(crate) struct Open<'d> {
    pub(crate) layout: Layout<'d>,
    pub(crate) key: FileKey,
    pub(crate) cipher: Cipher,
    pub(crate) values: Vec<OpenedValue>,
}

/// Opens every value of a file, and holds its checksum against them unless told not to.
pub(crate) fn open<'d>(
    shown: &str,
    file: &'d File<'_>,
    keys: &Keys<'_>,
    check_mac: bool,
) -> Result<Open<'d>, CommandError> {
    let layout = Layout::read(file).map_err(|at| in_file(shown, &at))?;
    let key = keys.open(shown, &layout.metadata)?;
    let cipher = key.cipher();
    let values = layout.open(file, &cipher, check_mac).map_err(|at| in_file(shown, &at))?;
    Ok(Open { layout, key, cipher, values })
}

impl Open<'_> {
    /// The file without encryption, and what it is written as: a file that holds no bytes of SOPS is what its text is,
    /// whatever it is called.
    pub(crate) fn plain(
        &self,
        shown: &str,
        store: Store,
        file: &File<'_>,
    ) -> Result<(Store, Zeroizing<Vec<u8>>), CommandError> {
        if store == Store::Binary && binary::is_one(file) {
            let bytes = binary::decrypt(file, &self.layout, &self.values);
            let missing = || CommandError::unreadable(format!("{shown}: holds no text of bytes"));
            return Ok((store, bytes.ok_or_else(missing)?));
        }
        let store = match file.syntax {
            Syntax::Yaml => Store::Yaml,
            Syntax::Json => Store::Json,
            Syntax::Dotenv => Store::Dotenv,
            Syntax::Ini => Store::Ini,
        };
        let mut text = self.layout.decrypt(file, &self.cipher, &self.values).map_err(|at| in_file(shown, &at))?;
        Ok((store, Zeroizing::new(std::mem::take(&mut *text).into_bytes())))
    }
}

/// The time as SOPS writes it.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A plain file without what stands at a path.
pub(crate) fn take_out(
    file: &File<'_>,
    document: usize,
    path: &Path,
) -> Result<Zeroizing<String>, removal::RemovalError> {
    let mut rewrite = Rewrite::new(file);
    removal::remove(file, document, path, &mut rewrite)?;
    Ok(rewrite.finish()?)
}

/// A plain file with another value at a path.
pub(crate) fn put(
    shown: &str,
    file: &File<'_>,
    document: usize,
    path: &Path,
    value: &entry::Value<'_>,
) -> Result<Zeroizing<String>, CommandError> {
    let failed = |error: &dyn std::error::Error| CommandError::refused(format!("{shown}: {path}: {}", chain(error)));
    let mut rewrite = Rewrite::new(file);
    entry::put(file, document, path, value, &mut rewrite).map_err(|error| failed(&error))?;
    rewrite.finish().map_err(|error| failed(&error))
}

/// An error of a file of SOPS, with its line and path.
pub(crate) fn in_file(shown: &str, at: &At) -> CommandError {
    let message = placed(shown, at);
    match at.error {
        ReadError::NoBlock | ReadError::Metadata(_) | ReadError::Token(_) => CommandError::unreadable(message),
        _ => CommandError::refused(message),
    }
}

/// Why a file was not written.
fn unwritten(shown: &str, at: &At<WriteError>) -> CommandError {
    let message = placed(shown, at);
    match at.error {
        WriteError::NothingSelected => CommandError::usage(message)
            .hint("Check the selector of the rule in .sops.yaml: SOPS would write everything in the clear."),
        _ => CommandError::refused(message),
    }
}

pub(crate) fn placed<E: std::error::Error>(shown: &str, at: &At<E>) -> String {
    let line = at.line.map(|line| format!(":{line}")).unwrap_or_default();
    let path = at.path.as_ref().map(|path| format!(": {path}")).unwrap_or_default();
    format!("{shown}{line}{path}: {}", chain(&at.error))
}
