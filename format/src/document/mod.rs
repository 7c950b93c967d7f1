//! The model of a file: its documents as trees of nodes that know where they stand in the source.
//!
//! Nothing here changes text; [`rewrite`] does, and checks itself by parsing the result.

pub(crate) mod allowance;
pub(crate) mod dotenv;
pub(crate) mod ini;
mod json;
pub(crate) mod lines;
mod spans;
mod yaml_error;

pub mod entry;
pub mod present;
pub mod removal;
pub mod resolve;
pub mod rewrite;
pub mod walk;

use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use zeroize::Zeroizing;

use allowance::Allowance;
pub use yaml_error::ParseError;

use crate::path::{Path, Step};

/// How the source of a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// YAML 1.2 as Kubernetes tools read it; one file may hold several documents.
    Yaml,
    /// JSON (RFC 8259); one document.
    Json,
    /// `NAME=value` on each line, as SOPS reads it; one document.
    Dotenv,
    /// Sections of names and values, as SOPS reads them; one document.
    Ini,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes; also JSON's numbers, `true`, `false` and `null`.
    Plain,
    /// In single quotes.
    Single,
    /// In double quotes.
    Double,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// A scalar and the two pieces of source that it is made of.
#[derive(Clone, PartialEq, Eq)]
pub struct Scalar {
    /// How it is written.
    pub style: Style,
    /// The value after folding and unescaping: possibly a secret, so wiped when dropped.
    pub value: Zeroizing<String>,
    /// The whole of a flow scalar, or the header of a block scalar (`|-`).
    pub head: Range<usize>,
    /// The content lines of a block scalar: from the start of the first to the end of the last, without the line
    /// break after it. A comment may stand between head and body and belongs to neither.
    pub body: Option<Range<usize>>,
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scalar({:?}, <redacted>)", self.style)
    }
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value.
    Scalar(Scalar),
    /// A mapping: keys and values in source order.
    Mapping {
        /// Written with braces.
        flow: bool,
        /// Key and value.
        entries: Vec<(Node, Node)>,
    },
    /// A list.
    Sequence {
        /// Written with brackets.
        flow: bool,
        /// The items.
        items: Vec<Node>,
    },
    /// `*anchor`, by the number of the anchor.
    Alias(usize),
}

/// A tag as written, such as `!!binary`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The resolved name: `tag:yaml.org,2002:binary`, `!vault`.
    pub name: String,
    /// Where it stands.
    pub span: Range<usize>,
}

/// A place in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Position in the document's pre-order walk; stable for one parse.
    pub id: usize,
    /// From the first to the last character of the content, without anchor, tag and trailing line break.
    pub span: Range<usize>,
    /// Columns before the content of a block collection (0 for others).
    pub column: usize,
    /// Number of the anchor on it, 0 for none.
    pub anchor: usize,
    /// The tag on it.
    pub tag: Option<Tag>,
    /// What it is.
    pub kind: Kind,
}

impl Node {
    /// The scalar, if it is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        if let Kind::Scalar(scalar) = &self.kind { Some(scalar) } else { None }
    }

    /// The text of a plain-old string: a scalar that resolves to one.
    pub fn text(&self) -> Option<&str> {
        self.scalar().map(|scalar| scalar.value.as_str())
    }

    /// The text of a scalar that is a string and not a number, truth value or null.
    pub fn string(&self) -> Option<&str> {
        let scalar = self.scalar()?;
        let plain = scalar.style == Style::Plain && self.tag.is_none();
        let string = !plain || resolve::plain_type(&scalar.value) == crate::padding::ValueType::String;
        string.then_some(scalar.value.as_str())
    }

    /// Keys and values, empty for anything but a mapping.
    pub fn entries(&self) -> &[(Node, Node)] {
        if let Kind::Mapping { entries, .. } = &self.kind { entries } else { &[] }
    }

    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(k, _)| k.text() == Some(key)).map(|(_, value)| value)
    }

    /// Whether it is a collection written with braces or brackets.
    pub fn is_flow(&self) -> bool {
        matches!(self.kind, Kind::Mapping { flow: true, .. } | Kind::Sequence { flow: true, .. })
    }

    /// The node at a path.
    pub fn at(&self, path: &Path) -> Option<&Node> {
        path.0.iter().try_fold(self, |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Item(index) => match &node.kind {
                Kind::Sequence { items, .. } => items.get(*index),
                _ => None,
            },
        })
    }
}

