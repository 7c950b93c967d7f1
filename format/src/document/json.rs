//! JSON: `serde_json` says whether it is valid; a scan of what is known to be valid finds the spans.

use std::ops::Range;

use zeroize::Zeroizing;

use super::allowance::MAX_NESTING;
use super::{Document, Kind, Node, ParseError, Scalar, Style, line_of};

/// Parses the one document of a JSON source.
pub(super) fn parse(source: &str) -> Result<Document, ParseError> {
    let offset = source.len() - source.trim_start_matches('\u{feff}').len();
    serde_json::from_str::<Valid>(&source[offset..]).map_err(|error| ParseError::Json { line: error.line() })?;
    let mut scan = Scan { source, at: offset, next_id: 0, depth: 0 };
    match scan.node() {
        Some(root) => Ok(Document { root }),
        None if scan.depth > MAX_NESTING => Err(ParseError::Nesting { line: line_of(source, scan.at) }),
        None => Err(ParseError::Json { line: 1 }),
    }
}

/// Any JSON value, checked to its end and dropped without a copy.
struct Valid;

impl<'de> serde::Deserialize<'de> for Valid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// Works on valid JSON only; every `None` here means "was not valid after all" or "is nested too deep" and ends as an
/// error.
struct Scan<'a> {
    source: &'a str,
    at: usize,
    next_id: usize,
    /// Collections around the place; of more than there may be at the one that is too deep.
    depth: usize,
}

impl Scan<'_> {
    fn node(&mut self) -> Option<Node> {
        let id = self.next_id;
        self.next_id += 1;
        self.skip_space();
        let from = self.at;
        let kind = match self.peek()? {
            b'{' => self.within(Self::mapping)?,
            b'[' => self.within(Self::sequence)?,
            b'"' => Kind::Scalar(self.string()?),
            _ => Kind::Scalar(self.word()),
        };
        Some(Node { id, span: from..self.at, column: 0, anchor: 0, tag: None, kind })
    }

    fn within(&mut self, collection: fn(&mut Self) -> Option<Kind>) -> Option<Kind> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return None;
        }
        let kind = collection(self)?;
        self.depth -= 1;
        Some(kind)
    }

    fn mapping(&mut self) -> Option<Kind> {
        let mut entries = Vec::new();
        self.at += 1;
        while !self.closes(b'}')? {
            let key = self.node()?;
            self.skip_space();
            self.at += 1; // the colon
            entries.push((key, self.node()?));
        }
        Some(Kind::Mapping { flow: true, entries })
    }

    fn sequence(&mut self) -> Option<Kind> {
        let mut items = Vec::new();
        self.at += 1;
        while !self.closes(b']')? {
            items.push(self.node()?);
        }
        Some(Kind::Sequence { flow: true, items })
    }

    /// Skips a comma; whether the collection ends here.
    fn closes(&mut self, bracket: u8) -> Option<bool> {
        self.skip_space();
        if self.peek()? == b',' {
            self.at += 1;
            self.skip_space();
        }
        let ends = self.peek()? == bracket;
        self.at += usize::from(ends);
        Some(ends)
    }

    fn string(&mut self) -> Option<Scalar> {
        let from = self.at;
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let head = from..self.at;
        let value = Zeroizing::new(serde_json::from_str(&self.source[head.clone()]).ok()?);
        Some(Scalar { style: Style::Double, value, head, body: None })
    }

    fn word(&mut self) -> Scalar {
        let from = self.at;
        let length = self.source[from..].find([',', '}', ']', ' ', '\t', '\r', '\n']);
        self.at = length.map_or(self.source.len(), |length| from + length);
        let head: Range<usize> = from..self.at;
        Scalar { style: Style::Plain, value: Zeroizing::new(self.source[head.clone()].to_owned()), head, body: None }
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.source.as_bytes().get(self.at).copied()
    }
}
