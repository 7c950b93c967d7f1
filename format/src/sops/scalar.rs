//! What SOPS takes a scalar for, and the bytes that stand for it in tokens and in the checksum.
//!
//! SOPS reads YAML with go-yaml and writes each value as Go prints it, so `0x1F`, `1_000` and `1e3` count as `31`,
//! `1000` and `1000`. The source text is not kept by SOPS, but it is by us: these bytes are for ciphertext and checksum.

use zeroize::Zeroizing;

use super::cipher::Type;
use super::plain::plain;
use super::{number, time};
use crate::document::{Node, Scalar, Style, Syntax, Tag};

const TAGS: &str = "tag:yaml.org,2002:";

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
    /// A number of JSON beyond the floats.
    #[error("the number is out of range for SOPS; put it in quotes")]
    Range,
    /// A timestamp of YAML that Go reads and does not print.
    #[error("the timestamp is a day or more away from UTC, which SOPS does not take; correct it or put it in quotes")]
    Zone,
    /// `!!binary` that is not base64.
    #[error("it is tagged !!binary and is not valid base64, with nothing but line breaks in it")]
    Base64,
    /// A tag such as `!!int` before something else.
    #[error("its tag states a type that its text is not, and SOPS fails on it; remove the tag or correct the value")]
    Tag,
    /// The same before a token.
    #[error(
        "its tag leaves no place for an encrypted value; remove the tag, and put the value in quotes if it is text"
    )]
    Tagged,
}

/// What a scalar is.
pub fn see(syntax: Syntax, node: &Node, scalar: &Scalar) -> Result<Seen, ScalarError> {
    let text = scalar.value.as_str();
    let plain = scalar.style == Style::Plain;
    match (syntax, &node.tag) {
        (Syntax::Json, _) if plain => json(text),
        // One that says nothing: `!` alone.
        (Syntax::Yaml, Some(tag)) if tag.name != "!" => tagged(&tag.name, text),
        (Syntax::Yaml, _) if plain => number::resolve(text, true),
        _ => Ok(number::value(Type::Text, text)),
    }
}

/// Whether a token can stand under a tag: go-yaml reads none under `!!int`, and a tag of somebody's own says of the
/// value what is not true of its token.
pub(super) fn takes_token(tag: Option<&Tag>) -> bool {
    tag.is_none_or(|tag| short(&tag.name) == Some("str"))
}

/// The name of a tag of YAML itself; go-yaml takes the short form for the same between `!<` and `>` too.
fn short(tag: &str) -> Option<&str> {
    tag.strip_prefix(TAGS).or_else(|| tag.strip_prefix("!!"))
}

/// A scalar under a tag, which goes before quotes.
fn tagged(tag: &str, text: &str) -> Result<Seen, ScalarError> {
    let expected = match short(tag) {
        Some("binary") => return binary(text),
        Some("bool") => Some(Type::Bool),
        Some("float") => Some(Type::Float),
        Some("int") => Some(Type::Int),
        Some("timestamp") => Some(Type::Time),
        Some("null") => None,
        // `!!str`, and what go-yaml knows nothing about.
        _ => return Ok(number::value(Type::Text, text)),
    };
    match (expected, number::resolve(text, expected == Some(Type::Time))?) {
        (None, Seen::Null) => Ok(Seen::Null),
        (Some(expected), Seen::Value(kind, bytes)) if expected == kind => Ok(Seen::Value(kind, bytes)),
        (Some(Type::Float), Seen::Value(Type::Int, bytes)) => {
            let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
            number.map(number::float).ok_or(ScalarError::Tag)
        }
        _ => Err(ScalarError::Tag),
    }
}

/// Whether a value is still the same when it was opened, written into a plain file and read there. A float without a
/// fraction reads as an integer, as it does for SOPS.
pub(super) fn comes_back(syntax: Syntax, kind: Type, bytes: &[u8]) -> bool {
    let written = plain(kind, bytes, syntax);
    let text = written.as_ref().and_then(|(_, text)| std::str::from_utf8(text).ok());
    let seen = match (kind, text, syntax) {
        // In quotes if need be.
        (Type::Text, ..) => return written.is_some(),
        (_, None, _) => return false,
        (_, Some(text), Syntax::Json) => json(text),
        (_, Some(text), _) => number::resolve(text, true),
    };
    let same = |seen: Type| seen == kind || (seen == Type::Int && kind == Type::Float);
    matches!(seen, Ok(Seen::Value(seen, again)) if same(seen) && again.as_slice() == bytes)
}

fn binary(text: &str) -> Result<Seen, ScalarError> {
    // Go's decoder skips line breaks and nothing else.
    let bytes = crate::base64::decode_spaced(text).filter(|_| !text.contains([' ', '\t', '\u{b}', '\u{c}']));
    Ok(Seen::Value(Type::Text, bytes.ok_or(ScalarError::Base64)?))
}

/// A number, `true`, `false` or `null` of JSON.
fn json(text: &str) -> Result<Seen, ScalarError> {
    Ok(match text {
        "null" => Seen::Null,
        "true" => number::bool(true),
        "false" => number::bool(false),
        _ => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(int), _) => number::int(int),
            (Err(_), Ok(float)) if float.is_finite() => number::float(float),
            (Err(_), Ok(_)) => return Err(ScalarError::Range),
            (Err(_), Err(_)) => number::value(Type::Text, text),
        },
    })
}