/// One document of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its root; an empty document has a null scalar of no width.
    pub root: Node,
}

/// A parsed file.
#[derive(Clone)]
pub struct File<'a> {
    /// The text as read, byte order mark and line ends included.
    pub source: &'a str,
    /// How it is written.
    pub syntax: Syntax,
    /// Its documents.
    pub documents: Vec<Document>,
    /// Where its line breaks are, once a line was asked for: a file of a hundred thousand findings asks as often.
    breaks: OnceLock<Vec<usize>>,
    /// Every value that is written asks for it, and the first line may be the whole file.
    line_break: &'static str,
    /// Whether the others are the same, once that was asked for.
    mixed: OnceLock<bool>,
}

impl fmt::Debug for File<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({:?}, {} documents, <redacted>)", self.syntax, self.documents.len())
    }
}

impl<'a> File<'a> {
    /// Parses a file; refuses duplicate keys, and keys that would fill the memory.
    pub fn parse(source: &'a str, syntax: Syntax) -> Result<Self, ParseError> {
        let documents = match syntax {
            Syntax::Yaml => spans::parse(source)?,
            Syntax::Json => vec![json::parse(source)?],
            Syntax::Dotenv => vec![dotenv::parse(source)?],
            Syntax::Ini => vec![ini::parse(source)?],
        };
        let mut allowance = Allowance::of(source.len());
        for document in &documents {
            let heavy = |node: &Node| ParseError::Keys { line: line_of(source, node.span.start) };
            allowance.paths(&document.root, 0).map_err(heavy)?;
            refuse_duplicates(source, &document.root)?;
        }
        Ok(Self {
            source,
            syntax,
            documents,
            breaks: OnceLock::new(),
            line_break: line_break(source, syntax),
            mixed: OnceLock::new(),
        })
    }

    /// The line of a byte offset, counted from 1.
    pub fn line(&self, offset: usize) -> usize {
        let breaks = self.breaks.get_or_init(|| self.source.match_indices('\n').map(|(at, _)| at).collect());
        breaks.partition_point(|at| *at < offset) + 1
    }

    /// The line break that the file uses: that of its first line.
    pub fn line_break(&self) -> &'static str {
        self.line_break
    }

    /// Whether some lines end with a carriage return and others do not.
    pub(crate) fn has_mixed_line_breaks(&self) -> bool {
        *self.mixed.get_or_init(|| {
            let crlf = self.source.matches("\r\n").count();
            crlf > 0 && crlf < self.source.matches('\n').count()
        })
    }
}

fn line_break(source: &str, syntax: Syntax) -> &'static str {
    match source.find('\n') {
        // In dotenv a carriage return is part of a value.
        Some(at) if source[..at].ends_with('\r') && syntax != Syntax::Dotenv => "\r\n",
        _ => "\n",
    }
}

/// The line of a byte offset, counted from 1.
pub(crate) fn line_of(source: &str, offset: usize) -> usize {
    source[..source.floor_char_boundary(offset)].matches('\n').count() + 1
}

/// Parsers disagree on which of two equal keys wins: a reviewer would see one value and the cluster get the other.
fn refuse_duplicates(source: &str, node: &Node) -> Result<(), ParseError> {
    match &node.kind {
        Kind::Mapping { entries, .. } => {
            let mut seen = std::collections::HashSet::with_capacity(entries.len());
            for (key, value) in entries {
                if let Some(scalar) = key.scalar()
                    && !seen.insert(scalar.value.as_str())
                {
                    return Err(ParseError::DuplicateKey { line: line_of(source, key.span.start) });
                }
                refuse_duplicates(source, key)?;
                refuse_duplicates(source, value)?;
            }
            Ok(())
        }
        Kind::Sequence { items, .. } => items.iter().try_for_each(|item| refuse_duplicates(source, item)),
        _ => Ok(()),
    }
}
