//! dotenv as SOPS reads it: `NAME=value` on each line, without quotes or types; `\n` in a value is a line break.
//!
//! The lines of a SOPS block, whose names begin with `sops_`, are one entry `sops` here, so that it comes and goes like
//! that of any other file.

use std::ops::Range;

use zeroize::Zeroizing;

use super::{Document, Kind, Node, ParseError, Scalar, Style};

/// What the names of a block begin with.
const BLOCK_PREFIX: &str = "sops_";
const BLOCK: &str = "sops";

/// Parses a source: one document, whose root is a mapping of texts.
pub(super) fn parse(source: &str) -> Result<Document, ParseError> {
    let mut nodes = Nodes::default();
    let root = nodes.next();
    let mut entries: Vec<(Node, Node)> = Vec::new();
    // A byte order mark is part of a name for SOPS.
    let (mut at, mut in_block) = (0, false);
    for (index, line) in source.split('\n').enumerate() {
        let from = at;
        at += line.len() + 1;
        if line.is_empty() {
            continue;
        }
        // A comment is a part of the file: a block does not go on behind it.
        if line.starts_with('#') {
            in_block = false;
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            return Err(ParseError::Dotenv { line: index + 1 });
        };
        let field = name.strip_prefix(BLOCK_PREFIX);
        let key = nodes.text(from..from + name.len(), field.unwrap_or(name).to_owned());
        let head = from + name.len() + 1..from + line.len();
        let value = nodes.text(head, value.replace("\\n", "\n"));
        match (field, entries.last_mut()) {
            (Some(_), Some((_, block))) if in_block => add(block, key, value),
            (Some(_), _) => {
                let mut block = nodes.mapping(from..from, Vec::new());
                add(&mut block, key, value);
                entries.push((nodes.text(from..from + BLOCK.len(), BLOCK.to_owned()), block));
            }
            (None, _) => entries.push((key, value)),
        }
        in_block = field.is_some();
    }
    let end = entries.last().map_or(0, |(_, value)| value.span.end);
    let kind = Kind::Mapping { flow: false, entries };
    Ok(Document { root: Node { id: root, span: 0..end, column: 0, anchor: 0, tag: None, kind } })
}

fn add(block: &mut Node, key: Node, value: Node) {
    block.span.end = value.span.end;
    if let Kind::Mapping { entries, .. } = &mut block.kind {
        entries.push((key, value));
    }
}

/// Makes nodes with numbers.
#[derive(Default)]
pub(super) struct Nodes(usize);

impl Nodes {
    pub(super) fn next(&mut self) -> usize {
        self.0 += 1;
        self.0 - 1
    }

    /// A text whatever it looks like: these files have no other type.
    pub(super) fn text(&mut self, span: Range<usize>, value: String) -> Node {
        let scalar = Scalar { style: Style::Double, value: Zeroizing::new(value), head: span.clone(), body: None };
        Node { id: self.next(), span, column: 0, anchor: 0, tag: None, kind: Kind::Scalar(scalar) }
    }

    pub(super) fn mapping(&mut self, span: Range<usize>, entries: Vec<(Node, Node)>) -> Node {
        let kind = Kind::Mapping { flow: false, entries };
        Node { id: self.next(), span, column: 0, anchor: 0, tag: None, kind }
    }
}

/// The text of a value, if it can stand in such a file.
pub(crate) fn write(value: &str) -> Option<String> {
    (!value.contains("\\n")).then(|| value.replace('\n', "\\n"))
}
