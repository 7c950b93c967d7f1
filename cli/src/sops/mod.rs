//! Files of SOPS, opened with the identities that SOPS would use and with ours; and its configuration.

pub(crate) mod config;

use sealwax_format::document::File;
use sealwax_format::keys::decrypt_file;
use sealwax_format::sops::{At, Cipher, FileKey, Group, Layout, Opened, ReadError, Service, shamir};
use zeroize::Zeroizing;

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
    let cipher = data_key(shown, &layout, identities)?.cipher();
    let values = layout.open(file, &cipher, check_mac).map_err(|at| in_file(shown, &at))?;
    Ok(Open { layout, cipher, values })
}

fn data_key(shown: &str, layout: &Layout<'_>, identities: &Identities<'_>) -> Result<FileKey, CommandError> {
    let metadata = &layout.metadata;
    let malformed = || CommandError::refused(format!("{shown}: the data key is none of 32 bytes"));
    if let [group] = metadata.groups.as_slice() {
        let key = share(shown, group, identities)?;
        return FileKey::from_bytes(&key).ok_or_else(malformed);
    }
    let mut shares = Vec::new();
    let mut failure = None;
    for group in &metadata.groups {
        match share(shown, group, identities) {
            Ok(share) => shares.push(share),
            Err(error) => failure = Some(error),
        }
    }
    let wanted = metadata.threshold.unwrap_or(metadata.groups.len());
    if let Some(error) = failure.filter(|_| shares.len() < wanted) {
        let message = format!("Of the {wanted} key groups that are needed, {} opened.", shares.len());
        return Err(error.hint(message));
    }
    let key =
        shamir::combine(&shares).map_err(|error| CommandError::refused(format!("{shown}: the key groups: {error}")))?;
    FileKey::from_bytes(&key).ok_or_else(malformed)
}

/// What the keys of one group hold: the data key, or a share of it.
fn share(shown: &str, group: &Group, identities: &Identities<'_>) -> Result<Zeroizing<Vec<u8>>, CommandError> {
    let ring = identities.for_sops()?;
    for wrap in group.wraps.iter().filter(|wrap| wrap.service == Service::Age) {
        if let Ok(share) = decrypt_file(wrap.enc.as_bytes(), &ring) {
            return Ok(Zeroizing::new(share.expose().to_vec()));
        }
    }
    let keys = group.wraps.iter().map(|wrap| format!("{} {}", wrap.service.shown(), wrap.key));
    let keys = keys.collect::<Vec<_>>().join(", ");
    let others = group.wraps.iter().any(|wrap| wrap.service != Service::Age);
    let error = CommandError::refused(format!("{shown}: none of your identities opens it; its keys: {keys}"));
    let error = error.hint(
        "Pass --identity FILE, or set SEALWAX_IDENTITY, SOPS_AGE_KEY_FILE or SOPS_AGE_KEY to what holds your key.",
    );
    Err(if others { error.hint("Only age keys are supported yet.") } else { error })
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
