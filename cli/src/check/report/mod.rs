//! The findings in the forms that people and programs read.

pub(crate) mod explain;
pub(crate) mod github;
mod json;
mod sarif;
pub(crate) mod text;

use super::Outcome;

/// How findings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A line for each, for people.
    #[default]
    Text,
    /// One object, for programs.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Commands of GitHub's workflows, which become annotations.
    Github,
}

impl Format {
    /// The whole report.
    pub(crate) fn write(self, outcome: &Outcome) -> String {
        match self {
            Self::Text => text::write(outcome),
            Self::Json => json::write(outcome),
            Self::Sarif => sarif::write(outcome),
            Self::Github => github::write(outcome),
        }
    }
}
