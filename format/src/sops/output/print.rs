//! Values as YAML, and as files that know texts only.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::{OutputError, Plain, text};
use crate::document::present::{self, Target, quote_if_needed};
use crate::document::walk::Around;
use crate::document::{self, Syntax};
use crate::secret_text::SecretText;
use crate::sops::cipher::Type;
use crate::sops::{plain, time};

/// Columns of a step of indentation in YAML, as SOPS has it.
const INDENT: usize = 4;

/// Lines of `NAME=VALUE`.
pub(super) fn dotenv(entries: &[(String, Plain)], out: &mut SecretText) -> Result<(), OutputError> {
    for (name, plain) in entries {
        let value = document::dotenv::write(&untyped(plain, name)?).map(Zeroizing::new);
        let value = value.ok_or_else(|| OutputError::Characters(name.clone()))?;
        for piece in [name, "=", &value, "\n"] {
            out.push_str(piece);
        }
    }
    Ok(())
}

/// Sections.
pub(super) fn ini(sections: &[(String, Plain)], out: &mut SecretText) -> Result<(), OutputError> {
    for (index, (section, plain)) in sections.iter().enumerate() {
        let Plain::Map(entries) = plain else { return Err(OutputError::NoSection(section.clone())) };
        out.push_str(if out.is_empty() { "" } else { "\n" });
        if index > 0 || section != document::ini::DEFAULT {
            out.push_str(&format!("[{section}]\n"));
        }
        let width = entries.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, plain) in entries {
            let value = document::ini::write(&untyped(plain, name)?).map(Zeroizing::new);
            let value = value.ok_or_else(|| OutputError::Characters(name.clone()))?;
            for piece in [&*format!("{name:width$} = "), &value, "\n"] {
                out.push_str(piece);
            }
        }
    }
    Ok(())
}

/// A value in a file without types, as SOPS prints it there.
pub(super) fn untyped(plain: &Plain, name: &str) -> Result<Zeroizing<String>, OutputError> {
    let (kind, bytes) = match plain {
        Plain::Null => return Ok(Zeroizing::new("<nil>".to_owned())),
        Plain::Map(_) | Plain::List(_) => return Err(OutputError::Nested(name.to_owned())),
        Plain::Value(kind, bytes) => (kind, bytes),
    };
    let text = text(bytes, name)?;
    Ok(match kind {
        Type::Bool => Zeroizing::new(text.to_ascii_lowercase()),
        Type::Float => float(text),
        Type::Time => Zeroizing::new(time::to_seconds(text).unwrap_or_else(|| text.to_owned())),
        Type::Text | Type::Int | Type::Bytes | Type::Comment => Zeroizing::new(text.to_owned()),
    })
}

/// A number in the form `1.5E-7`.
pub(super) fn scientific(number: f64) -> Zeroizing<String> {
    let mut text = SecretText::default();
    // Adding to a text in memory does not fail.
    let _ = write!(text, "{number:E}");
    text.into_text()
}

/// A float by Go's format `G`, and never like an integer.
fn float(text: &str) -> Zeroizing<String> {
    let Some(number) = text.parse::<f64>().ok().filter(|number| number.is_finite()) else {
        return Zeroizing::new(text.to_owned());
    };
    let scientific = scientific(number);
    let (mantissa, exponent) = scientific.split_once('E').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if number != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return Zeroizing::new([mantissa, &format!("E{sign}{:02}", exponent.abs())].concat());
    }
    Zeroizing::new([text, if text.contains('.') { "" } else { ".0" }].concat())
}

/// Documents in block style.
pub(super) fn yaml(documents: &[&[(String, Plain)]], out: &mut SecretText) -> Result<(), OutputError> {
    for (index, entries) in documents.iter().enumerate() {
        out.push_str(if index > 0 { "---\n" } else { "" });
        out.push_str(if entries.is_empty() { "{}\n" } else { "" });
        map(entries, 0, out)?;
    }
    Ok(())
}

fn map(entries: &[(String, Plain)], column: usize, out: &mut SecretText) -> Result<(), OutputError> {
    entries.iter().try_for_each(|(name, plain)| {
        out.repeat(' ', column);
        entry(name, plain, column, out)
    })
}

/// From the name on.
fn entry(name: &str, plain: &Plain, column: usize, out: &mut SecretText) -> Result<(), OutputError> {
    out.push_str(&quote_if_needed(name));
    out.push(':');
    value(plain, column, name, out)
}

/// Items in lines of their own.
pub(super) fn list(items: &[Plain], column: usize, name: &str, out: &mut SecretText) -> Result<(), OutputError> {
    for item in items {
        out.repeat(' ', column);
        out.push('-');
        match item {
            Plain::Map(entries) if let Some(((first, plain), rest)) = entries.split_first() => {
                // Behind the dash.
                out.push(' ');
                entry(first, plain, column + 2, out)?;
                map(rest, column + 2, out)?;
            }
            item => value(item, column, name, out)?,
        }
    }
    Ok(())
}

/// After `name:` or `-`, to the end of the last line.
pub(super) fn value(of: &Plain, column: usize, name: &str, out: &mut SecretText) -> Result<(), OutputError> {
    match of {
        Plain::Null => out.push_str(" null\n"),
        Plain::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
        Plain::List(items) if items.is_empty() => out.push_str(" []\n"),
        Plain::Map(entries) => {
            out.push('\n');
            map(entries, column + INDENT, out)?;
        }
        Plain::List(items) => {
            out.push('\n');
            list(items, column + INDENT, name, out)?;
        }
        Plain::Value(kind, bytes) => {
            let around = Around { flow: false, column };
            let target = Target { syntax: Syntax::Yaml, around, line_break: "\n" };
            let written = plain::plain(*kind, bytes, Syntax::Yaml)
                .and_then(|(value_type, text)| present::canonical(value_type, &text, target));
            let written = written.ok_or_else(|| OutputError::Characters(name.to_owned()))?;
            for piece in [" ", &written.head, "\n"] {
                out.push_str(piece);
            }
            if let Some(body) = &written.body {
                out.push_str(body);
                out.push('\n');
            }
        }
    }
    Ok(())
}