/// The bytes in the checksum for a value that was opened: SOPS parses what it decrypted and prints it again.
pub fn normalised(kind: Type, plaintext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = || std::str::from_utf8(plaintext).ok();
    let bytes = |seen: Seen| match seen {
        Seen::Value(_, bytes) => Some(bytes),
        Seen::Null => None,
    };
    match kind {
        Type::Text | Type::Bytes | Type::Comment => Some(Zeroizing::new(plaintext.to_vec())),
        Type::Int => bytes(number::int(text()?.parse().ok()?)),
        Type::Bool => match text()? {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => bytes(number::bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => bytes(number::bool(false)),
            _ => None,
        },
        Type::Float => {
            let text = text()?;
            let number: f64 = text.parse().ok()?;
            // Digits beyond the floats are an error in Go, and infinity by its name is none.
            let fits = !number.is_infinite() || !text.contains(|c: char| c.is_ascii_digit());
            bytes(number::float(number)).filter(|_| fits)
        }
        Type::Time => time::canonical(text()?)?.ok().map(|time| Zeroizing::new(time.as_bytes().to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::File;

    fn shown(seen: Result<Seen, ScalarError>) -> String {
        match seen {
            Ok(Seen::Null) => "null".to_owned(),
            Ok(Seen::Value(kind, bytes)) => format!("{} {}", kind.as_str(), String::from_utf8_lossy(&bytes)),
            Err(error) => error.to_string(),
        }
    }

    /// The value of `a` in a file of one line.
    fn in_file(syntax: Syntax, source: &str) -> String {
        let file = File::parse(source, syntax).unwrap();
        let node = file.documents[0].root.get("a").unwrap();
        shown(see(syntax, node, node.scalar().unwrap()))
    }

    #[test]
    fn a_tag_goes_before_quotes_and_digits() {
        let [tag, base64] = [ScalarError::Tag, ScalarError::Base64].map(|error| error.to_string());
        let cases = [
            ("!!bool \"true\"", "bool True"),
            ("!!bool yes", &tag),
            ("!!float \"1e3\"", "float 1000"),
            ("!!float 12", "float 12"),
            ("!!float 0x10", "float 16"),
            ("!!float \"1_0\"", "float 10"),
            ("!!int \"0x10\"", "int 16"),
            ("!!int 5.0", &tag),
            ("!!int \"\"", &tag),
            ("!!int 2024-01-01", &tag),
            ("!!timestamp \"2024-01-01\"", "time 2024-01-01T00:00:00Z"),
            ("!!timestamp noon", &tag),
            ("!!null \"\"", "null"),
            ("!!null", "null"),
            ("!!null x", &tag),
            ("!!str 1", "str 1"),
            ("!!str", "str "),
            ("!<tag:yaml.org,2002:bool> \"true\"", "bool True"),
            ("!<!!bool> true", "bool True"),
            ("!!binary aGk=", "str hi"),
            ("!!binary \"a Gk=\"", &base64),
            ("!vault 0x10", "str 0x10"),
            ("!!other true", "str true"),
            ("!!map x", "str x"),
            ("! 0x10", "int 16"),
            ("! \"0x10\"", "str 0x10"),
            ("<<", "str <<"),
        ];
        for (value, expected) in cases {
            assert_eq!(in_file(Syntax::Yaml, &format!("a: {value}\n")), expected, "{value}");
        }
    }

    #[test]
    fn numbers_of_json() {
        let range = ScalarError::Range.to_string();
        let cases = [
            ("1", "int 1"),
            ("-0", "int 0"),
            ("1.5", "float 1.5"),
            ("1e2", "float 100"),
            ("9223372036854775808", "float 9223372036854776000"),
            ("1e400", &range),
            ("-1E400", &range),
            ("null", "null"),
            ("true", "bool True"),
            ("\"1e400\"", "str 1e400"),
        ];
        for (value, expected) in cases {
            assert_eq!(in_file(Syntax::Json, &format!("{{\"a\": {value}}}")), expected, "{value}");
        }
    }

    #[test]
    fn only_what_comes_back_may_go() {
        for (kind, text) in [(Type::Int, "-5"), (Type::Float, "1.5"), (Type::Float, "+Inf"), (Type::Bool, "False")] {
            assert!(comes_back(Syntax::Yaml, kind, text.as_bytes()), "{text}");
        }
        for (kind, text) in [(Type::Int, "x"), (Type::Float, "1e3"), (Type::Bool, "1"), (Type::Time, "noon")] {
            assert!(!comes_back(Syntax::Yaml, kind, text.as_bytes()), "{text}");
        }
        assert!(!comes_back(Syntax::Json, Type::Float, b"+Inf"));
    }

    #[test]
    fn what_was_opened_is_printed_as_sops_does() {
        let cases = [
            (Type::Float, "1e3", Some("1000")),
            (Type::Float, "+Inf", Some("+Inf")),
            (Type::Float, "-inf", Some("-Inf")),
            (Type::Float, "1e400", None),
            (Type::Int, "+5", Some("5")),
            (Type::Int, "5.0", None),
            (Type::Bool, "t", Some("True")),
            (Type::Bool, "yes", None),
            (Type::Time, "2024-01-01T00:00:00+24:00", None),
        ];
        for (kind, text, expected) in cases {
            let found = normalised(kind, text.as_bytes());
            assert_eq!(found.as_deref().map(Vec::as_slice), expected.map(str::as_bytes), "{text}");
        }
    }
}
