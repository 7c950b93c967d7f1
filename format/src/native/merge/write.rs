//! The merged text: stretches in order, with markers where a person has to decide.

use std::ops::Range;

use super::lines::{Line, Part, pieces};
use super::rule::{Outcome, Plan};
use super::version::{BRANCHES, Form, Piece, Side, Three, Version, What};
use super::weave::{Chunk, Origin};
use super::{Conflict, Markers, Reason};
use crate::document::Syntax;
use crate::native::keyblock::{DocumentKey, KeyBlock, SealedFor};
use crate::native::token::Token;
use crate::path::Path;

/// A stretch of the result.
pub(super) enum Segment {
    /// Decided.
    Clean(String),
    /// Not decided.
    Clash(Clash),
}

/// What each side has in the place of the other's.
pub(super) struct Clash {
    texts: Three<String>,
    about: Vec<(Option<Path>, Reason)>,
}

/// What is written, and from what.
pub(super) struct Writer<'w, 'v> {
    pub(super) versions: &'w Three<Version<'v>>,
    pub(super) lines: &'w Three<Vec<Line>>,
    pub(super) plan: &'w Plan,
    pub(super) syntax: Syntax,
}

impl Writer<'_, '_> {
    /// The stretches of the result.
    pub(super) fn segments(&self, chunks: &[Chunk]) -> Vec<Segment> {
        let mut segments = Vec::new();
        for chunk in chunks {
            let lonely = BRANCHES.iter().any(|side| self.has_lonely_clash(*side, chunk));
            match chunk.origin {
                _ if lonely => push_clash(&mut segments, self.clash(chunk)),
                Origin::Clash => push_clash(&mut segments, self.clash(chunk)),
                Origin::Ours => self.stretch(Side::Ours, &chunk.ours, &mut segments),
                Origin::Theirs => self.stretch(Side::Theirs, &chunk.theirs, &mut segments),
                Origin::Both => {
                    self.stretch(Side::Ours, &chunk.ours, &mut segments);
                    self.separate(&mut segments);
                    self.stretch(Side::Theirs, &chunk.theirs, &mut segments);
                }
            }
        }
        segments
    }

    /// Whether a stretch that would be taken from one side holds something of it that must not simply be taken.
    fn has_lonely_clash(&self, side: Side, chunk: &Chunk) -> bool {
        let (range, taken) = match side {
            Side::Ours => (&chunk.ours, chunk.origin != Origin::Theirs),
            _ => (&chunk.theirs, matches!(chunk.origin, Origin::Theirs | Origin::Both)),
        };
        taken && self.slots(side, range).any(|slot| self.plan.slots[slot].is_lonely_clash())
    }

    fn slots(&self, side: Side, range: &Range<usize>) -> impl Iterator<Item = usize> {
        let of = self.plan.of.of(side);
        pieces(&self.lines.of(side)[range.clone()]).map(|piece| of[piece])
    }

    fn stretch(&self, side: Side, range: &Range<usize>, segments: &mut Vec<Segment>) {
        for line in &self.lines.of(side)[range.clone()] {
            let about: Vec<_> = self.clashes_in(side, line).collect();
            if about.is_empty() {
                push_clean(segments, &self.line(side, line, side));
                continue;
            }
            let text = |variant: Side| self.line(side, line, variant);
            let base = if self.is_in_base(side, line) { text(Side::Base) } else { String::new() };
            push_clash(
                segments,
                Clash { texts: Three { base, ours: text(Side::Ours), theirs: text(Side::Theirs) }, about },
            );
        }
    }

    fn is_in_base(&self, side: Side, line: &Line) -> bool {
        let of = self.plan.of.of(side);
        pieces(std::slice::from_ref(line)).all(|piece| self.plan.slots[of[piece]].at.base.is_some())
    }

