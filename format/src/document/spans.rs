//! YAML: the events of granit-parser as a tree whose scalars know the exact bytes that they are made of.
//!
//! Five details of the parser are dealt with here: the header of a block scalar lies outside its span; implicit
//! nulls have an empty span; the start of an implicit document spans its first token; a block scalar that ends at
//! the end of the file without a line break has one too many in its value; trailing blank lines are in the span.

use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput, StructureStyle};

use zeroize::Zeroizing;

use super::allowance::MAX_NESTING;
use super::lines::line_start;
use super::{Document, Kind, Node, ParseError, Scalar, Style, Tag, line_of};

/// Parses every document of a source.
pub(super) fn parse(source: &str) -> Result<Vec<Document>, ParseError> {
    // YAML takes it for a line break; tools that edit by lines, and this code is one, do not.
    let lone = source.match_indices('\r').find(|(at, _)| !source[at + 1..].starts_with('\n'));
    if let Some((at, _)) = lone {
        return Err(ParseError::LoneCarriageReturn { line: line_of(source, at) });
    }
    let mut options = Options::default();
    options.emit_comments = false;
    let mut builder = Builder {
        source,
        parser: Parser::new_from_str_with_options(source, options),
        next_id: 0,
        depth: 0,
        last_end: 0,
    };
    let mut documents = Vec::new();
    loop {
        let (event, span) = builder.next()?;
        match event {
            Event::StreamEnd => return Ok(documents),
            Event::DocumentStart(explicit, _) => {
                if explicit {
                    builder.last_end = end(&span);
                }
                builder.next_id = 0;
                let first = builder.next()?;
                let root = builder.node(first, Parent::ROOT)?;
                documents.push(Document { root });
            }
            _ => {}
        }
    }
}

struct Builder<'a> {
    source: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    next_id: usize,
    /// Collections around the place. The parser counts those in braces and those in lines apart.
    depth: usize,
    /// End of the last token seen: the header of a block scalar is searched from here.
    last_end: usize,
}

/// What a node needs to know of the collection it stands in.
#[derive(Clone, Copy)]
struct Parent {
    flow: bool,
}

impl Parent {
    const ROOT: Self = Self { flow: false };
}

fn start(span: &Span) -> usize {
    span.start.byte_offset().unwrap_or_default()
}

fn end(span: &Span) -> usize {
    span.end.byte_offset().unwrap_or_default()
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), ParseError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(ParseError::Yaml { line: error.marker().line(), reason: error.kind().to_string() }),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, (event, span): (Event<'a>, Span), parent: Parent) -> Result<Node, ParseError> {
        let id = self.next_id;
        self.next_id += 1;
        let tag = event.tag().map(ToString::to_string).zip(span.tag_span());
        let tag = tag.map(|(name, at)| Tag { name, span: start(&at)..end(&at) });
        let anchor = event.anchor_id().unwrap_or_default();
        let (kind, span, column) = match event {
            Event::Scalar(value, style, ..) => {
                let scalar = self.scalar(value.into_owned(), style, &span)?;
                let range = scalar.head.start..scalar.body.as_ref().map_or(scalar.head.end, |body| body.end);
                self.last_end = range.end;
                (Kind::Scalar(scalar), range, 0)
            }
            Event::Alias(target) => {
                self.last_end = end(&span);
                (Kind::Alias(target), start(&span)..end(&span), 0)
            }
            Event::SequenceStart(..) | Event::MappingStart(..) if self.depth >= MAX_NESTING => {
                return Err(ParseError::Nesting { line: span.start.line() });
            }
            Event::SequenceStart(style, ..) => {
                self.depth += 1;
                self.sequence(style == StructureStyle::Flow || parent.flow, &span)?
            }
            Event::MappingStart(style, ..) => {
                self.depth += 1;
                self.mapping(style == StructureStyle::Flow || parent.flow, &span)?
            }
            _ => return Err(ParseError::Unplaced { line: span.start.line() }),
        };
        Ok(Node { id, span, column, anchor, tag, kind })
    }

    fn sequence(&mut self, flow: bool, span: &Span) -> Result<(Kind, Range<usize>, usize), ParseError> {
        let from = if flow { start(span) } else { self.dash(start(span)) };
        self.last_end = if flow { end(span).max(from) } else { self.last_end };
        let mut items = Vec::new();
        loop {
            let next = self.next()?;
            if matches!(next.0, Event::SequenceEnd) {
                let to = self.close(flow, &next.1);
                let column = if flow { 0 } else { self.column(from) };
                return Ok((Kind::Sequence { flow, items }, from..to, column));
            }
            items.push(self.node(next, Parent { flow })?);
        }
    }

    fn mapping(&mut self, flow: bool, span: &Span) -> Result<(Kind, Range<usize>, usize), ParseError> {
        let from = start(span);
        self.last_end = if flow { end(span).max(from) } else { self.last_end };
        let mut entries = Vec::new();
        loop {
            let next = self.next()?;
            if matches!(next.0, Event::MappingEnd) {
                let to = self.close(flow, &next.1);
                let column = if flow { 0 } else { self.column(from) };
                return Ok((Kind::Mapping { flow, entries }, from..to, column));
            }
            let key = self.node(next, Parent { flow })?;
            let next = self.next()?;
            let value = self.node(next, Parent { flow })?;
            entries.push((key, value));
        }
    }

    /// The end of a collection: its bracket, or the end of its last child.
    fn close(&mut self, flow: bool, span: &Span) -> usize {
        self.depth = self.depth.saturating_sub(1);
        if flow {
            self.last_end = end(span).max(self.last_end);
        }
        self.last_end
    }

    /// The `-` of a block list. The parser points at the first item instead when the list stands under its key
    /// without further indentation.
    fn dash(&self, offset: usize) -> usize {
        let before = self.source[..offset].trim_end_matches(' ');
        let after = self.source[offset..].strip_prefix('-');
        let at_dash = after.is_some_and(|after| after.is_empty() || after.starts_with([' ', '\t', '\r', '\n']));
        if !at_dash && before.ends_with('-') { before.len() - 1 } else { offset }
    }

    /// Columns before an offset; a byte order mark is none.
    fn column(&self, offset: usize) -> usize {
        let line = &self.source[line_start(self.source, offset)..offset];
        line.trim_start_matches('\u{feff}').chars().count()
    }

    fn scalar(&self, mut value: String, style: ScalarStyle, span: &Span) -> Result<Scalar, ParseError> {
        let (from, to) = (start(span), end(span));
        let style = match style {
            ScalarStyle::Plain if from == to => {
                return Ok(Scalar { style: Style::Plain, value: Zeroizing::default(), head: from..from, body: None });
            }
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        if !matches!(style, Style::Literal | Style::Folded) {
            return Ok(Scalar { style, value: Zeroizing::new(value), head: from..to, body: None });
        }
        let head = header(self.source, self.last_end)
            .ok_or_else(|| ParseError::Unplaced { line: line_of(self.source, from) })?;
        let body = block_body(self.source, head.end, to);
        if let Some(body) = &body
            && body.end == self.source.len()
            && value.ends_with('\n')
        {
            // libyaml, and with it kubectl, sees no line break where the file has none.
            value.pop();
        }
        Ok(Scalar { style, value: Zeroizing::new(value), head, body })
    }
}

