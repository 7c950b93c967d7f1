//! Expressions of Go's `regexp`, by which SOPS selects, for this program's library.
//!
//! The two agree on most of their syntax and not on all of it, and what one reads otherwise leaves a secret in the clear.
//! So an expression is read by Go's grammar and not by the library's own.

use regex::{Regex, RegexBuilder};

use super::grammar::{Refusal, translate};
use super::selector::SelectorError;

/// An expression that was read as Go reads it.
#[derive(Clone, Debug)]
pub struct Expression {
    source: String,
    compiled: Regex,
}

/// Largest compiled expression in bytes: a file of metadata must not fill the memory.
const MAX_COMPILED: usize = 1 << 20;

impl Expression {
    /// Compiles an expression of Go; `field` is for messages.
    pub fn parse(field: &'static str, source: &str) -> Result<Self, SelectorError> {
        let translated = translate(source).map_err(|refusal| match refusal {
            Refusal::Invalid => SelectorError::Invalid(field),
            Refusal::Unsure(what) => SelectorError::Different(field, what),
        })?;
        let compiled = RegexBuilder::new(&translated).size_limit(MAX_COMPILED).build();
        let compiled =
            compiled.map_err(|_| SelectorError::Different(field, "more repetition or nesting than usual"))?;
        Ok(Self { source: source.to_owned(), compiled })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether it matches anywhere in a text.
    pub fn matches(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(expression: &str) -> Result<Expression, SelectorError> {
        Expression::parse("encrypted_regex", expression)
    }

    #[test]
    fn expressions_match_as_in_go() {
        let yes = [
            ("data", "metadata"),
            ("^(data|stringData)$", "stringData"),
            ("^\\d+$", "12"),
            ("^[\\w-]+$", "a-b_1"),
            ("^[]a]$", "]"),
            ("(?i)^PASS", "password"),
            ("^[[:alpha:]]+$", "abc"),
            ("\\bkey\\b", "a key b"),
            ("^\\pL$", "é"),
            ("^.$", "é"),
            ("\\<secret\\>", "<secret>"),
            ("^s{$", "s{"),
            ("^a{01}$", "a{01}"),
            ("^[[:foo]$", ":"),
            ("^\\Qa.b\\E+$", "a.bb"),
            ("^[a&&b]+$", "a&b"),
            ("^[^\\W]$", "a"),
            ("^\\x41\\101$", "AA"),
            ("(?P<x>a)(?:b)", "ab"),
            ("(?i-i)a", "a"),
            ("^(?i:A)b$", "ab"),
        ];
        for (expression, text) in yes {
            assert!(parse(expression).unwrap().matches(text), "{expression} {text}");
        }
        // Unicode digits, letters and blanks are none of Go's; \B is never within a character.
        let no = [
            ("^\\d$", "٣"),
            ("^\\w$", "é"),
            ("\\s", "\u{a0}"),
            ("^data$", "data\n"),
            ("^[[:alpha:]]$", "é"),
            ("\\<secret\\>", "secret"),
            ("\\B", "aéa"),
            ("^\\Qa.b\\E$", "axb"),
            ("(?i-i)a", "A"),
        ];
        for (expression, text) in no {
            assert!(!parse(expression).unwrap().matches(text), "{expression} {text}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_an_error_and_never_selects_nothing() {
        for expression in [
            "(",
            ")",
            "[",
            "a{2,1}",
            "*",
            "(?<=a)b",
            "(?!a)",
            "(a)\\1",
            "(?x)a",
            "(?R)a",
            "(?u)a",
            "(?-u)a",
            "s{1,1001}",
            "s**",
            "s+*",
            "s*?*",
            "\\u0073",
            "\\Z",
            "\\C",
            "\\e",
            "(?i-)a",
            "(a{100}){11}",
            "[b-a]",
            "[[:foo:]]",
            "\\",
        ] {
            assert_eq!(parse(expression).unwrap_err(), SelectorError::Invalid("encrypted_regex"), "{expression}");
        }
        for expression in ["\\p{Alphabetic}", "\\pC", "a(?i)*", "\\Q\\E*", "[\\x{D800}]", "(\\pL{30}){30}"] {
            assert!(matches!(parse(expression), Err(SelectorError::Different(..))), "{expression}");
        }
        for part in ["{", "[:"] {
            // Hours, if it were looked at.
            let long = format!("[{}", part.repeat(1 << 20));
            assert!(matches!(parse(&long), Err(SelectorError::Different(..))));
        }
    }
}
