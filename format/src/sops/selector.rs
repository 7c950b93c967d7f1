//! Which values of a file SOPS encrypts: by the names on their path, or by the comments above them.

use regex::bytes::{Regex, RegexBuilder};

/// What the metadata of a file say of it.
#[derive(Clone, Debug)]
pub enum Selector {
    /// All but those below a name that ends so.
    UnencryptedSuffix(String),
    /// Only those below a name that ends so.
    EncryptedSuffix(String),
    /// All but those below a name that matches.
    UnencryptedRegex(Expression),
    /// Only those below a name that matches.
    EncryptedRegex(Expression),
    /// All but those below a comment that matches.
    UnencryptedComment(Expression),
    /// Only those below a comment that matches.
    EncryptedComment(Expression),
}

/// The fields of the metadata that hold one, of which a file has at most one.
pub const FIELDS: [&str; 6] = [
    "unencrypted_suffix",
    "encrypted_suffix",
    "unencrypted_regex",
    "encrypted_regex",
    "unencrypted_comment_regex",
    "encrypted_comment_regex",
];

/// What a file without any of the fields has.
pub const DEFAULT_SUFFIX: &str = "_unencrypted";

/// An expression that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// Not an expression. SOPS leaves everything in the clear then.
    #[error("{0} is not a valid regular expression; SOPS itself would encrypt nothing by it")]
    Invalid(&'static str),
    /// Go and this program would read it in different ways.
    #[error("{0} uses {1}, which this program does not read as SOPS does; write it out")]
    Different(&'static str, &'static str),
    /// More than one field.
    #[error("there are several selectors, and SOPS takes one")]
    Several,
}

impl Selector {
    /// The selector that these fields state, as the metadata of a file and `.sops.yaml` have them; empty ones state none,
    /// and without any SOPS leaves out what ends in [`DEFAULT_SUFFIX`].
    pub fn of<'t>(fields: impl IntoIterator<Item = (&'static str, &'t str)>) -> Result<Self, SelectorError> {
        let mut stated = fields.into_iter().filter(|(_, text)| !text.is_empty());
        match (stated.next(), stated.next()) {
            (None, _) => Ok(Self::default()),
            (Some((field, text)), None) => Self::parse(field, text),
            (Some(_), Some(_)) => Err(SelectorError::Several),
        }
    }

    /// The selector that one of the [`FIELDS`] holds.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, SelectorError> {
        let expression = || Expression::parse(field, text);
        Ok(match field {
            "unencrypted_suffix" => Self::UnencryptedSuffix(text.to_owned()),
            "encrypted_suffix" => Self::EncryptedSuffix(text.to_owned()),
            "unencrypted_regex" => Self::UnencryptedRegex(expression()?),
            "encrypted_regex" => Self::EncryptedRegex(expression()?),
            "unencrypted_comment_regex" => Self::UnencryptedComment(expression()?),
            _ => Self::EncryptedComment(expression()?),
        })
    }

    /// The field of the metadata and what stands there.
    pub fn field(&self) -> (&'static str, &str) {
        match self {
            Self::UnencryptedSuffix(suffix) => ("unencrypted_suffix", suffix),
            Self::EncryptedSuffix(suffix) => ("encrypted_suffix", suffix),
            Self::UnencryptedRegex(expression) => ("unencrypted_regex", expression.as_str()),
            Self::EncryptedRegex(expression) => ("encrypted_regex", expression.as_str()),
            Self::UnencryptedComment(expression) => ("unencrypted_comment_regex", expression.as_str()),
            Self::EncryptedComment(expression) => ("encrypted_comment_regex", expression.as_str()),
        }
    }

    /// Whether comments decide.
    pub fn is_by_comment(&self) -> bool {
        matches!(self, Self::UnencryptedComment(_) | Self::EncryptedComment(_))
    }

    /// Whether a comment's own text decides about what stands below it.
    pub(super) fn matches_comment(&self, comment: &str) -> bool {
        match self {
            Self::UnencryptedComment(expression) | Self::EncryptedComment(expression) => expression.matches(comment),
            _ => false,
        }
    }

    /// Whether a value is encrypted: `names` are the mapping keys on its path, `comments` those that stand above it, on
    /// its own level and on those around it.
    pub fn selects<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
        comments: impl IntoIterator<Item = &'a str>,
    ) -> bool {
        let mut names = names.into_iter();
        let mut comments = comments.into_iter();
        match self {
            Self::UnencryptedSuffix(suffix) => !names.any(|name| name.ends_with(suffix.as_str())),
            Self::EncryptedSuffix(suffix) => names.any(|name| name.ends_with(suffix.as_str())),
            Self::UnencryptedRegex(expression) => !names.any(|name| expression.matches(name)),
            Self::EncryptedRegex(expression) => names.any(|name| expression.matches(name)),
            Self::UnencryptedComment(expression) => !comments.any(|comment| expression.matches(comment)),
            Self::EncryptedComment(expression) => comments.any(|comment| expression.matches(comment)),
        }
    }
}

