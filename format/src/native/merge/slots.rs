//! Which pieces of the three texts are the same thing, and what becomes of each.

use std::collections::HashMap;

use super::Reason;
use super::matching::Matches;
use super::rule::{Core, Judge, Outcome, core};
use super::version::{Piece, Side, Three, Version, What};
use crate::path::{Path, Step};

/// The pieces that stand for the same thing, and what becomes of it.
pub(super) struct Slot {
    /// Positions among the pieces of each side.
    pub(super) at: Three<Option<usize>>,
    pub(super) outcome: Outcome,
}

impl Slot {
    /// Whether both sides have it.
    pub(super) fn is_shared(&self) -> bool {
        self.at.ours.is_some() && self.at.theirs.is_some()
    }

    /// Why it is left to a person, if it is.
    pub(super) fn clash(&self) -> Option<&Reason> {
        if let Outcome::Clash(reason) = &self.outcome { Some(reason) } else { None }
    }
}

/// All slots, and which slot each piece belongs to.
pub(super) struct Plan {
    pub(super) slots: Vec<Slot>,
    numbers: Three<Vec<usize>>,
}

impl Plan {
    /// The number of a piece's slot.
    pub(super) fn number(&self, side: Side, piece: usize) -> usize {
        self.numbers.of(side)[piece]
    }

    /// The slot of a piece.
    pub(super) fn slot(&self, side: Side, piece: usize) -> &Slot {
        &self.slots[self.number(side, piece)]
    }
}

/// What a piece is, within its document.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// The value at a path without items of lists, whose positions say nothing.
    Path(Path),
    /// The document key's id.
    Key,
    /// Its wraps.
    Readers,
}

impl Place {
    pub(super) fn of(piece: &Piece) -> Option<Self> {
        match &piece.what {
            What::Token { path, .. } => {
                let steady = path.0.iter().all(|step| matches!(step, Step::Key(_)));
                steady.then(|| Self::Path(path.clone()))
            }
            What::Key => Some(Self::Key),
            What::Readers => Some(Self::Readers),
        }
    }
}

/// Pieces of documents that belong together, by match and place.
pub(super) type Index = Three<HashMap<(usize, Place), usize>>;

/// By what pieces of different sides are known to be the same thing.
#[derive(PartialEq, Eq, Hash)]
enum Name<'v> {
    /// The same place in documents that belong together, if both sides have it.
    At(usize, Place),
    /// One ciphertext, wherever it moved.
    Token(Vec<u8>, Core),
    /// A part of a block that has no counterpart.
    Text(&'v str),
}

const SIDES: [Side; 3] = [Side::Base, Side::Ours, Side::Theirs];

/// Decides for every piece of three versions; `None` if their documents cannot be told apart.
pub(super) fn plan(versions: &Three<Version<'_>>) -> Option<Plan> {
    let matches = Matches::between(versions);
    if matches.are_mixed_up {
        return None;
    }
    let index = index(versions, &matches);
    let mut plan = Plan { slots: Vec::new(), numbers: Three::default() };
    let mut known: HashMap<Name<'_>, usize> = HashMap::new();
    for side in SIDES {
        let version = versions.of(side);
        for (position, piece) in version.pieces.iter().enumerate() {
            let place = matches.of(side, piece.document).zip(Place::of(piece));
            let shared = |place: &(usize, Place)| index.ours.contains_key(place) && index.theirs.contains_key(place);
            let name = match (place.filter(shared), &piece.what) {
                (Some((matched, place)), _) => Name::At(matched, place),
                (None, What::Token { path, token }) => Name::Token(path.encode(), core(token)),
                (None, _) => Name::Text(version.text(piece)),
            };
            let number = *known.entry(name).or_insert_with(|| {
                plan.slots.push(Slot { at: Three::default(), outcome: Outcome::Take(side) });
                plan.slots.len() - 1
            });
            plan.slots[number].at.of_mut(side).get_or_insert(position);
            plan.numbers.of_mut(side).push(number);
        }
    }
    let judge = Judge { versions, matches: &matches, index: &index };
    for slot in &mut plan.slots {
        slot.outcome = judge.outcome(&slot.at);
    }
    Some(plan)
}

fn index(versions: &Three<Version<'_>>, matches: &Matches) -> Index {
    let mut index = Index::default();
    for side in SIDES {
        for (position, piece) in versions.of(side).pieces.iter().enumerate() {
            if let Some(place) = matches.of(side, piece.document).zip(Place::of(piece)) {
                index.of_mut(side).insert(place, position);
            }
        }
    }
    index
}
