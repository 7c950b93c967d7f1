//! Presentations: how a value was written, in as few bytes as will do, and how any value is written without one.
//!
//! A presentation is tried, never trusted: after splicing, the document is parsed again, and what does not
//! come out as exactly the authenticated value is written in the canonical way instead.

use std::ops::Range;

use zeroize::Zeroizing;

use super::resolve::{BINARY_TAG, plain_type};
use super::walk::Around;
use super::{Node, Scalar, Style, Syntax};
use crate::base64;
use crate::padding::ValueType;
use crate::secret::SecretBytes;
use crate::secret_text::SecretText;

/// The source text of a value: on the line of its key, and the lines below it for block scalars.
#[derive(Default, PartialEq, Eq, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct Written {
    /// What stands at the value's own place, with `!!binary` where that belongs to it.
    pub head: String,
    /// Whole lines with their indentation, without the last line break.
    pub body: Option<String>,
}

/// Where a value is written.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Of the file.
    pub syntax: Syntax,
    /// The collection around it.
    pub around: Around,
    /// `\n` or `\r\n`, as the file has it.
    pub line_break: &'static str,
}

/// The part of the source that a value occupies on its own line: its head, with a `!!binary` before it.
pub fn head_range(node: &Node, scalar: &Scalar) -> Range<usize> {
    match &node.tag {
        Some(tag) if tag.name == BINARY_TAG => tag.span.start..scalar.head.end,
        _ => scalar.head.clone(),
    }
}

/// The shortest presentation from which [`write()`] rebuilds the source of this value.
pub fn capture(source: &str, node: &Node, scalar: &Scalar, value_type: ValueType, value: &[u8], to: Target) -> Vec<u8> {
    let original = Written {
        head: source[head_range(node, scalar)].to_owned(),
        body: scalar.body.clone().map(|body| source[body].to_owned()),
    };
    let fits = |presentation: &[u8]| write(value_type, value, presentation, to).is_some_and(|w| w == original);
    let mut candidates = vec![Vec::new(), b"P".to_vec(), b"S".to_vec(), b"D".to_vec()];
    if let (Style::Literal, Some(body)) = (scalar.style, &original.body) {
        let indent = body.lines().find(|line| !line.trim().is_empty()).map_or(0, |l| l.len() - l.trim_start().len());
        if let Ok(extra) = u8::try_from(indent.saturating_sub(to.around.column)) {
            let mut literal = vec![b'L', extra];
            literal.extend_from_slice(&source.as_bytes()[scalar.head.start + 1..scalar.head.end]);
            candidates.push(literal);
        }
    }
    candidates.into_iter().find(|candidate| fits(candidate)).unwrap_or_else(|| raw(&original))
}

/// `R head`, or `B u32be(length of head) head body`.
fn raw(original: &Written) -> Vec<u8> {
    match &original.body {
        None => [b"R", original.head.as_bytes()].concat(),
        Some(body) => {
            let length = crate::path::length(original.head.len());
            [b"B", &length[..], original.head.as_bytes(), body.as_bytes()].concat()
        }
    }
}

/// The text for a value in the given presentation; `None` if the presentation is none for it.
pub fn write(value_type: ValueType, value: &[u8], presentation: &[u8], to: Target) -> Option<Written> {
    let Some((&style, rest)) = presentation.split_first() else {
        return canonical(value_type, value, to);
    };
    let text = std::str::from_utf8(value).ok();
    let head = |head: String| Some(Written { head, body: None });
    match style {
        b'R' => head(std::str::from_utf8(rest).ok()?.to_owned()),
        b'B' => {
            let (length, rest) = rest.split_first_chunk::<4>()?;
            let (first, body) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            Some(Written {
                head: std::str::from_utf8(first).ok()?.to_owned(),
                body: Some(std::str::from_utf8(body).ok()?.to_owned()),
            })
        }
        b'P' if rest.is_empty() => head(text?.to_owned()),
        b'S' if rest.is_empty() => head(single_quoted(text?)),
        b'D' if rest.is_empty() => head(double_quoted(text?, to.syntax)),
        b'L' => {
            let (&extra, indicators) = rest.split_first()?;
            let indicators = std::str::from_utf8(indicators).ok()?;
            Some(literal(text?, indicators, to.around.column + usize::from(extra), to.line_break))
        }
        _ => None,
    }
}

/// How a value is written when nothing else is known; `None` if it cannot be written in this syntax.
pub fn canonical(value_type: ValueType, value: &[u8], to: Target) -> Option<Written> {
    let head = |head: String| Some(Written { head, body: None });
    if value_type == ValueType::Binary {
        return match to.syntax {
            Syntax::Yaml => {
                let text = Zeroizing::new(quote_if_needed(&Zeroizing::new(base64::encode(value))));
                head(["!!binary ", &text].concat())
            }
            Syntax::Json | Syntax::Dotenv | Syntax::Ini => None,
        };
    }
    let text = std::str::from_utf8(value).ok()?;
    match to.syntax {
        Syntax::Dotenv => return super::dotenv::write(text).and_then(head),
        Syntax::Ini => return super::ini::write(text).and_then(head),
        Syntax::Yaml | Syntax::Json => {}
    }
    if value_type != ValueType::String {
        return (plain_type(text) == value_type && !text.is_empty())
            .then(|| Written { head: text.to_owned(), body: None });
    }
    if to.syntax == Syntax::Json {
        return head(double_quoted(text, Syntax::Json));
    }
    if !to.around.flow && is_literal_safe(text) {
        let indicator = if text.ends_with('\n') { "" } else { "-" };
        return Some(literal(text, indicator, to.around.column + 2, to.line_break));
    }
    head(quote_if_needed(text))
}