impl Default for Selector {
    fn default() -> Self {
        Self::UnencryptedSuffix(DEFAULT_SUFFIX.to_owned())
    }
}

/// An expression of Go's `regexp`, which knows ASCII only where this program's library knows Unicode.
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
        let translated = translate(source).map_err(|what| SelectorError::Different(field, what))?;
        let compiled = RegexBuilder::new(&translated).size_limit(MAX_COMPILED).build();
        let compiled = compiled.map_err(|_| SelectorError::Invalid(field))?;
        Ok(Self { source: source.to_owned(), compiled })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether it matches anywhere in a text.
    pub fn matches(&self, text: &str) -> bool {
        self.compiled.is_match(text.as_bytes())
    }
}

/// The same expression for this program's library: classes that are ASCII in Go are written out.
fn translate(source: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(source.len());
    let mut in_class = false;
    let mut characters = source.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' => {
                let Some(escaped) = characters.next() else {
                    out.push('\\');
                    break;
                };
                escape(escaped, in_class, &mut out)?;
            }
            '[' if in_class && characters.peek() != Some(&':') => out.push_str("\\["),
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                // A bracket in the first place is one of the characters.
                if characters.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            '[' => {
                // A class of characters by name, such as [:alpha:], to its end.
                out.push('[');
                for c in characters.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            // Operations on classes, which Go does not know.
            '&' | '~' | '-' if in_class && characters.peek() == Some(&c) => {
                return Err("a doubled character in a class");
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

fn escape(escaped: char, in_class: bool, out: &mut String) -> Result<(), &'static str> {
    let listed = match escaped.to_ascii_lowercase() {
        'd' => "0-9",
        'w' => "0-9A-Za-z_",
        's' => "\\t\\n\\x0C\\r ",
        _ => "",
    };
    match (escaped, in_class) {
        ('d' | 'w' | 's', true) => out.push_str(listed),
        ('d' | 'w' | 's', false) => out.push_str(&format!("[{listed}]")),
        ('D' | 'W' | 'S', true) => return Err("a negated class within a class"),
        ('D' | 'W' | 'S', false) => out.push_str(&format!("[^{listed}]")),
        ('b' | 'B', false) => out.push_str(&format!("(?-u:\\{escaped})")),
        ('C' | 'Q' | 'E', _) => return Err("\\C, \\Q or \\E"),
        ('1'..='9' | '0', _) => return Err("an octal number or a reference back"),
        (other, _) => {
            out.push('\\');
            out.push(other);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(expression: &str, text: &str) -> bool {
        Expression::parse("encrypted_regex", expression).unwrap().matches(text)
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
        ];
        for (expression, text) in yes {
            assert!(matches(expression, text), "{expression} {text}");
        }
        // Unicode digits, letters and blanks are none of Go's.
        for (expression, text) in
            [("^\\d$", "٣"), ("^\\w$", "é"), ("\\s", "\u{a0}"), ("^data$", "data\n"), ("^[[:alpha:]]$", "é")]
        {
            assert!(!matches(expression, text), "{expression} {text}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_an_error_and_never_selects_nothing() {
        let error = |expression: &str| Expression::parse("encrypted_regex", expression).unwrap_err();
        for expression in ["(", "[", "a{2,1}", "*", "(?<=a)b", "(?!a)"] {
            assert_eq!(error(expression), SelectorError::Invalid("encrypted_regex"), "{expression}");
        }
        for expression in ["\\Qa\\E", "[^\\W]", "[a&&b]", "(a)\\1"] {
            assert!(matches!(error(expression), SelectorError::Different(..)), "{expression}");
        }
    }

    #[test]
    fn selects_by_any_name_on_the_path() {
        let select = |field, text: &str, path: &[&str]| {
            Selector::parse(field, text).unwrap().selects(path.iter().copied(), std::iter::empty())
        };
        assert!(Selector::default().selects(["a", "b"], []));
        assert!(!Selector::default().selects(["a_unencrypted", "b"], []));
        assert!(select("encrypted_suffix", "_secret", &["db_secret", "x"]));
        assert!(!select("encrypted_suffix", "_secret", &["db", "x"]));
        assert!(select("encrypted_regex", "^data$", &["data", "x"]));
        assert!(!select("encrypted_regex", "^data$", &["metadata", "x"]));
        assert!(!select("unencrypted_regex", "^meta", &["metadata", "x"]));
        let comment = Selector::parse("encrypted_comment_regex", "secret").unwrap();
        assert!(comment.selects(["a"], [" secret ahead"]) && !comment.selects(["secret"], []));
    }
}
