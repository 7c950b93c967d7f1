//! Merging files of SOPS: their values, their keys, and a checksum over the result. Needs a key of the file.

use std::collections::HashSet;

use sealwax_format::document::{File, Syntax};
use sealwax_format::native::{Conflict, Markers, Texts};
use sealwax_format::sops::merge::{Merged, Side, merge};
use sealwax_format::sops::{FileKey, Group, Layout, Metadata, Stash, Wrap};
use sealwax_format::{OsRandom, Path};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::held::{Text, clear_of};
use super::keys::{self, Keys};
use super::{Open, Rest, Secrets, open, opened};
use crate::commented::Comments;
use crate::files::Store;

/// A merged file.
pub(crate) struct MergedFile {
    pub(crate) text: Zeroizing<String>,
    /// What is left to a person; the checksum fits once nothing is, and it was written by `edit --ignore-mac`.
    pub(crate) conflicts: Vec<Conflict>,
}

/// Merges three texts of a file of SOPS; `None` if they are none, or cannot be opened and told apart value by value.
pub(crate) fn merged(texts: &Texts<'_>, store: Store, markers: &Markers<'_>, keys: &Keys<'_>) -> Option<MergedFile> {
    let syntax = store.syntax();
    let parse = |text| File::parse(text, syntax).ok().filter(Layout::is_one);
    let base = if texts.base.trim().is_empty() { None } else { Some(parse(texts.base)?) };
    let (ours, theirs) = (parse(texts.ours)?, parse(texts.theirs)?);
    // What does not open, or was changed outside of SOPS, is no basis for deciding anything.
    let read = |file| open("", file, keys, true).ok();
    let opened_base = match &base {
        Some(base) => Some(read(base)?),
        None => None,
    };
    let (our, their) = (read(&ours)?, read(&theirs)?);

    // A new data key on one side was made because somebody was to lose the old one.
    let theirs_leads =
        opened_base.as_ref().is_some_and(|base| same(&base.key, &our.key) && !same(&our.key, &their.key));
    let leading = if theirs_leads { (&theirs, &their) } else { (&ours, &our) };
    let metadata = metadata(opened_base.as_ref().map(|open| &open.layout.metadata), &our, &their, leading.1)?;
    let base = base.as_ref().zip(opened_base.as_ref()).map(|(file, open)| side(file, open));
    let (ours, theirs) = (side(&ours, &our), side(&theirs, &their));
    let first = if theirs_leads { &theirs } else { &ours };
    match merge(base.as_ref(), &ours, &theirs, first, markers, &mut OsRandom).ok()?? {
        Merged::Conflicts { text, conflicts } => Some(MergedFile { text, conflicts }),
        Merged::Clean(plain) => {
            let (file, open) = leading;
            let mut stash = Stash::of(&open.layout, file, &open.cipher, &open.values, &mut OsRandom).ok()?;
            let (other_file, other) = if theirs_leads { (ours.file, &our) } else { (theirs.file, &their) };
            if same(&open.key, &other.key) {
                stash.add(&other.layout, other_file, &open.cipher, &other.values);
            }
            let report = opened::write("", plain.as_bytes(), store, &metadata, &open.key, Rest::Was(&stash)).ok()?;
            // The selector is not in the checksum either, and one side may have narrowed it.
            let exposes = exposes(&report.text, syntax, &[(ours.file, &our), (theirs.file, &their)]);
            (!exposes).then(|| MergedFile { text: report.text, conflicts: Vec::new() })
        }
    }
}

fn side<'s, 'd>(file: &'s File<'d>, open: &'s Open<'s>) -> Side<'s, 'd> {
    Side { file, layout: &open.layout, cipher: &open.cipher, opened: &open.values }
}

fn same(one: &FileKey, other: &FileKey) -> bool {
    bool::from(one.expose().ct_eq(other.expose()))
}

/// The merged metadata: readers as sets, so that who was removed on one side stays removed; `None` where both sides
/// changed something that is no set.
fn metadata(base: Option<&Metadata>, ours: &Open<'_>, theirs: &Open<'_>, leading: &Open<'_>) -> Option<Metadata> {
    let (our, their) = (&ours.layout.metadata, &theirs.layout.metadata);
    let selector = |metadata: &Metadata| {
        let (field, text) = metadata.selector.field();
        (field, text.to_owned(), metadata.mac_only_encrypted)
    };
    let ruling = match base {
        _ if selector(our) == selector(their) => our,
        Some(base) if selector(base) == selector(our) => their,
        Some(base) if selector(base) == selector(their) => our,
        _ => return None,
    };
    let known = leading.layout.metadata.clone();
    let groups = match (our.groups.as_slice(), their.groups.as_slice()) {
        ([our], [their]) => {
            let none = Group::default();
            let base = base.and_then(|base| base.groups.first()).unwrap_or(&none);
            let wraps = readers(base, our, their);
            let known = known.groups.first()?;
            let holds = |wrap: &Wrap| known.wraps.iter().find(|held| keys::is_same(held, wrap)).cloned();
            // The list of readers is not in the checksum: anyone can write one into it. So nobody gets the data key here
            // who was not given it by somebody who had it.
            let wraps =
                if same(&ours.key, &theirs.key) { wraps } else { wraps.iter().map(holds).collect::<Option<_>>()? };
            vec![Group { wraps }]
        }
        // Shares are made together: of two sides that changed their groups, none has the other's.
        (our, their) if keys::are_same(our, their) => known.groups.clone(),
        _ => return None,
    };
    Some(Metadata { groups, selector: ruling.selector.clone(), mac_only_encrypted: ruling.mac_only_encrypted, ..known })
}

/// Whether something that a side has encrypted stands in the clear in a text.
fn exposes(text: &str, syntax: Syntax, sides: &[(&File<'_>, &Open<'_>)]) -> bool {
    let Ok(file) = File::parse(text, syntax) else { return true };
    let Ok(layout) = Layout::read(&file) else { return true };
    // A document may stand at another position in each of them.
    let held: Vec<_> = sides.iter().map(|(file, open)| open.held(file).in_one_document()).collect();
    let values = held.iter().flat_map(|held| &held.secrets);
    let at_paths: HashSet<(&Path, &[u8])> = values.map(|(_, path, text)| (path, text.expose())).collect();
    let secrets = Secrets::of(&held);
    // A comment in the clear that no side has so was encrypted.
    let comments = Comments::of(sides.iter().map(|(file, _)| *file));
    let is_exposed = |(_, path, text): &Text| {
        let text = text.expose();
        !text.is_empty() && (secrets.tells(0, path, text) || at_paths.contains(&(path, text)))
    };
    !comments.new_in(&file).is_empty() || clear_of(&file, &layout).iter().any(is_exposed)
}

/// Ours, without those whom they removed, and with those whom they added.
fn readers(base: &Group, ours: &Group, theirs: &Group) -> Vec<Wrap> {
    let has = |group: &Group, wrap: &Wrap| group.wraps.iter().any(|known| keys::is_same(known, wrap));
    let stay = ours.wraps.iter().filter(|wrap| has(theirs, wrap) || !has(base, wrap));
    let come = theirs.wraps.iter().filter(|wrap| !has(ours, wrap) && !has(base, wrap));
    stay.chain(come).cloned().collect()
}
