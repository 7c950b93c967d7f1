//! What SOPS takes a scalar for, and the bytes that stand for it in tokens and in the checksum.
//!
//! SOPS reads YAML with go-yaml and writes each value as Go prints it, so `0x1F`, `1_000` and `1e3` count as `31`,
//! `1000` and `1000`. The source text is not kept by SOPS, but it is by us: these bytes are for ciphertext and checksum.

use zeroize::Zeroizing;

use super::cipher::Type;
use super::time;
use crate::document::{Node, Scalar, Style, Syntax};

const STRING_TAG: &str = "tag:yaml.org,2002:str";
const BINARY_TAG: &str = "tag:yaml.org,2002:binary";

/// A scalar as SOPS sees it.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// Never encrypted, and not in the checksum.
    Null,
    /// A value: its type, and its bytes.
    Value(Type, Zeroizing<Vec<u8>>),
}

/// A scalar that SOPS does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScalarError {
    /// An integer between 2^63 and 2^64: SOPS fails on it.
    #[error("the number is too large for SOPS; put it in quotes")]
    Unsigned,
    /// `!!binary` that is not base64.
    #[error("it is tagged !!binary and is not valid base64")]
    Base64,
}

/// What a scalar is.
pub fn see(syntax: Syntax, node: &Node, scalar: &Scalar) -> Result<Seen, ScalarError> {
    let text = || Ok(Seen::Value(Type::Text, Zeroizing::new(scalar.value.as_bytes().to_vec())));
    if scalar.style != Style::Plain {
        return if is_tagged(node, BINARY_TAG) { binary(&scalar.value) } else { text() };
    }
    if syntax == Syntax::Json {
        return Ok(json(&scalar.value));
    }
    match &node.tag {
        Some(tag) if tag.name == STRING_TAG => text(),
        Some(tag) if tag.name == BINARY_TAG => binary(&scalar.value),
        _ => plain(&scalar.value),
    }
}

fn is_tagged(node: &Node, name: &str) -> bool {
    node.tag.as_ref().is_some_and(|tag| tag.name == name)
}

fn binary(text: &str) -> Result<Seen, ScalarError> {
    let bytes = crate::base64::decode_spaced(text).ok_or(ScalarError::Base64)?;
    Ok(Seen::Value(Type::Text, bytes))
}

fn value(kind: Type, text: String) -> Seen {
    Seen::Value(kind, Zeroizing::new(text.into_bytes()))
}

fn bool(value_: bool) -> Seen {
    value(Type::Bool, if value_ { "True" } else { "False" }.to_owned())
}

/// A number, `true`, `false` or `null` of JSON.
fn json(text: &str) -> Seen {
    match text {
        "null" => Seen::Null,
        "true" => bool(true),
        "false" => bool(false),
        number => match number.parse::<i64>() {
            Ok(int) => value(Type::Int, int.to_string()),
            Err(_) => number.parse().map_or_else(|_| value(Type::Text, number.to_owned()), float),
        },
    }
}

/// An untagged plain scalar of YAML.
fn plain(text: &str) -> Result<Seen, ScalarError> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Seen::Null),
        "true" | "True" | "TRUE" => return Ok(bool(true)),
        "false" | "False" | "FALSE" => return Ok(bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Ok(value(Type::Float, "NaN".to_owned())),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Ok(float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => return Ok(float(f64::NEG_INFINITY)),
        _ => {}
    }
    let as_text = || Ok(value(Type::Text, text.to_owned()));
    match text.as_bytes().first() {
        Some(b'.') => text.parse().ok().filter(|_| is_float(text)).map_or_else(as_text, |number| Ok(float(number))),
        Some(b'+' | b'-' | b'0'..=b'9') => match number(text)? {
            Some(seen) => Ok(seen),
            None => as_text(),
        },
        _ => as_text(),
    }
}

/// What starts with a sign or a digit, as far as it is no text.
fn number(text: &str) -> Result<Option<Seen>, ScalarError> {
    if let Some(time) = time::canonical(text) {
        return Ok(Some(value(Type::Time, time)));
    }
    let digits = text.replace('_', "");
    match integer(&digits) {
        Some(Integer::Fits(int)) => return Ok(Some(value(Type::Int, int.to_string()))),
        Some(Integer::Unsigned) => return Err(ScalarError::Unsigned),
        Some(Integer::Larger) | None => {}
    }
    Ok(digits.parse().ok().filter(|_| is_float(&digits)).map(float))
}

