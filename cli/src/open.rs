//! Opening a file for a command: policy, identities and format brought together.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use sealwax_format::document::File;
use sealwax_format::document::walk::Leaf;
use sealwax_format::keys::{Fingerprint, Keyring, Label};
use sealwax_format::native::{Layout, Token, TokenKey};

use crate::error::CommandError;
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
    let mut keys = BTreeSet::new();
    for index in 0..file.documents.len() {
        let layout = Layout::read(file, index).map_err(|error| CommandError::in_file(shown, &error))?;
        keys.extend(fingerprints(file, &layout));
    }
    // A broken policy must not keep anyone from reading.
    let policy = path.and_then(|path| policies.of(path).ok().flatten());
    identities.for_keys(&keys, policy.as_deref())
}

/// For each data key of a document, the fingerprints of everyone whom its wraps name.
pub(crate) fn fingerprints(file: &File<'_>, layout: &Layout<'_>) -> BTreeSet<BTreeSet<Fingerprint>> {
    let mut found = BTreeSet::new();
    let named = |wraps: &[(Label, Vec<u8>)]| wraps.iter().map(|(label, _)| label.fingerprint().clone()).collect();
    if let Some(key) = layout.block.as_ref().and_then(|block| block.key.as_ref()) {
        found.insert(named(&key.wraps));
    }
    let own = |leaf: &&Leaf<'_>| leaf.scalar.is_some_and(|scalar| Token::names_readers(&scalar.value));
    for leaf in layout.leaves.iter().filter(own) {
        if let Ok(Some(token)) = layout.token(file, leaf)
            && let TokenKey::Own { wraps, .. } = token.key
        {
            found.insert(named(&wraps));
        }
    }
    found
}
