//! One side of a merge, read: its documents, and the pieces of its text that are merged by meaning and not as text.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use crate::document::lines::line_start;
use crate::document::{File, Kind, Node};
use crate::error::{Error, Problem};
use crate::keys::Label;
use crate::native::keyblock::{BLOCK_KEY, DocumentKey, KeyBlock, SealedFor};
use crate::native::layout::{Layout, Object, at};
use crate::native::token::{Token, TokenKey};
use crate::path::Path;

/// Something for each of the three texts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Three<T> {
    pub(super) base: T,
    pub(super) ours: T,
    pub(super) theirs: T,
}

/// Which of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Base,
    Ours,
    Theirs,
}

impl Side {
    /// The one that is merged with this one; for the base, itself.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Base => Self::Base,
            Self::Ours => Self::Theirs,
            Self::Theirs => Self::Ours,
        }
    }
}

impl<T> Three<T> {
    pub(super) fn of(&self, side: Side) -> &T {
        match side {
            Side::Base => &self.base,
            Side::Ours => &self.ours,
            Side::Theirs => &self.theirs,
        }
    }

    pub(super) fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Base => &mut self.base,
            Side::Ours => &mut self.ours,
            Side::Theirs => &mut self.theirs,
        }
    }
}

/// What binds a value besides its path and key: group and kind of its object, and the block's `sealedFor`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    object: Option<(String, String)>,
    sealed_for: Option<SealedFor>,
}

/// A document as far as merging looks at it.
pub(super) struct Document {
    pub(super) object: Option<Object>,
    pub(super) block: Option<KeyBlock>,
    /// Everyone who is named on a wrap in it.
    pub(super) labels: BTreeSet<Label>,
}

impl Document {
    pub(super) fn key(&self) -> Option<&DocumentKey> {
        self.block.as_ref()?.key.as_ref()
    }

    pub(super) fn spot(&self) -> Spot {
        spot(self.object.as_ref(), self.block.as_ref())
    }
}

/// The place that a document states.
pub(super) fn spot(object: Option<&Object>, block: Option<&KeyBlock>) -> Spot {
    let object = object.map(|object| (object.group.clone(), object.kind.clone()));
    Spot { object, sealed_for: block.map(|block| block.sealed_for.clone()) }
}

/// How a piece is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Within a line.
    Inline,
    /// On lines of its own, as far in as `indent`, that end in a carriage return or not; the last line of a text ends
    /// in neither.
    Lines { indent: usize, crlf: Option<bool> },
}

impl Form {
    /// Whether what is written in this form can stand where that form is asked for.
    pub(super) fn fits(self, there: Self) -> bool {
        match (self, there) {
            (Self::Inline, Self::Inline) => true,
            (Self::Lines { indent: a, crlf: x }, Self::Lines { indent: b, crlf: y }) => {
                a == b && (x == y || x.is_none() || y.is_none())
            }
            _ => false,
        }
    }
}

/// What a piece is.
pub(super) enum What {
    Token {
        path: Path,
        token: Token,
    },
    /// The document key's id.
    Key,
    /// The wraps of the document key.
    Readers,
}

/// A piece of the text that is merged by what it means.
pub(super) struct Piece {
    pub(super) document: usize,
    pub(super) what: What,
    /// Where it stands; whole lines without the last line break if it has lines of its own.
    pub(super) range: Range<usize>,
    pub(super) form: Form,
}

/// One side, read.
pub(super) struct Version<'v> {
    pub(super) source: &'v str,
    pub(super) documents: Vec<Document>,
    /// In the order of the text.
    pub(super) pieces: Vec<Piece>,
}

impl<'v> Version<'v> {
    /// A text that is nothing but text.
    pub(super) fn text_only(source: &'v str) -> Self {
        Self { source, documents: Vec::new(), pieces: Vec::new() }
    }

    /// Reads a side; an error if any of its documents or tokens is not what it should be.
    pub(super) fn read(file: &'v File<'_>) -> Result<Self, Error> {
        let mut version = Self { source: file.source, documents: Vec::new(), pieces: Vec::new() };
        for index in 0..file.documents.len() {
            let layout = Layout::read(file, index)?;
            version.add(file, &layout)?;
        }
        version.pieces.sort_by_key(|piece| piece.range.start);
        Ok(version)
    }

    fn add(&mut self, file: &File<'_>, layout: &Layout<'_>) -> Result<(), Error> {
        let mut labels = BTreeSet::new();
        for leaf in &layout.leaves {
            let (Some(token), Some(scalar)) = (layout.token(file, leaf)?, leaf.scalar) else { continue };
            if layout.block.is_none() {
                return Err(at(file, leaf, Problem::NoBlock));
            }
            if let TokenKey::Own { wraps, .. } = &token.key {
                labels.extend(wraps.iter().map(|(label, _)| label.clone()));
            }
            let (range, form) = match &scalar.body {
                Some(body) => (body.clone(), lines_at(file.source, body, indent(&file.source[body.clone()]))),
                None => (scalar.head.clone(), Form::Inline),
            };
            let what = What::Token { path: leaf.path.clone(), token };
            self.pieces.push(Piece { document: layout.index, what, range, form });
        }
        if let (Some(host), Some(DocumentKey { wraps, .. })) =
            (layout.host, layout.block.as_ref().and_then(|block| block.key.as_ref()))
        {
            labels.extend(wraps.iter().map(|(label, _)| label.clone()));
            let block = if layout.in_spec() { Some(host) } else { host.get(BLOCK_KEY) };
            for (field, what) in [("key", What::Key), ("readers", What::Readers)] {
                if let Some(node) = block.and_then(|block| block.get(field)) {
                    let (range, form) = field_range(file.source, node);
                    self.pieces.push(Piece { document: layout.index, what, range, form });
                }
            }
        }
        self.documents.push(Document { object: layout.object.clone(), block: layout.block.clone(), labels });
        Ok(())
    }

    /// The ids of the data keys of a document.
    pub(super) fn keys(&self, document: usize) -> HashSet<String> {
        let own = self.pieces.iter().filter(|piece| piece.document == document).filter_map(|piece| match &piece.what {
            What::Token { token: Token { key: TokenKey::Own { id, .. }, .. }, .. } => Some(id.to_string()),
            _ => None,
        });
        let shared = self.documents.get(document).and_then(Document::key).map(|key| key.id.to_string());
        own.chain(shared).collect()
    }

    /// The text of a piece as it stands.
    pub(super) fn text(&self, piece: &Piece) -> &'v str {
        self.source.get(piece.range.clone()).unwrap_or_default()
    }
}

fn indent(lines: &str) -> usize {
    lines.len() - lines.trim_start_matches(' ').len()
}

fn lines_at(source: &str, range: &Range<usize>, indent: usize) -> Form {
    let rest = &source[range.end..];
    Form::Lines { indent, crlf: (!rest.is_empty()).then(|| rest.starts_with('\r')) }
}

/// A field of the block: a mapping in block style has lines of its own.
fn field_range(source: &str, node: &Node) -> (Range<usize>, Form) {
    let start = line_start(source, node.span.start);
    let alone = source[start..node.span.start].bytes().all(|byte| byte == b' ');
    if alone && matches!(node.kind, Kind::Mapping { flow: false, .. }) {
        let range = start..node.span.end;
        return (range.clone(), lines_at(source, &range, node.span.start - start));
    }
    (node.span.clone(), Form::Inline)
}
