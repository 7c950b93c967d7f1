//! The merged text, stretch by stretch: lines of the sides, with the tokens that were decided on put into them.

use std::ops::Range;

use super::Reason;
use super::lines::{Line, Part, pieces};
use super::rule::Outcome;
use super::segments::{Clash, Segments};
use super::slots::{Plan, Slot};
use super::version::{Form, Piece, Side, Three, Version, What};
use super::weave::{Chunk, Origin};
use crate::document::Syntax;
use crate::native::keyblock::{DocumentKey, KeyBlock, SealedFor};
use crate::native::token::Token;
use crate::path::Path;

/// What is written, and from what.
pub(super) struct Writer<'w, 'v> {
    pub(super) versions: &'w Three<Version<'v>>,
    pub(super) lines: &'w Three<Vec<Line>>,
    pub(super) plan: &'w Plan,
    pub(super) syntax: Syntax,
}

impl Writer<'_, '_> {
    /// The result.
    pub(super) fn segments(&self, chunks: &[Chunk]) -> Segments {
        let mut segments = Segments::default();
        for chunk in chunks {
            match chunk.origin {
                Origin::Clash => segments.clash(self.clash(chunk)),
                Origin::Ours => self.taken(Side::Ours, chunk, &mut segments),
                Origin::Theirs => self.taken(Side::Theirs, chunk, &mut segments),
                Origin::Both => {
                    let Chunk { base, ours, theirs, .. } = chunk;
                    let part = |ours: &Range<usize>, theirs: &Range<usize>| {
                        let (base, ours, theirs) = (base.clone(), ours.clone(), theirs.clone());
                        Chunk { origin: Origin::Both, base, ours, theirs }
                    };
                    self.taken(Side::Ours, &part(ours, &(theirs.start..theirs.start)), &mut segments);
                    // In JSON, entries need a comma between them.
                    if self.syntax == Syntax::Json {
                        segments.end_with(',');
                    }
                    self.taken(Side::Theirs, &part(&(ours.end..ours.end), theirs), &mut segments);
                }
            }
        }
        segments
    }

    /// A stretch of one side, unless it holds something that must not simply be taken because the other lacks it.
    fn taken(&self, side: Side, chunk: &Chunk, segments: &mut Segments) {
        let range = if side == Side::Ours { &chunk.ours } else { &chunk.theirs };
        let mut slots = self.slots(side, &self.lines.of(side)[range.clone()]);
        if slots.any(|(_, slot)| slot.clash().is_some() && !slot.is_shared()) {
            segments.clash(self.clash(chunk));
        } else {
            self.stretch(side, range, segments);
        }
    }

    /// The pieces of some lines, with their slots.
    fn slots(&self, side: Side, lines: &[Line]) -> impl Iterator<Item = (&Piece, &Slot)> {
        let version = self.versions.of(side);
        pieces(lines).map(move |piece| (&version.pieces[piece], self.plan.slot(side, piece)))
    }

    /// Lines of one side; what is not decided within a line is shown as that line in two variants.
    fn stretch(&self, side: Side, range: &Range<usize>, segments: &mut Segments) {
        for line in &self.lines.of(side)[range.clone()] {
            let slots: Vec<_> = self.slots(side, std::slice::from_ref(line)).collect();
            let clashes = slots.iter().filter_map(|(piece, slot)| Some((path(piece), slot.clash()?.clone())));
            let about: Vec<_> = clashes.collect();
            if about.is_empty() {
                segments.clean(&self.line(side, line, side));
                continue;
            }
            let text = |variant: Side| self.line(side, line, variant);
            let in_base = slots.iter().all(|(_, slot)| slot.at.base.is_some());
            let base = if in_base { text(Side::Base) } else { String::new() };
            segments.clash(Clash { texts: Three { base, ours: text(Side::Ours), theirs: text(Side::Theirs) }, about });
        }
    }

