//! Functions of texts.

use std::collections::BTreeSet;

use gotmpl::Value;

use super::{Arguments, Function, MAX_TEXT, Outcome, Refused, int, list, shown_text, string, strings, text};

/// The deepest indentation.
const MAX_INDENT: usize = 4096;

pub(super) const FUNCTIONS: &[Function] = &[
    ("upper", 1, 1, |a| Ok(string(text(&a[0])?.chars().map(upper).collect::<String>()))),
    ("lower", 1, 1, |a| Ok(string(text(&a[0])?.chars().map(lower).collect::<String>()))),
    ("title", 1, 1, |a| Ok(string(title(text(&a[0])?)))),
    ("trim", 1, 1, |a| Ok(string(text(&a[0])?.trim()))),
    ("trimAll", 2, 2, trim_all),
    ("trimPrefix", 2, 2, |a| Ok(string(text(&a[1])?.strip_prefix(text(&a[0])?).unwrap_or(text(&a[1])?)))),
    ("trimSuffix", 2, 2, |a| Ok(string(text(&a[1])?.strip_suffix(text(&a[0])?).unwrap_or(text(&a[1])?)))),
    ("nospace", 1, 1, |a| Ok(string(text(&a[0])?.split_whitespace().collect::<String>()))),
    ("replace", 3, 3, replace),
    ("repeat", 2, 2, repeat),
    ("substr", 3, 3, substr),
    ("trunc", 2, 2, trunc),
    ("contains", 2, 2, |a| Ok(Value::Bool(text(&a[1])?.contains(text(&a[0])?)))),
    ("hasPrefix", 2, 2, |a| Ok(Value::Bool(text(&a[1])?.starts_with(text(&a[0])?)))),
    ("hasSuffix", 2, 2, |a| Ok(Value::Bool(text(&a[1])?.ends_with(text(&a[0])?)))),
    ("indent", 2, 2, |a| Ok(string(indented(&a[0], &a[1])?))),
    ("nindent", 2, 2, |a| Ok(string(format!("\n{}", indented(&a[0], &a[1])?)))),
    ("split", 2, 2, split),
    ("splitList", 2, 2, |a| Ok(strings(parts(text(&a[1])?, text(&a[0])?).iter()))),
    ("join", 2, 2, join),
];

/// Go maps characters one to one; what Rust would write as several stays as it is.
fn upper(c: char) -> char {
    let mut mapped = c.to_uppercase();
    if mapped.len() == 1 { mapped.next().unwrap_or(c) } else { c }
}

fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// A word begins after anything that is no letter, digit or `_`.
fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        titled.push(if inside { c } else { upper(c) });
        inside = if c.is_ascii() { c.is_ascii_alphanumeric() || c == '_' } else { !c.is_whitespace() };
    }
    titled
}

fn trim_all(a: &Arguments<'_>) -> Outcome {
    let cut: BTreeSet<char> = text(&a[0])?.chars().collect();
    Ok(string(text(&a[1])?.trim_matches(|c| cut.contains(&c))))
}

fn replace(a: &Arguments<'_>) -> Outcome {
    let (old, new, source) = (text(&a[0])?, text(&a[1])?, text(&a[2])?);
    let count = if old.is_empty() { source.chars().count() + 1 } else { source.matches(old).count() };
    if source.len().saturating_add(count.saturating_mul(new.len())) > MAX_TEXT {
        return Err(Refused::TooMuch);
    }
    Ok(string(source.replace(old, new)))
}

fn repeat(a: &Arguments<'_>) -> Outcome {
    let (count, part) = (usize::try_from(int(&a[0])?).map_err(|_| Refused::Arguments)?, text(&a[1])?);
    if count.saturating_mul(part.len()) > MAX_TEXT {
        return Err(Refused::TooMuch);
    }
    Ok(string(part.repeat(count)))
}

fn substr(a: &Arguments<'_>) -> Outcome {
    let (start, end, source) = (int(&a[0])?, int(&a[1])?, text(&a[2])?);
    let length = source.chars().count();
    let place = |index: i64| usize::try_from(index).map(|index| index.min(length)).ok();
    let (start, end) = (place(start).unwrap_or(0), place(end).unwrap_or(length));
    Ok(string(source.chars().take(end).skip(start).collect::<String>()))
}

fn trunc(a: &Arguments<'_>) -> Outcome {
    let (length, source) = (int(&a[0])?, text(&a[1])?);
    let wanted = usize::try_from(length.unsigned_abs()).map_err(|_| Refused::Arguments)?;
    let skipped = if length < 0 { source.chars().count().saturating_sub(wanted) } else { 0 };
    Ok(string(source.chars().skip(skipped).take(wanted).collect::<String>()))
}

fn indented(spaces: &Value, source: &Value) -> Result<String, Refused> {
    let spaces = usize::try_from(int(spaces)?).ok().filter(|spaces| *spaces <= MAX_INDENT).ok_or(Refused::TooMuch)?;
    let source = text(source)?;
    if source.len().saturating_add(spaces.saturating_mul(source.matches('\n').count() + 1)) > MAX_TEXT {
        return Err(Refused::TooMuch);
    }
    let pad = " ".repeat(spaces);
    Ok(format!("{pad}{}", source.replace('\n', &format!("\n{pad}"))))
}

/// Nothing separates every character, as in Go.
fn parts<'t>(source: &'t str, separator: &str) -> Vec<&'t str> {
    if !separator.is_empty() {
        return source.split(separator).collect();
    }
    source.char_indices().map(|(start, c)| &source[start..start + c.len_utf8()]).collect()
}

/// Parts under the keys `_0`, `_1` and so on.
fn split(a: &Arguments<'_>) -> Outcome {
    let parts = parts(text(&a[1])?, text(&a[0])?);
    // A map takes many times what its parts do.
    a.budget.spend(parts.len() * size_of::<[Value; 8]>())?;
    let parts = parts.iter().enumerate().map(|(index, part)| (format!("_{index}").into(), string(part)));
    Ok(Value::Map(std::sync::Arc::new(parts.collect())))
}

fn join(a: &Arguments<'_>) -> Outcome {
    let separator = text(&a[0])?;
    let parts: Vec<String> = match &a[1] {
        Value::List(_) => list(&a[1])?.iter().map(shown_text).collect::<Result<_, Refused>>()?,
        other => vec![shown_text(other)?],
    };
    let total = parts.iter().map(|part| part.len().saturating_add(separator.len())).sum::<usize>();
    if total > MAX_TEXT { Err(Refused::TooMuch) } else { Ok(string(parts.join(separator))) }
}
