//! What Git's HEAD holds of a file: after `decrypt --in-place` and an edit, unchanged values get their tokens back.

use std::collections::BTreeSet;
use std::path::Path;

use sealwax_format::document::File;
use sealwax_format::keys::Recipient;
use sealwax_format::native::{self, Layout, Opener, Previous, TokenKey};
use sealwax_format::sops;

use crate::files::{Store, syntax_of};
use crate::keyring::{Identities, IdentityArgs};
use crate::open::fingerprints;
use crate::policy::Policy;
use crate::repo::Repository;
use crate::sops::config::Creation;
use crate::sops::keys::Keys;
use crate::sops::{Change, Opened};

/// For each document that has no key block: its state at HEAD, opened, if that is possible. Anything that is not
/// possible here costs nothing but new tokens, so nothing is an error.
pub(crate) fn previous(
    path: &Path,
    layouts: &[Layout<'_>],
    policy: Option<&Policy>,
    identities: &Identities<'_>,
) -> Vec<Option<Previous>> {
    let none = || layouts.iter().map(|_| None).collect();
    if layouts.iter().all(|layout| layout.block.is_some()) || !identities.any_configured() {
        return none();
    }
    let Some(text) = at_head(path) else {
        return none();
    };
    let Ok(file) = File::parse(&text, syntax_of(Some(path))) else {
        return none();
    };
    layouts.iter().map(|layout| reopen(&file, layout, policy, identities)).collect()
}

/// The same document at HEAD: in the same position, with the same place in the cluster.
fn reopen(file: &File<'_>, now: &Layout<'_>, policy: Option<&Policy>, identities: &Identities<'_>) -> Option<Previous> {
    if now.block.is_some() || now.index >= file.documents.len() {
        return None;
    }
    let before = Layout::read(file, now.index).ok()?;
    if before.object != now.object {
        return None;
    }
    let keyring = identities.for_keys(&fingerprints(file, &before), policy).ok()?;
    let opened = native::open_all(file, &before, &mut Opener::new(&keyring)).ok()?;
    Previous::new(&before, opened)
}

/// The same for a file of SOPS: its state at HEAD, opened, if a rule would encrypt it for the same keys and with the same
/// selector.
pub(crate) fn sops(path: &Path, creation: &Creation, args: &IdentityArgs) -> Option<Opened> {
    let text = at_head(path)?;
    let store = Store::of_text(Some(path), &text);
    let file = File::parse(&text, store.syntax()).ok().filter(sops::Layout::is_one)?;
    let layout = sops::Layout::read(&file).ok()?;
    if !Change::between(&layout.metadata, creation).is_none() {
        return None;
    }
    // Encrypting asks nobody and needs no key.
    let identities = Identities::unattended(args);
    Opened::read("", (store, &file), &Keys::new(&identities), true).ok()
}

/// Whether every key of an earlier state is wrapped for exactly these readers.
pub(crate) fn is_for(previous: &Previous, readers: &[Recipient]) -> bool {
    let wanted: BTreeSet<_> = readers.iter().map(Recipient::label).collect();
    let block = previous.block.key.iter().map(|key| &key.wraps);
    let own = previous.values.values().flatten().filter_map(|(_, token)| match &token.key {
        TokenKey::Own { wraps, .. } => Some(wraps),
        TokenKey::Document(_) => None,
    });
    block.chain(own).all(|wraps| wraps.iter().map(|(label, _)| label).collect::<BTreeSet<_>>() == wanted)
}

fn at_head(path: &Path) -> Option<String> {
    let absolute = path.canonicalize().ok()?;
    let repository = Repository::around(absolute.parent()?)?;
    let contents = repository.at("HEAD", absolute.strip_prefix(repository.root()).ok()?)?;
    String::from_utf8(contents).ok()
}