    fn clashes_in(&self, side: Side, line: &Line) -> impl Iterator<Item = (Option<Path>, Reason)> {
        pieces(std::slice::from_ref(line)).filter_map(move |piece| {
            let slot = &self.plan.slots[self.plan.of.of(side)[piece]];
            let Outcome::Clash(reason) = &slot.outcome else { return None };
            Some((path(&self.versions.of(side).pieces[piece]), reason.clone()))
        })
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
        for (side, range) in [(Side::Ours, &chunk.ours), (Side::Theirs, &chunk.theirs)] {
            for piece in pieces(&self.lines.of(side)[range.clone()]) {
                let slot = &self.plan.slots[self.plan.of.of(side)[piece]];
                let reason = match &slot.outcome {
                    Outcome::Clash(reason) => reason.clone(),
                    _ if slot.at.ours.is_some() && slot.at.theirs.is_some() => continue,
                    _ => Reason::Removed,
                };
                let entry = (path(&self.versions.of(side).pieces[piece]), reason);
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
        let slot = &self.plan.slots[self.plan.of.of(side)[piece]];
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
        if there.form == here.form {
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

    /// In JSON, entries of two sides need a comma between them.
    fn separate(&self, segments: &mut [Segment]) {
        if self.syntax == Syntax::Json
            && let Some(Segment::Clean(text)) = segments.last_mut()
        {
            let end = text.trim_end().len();
            if !text[..end].ends_with(',') {
                text.insert(end, ',');
            }
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

fn line_break(crlf: bool) -> &'static str {
    if crlf { "\r\n" } else { "\n" }
}

fn push_clean(segments: &mut Vec<Segment>, text: &str) {
    match segments.last_mut() {
        Some(Segment::Clean(standing)) => standing.push_str(text),
        _ => segments.push(Segment::Clean(text.to_owned())),
    }
}

/// Adds a clash, to the one right before it if there is one; no clash at all if the sides turn out alike.
pub(super) fn push_clash(segments: &mut Vec<Segment>, clash: Clash) {
    if clash.texts.ours == clash.texts.theirs {
        return push_clean(segments, &clash.texts.ours);
    }
    match segments.last_mut() {
        Some(Segment::Clash(standing)) => {
            standing.texts.base.push_str(&clash.texts.base);
            standing.texts.ours.push_str(&clash.texts.ours);
            standing.texts.theirs.push_str(&clash.texts.theirs);
            standing.about.extend(clash.about);
        }
        _ => segments.push(Segment::Clash(clash)),
    }
}

/// Two texts with every difference left to a person.
pub(super) fn side_by_side(lines: &Three<Vec<Line>>, versions: &Three<Version<'_>>) -> Vec<Segment> {
    let text = |side: Side, range: Range<usize>| -> String {
        let parts = lines.of(side)[range].iter().flat_map(|line| &line.parts);
        let version = versions.of(side);
        let texts = parts.map(|part| match part {
            Part::Text(range) => &version.source[range.clone()],
            Part::Piece(piece) => version.text(&version.pieces[*piece]),
        });
        texts.collect()
    };
    let mut segments = Vec::new();
    let mut at = 0;
    for hunk in super::weave::hunks(&lines.ours, &lines.theirs) {
        let (before, after) = (super::weave::range(&hunk.before), super::weave::range(&hunk.after));
        push_clean(&mut segments, &text(Side::Ours, at..before.start));
        at = before.end;
        let texts = Three { base: String::new(), ours: text(Side::Ours, before), theirs: text(Side::Theirs, after) };
        push_clash(&mut segments, Clash { texts, about: vec![(None, Reason::Whole)] });
    }
    push_clean(&mut segments, &text(Side::Ours, at..lines.ours.len()));
    segments
}

/// The text as it would be with every clash resolved to one side.
pub(super) fn resolved(segments: &[Segment], side: Side) -> String {
    let texts = segments.iter().map(|segment| match segment {
        Segment::Clean(text) => text.as_str(),
        Segment::Clash(clash) => clash.texts.of(side).as_str(),
    });
    texts.collect()
}

/// The text with markers, and what is left to decide.
pub(super) fn marked(segments: &[Segment], markers: &Markers<'_>, line_break: &str) -> (String, Vec<Conflict>) {
    let mut text = String::new();
    let mut conflicts = Vec::new();
    for segment in segments {
        let clash = match segment {
            Segment::Clean(clean) => {
                text.push_str(clean);
                continue;
            }
            Segment::Clash(clash) => clash,
        };
        end_line(&mut text, line_break);
        let line = text.matches('\n').count() + 1;
        conflicts.extend(clash.about.iter().map(|(path, reason)| Conflict {
            line,
            path: path.clone(),
            reason: reason.clone(),
        }));
        let mut mark = |sign: &str, label: &str, part: &str| {
            let space = if label.is_empty() { "" } else { " " };
            text.push_str(&format!("{}{space}{label}{line_break}{part}", sign.repeat(markers.size)));
            end_line(&mut text, line_break);
        };
        mark("<", markers.ours, &clash.texts.ours);
        if let Some(label) = markers.base {
            mark("|", label, &clash.texts.base);
        }
        mark("=", "", &clash.texts.theirs);
        mark(">", markers.theirs, "");
    }
    (text, conflicts)
}

fn end_line(text: &mut String, line_break: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push_str(line_break);
    }
}