/// The text for a token.
pub fn write_token(lines: &[String], to: Target) -> Written {
    if to.around.flow {
        return Written { head: format!("\"{}\"", lines.join(" ")), body: None };
    }
    let indent = " ".repeat(to.around.column + 2);
    let body = lines.iter().map(|line| format!("{indent}{line}")).collect::<Vec<_>>().join(to.line_break);
    Written { head: ">-".to_owned(), body: Some(body) }
}

fn literal(text: &str, indicators: &str, indent: usize, line_break: &str) -> Written {
    let indent = " ".repeat(indent);
    let mut body = SecretText::with_capacity(text.len() * 2);
    for (number, line) in text.strip_suffix('\n').unwrap_or(text).split('\n').enumerate() {
        if number > 0 {
            body.push_str(line_break);
        }
        if !line.is_empty() {
            body.push_str(&indent);
            body.push_str(line);
        }
    }
    Written { head: format!("|{indicators}"), body: Some(body.into_string()) }
}

/// Several lines that a literal block scalar holds without an indentation indicator or `+`.
fn is_literal_safe(text: &str) -> bool {
    let lines = text.strip_suffix('\n').unwrap_or(text);
    lines.contains('\n')
        && !lines.ends_with('\n')
        && !lines.starts_with([' ', '\t', '\n'])
        && lines.split('\n').all(|line| line.is_empty() || !line.trim().is_empty())
        && lines.chars().all(|c| c == '\n' || c == '\t' || is_printable(c))
}

fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Plain where every YAML reader sees the same string, else in double quotes.
pub(crate) fn quote_if_needed(text: &str) -> String {
    // Not a digit: readers differ in what they take for a number.
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '_'));
    let safe = first
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./+=@%".contains(&b))
        && plain_type(text) == ValueType::String;
    if safe { text.to_owned() } else { double_quoted(text, Syntax::Yaml) }
}

fn single_quoted(text: &str) -> String {
    let mut quoted = SecretText::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        quoted.push_str(if c == '\'' { "'" } else { "" });
        quoted.push(c);
    }
    quoted.push('\'');
    quoted.into_string()
}

/// JSON's escapes, which YAML understands too, and YAML's own for what JSON would split into surrogates.
pub(crate) fn double_quoted(text: &str, syntax: Syntax) -> String {
    let mut quoted = SecretText::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if (c as u32) < 0x20 || (0x7f..=0x9f).contains(&(c as u32)) => push_escape(c, &mut quoted),
            c if syntax == Syntax::Yaml && !is_printable(c) => push_escape(c, &mut quoted),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted.into_string()
}

/// `\uXXXX`.
pub(crate) fn push_escape(c: char, text: &mut SecretText) {
    text.push_str("\\u");
    let digit = |place: u32| char::from_digit((c as u32 >> (4 * place)) & 0xf, 16).unwrap_or('0');
    (0..4).rev().for_each(|place| text.push(digit(place)));
}

/// What the document must hold where a value was written, for the check after splicing.
#[derive(PartialEq, Eq)]
pub struct Expected {
    /// The type.
    pub value_type: ValueType,
    /// The value.
    pub value: SecretBytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: Target = Target { syntax: Syntax::Yaml, around: Around { flow: false, column: 2 }, line_break: "\n" };

    fn head(text: &str) -> String {
        canonical(ValueType::String, text.as_bytes(), BLOCK).unwrap().head.clone()
    }

    #[test]
    fn strings_are_plain_only_where_everyone_agrees() {
        for plain in ["hunter2", "/etc/passwd", "a.b-c_d", "k8s/db@prod"] {
            assert_eq!(head(plain), plain);
        }
        for quoted in [
            "",
            "yes",
            "12",
            "1e5",
            "1.2.3",
            "0X1F",
            "2001-01-01",
            "a: b",
            "#x",
            "- a",
            "a b",
            "ENC[x]",
            "<<",
            "null",
            "é",
        ] {
            assert!(head(quoted).starts_with('"'), "{quoted}");
        }
    }

    #[test]
    fn several_lines_become_a_literal() {
        let written = canonical(ValueType::String, b"a\n\nb\n", BLOCK).unwrap();
        assert_eq!((written.head.as_str(), written.body.as_deref()), ("|", Some("    a\n\n    b")));
        assert_eq!(head("a\nb"), "|-");
        for odd in ["a\n\n", " a\nb", "a\n \nb", "a\r\nb", "\n"] {
            assert!(head(odd).starts_with('"'), "{odd:?}");
        }
    }

    #[test]
    fn other_types_are_their_source_text_or_refused() {
        let write = |value_type, text: &str| canonical(value_type, text.as_bytes(), BLOCK).map(|w| w.head.clone());
        assert_eq!(write(ValueType::Int, "0x1F").as_deref(), Some("0x1F"));
        assert_eq!(write(ValueType::Bool, "12"), None);
        assert_eq!(canonical(ValueType::Binary, &[0, 255], BLOCK).unwrap().head, "!!binary AP8=");
    }
}
