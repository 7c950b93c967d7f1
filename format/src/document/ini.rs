//! INI as SOPS reads it, by the library ini.v1: sections of names and texts; what stands before the first section is in
//! that called `DEFAULT`.
//!
//! What that library joins or splits in ways that could not be written back is refused: comments behind values, lines
//! continued by a backslash, quoted names, names numbered by `-`.

use std::ops::Range;

use super::dotenv::Nodes;
use super::{Document, Kind, Node, ParseError};

/// The section of what stands before the first.
pub(crate) const DEFAULT: &str = "DEFAULT";
const LONG_QUOTE: &str = "\"\"\"";

/// Parses a source: one document, whose root is a mapping of sections.
pub(super) fn parse(source: &str) -> Result<Document, ParseError> {
    let start = source.len() - source.trim_start_matches('\u{feff}').len();
    let mut parser = Parser { source, at: start, line: 0, nodes: Nodes::default(), sections: Vec::new() };
    let root = parser.nodes.next();
    while let Some((from, text)) = parser.next_line() {
        let trimmed = text.trim_start();
        let from = from + text.len() - trimmed.len();
        match trimmed.bytes().next() {
            None | Some(b'#' | b';') => {}
            Some(b'[') => parser.section(from, trimmed.trim_end())?,
            Some(_) => parser.entry(from, trimmed)?,
        }
    }
    let end = parser.sections.last().map_or(start, |(_, section)| section.span.end);
    let kind = Kind::Mapping { flow: false, entries: parser.sections };
    Ok(Document { root: Node { id: root, span: start..end, column: 0, anchor: 0, tag: None, kind } })
}

struct Parser<'s> {
    source: &'s str,
    at: usize,
    /// Of the line read last, counted from 1.
    line: usize,
    nodes: Nodes,
    sections: Vec<(Node, Node)>,
}

impl<'s> Parser<'s> {
    /// The next line without its break, and where it begins.
    fn next_line(&mut self) -> Option<(usize, &'s str)> {
        let rest = self.source.get(self.at..).filter(|rest| !rest.is_empty())?;
        let line = rest.split('\n').next().unwrap_or_default();
        let from = self.at;
        self.at = (from + line.len() + 1).min(self.source.len());
        self.line += 1;
        Some((from, line))
    }

    fn refuse<T>(&self, reason: &'static str) -> Result<T, ParseError> {
        Err(ParseError::Ini { line: self.line, reason })
    }

    fn section(&mut self, from: usize, text: &str) -> Result<(), ParseError> {
        let Some(name) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) else {
            return self.refuse("a section's name ends with a bracket, and nothing stands behind it");
        };
        if name.is_empty() {
            return self.refuse("a section has no name");
        }
        let end = from + text.len();
        let key = self.nodes.text(from..end, name.to_owned());
        let section = self.nodes.mapping(end..end, Vec::new());
        self.sections.push((key, section));
        Ok(())
    }

    fn entry(&mut self, from: usize, text: &str) -> Result<(), ParseError> {
        let Some(delimiter) = text.find(['=', ':']) else {
            return self.refuse("a line has no equals sign");
        };
        let name = text[..delimiter].trim_end();
        if name.is_empty() || name == "-" || name.starts_with(['"', '`']) {
            return self.refuse("a name is empty, a dash or in quotes");
        }
        let key = self.nodes.text(from..from + name.len(), name.to_owned());
        let after = &text[delimiter + 1..];
        let value = from + delimiter + 1 + after.len() - after.trim_start().len();
        let (head, value) = self.value(value, after.trim())?;
        let value = self.nodes.text(head, value);
        if self.sections.is_empty() {
            let name = self.nodes.text(from..from, DEFAULT.to_owned());
            let section = self.nodes.mapping(from..from, Vec::new());
            self.sections.push((name, section));
        }
        if let Some((_, section)) = self.sections.last_mut()
            && let Kind::Mapping { entries, .. } = &mut section.kind
        {
            section.span.end = value.span.end;
            entries.push((key, value));
        }
        Ok(())
    }

    /// Where a value stands, its quotes included, and what it is.
    fn value(&mut self, from: usize, text: &str) -> Result<(Range<usize>, String), ParseError> {
        let whole = from..from + text.len();
        for quote in [LONG_QUOTE, "`"] {
            let Some(opened) = text.strip_prefix(quote) else { continue };
            return match opened.strip_suffix(quote) {
                Some(value) => Ok((whole, value.to_owned())),
                None if !opened.contains(quote) => self.several_lines(from, quote),
                _ => self.refuse("something stands behind the closing quote of a value"),
            };
        }
        if text.ends_with('\\') {
            return self.refuse("a line is continued by a backslash; write the value on one line");
        }
        if text.contains(['#', ';']) {
            return self.refuse("a comment, or # or ; in a value without backticks, stands behind a name");
        }
        let unquoted = ['"', '\''].iter().find_map(|quote| {
            let inner = text.strip_prefix(*quote)?.strip_suffix(*quote)?;
            (!inner.contains(*quote)).then_some(inner)
        });
        Ok((whole, unquoted.unwrap_or(text).to_owned()))
    }

    fn several_lines(&mut self, from: usize, quote: &str) -> Result<(Range<usize>, String), ParseError> {
        while let Some((start, line)) = self.next_line() {
            let Some(position) = line.rfind(quote) else { continue };
            if !line[position + quote.len()..].trim().is_empty() {
                break;
            }
            let end = start + position;
            return Ok((from..end + quote.len(), self.source[from + quote.len()..end].to_owned()));
        }
        self.refuse("a quote of a value has no end, or something stands behind it")
    }
}

/// The text of a value, if it can stand in such a file.
pub(crate) fn write(value: &str) -> Option<String> {
    let surrounded = value.starts_with(['"', '\'']);
    if value.contains(['\n', '`']) {
        let fits = !value.contains(LONG_QUOTE) && !value.contains('\r');
        fits.then(|| format!("{LONG_QUOTE}{value}{LONG_QUOTE}"))
    } else if value.contains(['#', ';', '\r'])
        || value.ends_with('\\')
        || surrounded
        || value.trim().len() != value.len()
    {
        Some(format!("`{value}`"))
    } else {
        Some(value.to_owned())
    }
}
