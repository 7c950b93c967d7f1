//! Plain scalars of YAML as go-yaml resolves them, and numbers as Go prints them.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::cipher::Type;
use super::scalar::{ScalarError, Seen};
use super::time;

/// What the longest float takes: the smallest one has 323 zeros behind its point.
const LONGEST_FLOAT: usize = 400;

pub(super) fn value(kind: Type, text: &str) -> Seen {
    Seen::Value(kind, Zeroizing::new(text.as_bytes().to_vec()))
}

pub(super) fn bool(is: bool) -> Seen {
    value(Type::Bool, if is { "True" } else { "False" })
}

pub(super) fn int(number: i64) -> Seen {
    Seen::Value(Type::Int, Zeroizing::new(number.to_string().into_bytes()))
}

/// The shortest digits that come back as the same number, never with an exponent.
pub(super) fn float(number: f64) -> Seen {
    if number.is_nan() {
        return value(Type::Float, "NaN");
    }
    if number.is_infinite() {
        return value(Type::Float, if number > 0.0 { "+Inf" } else { "-Inf" });
    }
    // Room at once: a text that grows leaves copies behind.
    let mut text = String::with_capacity(LONGEST_FLOAT);
    // Writing to a string does not fail.
    let _ = write!(text, "{number}");
    Seen::Value(Type::Float, Zeroizing::new(text.into_bytes()))
}

/// A scalar without a tag and without quotes; timestamps are none under a tag of another type.
pub(super) fn resolve(text: &str, timestamps: bool) -> Result<Seen, ScalarError> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Seen::Null),
        "true" | "True" | "TRUE" => return Ok(bool(true)),
        "false" | "False" | "FALSE" => return Ok(bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Ok(float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Ok(float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => return Ok(float(f64::NEG_INFINITY)),
        _ => {}
    }
    let number = match text.as_bytes().first() {
        Some(b'.') => finite(text),
        Some(b'+' | b'-' | b'0'..=b'9') => number(text, timestamps)?,
        _ => None,
    };
    Ok(number.unwrap_or_else(|| value(Type::Text, text)))
}

/// What starts with a sign or a digit, as far as it is no text.
fn number(text: &str, timestamps: bool) -> Result<Option<Seen>, ScalarError> {
    if let Some(time) = time::canonical(text).filter(|_| timestamps) {
        return Ok(Some(value(Type::Time, &time.map_err(|time::OutOfRange| ScalarError::Zone)?)));
    }
    let mut digits = Zeroizing::new(String::with_capacity(text.len()));
    digits.extend(text.chars().filter(|c| *c != '_'));
    match integer(&digits) {
        Some(Integer::Fits(number)) => Ok(Some(int(number))),
        Some(Integer::Unsigned) => Err(ScalarError::Unsigned),
        Some(Integer::Larger) | None => Ok(finite(&digits)),
    }
}

/// A float; digits beyond the range of floats are a text.
fn finite(text: &str) -> Option<Seen> {
    let number: Option<f64> = text.parse().ok().filter(|_| is_float(text));
    number.filter(|number| number.is_finite()).map(float)
}

enum Integer {
    Fits(i64),
    /// Above the largest signed one, within 64 bits.
    Unsigned,
    Larger,
}

/// An integer as Go reads it with the base in front: `0x`, `0b`, `0o`, and a lone `0` for octal.
fn integer(text: &str) -> Option<Integer> {
    let signed = |text| match strip_sign(text) {
        Some((sign, rest)) => (Some(sign), rest),
        None => (None, text),
    };
    let (mut sign, rest) = signed(text);
    let (radix, mut digits) = match rest.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, rest.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, rest.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, rest.get(2..)?),
        [b'0', _, ..] => (8, rest.get(1..)?),
        _ => (10, rest),
    };
    // go-yaml takes a sign there too.
    if sign.is_none() && (text.starts_with("0b") || text.starts_with("0o")) {
        (sign, digits) = signed(digits);
    }
    // A second sign is none.
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let Ok(magnitude) = u64::from_str_radix(digits, radix) else {
        return Some(Integer::Larger);
    };
    let number = match sign {
        Some('-') => 0_i64.checked_sub_unsigned(magnitude),
        _ => i64::try_from(magnitude).ok(),
    };
    // Go reads no sign where it reads numbers without one.
    Some(number.map_or(if sign.is_some() { Integer::Larger } else { Integer::Unsigned }, Integer::Fits))
}

fn strip_sign(text: &str) -> Option<(char, &str)> {
    ['+', '-'].into_iter().find_map(|sign| Some((sign, text.strip_prefix(sign)?)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match resolve(text, true) {
            Ok(Seen::Null) => "null".to_owned(),
            Ok(Seen::Value(kind, bytes)) => format!("{} {}", kind.as_str(), String::from_utf8_lossy(&bytes)),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn plain_scalars_are_what_go_yaml_takes_them_for() {
        let zone = ScalarError::Zone.to_string();
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
            ("-0B11", "int -3"),
            ("0b-1", "int -1"),
            ("0b+1", "int 1"),
            ("0o-7", "int -7"),
            ("-0b-1", "str -0b-1"),
            ("0x-1", "str 0x-1"),
            ("0B-1", "str 0B-1"),
            ("12345_54321", "int 1234554321"),
            ("08", "float 8"),
            ("9223372036854775807", "int 9223372036854775807"),
            ("9223372036854775808", "the number is too large for SOPS; put it in quotes"),
            ("18446744073709551616", "float 18446744073709552000"),
            ("+9223372036854775808", "float 9223372036854776000"),
            ("-9223372036854775809", "float -9223372036854776000"),
            ("1e400", "str 1e400"),
            ("-1e400", "str -1e400"),
            (".1e400", "str .1e400"),
            ("1e-400", "float 0"),
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
            ("2024-01-01T00:00:00+00:60", "time 2024-01-01T00:00:00+01:00"),
            ("2024-01-01T00:00:00-00:00", "time 2024-01-01T00:00:00Z"),
            ("2024-01-01T00:00:00+24:00", &zone),
            ("2024-01-01T00:00:00-23:60", &zone),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
