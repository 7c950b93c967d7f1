//! A part of what was read, by the path that `property` gives.
//!
//! Paths are those of gjson. What is found is written as the operator that people come from writes it, for each kind of
//! source: what Vault keeps is data, which is written anew; what AWS keeps is a text, of which a part is taken.

use std::collections::BTreeMap;

use gjson::Kind;
use sealwax_format::SecretBytes;
use zeroize::Zeroizing;

use super::error::ValueProblem;
use super::{Value, json};

/// Most signs in a path for each of which the search recurses.
const MAX_NESTED: usize = 64;
/// Most parts of one result that are made of several, as each step of the path may double what comes before it.
const MAX_JOINED: usize = 6;
/// Most work that patterns in a path may cause: the length of the text for each of them.
const MAX_PATTERNS: usize = 1 << 30;

type Found = Result<Option<SecretBytes>, ValueProblem>;

/// The whole value, or the part of it that the path names; nothing if there is none.
pub(super) fn part(value: Value<'_>, property: &str) -> Found {
    if property.is_empty() {
        return whole(value).map(Some);
    }
    match value {
        Value::Fields(bytes) => of_fields(bytes, property),
        Value::Text(bytes) => of_text(bytes, property),
        Value::Items(items) => of_items(items, property),
    }
}

/// The whole value.
fn whole(value: Value<'_>) -> Result<SecretBytes, ValueProblem> {
    match value {
        Value::Fields(bytes) => json::as_go_writes(json::text(bytes)?).map(|mut text| secret(&mut text)),
        Value::Text(bytes) => Ok(bytes.duplicate()),
        Value::Items(items) => {
            let mut text = Zeroizing::new(String::from("{"));
            for (index, (name, value)) in items.iter().enumerate() {
                // JSON holds text alone, in Go too.
                let value = Zeroizing::new(String::from_utf8_lossy(value.expose()).into_owned());
                let comma = if index > 0 { "," } else { "" };
                text.push_str(&format!("{comma}{}:", *json::quoted(name)?));
                text.push_str(&json::quoted(&value)?);
            }
            text.push('}');
            Ok(secret(&mut text))
        }
    }
}

/// A field's exact name comes first: people have fields called `a.b`.
fn of_fields(bytes: &SecretBytes, property: &str) -> Found {
    let text = json::text(bytes)?;
    if let Some(field) = json::fields(text)?.get(property) {
        return json::value(field.get(), json::as_go_writes).map(Some);
    }
    search(&json::as_go_writes(text)?, property)
}

/// The path with its dots escaped comes first.
fn of_text(bytes: &SecretBytes, property: &str) -> Found {
    let text = json::text(bytes)?;
    if property.contains('.')
        && let Some(found) = search(text, &property.replace('.', "\\."))?
    {
        return Ok(Some(found));
    }
    search(text, property)
}

/// An item's exact name comes first; else what stands before the first dot is one, and the rest a path in its value.
fn of_items(items: &BTreeMap<String, SecretBytes>, property: &str) -> Found {
    if let Some(value) = items.get(property) {
        return Ok(Some(value.duplicate()));
    }
    let inner = property.split_once('.').and_then(|(item, path)| Some((items.get(item)?, path)));
    inner.map_or(Ok(None), |(value, path)| search(json::text(value)?, path))
}

/// The items that an object holds, as a source of each kind gives them.
pub(super) fn extract(value: Value<'_>, property: &str) -> Result<Option<Vec<(String, SecretBytes)>>, ValueProblem> {
    if property.is_empty() {
        return match value {
            Value::Fields(bytes) => items_of(bytes, json::as_go_writes).map(Some),
            Value::Text(bytes) => items_of(bytes, verbatim).map(Some),
            Value::Items(items) => {
                Ok(Some(items.iter().map(|(name, value)| (name.clone(), value.duplicate())).collect()))
            }
        };
    }
    let Some(inner) = part(value, property)? else { return Ok(None) };
    match value {
        Value::Fields(_) => items_of(&inner, json::as_go_writes),
        Value::Text(_) | Value::Items(_) => items_of(&inner, verbatim),
    }
    .map(Some)
}

fn items_of(
    bytes: &SecretBytes,
    other: impl Fn(&str) -> Result<Zeroizing<String>, ValueProblem> + Copy,
) -> Result<Vec<(String, SecretBytes)>, ValueProblem> {
    let fields = json::fields(json::text(bytes)?)?;
    fields.into_iter().map(|(name, value)| Ok((name, json::value(value.get(), other)?))).collect()
}

fn verbatim(text: &str) -> Result<Zeroizing<String>, ValueProblem> {
    Ok(Zeroizing::new(text.to_owned()))
}

/// What the path finds in a JSON text, as Go's `Result.String` writes it.
fn search(text: &str, path: &str) -> Found {
    admit(text, path)?;
    let found = gjson::get(text, path);
    if !found.exists() {
        return Ok(None);
    }
    let written = match found.kind() {
        Kind::Number => number(found.json()),
        _ => found.str().to_owned(),
    };
    Ok(Some(SecretBytes::from(written)))
}

/// Whoever writes a path may choose the text too, and the search is not made for that: what could make it recurse or
/// grow without end is refused.
fn admit(text: &str, path: &str) -> Result<(), ValueProblem> {
    let count = |signs: &[char]| path.matches(signs).count();
    let patterns = u32::try_from(count(&['*'])).unwrap_or(u32::MAX);
    let many = count(&['[', '{', '(', '|', '#', '@']) > MAX_NESTED;
    let grows = count(&['[', '{']) > 0 && count(&[',']) > MAX_JOINED;
    let slow = text.len().max(2).saturating_pow(patterns) > MAX_PATTERNS;
    if many || grows || slow || path.contains("@pretty:") { Err(ValueProblem::Path) } else { Ok(()) }
}

/// Plain digits stay as they are, so that no integer loses any; all else goes through a float, as in Go.
pub(super) fn number(text: &str) -> String {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.to_owned();
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => number.to_string(),
        _ => text.to_owned(),
    }
}

fn secret(text: &mut Zeroizing<String>) -> SecretBytes {
    SecretBytes::from(std::mem::take(&mut **text))
}
