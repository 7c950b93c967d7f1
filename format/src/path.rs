//! The path of a value in its document: mapping keys and "an item of a list".

use std::fmt;

/// Deepest path that may hold an encrypted value.
pub const MAX_DEPTH: usize = 64;

/// Bytes that a step takes up besides the characters of its key, about.
pub(crate) const STEP_WEIGHT: usize = 32;

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The value of a mapping's key: its exact characters after unescaping.
    Key(String),
    /// An item of a list. The position is for people and look-ups and is not authenticated, so that an item
    /// inserted before this one does not break it.
    Item(usize),
}

/// Steps from a document's root to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// A path of mapping keys.
    pub fn of_keys(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Step::Key((*key).to_owned())).collect())
    }

    /// This path and one more step.
    #[must_use]
    pub fn child(&self, step: Step) -> Self {
        let mut steps = Vec::with_capacity(self.0.len() + 1);
        steps.extend_from_slice(&self.0);
        steps.push(step);
        Self(steps)
    }

    /// Bytes that a copy takes up, about.
    pub(crate) fn weight(&self) -> usize {
        let key = |step: &Step| if let Step::Key(key) = step { key.len() } else { 0 };
        self.0.iter().map(|step| STEP_WEIGHT + key(step)).sum()
    }

    /// The bytes that stand for the path in the associated data: `u32be(n)`, then for each step `01 ‖ lp(key)`
    /// or `02`.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 + self.0.len() * 16);
        bytes.extend_from_slice(&length(self.0.len()));
        for step in &self.0 {
            match step {
                Step::Key(key) => {
                    bytes.push(1);
                    put(&mut bytes, key.as_bytes());
                }
                Step::Item(_) => bytes.push(2),
            }
        }
        bytes
    }

    /// Parses what [`fmt::Display`] writes: `spec.data."tls.key"`, `users[0].password`.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut steps = Vec::new();
        for segment in Segments::new(text) {
            match segment? {
                Segment::Name { text, .. } => steps.push(Step::Key(text)),
                Segment::Index(Some(index)) => steps.push(Step::Item(index)),
                Segment::Index(None) => return Err(PathError::AnyItem),
            }
        }
        Ok(Self(steps))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Item(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    if position > 0 {
                        f.write_str(".")?;
                    }
                    let plain = !key.is_empty()
                        && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '@' | '+'));
                    if plain {
                        f.write_str(key)?;
                    } else {
                        // Rust's escapes keep control characters off the terminal; quotes and backslashes come back
                        // through `Path::parse`.
                        write!(f, "\"{}\"", key.escape_debug())?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A path or pattern that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing between two dots, or nothing at all.
    #[error("a segment is empty; write keys separated by single dots, or \"\" for an empty key")]
    EmptySegment,
    /// A quote without its end.
    #[error("a quoted segment has no closing quote")]
    OpenQuote,
    /// Something other than a dot or bracket after a quoted segment or bracket.
    #[error("a quoted segment or bracket must be followed by a dot, a bracket or the end")]
    Junk,
    /// A bracket that holds no number.
    #[error("brackets hold the position of a list item, as in users[0], or nothing, as in users[]")]
    BadIndex,
    /// A place for "any item" where one item is meant.
    #[error("[] stands for any item; name one, as in users[0]")]
    AnyItem,
}

/// A piece of a path or pattern as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// A key; patterns give `*` its meaning only where it was not quoted.
    Name { text: String, quoted: bool },
    /// `[3]` or `[]`.
    Index(Option<usize>),
}

/// Splits the written form of paths and patterns.
pub(crate) struct Segments<'a> {
    rest: &'a str,
    first: bool,
}

impl<'a> Segments<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text, first: true }
    }

    fn quoted(&mut self) -> Result<Segment, PathError> {
        let mut text = String::new();
        let mut characters = self.rest[1..].char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[at + 2..];
                    return Ok(Segment::Name { text, quoted: true });
                }
                '\\' => text.push(characters.next().ok_or(PathError::OpenQuote)?.1),
                other => text.push(other),
            }
        }
        Err(PathError::OpenQuote)
    }

    fn index(&mut self) -> Result<Segment, PathError> {
        let end = self.rest.find(']').ok_or(PathError::BadIndex)?;
        let inner = &self.rest[1..end];
        self.rest = &self.rest[end + 1..];
        match inner {
            "" | "*" => Ok(Segment::Index(None)),
            digits => digits.parse().map(|index| Segment::Index(Some(index))).map_err(|_| PathError::BadIndex),
        }
    }

    fn bare(&mut self) -> Result<Segment, PathError> {
        let end = self.rest.find(['.', '[']).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        if text.is_empty() {
            return Err(PathError::EmptySegment);
        }
        if text.contains('"') {
            return Err(PathError::Junk);
        }
        self.rest = rest;
        Ok(Segment::Name { text: text.to_owned(), quoted: false })
    }
}

impl Iterator for Segments<'_> {
    type Item = Result<Segment, PathError>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = std::mem::replace(&mut self.first, false);
        if self.rest.is_empty() {
            return first.then_some(Err(PathError::EmptySegment));
        }
        if self.rest.starts_with('[') {
            return Some(self.index());
        }
        if !first {
            let Some(rest) = self.rest.strip_prefix('.') else {
                self.rest = "";
                return Some(Err(PathError::Junk));
            };
            self.rest = rest;
        }
        let segment = if self.rest.starts_with('"') { self.quoted() } else { self.bare() };
        if segment.is_err() {
            self.rest = "";
        }
        Some(segment)
    }
}

/// `u32be` of a length; inputs are bounded far below 4 GiB by the parsers.
pub(crate) fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

/// `lp(x) = u32be(len) ‖ x`.
pub(crate) fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&length(part.len()));
    bytes.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_and_reads_the_same_path() {
        for text in ["spec.data.password", "users[0].password", "data.\"tls.key\"", "a[1][2].b", "\"\".x", "\"a\\\"b\""]
        {
            assert_eq!(Path::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for text in ["", "a..b", ".a", "a.", "\"a", "\"a\"b", "a[x]", "a[0]b", "a[", "a\"b"] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn items_are_encoded_without_their_position() {
        let encode = |text| Path::parse(text).unwrap().encode();
        assert_eq!(encode("a[0].b"), encode("a[7].b"));
        assert_ne!(encode("a[0]"), encode("a.\"0\""));
        assert_eq!(encode("ab"), b"\0\0\0\x01\x01\0\0\0\x02ab");
    }
}
