//! Files of SOPS, opened with the identities that SOPS would use and with ours; and its configuration.

pub(crate) mod config;
pub(crate) mod keys;

use sealwax_format::document::File;
use sealwax_format::sops::{At, Cipher, Layout, Opened, ReadError};

use self::keys::Keys;
use crate::error::{CommandError, chain};
use crate::keyring::Identities;

/// A file that was opened and whose checksum holds.
pub(crate) struct Open<'d> {
    pub(crate) layout: Layout<'d>,
    pub(crate) cipher: Cipher,
    pub(crate) values: Vec<Opened>,
}

/// Opens every value of a file, and holds its checksum against them unless told not to.
pub(crate) fn open<'d>(
    shown: &str,
    file: &'d File<'_>,
    identities: &Identities<'_>,
    check_mac: bool,
) -> Result<Open<'d>, CommandError> {
    let layout = Layout::read(file).map_err(|at| in_file(shown, &at))?;
    let cipher = Keys::new(identities).open(shown, &layout.metadata)?.cipher();
    let values = layout.open(file, &cipher, check_mac).map_err(|at| in_file(shown, &at))?;
    Ok(Open { layout, cipher, values })
}

/// An error of a file of SOPS, with its line and path.
pub(crate) fn in_file(shown: &str, at: &At) -> CommandError {
    let line = at.line.map(|line| format!(":{line}")).unwrap_or_default();
    let path = at.path.as_ref().map(|path| format!(": {path}")).unwrap_or_default();
    let message = format!("{shown}{line}{path}: {}", chain(&at.error));
    match at.error {
        ReadError::NoBlock | ReadError::Metadata(_) | ReadError::Token(_) => CommandError::unreadable(message),
        _ => CommandError::refused(message),
    }
}
