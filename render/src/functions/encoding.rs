//! Functions that encode, decode and hash bytes, and JSON.

use std::sync::Arc;

use data_encoding::{BASE32, BASE64, BASE64URL_NOPAD, HEXLOWER};
use gotmpl::Value;
use sha2::Digest;

use super::{Function, Outcome, Refused, bytes, string, text};
use crate::bytes::to_text;

/// How deep JSON may be nested.
const MAX_DEPTH: usize = 64;

pub(super) const FUNCTIONS: &[Function] = &[
    ("b64enc", 1, 1, |a| Ok(string(BASE64.encode(&bytes(&a[0])?)))),
    ("b64dec", 1, 1, |a| decoded(BASE64.decode(text(&a[0])?.as_bytes()))),
    ("b64urlenc", 1, 1, |a| Ok(string(BASE64URL_NOPAD.encode(&bytes(&a[0])?)))),
    ("b64urldec", 1, 1, |a| decoded(BASE64URL_NOPAD.decode(text(&a[0])?.trim_end_matches('=').as_bytes()))),
    ("b32enc", 1, 1, |a| Ok(string(BASE32.encode(&bytes(&a[0])?)))),
    ("b32dec", 1, 1, |a| decoded(BASE32.decode(text(&a[0])?.as_bytes()))),
    ("sha1sum", 1, 1, |a| Ok(string(HEXLOWER.encode(&sha1::Sha1::digest(bytes(&a[0])?))))),
    ("sha256sum", 1, 1, |a| Ok(string(HEXLOWER.encode(&sha2::Sha256::digest(bytes(&a[0])?))))),
    ("sha512sum", 1, 1, |a| Ok(string(HEXLOWER.encode(&sha2::Sha512::digest(bytes(&a[0])?))))),
    ("fromJson", 1, 1, from_json),
    ("toJson", 1, 1, |a| written(serde_json::to_string(&to_json(&a[0], 0)?))),
    ("toRawJson", 1, 1, |a| written(serde_json::to_string(&to_json(&a[0], 0)?))),
    ("toPrettyJson", 1, 1, |a| written(serde_json::to_string_pretty(&to_json(&a[0], 0)?))),
];

fn decoded(result: Result<Vec<u8>, data_encoding::DecodeError>) -> Outcome {
    result.map(|bytes| string(to_text(&bytes))).map_err(|_| Refused::Arguments)
}

fn written(result: Result<String, serde_json::Error>) -> Outcome {
    result.map(string).map_err(|_| Refused::Arguments)
}

fn from_json(a: &[Value]) -> Outcome {
    serde_json::from_slice(&bytes(&a[0])?).map(of_json).map_err(|_| Refused::Arguments)
}

fn of_json(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => Value::Int(number),
            (_, Some(number), _) => Value::Uint(number),
            (.., number) => Value::Float(number.unwrap_or_default()),
        },
        serde_json::Value::String(text) => string(text),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(of_json).collect()),
        serde_json::Value::Object(items) => {
            Value::Map(Arc::new(items.into_iter().map(|(key, value)| (key.into(), of_json(value))).collect()))
        }
    }
}

fn to_json(value: &Value, depth: usize) -> Result<serde_json::Value, Refused> {
    if depth > MAX_DEPTH {
        return Err(Refused::TooMuch);
    }
    Ok(match value {
        Value::Nil => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Uint(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        // Bytes that are no text have no place in JSON.
        Value::String(text) => String::from_utf8(crate::bytes::to_bytes(text)).map_err(|_| Refused::Arguments)?.into(),
        Value::List(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(|item| to_json(item, depth + 1)).collect();
            items?.into()
        }
        Value::Map(items) => {
            let items = items.iter().map(|(key, value)| Ok((key.to_string(), to_json(value, depth + 1)?)));
            serde_json::Value::Object(items.collect::<Result<_, Refused>>()?)
        }
        Value::Function(_) => return Err(Refused::Arguments),
    })
}
