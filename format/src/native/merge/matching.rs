//! Which documents of three files are the same document.

use super::version::{Document, Side, Three, Version};
use crate::native::layout::Object;

/// Documents that belong together, by their positions.
#[derive(Debug, Default)]
pub(super) struct Matches {
    /// For each document of each side, the number of its match.
    of: Three<Vec<Option<usize>>>,
    found: Vec<Three<Option<usize>>>,
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
    /// By what the objects are called; what has no name of its own, by its position among the rest.
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
        }
        matches.by_position();
        matches
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

    fn by_position(&mut self) {
        let rest = |side: Side| {
            let unmatched = self.of.of(side).iter().enumerate().filter(|(_, matched)| matched.is_none());
            unmatched.map(|(index, _)| index).collect::<Vec<_>>()
        };
        let (base, ours, theirs) = (rest(Side::Base), rest(Side::Ours), rest(Side::Theirs));
        if ours.len() != theirs.len() || !(base.is_empty() || base.len() == ours.len()) {
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
