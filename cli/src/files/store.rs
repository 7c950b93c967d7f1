//! The types of files that SOPS knows, each with its own way of holding values.

use std::path::Path;

use sealwax_format::document::Syntax;

/// What a file is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Yaml,
    Json,
    /// Names and texts, `NAME=value`
    Dotenv,
    /// Sections of names and texts
    Ini,
    /// Any bytes, encrypted as the one value of a JSON file
    Binary,
}

impl Store {
    /// By a file's name, as SOPS chooses: what has none of the known endings is a text of bytes.
    pub(crate) fn of(path: &Path) -> Self {
        let name = path.to_string_lossy();
        let endings = [
            (".yaml", Self::Yaml),
            (".yml", Self::Yaml),
            (".json", Self::Json),
            (".env", Self::Dotenv),
            (".ini", Self::Ini),
        ];
        endings.iter().find(|(ending, _)| name.ends_with(ending)).map_or(Self::Binary, |(_, store)| *store)
    }

    /// Of a text that is read: endings in capitals too, and YAML where the name says nothing and the text is not JSON.
    pub(crate) fn of_text(path: Option<&Path>, text: &str) -> Self {
        let named = path.map_or(Self::Yaml, Self::of);
        match super::syntax_of(path) {
            _ if named != Self::Binary => named,
            Syntax::Json => Self::Json,
            Syntax::Dotenv => Self::Dotenv,
            Syntax::Ini => Self::Ini,
            Syntax::Yaml if text.starts_with('{') => Self::Binary,
            Syntax::Yaml => Self::Yaml,
        }
    }

    /// How its encrypted form is written.
    pub(crate) fn syntax(self) -> Syntax {
        match self {
            Self::Yaml => Syntax::Yaml,
            Self::Json | Self::Binary => Syntax::Json,
            Self::Dotenv => Syntax::Dotenv,
            Self::Ini => Syntax::Ini,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide_and_what_they_leave_open_the_text_does() {
        let cases = [
            ("a.yaml", "{}", Store::Yaml),
            ("a.YAML", "a: 1", Store::Yaml),
            ("a.JSON", "{}", Store::Json),
            (".env", "A=1", Store::Dotenv),
            ("a.crt", "{}", Store::Binary),
            ("a.tpl", "a: 1", Store::Yaml),
        ];
        for (name, text, expected) in cases {
            assert_eq!(Store::of_text(Some(Path::new(name)), text), expected, "{name}");
        }
        assert_eq!(Store::of_text(None, "{}"), Store::Yaml);
    }
}
