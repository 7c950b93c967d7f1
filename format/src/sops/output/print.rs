//! Values as YAML, and as files that know texts only.

use zeroize::Zeroizing;

use super::{OutputError, Plain, text};
use crate::document::present::{self, Target, quote_if_needed};
use crate::document::walk::Around;
use crate::document::{self, Syntax};
use crate::sops::cipher::Type;
use crate::sops::{plain, time};

/// Columns of a step of indentation in YAML, as SOPS has it.
const INDENT: usize = 4;

/// Lines of `NAME=VALUE`.
pub(super) fn dotenv(entries: &[(String, Plain)], out: &mut String) -> Result<(), OutputError> {
    for (name, plain) in entries {
        let value = document::dotenv::write(&untyped(plain, name)?).map(Zeroizing::new);
        let value = value.ok_or_else(|| OutputError::Characters(name.clone()))?;
        out.push_str(&format!("{name}={}\n", *value));
    }
    Ok(())
}

/// Sections.
pub(super) fn ini(sections: &[(String, Plain)], out: &mut String) -> Result<(), OutputError> {
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
            out.push_str(&format!("{name:width$} = {}\n", *value));
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
    Ok(Zeroizing::new(match kind {
        Type::Bool => text.to_ascii_lowercase(),
        Type::Float => float(text),
        Type::Time => time::to_seconds(text).unwrap_or_else(|| text.to_owned()),
        Type::Text | Type::Int | Type::Bytes | Type::Comment => text.to_owned(),
    }))
}

/// A float by Go's format `G`, and never like an integer.
fn float(text: &str) -> String {
    let Some(number) = text.parse::<f64>().ok().filter(|number| number.is_finite()) else {
        return text.to_owned();
    };
    let scientific = format!("{number:E}");
    let (mantissa, exponent) = scientific.split_once('E').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if number != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}E{sign}{:02}", exponent.abs());
    }
    if text.contains('.') { text.to_owned() } else { format!("{text}.0") }
}

/// Documents in block style.
pub(super) fn yaml(documents: &[&[(String, Plain)]], out: &mut String) -> Result<(), OutputError> {
    for (index, entries) in documents.iter().enumerate() {
        out.push_str(if index > 0 { "---\n" } else { "" });
        out.push_str(if entries.is_empty() { "{}\n" } else { "" });
        map(entries, 0, out)?;
    }
    Ok(())
}

fn map(entries: &[(String, Plain)], column: usize, out: &mut String) -> Result<(), OutputError> {
    for (name, plain) in entries {
        out.push_str(&format!("{}{}:", " ".repeat(column), quote_if_needed(name)));
        value(plain, column, name, out)?;
    }
    Ok(())
}

/// Items in lines of their own.
pub(super) fn list(items: &[Plain], column: usize, name: &str, out: &mut String) -> Result<(), OutputError> {
    for item in items {
        let start = out.len();
        match item {
            Plain::Map(entries) if !entries.is_empty() => {
                map(entries, column + 2, out)?;
                // The dash stands before the first key.
                out.replace_range(start + column..=start + column, "-");
            }
            item => {
                out.push_str(&format!("{}-", " ".repeat(column)));
                value(item, column, name, out)?;
            }
        }
    }
    Ok(())
}

/// After `name:` or `-`, to the end of the last line.
pub(super) fn value(of: &Plain, column: usize, name: &str, out: &mut String) -> Result<(), OutputError> {
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
            out.push_str(&format!(" {}\n", written.head));
            if let Some(body) = &written.body {
                out.push_str(&format!("{body}\n"));
            }
        }
    }
    Ok(())
}