/// Finds `|` or `>` with its indicators after whatever may stand between a key and its block scalar.
fn header(source: &str, from: usize) -> Option<Range<usize>> {
    let bytes = source.as_bytes();
    let mut at = from;
    loop {
        match *bytes.get(at)? {
            b'|' | b'>' => {
                let length = bytes[at + 1..].iter().take_while(|b| b"+-0123456789".contains(b)).count();
                return Some(at..at + 1 + length);
            }
            b'#' | b'%' => at += bytes[at..].iter().take_while(|&&b| b != b'\n').count(),
            b'&' | b'!' => at += bytes[at..].iter().take_while(|b| !b.is_ascii_whitespace()).count(),
            // Blanks and indicators, a byte order mark, and the dots that end a document.
            b' ' | b'\t' | b'\r' | b'\n' | b'-' | b'?' | b':' | b',' | 0xef | 0xbb | 0xbf | b'.' => at += 1,
            _ => return None,
        }
    }
}

/// From the start of the line after the header to the end of the last line that holds something.
///
/// Lines of no more blanks than the block's indentation hold nothing and stay in the file; so does the indentation of
/// whatever follows, which the parser counts in.
fn block_body(source: &str, head_end: usize, span_end: usize) -> Option<Range<usize>> {
    let from = head_end + source[head_end..].find('\n')? + 1;
    let mut to = span_end.min(source.len());
    let indent = indentation(source.get(from..to)?);
    loop {
        let rest = &source[from..to];
        let line_start = rest.rfind('\n').map(|at| from + at + 1);
        let line = &source[line_start.unwrap_or(from)..to];
        let line = line.strip_suffix('\r').unwrap_or(line);
        let cut_short = source[to..].starts_with(|c| !matches!(c, '\r' | '\n'));
        let is_blank = line.bytes().all(|b| b == b' ') && (line.len() <= indent || cut_short);
        if !is_blank {
            return Some(from..to);
        }
        to = line_start? - 1;
        to -= usize::from(source[from..to].ends_with('\r'));
    }
}

/// Spaces before the first line that holds anything.
fn indentation(body: &str) -> usize {
    let first = body.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    first.len() - first.trim_start_matches(' ').len()
}

#[cfg(test)]
mod tests {
    use crate::document::{File, Kind, Node, Syntax};

    #[test]
    fn a_list_begins_at_its_own_dash() {
        fn inner(node: &Node) -> &Node {
            let Kind::Sequence { items, .. } = &node.kind else { panic!("{node:?}") };
            &items[0]
        }
        for (source, column) in [
            ("- - a\n", 2),
            ("- -\n    a\n", 2),
            ("- -\r\n    a\r\n", 2),
            ("- -\ta\n", 2),
            ("- -", 2),
            ("-\r\n  -\r\n    a\r\n", 2),
            ("- -a\n", 0),
        ] {
            let file = File::parse(source, Syntax::Yaml).unwrap();
            let list = inner(&file.documents[0].root);
            assert_eq!((list.column, list.span.start > 0), (column, true), "{source:?}");
        }
    }
}
