//! What each value, and each key block, becomes: decided by what it was and what each side made of it.

use std::collections::BTreeSet;

use super::Reason;
use super::matching::{Matches, Pair};
use super::slots::{Index, Place};
use super::version::{Document, Piece, Side, Three, Version, What};
use crate::keys::{Label, MAX_READERS};
use crate::native::keyblock::DocumentKey;
use crate::native::token::{Token, TokenKey};

/// What a piece becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As it stands on a side.
    Take(Side),
    /// The same ciphertext, with the readers of both sides.
    Token(Token),
    /// The same document key, with the readers of both sides.
    Readers(DocumentKey),
    /// Nobody can tell without a person.
    Clash(Reason),
}

/// What makes two tokens the same value beyond doubt: key id and ciphertext. Wraps may come and go around them.
pub(super) type Core = (String, Vec<u8>);

pub(super) fn core(token: &Token) -> Core {
    let id = match &token.key {
        TokenKey::Document(short) => short.clone(),
        TokenKey::Own { id, .. } => id.to_string(),
    };
    (id, token.sealed.clone())
}

/// Decides for one piece after the other.
pub(super) struct Judge<'j, 'v> {
    pub(super) versions: &'j Three<Version<'v>>,
    pub(super) matches: &'j Matches,
    pub(super) index: &'j Index,
}

impl Judge<'_, '_> {
    /// What becomes of the pieces that stand for one thing.
    pub(super) fn outcome(&self, at: &Three<Option<usize>>) -> Outcome {
        let piece = |side: Side| at.of(side).and_then(|index| self.versions.of(side).pieces.get(index));
        let base = piece(Side::Base);
        let (ours, theirs) = match (piece(Side::Ours), piece(Side::Theirs)) {
            (Some(ours), Some(theirs)) => (ours, theirs),
            (Some(alone), None) => return self.alone(Side::Ours, alone, base.is_some()),
            (None, Some(alone)) => return self.alone(Side::Theirs, alone, base.is_some()),
            (None, None) => return Outcome::Take(Side::Base),
        };
        let text = |side: Side, piece: &Piece| self.versions.of(side).text(piece);
        let (a, b) = (text(Side::Ours, ours), text(Side::Theirs, theirs));
        if a == b {
            return Outcome::Take(Side::Ours);
        }
        let before = base.map(|base| text(Side::Base, base));
        let matched = self.matches.of(Side::Ours, ours.document);
        match (&ours.what, &theirs.what) {
            (What::Token { token: ours, .. }, What::Token { token: theirs, .. }) => {
                let base =
                    base.and_then(|base| if let What::Token { token, .. } = &base.what { Some(token) } else { None });
                let outcome = self.token(matched, base, ours, theirs);
                // The same token, written in another way.
                if ours == theirs { Outcome::Take(changed(before, a, b).unwrap_or(Side::Ours)) } else { outcome }
            }
            (What::Readers, _) => self.readers(matched, before, a, b),
            _ => match self.block(matched) {
                Outcome::Readers(_) => Outcome::Take(Side::Ours),
                outcome => outcome,
            },
        }
    }

    /// The list of readers: decided with the block, unless it holds comments, which would go with one side's list.
    fn readers(&self, matched: Option<usize>, base: Option<&str>, ours: &str, theirs: &str) -> Outcome {
        let same =
            matched.and_then(|matched| self.pair(matched)).is_some_and(|pair| pair.ours.key() == pair.theirs.key());
        let commented = [base.unwrap_or_default(), ours, theirs].iter().any(|text| text.contains('#'));
        match (self.block(matched), changed(base, ours, theirs)) {
            (Outcome::Take(_), Some(side)) if same => Outcome::Take(side),
            (outcome, _) if !commented => outcome,
            (Outcome::Take(side), Some(changed)) if side == changed => Outcome::Take(side),
            _ => Outcome::Clash(Reason::Block),
        }
    }

