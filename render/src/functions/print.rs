//! Functions that print: Go's own, those that quote, and `printf`, which the engine formats.

use gotmpl::{Template, Value, html_escape, js_escape};

use super::{ANY, Arguments, Function, Outcome, Refused, bytes, shown, shown_text, string};
use crate::bytes::holds_bytes;

/// The longest format.
const MAX_FORMAT: usize = 64 << 10;
/// The widest field of `printf`.
const MAX_WIDTH: usize = 4096;
/// What `printf` may be estimated to handle.
const MAX_PRINTED: usize = 24 << 20;
/// The longest that a number prints as.
const NUMBER: usize = 400;
/// By how much a verb may lengthen a text: `%q` writes a byte as four.
const LENGTHENED: usize = 4;

pub(super) const FUNCTIONS: &[Function] = &[
    ("print", 0, ANY, |a| Ok(string(printed(a)))),
    ("println", 0, ANY, |a| Ok(string(a.iter().map(shown).collect::<Vec<_>>().join(" ") + "\n"))),
    ("printf", 1, ANY, printf),
    ("html", 1, 1, |a| Ok(string(html_escape(&escapable(&a[0])?)))),
    ("js", 1, 1, |a| Ok(string(js_escape(&escapable(&a[0])?)))),
    ("urlquery", 1, 1, url_query),
    ("toString", 1, 1, |a| Ok(string(shown(&a[0])))),
    ("quote", 0, ANY, |a| joined(a, quoted)),
    ("squote", 0, ANY, |a| joined(a, |part| format!("'{part}'"))),
    ("cat", 0, ANY, |a| joined(a, str::to_owned)),
];

/// With a space between two neighbours that are no texts.
fn printed(values: &[Value]) -> String {
    let is_text = |value: &Value| matches!(value, Value::String(_));
    let mut line = String::new();
    for (index, value) in values.iter().enumerate() {
        if index > 0 && !is_text(value) && !is_text(&values[index - 1]) {
            line.push(' ');
        }
        line.push_str(&shown(value));
    }
    line
}

fn escapable(value: &Value) -> Result<String, Refused> {
    match value {
        Value::Nil => Ok("<no value>".to_owned()),
        other => shown_text(other),
    }
}

/// Of any bytes.
fn url_query(a: &Arguments<'_>) -> Outcome {
    let text = match &a[0] {
        Value::String(_) => bytes(&a[0])?,
        other => escapable(other)?.into_bytes().into(),
    };
    let mut query = String::with_capacity(text.len());
    for byte in &*text {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => query.push(char::from(*byte)),
            b' ' => query.push('+'),
            other => query.push_str(&format!("%{other:02X}")),
        }
    }
    Ok(string(query))
}

fn printf(a: &Arguments<'_>) -> Outcome {
    let Value::String(format) = &a[0] else { return Err(Refused::Arguments) };
    if format.len() > MAX_FORMAT {
        return Err(Refused::TooMuch);
    }
    // A byte that stands for itself has no place among verbs, which count and quote characters.
    let printed: Vec<String> = a.iter().map(shown_text).collect::<Result<_, Refused>>()?;
    let printed: Vec<usize> = printed.iter().map(String::len).collect();
    let work = estimate(format, &printed[1..])?;
    if work > MAX_PRINTED {
        return Err(Refused::TooMuch);
    }
    a.budget.spend(work)?;
    let text = by_engine(a.values)?;
    // `%c` makes any character, also those that stand for bytes here.
    if holds_bytes(&text) { Err(Refused::Arguments) } else { Ok(string(text)) }
}

/// About how much the engine handles for a format and arguments of these lengths.
fn estimate(format: &str, lengths: &[usize]) -> Result<usize, Refused> {
    let (mut verbs, mut padding) = (0_usize, 0_usize);
    for verb in format.split('%').skip(1) {
        let end = verb.find(|c: char| !"+-# .*[]".contains(c) && !c.is_ascii_digit()).unwrap_or(verb.len());
        for number in verb[..end].split(|c: char| !c.is_ascii_digit() && c != '*').filter(|part| !part.is_empty()) {
            let width = number.parse::<usize>().ok().filter(|width| *width <= MAX_WIDTH);
            padding += width.ok_or(Refused::TooMuch)?;
        }
        verbs += 1;
    }
    // With `%[1]s` every verb may print the longest argument; and the engine looks for the end of every `[`.
    let indices = format.matches('[').count();
    let all = if indices == 0 { lengths.iter().sum() } else { verbs * lengths.iter().max().unwrap_or(&0) };
    Ok(format.len() * (indices + 1) + padding + verbs * NUMBER + all * LENGTHENED)
}

fn by_engine(arguments: &[Value]) -> Result<String, Refused> {
    let mut source = "{{ printf".to_owned();
    for index in 0..arguments.len() {
        source.push_str(&format!(" (index . {index})"));
    }
    source.push_str(" }}");
    let template = Template::new("").parse(&source).map_err(|_| Refused::Arguments)?;
    template.execute_to_string(&Value::List(arguments.into())).map_err(|_| Refused::Arguments)
}

fn joined(arguments: &[Value], shape: impl Fn(&str) -> String) -> Outcome {
    let parts = arguments.iter().filter(|a| !matches!(a, Value::Nil)).map(|a| Ok(shape(&shown_text(a)?)));
    Ok(string(parts.collect::<Result<Vec<String>, Refused>>()?.join(" ")))
}

/// As Go's `%q`.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0b' => quoted.push_str("\\v"),
            ' '..='~' => quoted.push(c),
            '\0'..='\x7f' => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            _ if is_printable(c) => quoted.push(c),
            '\0'..='\u{ffff}' => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

/// After another character, so that one that joins it counts as printable, as in Go.
fn is_printable(c: char) -> bool {
    let mut pair = String::from("a");
    pair.push(c);
    pair.escape_debug().eq(pair.chars())
}
