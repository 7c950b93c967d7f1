//! Values as JSON, as Go prints it.

use zeroize::Zeroizing;

use super::{OutputError, Plain, text};
use crate::document::Syntax;
use crate::document::present::double_quoted;
use crate::sops::cipher::Type;

/// A whole file.
pub(super) fn document(entries: &[(String, Plain)], out: &mut String) -> Result<(), OutputError> {
    map(entries, 0, out)?;
    out.push('\n');
    Ok(())
}

fn map(entries: &[(String, Plain)], depth: usize, out: &mut String) -> Result<(), OutputError> {
    brackets(('{', '}'), entries, depth, out, |(name, plain), out| {
        out.push_str(&quoted(name));
        out.push_str(": ");
        value(plain, depth + 1, name, out)
    })
}

/// A value by itself.
pub(super) fn value(plain: &Plain, depth: usize, name: &str, out: &mut String) -> Result<(), OutputError> {
    match plain {
        Plain::Null => out.push_str("null"),
        Plain::Map(entries) => map(entries, depth, out)?,
        Plain::List(items) => brackets(('[', ']'), items, depth, out, |item, out| value(item, depth + 1, name, out))?,
        Plain::Value(kind, bytes) => {
            let text = text(bytes, name)?;
            match kind {
                Type::Bool => out.push_str(&text.to_ascii_lowercase()),
                Type::Int => out.push_str(text),
                Type::Float => out.push_str(&float(text).ok_or_else(|| OutputError::Number(name.to_owned()))?),
                Type::Text | Type::Time | Type::Bytes | Type::Comment => out.push_str(&quoted(text)),
            }
        }
    }
    Ok(())
}

fn brackets<T>(
    (open, close): (char, char),
    of: &[T],
    depth: usize,
    out: &mut String,
    mut each: impl FnMut(&T, &mut String) -> Result<(), OutputError>,
) -> Result<(), OutputError> {
    out.push(open);
    for (index, one) in of.iter().enumerate() {
        out.push_str(if index > 0 { ",\n" } else { "\n" });
        out.push_str(&"\t".repeat(depth + 1));
        each(one, out)?;
    }
    if !of.is_empty() {
        out.push('\n');
        out.push_str(&"\t".repeat(depth));
    }
    out.push(close);
    Ok(())
}

/// What a browser would take for more than text is escaped.
fn quoted(text: &str) -> Zeroizing<String> {
    let mut quoted = Zeroizing::new(String::with_capacity(text.len() + 2));
    for c in Zeroizing::new(double_quoted(text, Syntax::Json)).chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted
}

fn float(text: &str) -> Option<String> {
    let size = text.parse::<f64>().ok().filter(|number| number.is_finite())?.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return Some(text.to_owned());
    }
    let number: f64 = text.parse().ok()?;
    Some(format!("{number:e}").replace('e', if size >= 1.0 { "e+" } else { "e" }))
}