    fn token(&self, matched: Option<usize>, base: Option<&Token>, ours: &Token, theirs: &Token) -> Outcome {
        let [o, a, b] = [base, Some(ours), Some(theirs)].map(|token| token.map(core));
        if a == b {
            return same_value(base.filter(|_| o == a), ours, theirs);
        }
        let winner = match (o == a, o == b) {
            (true, _) => Side::Theirs,
            (_, true) => Side::Ours,
            _ => return Outcome::Clash(self.both_changed(matched, ours, theirs)),
        };
        let token = if winner == Side::Ours { ours } else { theirs };
        match matched.and_then(|matched| self.objection(matched, winner, token)) {
            Some(reason) => Outcome::Clash(reason),
            None => Outcome::Take(winner),
        }
    }

    /// A new document key and an edit have met, or two edits.
    fn both_changed(&self, matched: Option<usize>, ours: &Token, theirs: &Token) -> Reason {
        let pair = matched.and_then(|matched| self.pair(matched));
        let folded = |side: Side, token: &Token| {
            let key = |document: Option<&Document>| document.and_then(Document::key).map(|key| key.id.clone());
            let changed = pair.as_ref().is_some_and(|pair| key(pair.base) != key(Some(pair.of(side))));
            changed && matches!(token.key, TokenKey::Document(_))
        };
        if folded(Side::Ours, ours) == folded(Side::Theirs, theirs) { Reason::Changed } else { Reason::Fold }
    }

    /// Something that the other side does not have: new here, or gone there.
    fn alone(&self, side: Side, piece: &Piece, in_base: bool) -> Outcome {
        let matched = self.matches.of(side, piece.document);
        let (What::Token { token, .. }, Some(matched), false) = (&piece.what, matched, in_base) else {
            return Outcome::Take(side);
        };
        // Another token stood at its path: this one replaced it, while the other side took it away.
        let replaced = Place::of(piece).is_some_and(|place| self.index.base.contains_key(&(matched, place)));
        let objection = self.objection(matched, side, token).or(replaced.then_some(Reason::Removed));
        objection.map_or(Outcome::Take(side), Outcome::Clash)
    }

    /// Why a token of one side cannot stand in the merged document.
    fn objection(&self, matched: usize, side: Side, token: &Token) -> Option<Reason> {
        let pair = self.pair(matched)?;
        let spot = three_way(pair.base.map(Document::spot).as_ref(), &pair.ours.spot(), &pair.theirs.spot()).cloned();
        if spot != Some(pair.of(side).spot()) {
            return Some(Reason::Place);
        }
        match &token.key {
            TokenKey::Document(short) => {
                let id = |document: &Document| document.key().map(|key| key.id.clone());
                let merged = three_way(pair.base.map(id).as_ref(), &id(pair.ours), &id(pair.theirs)).cloned();
                let stays = merged.flatten().is_some_and(|id| id.short() == short);
                (!stays).then_some(Reason::Key)
            }
            TokenKey::Own { wraps, .. } => {
                let left = left(&pair, side.other());
                wraps.iter().find(|(label, _)| left.contains(label)).map(|(label, _)| Reason::Leaver(label.clone()))
            }
        }
    }

    /// The document key and its readers.
    fn block(&self, matched: Option<usize>) -> Outcome {
        let Some(pair) = matched.and_then(|matched| self.pair(matched)) else {
            return Outcome::Clash(Reason::Block);
        };
        let base = pair.base.and_then(Document::key);
        let (Some(ours), Some(theirs)) = (pair.ours.key(), pair.theirs.key()) else {
            return Outcome::Clash(Reason::Block);
        };
        if ours.id == theirs.id {
            let base = base.filter(|base| base.id == ours.id).map(|base| base.wraps.as_slice());
            return match join(base, &ours.wraps, &theirs.wraps) {
                Some(wraps) if wraps == ours.wraps => Outcome::Take(Side::Ours),
                Some(wraps) if wraps == theirs.wraps => Outcome::Take(Side::Theirs),
                Some(wraps) => Outcome::Readers(DocumentKey { id: ours.id.clone(), wraps }),
                None => Outcome::Clash(Reason::Block),
            };
        }
        match (base == Some(ours), base == Some(theirs)) {
            (true, _) => Outcome::Take(Side::Theirs),
            (_, true) => Outcome::Take(Side::Ours),
            _ => Outcome::Clash(Reason::Block),
        }
    }

