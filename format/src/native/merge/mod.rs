//! Merging: three texts of one encrypted file become one, value by value, without any key.
//!
//! Tokens and key blocks are merged by what they mean, everything else as text: the texts are compared with each token
//! replaced by the name of its path ([`lines`]), woven together ([`weave`]), and each token is then decided for itself
//! ([`slots`], [`rule`]). What no rule can decide is left to a person, between the usual markers. The result is read again and its
//! tokens are counted ([`proof`]): should anything not add up, every difference between the sides is shown instead.

mod lines;
mod matching;
mod proof;
mod rule;
mod segments;
mod slots;
mod version;
mod weave;
mod write;

use std::fmt;

pub use proof::is_sound;
use zeroize::Zeroizing;

use crate::document::{File, Syntax};
use crate::keys::Label;
use crate::path::Path;
use segments::Segments;
use version::{Side, Three, Version, What};
use write::Writer;

/// The three texts of a merge.
#[derive(Clone, Copy)]
pub struct Texts<'t> {
    /// What both sides started from; empty if they have nothing in common.
    pub base: &'t str,
    /// The side that is merged into.
    pub ours: &'t str,
    /// The other side.
    pub theirs: &'t str,
}

/// How conflicts are written.
#[derive(Clone, Copy, Debug)]
pub struct Markers<'m> {
    /// Length of the lines of `<`, `=` and `>`.
    pub size: usize,
    /// What is written after `<<<<<<<`.
    pub ours: &'m str,
    /// What is written after `>>>>>>>`.
    pub theirs: &'m str,
    /// What is written after `|||||||`, if the base is to be shown.
    pub base: Option<&'m str>,
}

/// Why something is left to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Two new values.
    Changed,
    /// A new value, and a fold that may hold another.
    Fold,
    /// A new value, and none.
    Removed,
    /// A value wrapped for someone who was removed.
    Leaver(Label),
    /// A value for a place that the document is no longer sealed for.
    Place,
    /// A value under a document key that is gone.
    Key,
    /// Two document keys, or a new one and new readers of the old one.
    Block,
    /// Not a value.
    Text,
    /// The values could not be told apart.
    Whole,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("changed on both sides"),
            Self::Fold => f.write_str(
                "changed on one side; the other side encrypted it again under a new document key, and may have changed it too",
            ),
            Self::Removed => f.write_str("changed on one side and taken away or moved on the other"),
            Self::Leaver(label) => write!(f, "wrapped on one side for {label}, who was removed on the other"),
            Self::Place => f.write_str("sealed on one side for a place that the other side changed"),
            Self::Key => f.write_str("encrypted on one side under a document key that the other side replaced"),
            Self::Block => f.write_str("the document key was replaced, and both sides changed the key block"),
            Self::Text => f.write_str("text that is not encrypted changed on both sides"),
            Self::Whole => f.write_str("the sides differ in ways that cannot be joined value by value"),
        }
    }
}

/// Something that is left to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The line of its first marker in the merged text, counted from 1.
    pub line: usize,
    /// The value, if it is about one.
    pub path: Option<Path>,
    /// Why it is left to a person.
    pub reason: Reason,
}

/// A merged text.
pub struct Merged {
    /// The text, with markers around what is left to a person.
    pub text: Zeroizing<String>,
    /// What that is, in order of the text.
    pub conflicts: Vec<Conflict>,
}

/// Merges three texts of a file; `None` if that is no matter of values, because none of them is encrypted, or one of
/// them cannot be read.
pub fn merge(texts: &Texts<'_>, syntax: Syntax, markers: &Markers<'_>) -> Option<Merged> {
    // The mark by which pieces are named in comparisons.
    if [texts.base, texts.ours, texts.theirs].iter().any(|text| text.contains('\0')) {
        return None;
    }
    let parse = |text| File::parse(text, syntax).ok();
    let base = if texts.base.trim().is_empty() { None } else { Some(parse(texts.base)?) };
    let (ours, theirs) = (parse(texts.ours)?, parse(texts.theirs)?);
    let versions = Three {
        base: base.as_ref().map_or_else(|| Ok(Version::text_only("")), Version::read).ok()?,
        ours: Version::read(&ours).ok()?,
        theirs: Version::read(&theirs).ok()?,
    };
    let encrypted = |version: &Version<'_>| version.pieces.iter().any(|piece| matches!(piece.what, What::Token { .. }));
    if !encrypted(&versions.ours) && !encrypted(&versions.theirs) {
        return None;
    }
    let segments = by_value(&versions, syntax, markers.base.is_none()).unwrap_or_else(|| by_side(&versions));
    let (text, conflicts) = segments.marked(markers, ours.line_break());
    Some(Merged { text: Zeroizing::new(text), conflicts })
}

/// Value by value; `None` if documents cannot be told apart, or the proof fails.
fn by_value(versions: &Three<Version<'_>>, syntax: Syntax, split: bool) -> Option<Segments> {
    let plan = slots::plan(versions)?;
    let cut = |side: Side| lines::cut(versions.of(side), |piece| plan.number(side, piece));
    let lines = Three { base: cut(Side::Base), ours: cut(Side::Ours), theirs: cut(Side::Theirs) };
    let writer = Writer { versions, lines: &lines, plan: &plan, syntax };
    let segments = writer.segments(&weave::weave(&lines, split));
    let (ours, theirs) = (segments.resolved(Side::Ours), segments.resolved(Side::Theirs));
    proof::holds(&ours, &theirs, syntax, versions, &plan).then_some(segments)
}

/// Every difference between the sides as a conflict: nothing is decided, and nothing lost.
fn by_side(versions: &Three<Version<'_>>) -> Segments {
    let cut = |version: &Version<'_>| lines::cut(&Version::text_only(version.source), |piece| piece);
    Segments::side_by_side(&cut(&versions.ours), &cut(&versions.theirs))
}
