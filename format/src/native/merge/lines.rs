//! A side as lines in which every token and key is one name, so that texts can be compared without them.

use std::ops::Range;

use super::version::{Form, Version, What};

/// A part of a line.
#[derive(Debug)]
pub(super) enum Part {
    /// Ordinary text.
    Text(Range<usize>),
    /// A piece, by its position in the version.
    Piece(usize),
}

/// A line, or all lines of one token.
#[derive(Debug)]
pub(super) struct Line {
    /// What it is compared by: its text with a name in the place of each piece.
    pub(super) key: String,
    pub(super) parts: Vec<Part>,
    /// Whether it is part of an encrypted entry: the line of the key, or the token.
    pub(super) entry: bool,
    /// Whether it holds nothing, a comment, or a key whose value is on the lines below.
    pub(super) trivial: bool,
}

/// Cuts a side into lines. `name` gives each piece the name by which it is compared.
pub(super) fn cut(version: &Version<'_>, name: impl Fn(usize) -> usize) -> Vec<Line> {
    let mut cutter = Cutter { source: version.source, lines: Vec::new(), open: Line::empty() };
    let mut at = 0;
    for (index, piece) in version.pieces.iter().enumerate() {
        cutter.text(at..piece.range.start);
        let is_token = matches!(piece.what, What::Token { .. });
        if is_token
            && matches!(piece.form, Form::Lines { .. })
            && let Some(head) = cutter.lines.last_mut()
        {
            head.entry = true;
        }
        cutter.open.entry |= is_token;
        cutter.open.key.push_str(&format!("\0{}\0", name(index)));
        cutter.open.parts.push(Part::Piece(index));
        at = piece.range.end;
    }
    cutter.text(at..version.source.len());
    cutter.close();
    cutter.lines
}

impl Line {
    fn empty() -> Self {
        Self { key: String::new(), parts: Vec::new(), entry: false, trivial: false }
    }
}

struct Cutter<'s> {
    source: &'s str,
    lines: Vec<Line>,
    open: Line,
}

impl Cutter<'_> {
    fn text(&mut self, range: Range<usize>) {
        let mut at = range.start;
        for piece in self.source[range].split_inclusive('\n') {
            self.open.key.push_str(piece);
            self.open.parts.push(Part::Text(at..at + piece.len()));
            at += piece.len();
            if piece.ends_with('\n') {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        let mut line = std::mem::replace(&mut self.open, Line::empty());
        if !line.parts.is_empty() {
            let text = line.key.trim();
            line.trivial = text.is_empty() || text.starts_with('#') || text.ends_with(':');
            self.lines.push(line);
        }
    }
}

/// The pieces of some lines.
pub(super) fn pieces(lines: &[Line]) -> impl Iterator<Item = usize> {
    let parts = lines.iter().flat_map(|line| &line.parts);
    parts.filter_map(|part| if let Part::Piece(index) = part { Some(*index) } else { None })
}