    fn pair(&self, matched: usize) -> Option<Pair<'_>> {
        self.matches.pair(self.versions, matched)
    }
}

/// Which side's text stands by the usual rule; `None` if both changed it.
fn changed(base: Option<&str>, ours: &str, theirs: &str) -> Option<Side> {
    let text = three_way(base, ours, theirs)?;
    Some(if text == ours { Side::Ours } else { Side::Theirs })
}

/// The usual rule; `None` if both sides changed it to different things.
fn three_way<'t, T: PartialEq + ?Sized>(base: Option<&T>, ours: &'t T, theirs: &'t T) -> Option<&'t T> {
    if ours == theirs || base == Some(theirs) {
        return Some(ours);
    }
    (base == Some(ours)).then_some(theirs)
}

type Wraps = [(Label, Vec<u8>)];

/// The same ciphertext on both sides: only its wraps can differ.
fn same_value(base: Option<&Token>, ours: &Token, theirs: &Token) -> Outcome {
    let (TokenKey::Own { id, wraps: a }, TokenKey::Own { wraps: b, .. }) = (&ours.key, &theirs.key) else {
        return Outcome::Take(Side::Ours);
    };
    let base = base.and_then(|base| match &base.key {
        TokenKey::Own { wraps, .. } => Some(wraps.as_slice()),
        TokenKey::Document(_) => None,
    });
    match join(base, a, b) {
        Some(wraps) if wraps == *a => Outcome::Take(Side::Ours),
        Some(wraps) if wraps == *b => Outcome::Take(Side::Theirs),
        Some(wraps) => {
            Outcome::Token(Token { key: TokenKey::Own { id: id.clone(), wraps }, sealed: ours.sealed.clone() })
        }
        None => Outcome::Clash(Reason::Changed),
    }
}

/// Wraps of one key as a set: what neither side removed, and what either added. `None` if that leaves nobody, or too
/// many.
fn join(base: Option<&Wraps>, ours: &Wraps, theirs: &Wraps) -> Option<Vec<(Label, Vec<u8>)>> {
    let find = |wraps: &Wraps, label: &Label| wraps.iter().find(|(l, _)| l == label).map(|(_, wrap)| wrap.clone());
    let labels: BTreeSet<_> = ours.iter().chain(theirs).map(|(label, _)| label).collect();
    let mut joined = Vec::new();
    for label in labels {
        let (o, a, b) = (base.and_then(|base| find(base, label)), find(ours, label), find(theirs, label));
        let wrap = match (o, a, b) {
            // Wrapped anew on both sides: the same key for the same reader.
            (o, Some(a), Some(b)) => Some(if o.as_ref() == Some(&a) { b } else { a }),
            // Taken away on one side; that counts if the other left it alone.
            (Some(o), Some(stays), None) | (Some(o), None, Some(stays)) if o != stays => return None,
            (Some(_), _, _) => None,
            (None, a, b) => a.or(b),
        };
        joined.extend(wrap.map(|wrap| (label.clone(), wrap)));
    }
    joined.sort_by_key(|(label, _)| label.to_string());
    (1..=MAX_READERS).contains(&joined.len()).then_some(joined)
}

/// Who was named in a document and is no longer on one side. A name that stands there with a newer key has not left.
fn left<'d>(pair: &Pair<'d>, side: Side) -> BTreeSet<&'d Label> {
    let now = &pair.of(side).labels;
    let is_there = |label: &Label| now.iter().any(|stays| stays.name() == label.name());
    let before = pair.base.into_iter().flat_map(|base| &base.labels);
    before.filter(|label| !is_there(label)).collect()
}