enum Integer {
    Fits(i64),
    /// Above the largest signed one, within 64 bits.
    Unsigned,
    Larger,
}

/// An integer as Go reads it with the base in front: `0x`, `0b`, `0o`, and a lone `0` for octal.
fn integer(text: &str) -> Option<Integer> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    // A second sign is none.
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let Ok(magnitude) = u64::from_str_radix(digits, radix) else {
        return Some(Integer::Larger);
    };
    let signed = if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() };
    Some(match signed {
        Some(int) => Integer::Fits(int),
        None if negative => Integer::Larger,
        None => Integer::Unsigned,
    })
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_fits
}

/// The shortest digits that come back as the same number, never with an exponent.
fn float(number: f64) -> Seen {
    let text = if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        number.to_string()
    };
    value(Type::Float, text)
}

/// The bytes in the checksum for a value that was opened: SOPS parses what it decrypted and prints it again.
pub fn normalised(kind: Type, plaintext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = || std::str::from_utf8(plaintext).ok();
    let bytes = |text: String| Some(Zeroizing::new(text.into_bytes()));
    match kind {
        Type::Text | Type::Bytes | Type::Comment => Some(Zeroizing::new(plaintext.to_vec())),
        Type::Int => bytes(text()?.parse::<i64>().ok()?.to_string()),
        Type::Bool => match text()? {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => bytes("True".to_owned()),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => bytes("False".to_owned()),
            _ => None,
        },
        Type::Float => match float(text()?.parse().ok()?) {
            Seen::Value(_, bytes) => Some(bytes),
            Seen::Null => None,
        },
        Type::Time => bytes(time::canonical(text()?)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match plain(text) {
            Ok(Seen::Null) => "null".to_owned(),
            Ok(Seen::Value(kind, bytes)) => format!("{} {}", kind.as_str(), String::from_utf8_lossy(&bytes)),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn plain_scalars_are_what_go_yaml_takes_them_for() {
        let cases = [
            ("~", "null"),
            ("True", "bool True"),
            ("yes", "str yes"),
            ("on", "str on"),
            ("12", "int 12"),
            ("+12", "int 12"),
            ("-0", "int 0"),
            ("014", "int 12"),
            ("0o14", "int 12"),
            ("0x1F", "int 31"),
            ("0b11", "int 3"),
            ("12345_54321", "int 1234554321"),
            ("08", "float 8"),
            ("9223372036854775807", "int 9223372036854775807"),
            ("9223372036854775808", "the number is too large for SOPS; put it in quotes"),
            ("18446744073709551616", "float 18446744073709552000"),
            ("-9223372036854775808", "int -9223372036854775808"),
            ("1.0", "float 1"),
            ("1e3", "float 1000"),
            ("1e21", "float 1000000000000000000000"),
            (".5", "float 0.5"),
            ("-.5", "float -0.5"),
            ("1.", "float 1"),
            (".", "str ."),
            ("-", "str -"),
            ("1.2.3", "str 1.2.3"),
            ("0x", "str 0x"),
            ("--1", "str --1"),
            (".inf", "float +Inf"),
            ("-.INF", "float -Inf"),
            (".NaN", "float NaN"),
            ("2024-01-01", "time 2024-01-01T00:00:00Z"),
            ("2001-12-14t21:59:43.10-05:00", "time 2001-12-14T21:59:43.1-05:00"),
            ("2001-12-14 21:59:43.10 -5", "str 2001-12-14 21:59:43.10 -5"),
            ("12:30:45", "str 12:30:45"),
            ("2001-13-14", "str 2001-13-14"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_of_json() {
        for (text, expected) in
            [("1", "1"), ("1.5", "1.5"), ("1e2", "100"), ("9223372036854775808", "9223372036854776000")]
        {
            assert_eq!(
                json(text),
                value(
                    if expected.contains('.') || text.len() > 2 { Type::Float } else { Type::Int },
                    expected.to_owned()
                ),
                "{text}"
            );
        }
    }
}
