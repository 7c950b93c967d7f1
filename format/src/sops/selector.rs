//! Which values of a file SOPS encrypts: by the names on their path, or by the comments above them.

use super::expression::Expression;

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
    /// Not an expression. SOPS says nothing, and nothing matches it.
    #[error("{0} is not a valid regular expression of Go; SOPS would take it for one that matches nothing")]
    Invalid(&'static str),
    /// Go and this program could read it in different ways.
    #[error("{0} uses {1}, which is not certain to mean the same to SOPS and to this program; write it in another way")]
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

#[cfg(test)]
mod tests {
    use super::*;

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
