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