    fn clash(&self, chunk: &Chunk) -> Clash {
        let text = |side: Side, range: &Range<usize>| -> String {
            self.lines.of(side)[range.clone()].iter().map(|line| self.line(side, line, side)).collect()
        };
        let texts = Three {
            base: text(Side::Base, &chunk.base),
            ours: text(Side::Ours, &chunk.ours),
            theirs: text(Side::Theirs, &chunk.theirs),
        };
        let mut about = Vec::new();
        let parts = [(Side::Ours, &chunk.ours), (Side::Theirs, &chunk.theirs)];
        let parts =
            parts.map(|(side, range)| self.slots(side, &self.lines.of(side)[range.clone()]).collect::<Vec<_>>());
        for (part, other) in [(&parts[0], &parts[1]), (&parts[1], &parts[0])] {
            for (piece, slot) in part {
                let reason = match slot.clash() {
                    Some(reason) => reason.clone(),
                    // Decided, and the same whichever part is kept.
                    None if other.iter().any(|(_, there)| std::ptr::eq(*there, *slot)) => continue,
                    // In a list, where two new values for one item are known by standing in the same stretch.
                    None if slot.at.base.is_none() => Reason::Changed,
                    None => Reason::Text,
                };
                let entry = (path(piece), reason);
                if !about.contains(&entry) {
                    about.push(entry);
                }
            }
        }
        if about.is_empty() {
            about.push((None, Reason::Text));
        }
        Clash { texts, about }
    }

    /// A line of one side, as one side would have it where that is not decided.
    fn line(&self, side: Side, line: &Line, variant: Side) -> String {
        let version = self.versions.of(side);
        let mut text = String::new();
        for part in &line.parts {
            match part {
                Part::Text(range) => text.push_str(&version.source[range.clone()]),
                Part::Piece(piece) => text.push_str(&self.piece(side, *piece, variant)),
            }
        }
        text
    }

    /// What stands in the place of a piece.
    fn piece(&self, side: Side, piece: usize, variant: Side) -> String {
        let here = &self.versions.of(side).pieces[piece];
        let slot = self.plan.slot(side, piece);
        let from = match &slot.outcome {
            Outcome::Token(token) if variant != Side::Base => return token_at(here, token),
            Outcome::Readers(key) if variant != Side::Base => return readers_at(here, key),
            Outcome::Take(taken) if variant != Side::Base => *taken,
            _ => variant,
        };
        let (side_there, there) = match slot.at.of(from) {
            Some(index) => (from, &self.versions.of(from).pieces[*index]),
            None => (side, here),
        };
        if there.form.fits(here.form) {
            return self.versions.of(side_there).text(there).to_owned();
        }
        match &there.what {
            What::Token { token, .. } => token_at(here, token),
            _ => match self.versions.of(side_there).documents[there.document].key() {
                Some(key) if matches!(there.what, What::Readers) => readers_at(here, key),
                _ => self.versions.of(side_there).text(there).to_owned(),
            },
        }
    }
}

/// A token in the layout of the place where it goes.
fn token_at(here: &Piece, token: &Token) -> String {
    match here.form {
        Form::Inline => format!("\"{token}\""),
        Form::Lines { indent, crlf } => {
            let pad = " ".repeat(indent);
            let lines = token.lines().into_iter().map(|line| format!("{pad}{line}"));
            lines.collect::<Vec<_>>().join(line_break(crlf))
        }
    }
}

/// The wraps of the document key in the layout of the place where they go.
fn readers_at(here: &Piece, key: &DocumentKey) -> String {
    let block = KeyBlock { sealed_for: SealedFor::Context(String::new()), key: Some(key.clone()) };
    let entries = match here.form {
        Form::Inline => block.flow_entries(true),
        Form::Lines { indent, crlf } => block.block_entries(true, indent.saturating_sub(2), line_break(crlf)),
    };
    let text = entries.into_iter().find(|(field, _)| *field == "readers").map(|(_, text)| text).unwrap_or_default();
    // What is left of `readers: …` or `readers:` and its lines.
    let cut = if here.form == Form::Inline { text.find('{') } else { text.find('\n').map(|at| at + 1) };
    cut.and_then(|at| text.get(at..)).unwrap_or_default().to_owned()
}

fn path(piece: &Piece) -> Option<Path> {
    if let What::Token { path, .. } = &piece.what { Some(path.clone()) } else { None }
}

fn line_break(crlf: Option<bool>) -> &'static str {
    if crlf == Some(true) { "\r\n" } else { "\n" }
}
