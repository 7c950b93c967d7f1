//! Functions that read and write JSON.

use std::sync::Arc;

use gotmpl::Value;

use super::{Arguments, Function, Outcome, Refused, bytes, string};
use crate::bytes::{to_bytes, to_text};

/// What a JSON object may take while it is read: a node of each of two trees.
const OBJECT: usize = 1200;
/// What any other JSON value may take while it is read.
const ELEMENT: usize = 64;

pub(super) const FUNCTIONS: &[Function] = &[
    ("fromJson", 1, 1, from_json),
    ("toJson", 1, 1, |a| Ok(string(for_html(&compact(a)?)))),
    ("toRawJson", 1, 1, |a| Ok(string(compact(a)?))),
    ("toPrettyJson", 1, 1, |a| {
        serde_json::to_string_pretty(&to_json(&a[0])?)
            .map(|text| string(for_html(&text)))
            .map_err(|_| Refused::Arguments)
    }),
];

fn compact(a: &Arguments<'_>) -> Result<String, Refused> {
    serde_json::to_string(&to_json(&a[0])?).map_err(|_| Refused::Arguments)
}

/// Go's writer escapes what has a meaning in HTML; such characters stand in strings only.
pub(crate) fn for_html(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

fn from_json(a: &Arguments<'_>) -> Outcome {
    let json = bytes(&a[0])?;
    // A few bytes of JSON may take a thousand of memory.
    let (mut objects, mut elements) = (0, 0);
    for byte in &*json {
        match byte {
            b'{' => objects += 1,
            b',' | b'[' | b':' => elements += 1,
            _ => {}
        }
    }
    a.budget.spend(objects * OBJECT + elements * ELEMENT)?;
    serde_json::from_slice(&json).map(of_json).map_err(|_| Refused::Arguments)
}

/// The reader has refused what is nested deeper than it may recurse.
fn of_json(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => Value::Int(number),
            (_, Some(number), _) => Value::Uint(number),
            (.., number) => Value::Float(number.unwrap_or_default()),
        },
        serde_json::Value::String(text) => string(to_text(text.as_bytes())),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(of_json).collect()),
        serde_json::Value::Object(items) => {
            let items = items.into_iter().map(|(key, value)| (to_text(key.as_bytes()).into(), of_json(value)));
            Value::Map(Arc::new(items.collect()))
        }
    }
}

fn to_json(value: &Value) -> Result<serde_json::Value, Refused> {
    Ok(match value {
        Value::Nil => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Uint(value) => (*value).into(),
        Value::Float(value) => number(*value)?,
        Value::String(text) => of_text(text)?.into(),
        Value::List(items) => items.iter().map(to_json).collect::<Result<Vec<_>, Refused>>()?.into(),
        Value::Map(items) => {
            let items = items.iter().map(|(key, value)| Ok((of_text(key)?, to_json(value)?)));
            serde_json::Value::Object(items.collect::<Result<_, Refused>>()?)
        }
        Value::Function(_) => return Err(Refused::Arguments),
    })
}

/// Bytes that are no text have no place in JSON.
fn of_text(text: &str) -> Result<String, Refused> {
    String::from_utf8(to_bytes(text).into_owned()).map_err(|_| Refused::Arguments)
}

/// Go writes a whole number without a fraction, and refuses what is no number.
fn number(value: f64) -> Result<serde_json::Value, Refused> {
    /// Up to here every whole number has a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and in the range of integers")]
        return Ok((value as i64).into());
    }
    serde_json::Number::from_f64(value).map(serde_json::Value::Number).ok_or(Refused::Arguments)
}
