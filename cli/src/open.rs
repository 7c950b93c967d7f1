//! Opening a file for a command: policy, identities and format brought together.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use sealwax_format::document::File;
use sealwax_format::keys::Keyring;
use sealwax_format::native::Layout;

use crate::error::CommandError;
use crate::history::fingerprints;
use crate::job::Policies;
use crate::keyring::Identities;

/// The identities that may open what a file holds.
pub(crate) fn keyring(
    shown: &str,
    path: Option<&Path>,
    file: &File<'_>,
    policies: &Policies,
    identities: &Identities<'_>,
) -> Result<Arc<Keyring>, CommandError> {
    let mut readers = BTreeSet::new();
    for index in 0..file.documents.len() {
        let layout = Layout::read(file, index).map_err(|error| CommandError::in_file(shown, &error))?;
        readers.extend(fingerprints(file, &layout));
    }
    // A broken policy must not keep anyone from reading.
    let policy = path.and_then(|path| policies.of(path).ok().flatten());
    identities.for_readers(&readers, policy.as_deref())
}
