//! The type of a scalar as Kubernetes tools see it.
//!
//! Plain scalars follow the reader of kubectl, Flux and Argo CD (YAML 1.1's booleans with YAML 1.2's numbers).
//! The types decide what a token stores; the source text of anything but strings is kept, so a reader with other
//! rules still gets back what was written.

use super::{Node, Scalar, Style};
use crate::padding::ValueType;
use crate::secret::SecretBytes;

/// `tag:yaml.org,2002:binary`
pub(crate) const BINARY_TAG: &str = "tag:yaml.org,2002:binary";
const STRING_TAG: &str = "tag:yaml.org,2002:str";

/// A value's type, with its bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The type.
    pub value_type: ValueType,
    /// Text, source text or decoded bytes.
    pub value: SecretBytes,
}

/// Why a scalar has no type that can be encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// A tag other than `!!str` and `!!binary`.
    #[error("its tag gives it a meaning that encryption would lose; remove the tag or leave the value in the clear")]
    Tag,
    /// `!!binary` with something else than base64.
    #[error("it is tagged !!binary and is not valid base64")]
    Base64,
}

/// The type and bytes of a scalar node.
pub fn resolve(node: &Node, scalar: &Scalar) -> Result<Resolved, ResolveError> {
    let string =
        |value: &str| Resolved { value_type: ValueType::String, value: SecretBytes::from(value.as_bytes().to_vec()) };
    match node.tag.as_ref().map(|tag| tag.name.as_str()) {
        None if scalar.style == Style::Plain => Ok(Resolved {
            value_type: plain_type(&scalar.value),
            value: SecretBytes::from(scalar.value.as_bytes().to_vec()),
        }),
        None | Some(STRING_TAG) => Ok(string(&scalar.value)),
        Some(BINARY_TAG) => {
            let value = crate::base64::decode_spaced(&scalar.value).ok_or(ResolveError::Base64)?;
            Ok(Resolved { value_type: ValueType::Binary, value: SecretBytes::from(value) })
        }
        Some(_) => Err(ResolveError::Tag),
    }
}

/// The type of an untagged plain scalar.
pub fn plain_type(text: &str) -> ValueType {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return ValueType::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" | "y" | "Y" | "yes" | "Yes" | "YES" | "n" | "N"
        | "no" | "No" | "NO" | "on" | "On" | "ON" | "off" | "Off" | "OFF" => return ValueType::Bool,
        _ => {}
    }
    // Only these can start a number or a date.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return ValueType::String;
    }
    if is_int(text) {
        ValueType::Int
    } else if is_float(text) {
        ValueType::Float
    } else if is_timestamp(text) {
        ValueType::Timestamp
    } else {
        ValueType::String
    }
}

fn is_int(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let based = |prefix: &str, allowed: fn(u8) -> bool| {
        digits
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| allowed(b) || b == b'_'))
    };
    let decimal =
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    decimal
        || based("0x", |b| b.is_ascii_hexdigit())
        || based("0o", |b| (b'0'..=b'7').contains(&b))
        || based("0b", |b| matches!(b, b'0' | b'1'))
}

fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_digit = mantissa.bytes().any(|b| b.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && exponent.bytes().all(|b| b.is_ascii_digit())
    });
    has_digit && digits(whole) && digits(fraction) && exponent_fits && (mantissa.contains('.') || exponent.is_some())
}

/// `2001-12-14`, and with a time after `T`, `t` or blanks.
fn is_timestamp(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let number =
        |text: &str, lengths: &[usize]| lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let day_length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (day, time) = rest.split_at(day_length);
    let plausible_time = time.is_empty()
        || (time.starts_with(['T', 't', ' ', '\t'])
            && time.contains(':')
            && time[1..].bytes().all(|b| b.is_ascii_digit() || b" \t:.+-Zz".contains(&b)));
    number(year, &[4]) && number(month, &[1, 2]) && number(day, &[1, 2]) && plausible_time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_have_the_types_that_kubectl_sees() {
        let cases = [
            (ValueType::Null, &["", "~", "null", "NULL"][..]),
            (ValueType::Bool, &["true", "False", "yes", "NO", "on", "y"]),
            (ValueType::Int, &["0", "-17", "+3", "0x1F", "0o17", "017", "1_000", "0b11"]),
            (ValueType::Float, &["1.5", "-.5", "1e3", "1.", "6.02E+23", ".inf", "-.INF", ".nan"]),
            (ValueType::Timestamp, &["2001-12-14", "2001-12-14T21:59:43.10-05:00", "2001-1-1 1:02:03Z"]),
            (
                ValueType::String,
                &["hunter2", "1.2.3", "0x", "-", "+", ".", "12:30", "2001-12-14x", "1e", "nul", "TrUe", "1-2-3", "--1"],
            ),
        ];
        for (expected, texts) in cases {
            for text in texts {
                assert_eq!(plain_type(text), expected, "{text}");
            }
        }
    }
}
