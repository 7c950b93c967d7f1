//! Which documents of three files are the same document.

use std::collections::HashSet;

use super::version::{Document, Side, Three, Version};
use crate::native::layout::Object;

/// Documents that belong together, by their positions.
#[derive(Debug, Default)]
pub(super) struct Matches {
    /// For each document of each side, the number of its match.
    of: Three<Vec<Option<usize>>>,
    found: Vec<Three<Option<usize>>>,
    /// Whether documents are left that have no names and are not as many on each side: which is which nobody can tell.
    pub(super) are_mixed_up: bool,
}

/// One document on both sides, and before.
pub(super) struct Pair<'d> {
    pub(super) base: Option<&'d Document>,
    pub(super) ours: &'d Document,
    pub(super) theirs: &'d Document,
}

impl<'d> Pair<'d> {
    /// The document on a branch.
    pub(super) fn of(&self, side: Side) -> &'d Document {
        if side == Side::Theirs { self.theirs } else { self.ours }
    }
}

const SIDES: [Side; 3] = [Side::Base, Side::Ours, Side::Theirs];

impl Matches {
    /// By what the objects are called; what has no name of its own, by the keys of its values, and then by its position
    /// among the rest.
    pub(super) fn between(versions: &Three<Version<'_>>) -> Self {
        let mut matches = Self::default();
        for side in SIDES {
            *matches.of.of_mut(side) = vec![None; versions.of(side).documents.len()];
        }
        // A file of one document holds the same one, also after a rename.
        let single = versions.ours.documents.len() == 1
            && versions.theirs.documents.len() == 1
            && versions.base.documents.len() <= 1;
        if !single {
            matches.by_name(versions);
            matches.by_keys(versions);
        }
        matches.by_position(versions);
        matches
    }

    /// A key is made for one document: a document that still has one of those it had is the same.
    fn by_keys(&mut self, versions: &Three<Version<'_>>) {
        let marks = |side: Side| -> Vec<_> {
            let version = versions.of(side);
            (0..version.documents.len()).map(|index| version.keys(index)).collect()
        };
        let (base, ours, theirs) = (marks(Side::Base), marks(Side::Ours), marks(Side::Theirs));
        for (index, keys) in base.iter().enumerate().filter(|(_, keys)| !keys.is_empty()) {
            let same = |side: Side, marks: &[HashSet<String>]| {
                let is_free = |index: usize| self.of(side, index).is_none();
                let mut found = (0..marks.len()).filter(|index| is_free(*index) && !marks[*index].is_disjoint(keys));
                found.next().filter(|_| found.next().is_none())
            };
            if let (None, Some(ours), Some(theirs)) =
                (self.of(Side::Base, index), same(Side::Ours, &ours), same(Side::Theirs, &theirs))
            {
                self.add(Three { base: Some(index), ours: Some(ours), theirs: Some(theirs) });
            }
        }
    }

    /// The match of a document.
    pub(super) fn of(&self, side: Side, document: usize) -> Option<usize> {
        self.of.of(side).get(document).copied().flatten()
    }

    /// A match as documents, if both sides still have it.
    pub(super) fn pair<'d>(&self, versions: &'d Three<Version<'_>>, matched: usize) -> Option<Pair<'d>> {
        let at = self.found.get(matched)?;
        let document = |side: Side| at.of(side).and_then(|index| versions.of(side).documents.get(index));
        Some(Pair { base: document(Side::Base), ours: document(Side::Ours)?, theirs: document(Side::Theirs)? })
    }

    fn by_name(&mut self, versions: &Three<Version<'_>>) {
        let unique = |side: Side, object: &Object| {
            let same = |document: &Document| document.object.as_ref() == Some(object);
            let mut found = versions.of(side).documents.iter().enumerate().filter(|(_, document)| same(document));
            found.next().filter(|_| found.next().is_none()).map(|(index, _)| index)
        };
        for (index, document) in versions.ours.documents.iter().enumerate() {
            let Some(object) = &document.object else { continue };
            if unique(Side::Ours, object) == Some(index)
                && let Some(theirs) = unique(Side::Theirs, object)
            {
                let base = unique(Side::Base, object);
                self.add(Three { base, ours: Some(index), theirs: Some(theirs) });
            }
        }
    }

    fn by_position(&mut self, versions: &Three<Version<'_>>) {
        let rest = |side: Side| {
            let unmatched = self.of.of(side).iter().enumerate().filter(|(_, matched)| matched.is_none());
            unmatched.map(|(index, _)| index).collect::<Vec<_>>()
        };
        let (base, ours, theirs) = (rest(Side::Base), rest(Side::Ours), rest(Side::Theirs));
        if ours.len() != theirs.len() || !(base.is_empty() || base.len() == ours.len()) {
            let nameless = |side: Side, rest: &[usize]| {
                rest.iter().filter(|index| versions.of(side).documents[**index].object.is_none()).count()
            };
            let left = [nameless(Side::Base, &base), nameless(Side::Ours, &ours), nameless(Side::Theirs, &theirs)];
            self.are_mixed_up = !left.contains(&0);
            return;
        }
        for (position, (ours, theirs)) in ours.into_iter().zip(theirs).enumerate() {
            self.add(Three { base: base.get(position).copied(), ours: Some(ours), theirs: Some(theirs) });
        }
    }

    fn add(&mut self, at: Three<Option<usize>>) {
        let number = self.found.len();
        for side in SIDES {
            if let Some(slot) = at.of(side).and_then(|index| self.of.of_mut(side).get_mut(index)) {
                *slot = Some(number);
            }
        }
        self.found.push(at);
    }
}
