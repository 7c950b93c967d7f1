//! Values as JSON, as Go prints it.

use zeroize::Zeroizing;

use super::print::scientific;
use super::{OutputError, Plain, text};
use crate::document::Syntax;
use crate::document::present::{double_quoted, push_escape};
use crate::secret_text::SecretText;
use crate::sops::cipher::Type;

/// A whole file.
pub(super) fn document(entries: &[(String, Plain)], out: &mut SecretText) -> Result<(), OutputError> {
    map(entries, 0, out)?;
    out.push('\n');
    Ok(())
}

fn map(entries: &[(String, Plain)], depth: usize, out: &mut SecretText) -> Result<(), OutputError> {
    brackets(('{', '}'), entries, depth, out, |(name, plain), out| {
        quote(name, out);
        out.push_str(": ");
        value(plain, depth + 1, name, out)
    })
}

/// A value by itself.
pub(super) fn value(plain: &Plain, depth: usize, name: &str, out: &mut SecretText) -> Result<(), OutputError> {
    match plain {
        Plain::Null => out.push_str("null"),
        Plain::Map(entries) => map(entries, depth, out)?,
        Plain::List(items) => brackets(('[', ']'), items, depth, out, |item, out| value(item, depth + 1, name, out))?,
        Plain::Value(kind, bytes) => {
            let text = text(bytes, name)?;
            match kind {
                Type::Bool => out.push_str(&Zeroizing::new(text.to_ascii_lowercase())),
                Type::Int => out.push_str(text),
                Type::Float => out.push_str(&float(text).ok_or_else(|| OutputError::Number(name.to_owned()))?),
                Type::Text | Type::Time | Type::Bytes | Type::Comment => quote(text, out),
            }
        }
    }
    Ok(())
}

fn brackets<T>(
    (open, close): (char, char),
    of: &[T],
    depth: usize,
    out: &mut SecretText,
    mut each: impl FnMut(&T, &mut SecretText) -> Result<(), OutputError>,
) -> Result<(), OutputError> {
    out.push(open);
    for (index, one) in of.iter().enumerate() {
        out.push_str(if index > 0 { ",\n" } else { "\n" });
        out.repeat('\t', depth + 1);
        each(one, out)?;
    }
    if !of.is_empty() {
        out.push('\n');
        out.repeat('\t', depth);
    }
    out.push(close);
    Ok(())
}

/// What a browser would take for more than text is escaped.
fn quote(text: &str, out: &mut SecretText) {
    for c in Zeroizing::new(double_quoted(text, Syntax::Json)).chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => push_escape(c, out),
            c => out.push(c),
        }
    }
}

fn float(text: &str) -> Option<Zeroizing<String>> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    let size = number.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return Some(Zeroizing::new(text.to_owned()));
    }
    let scientific = scientific(number);
    let (mantissa, exponent) = scientific.split_once('E')?;
    let sign = if size >= 1.0 { "e+" } else { "e" };
    Some(Zeroizing::new([mantissa, sign, exponent].concat()))
}
