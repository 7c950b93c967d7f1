//! `.sops.yaml`: which files SOPS is meant to encrypt, which of their values, and for whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sealwax_format::sops::{Expression, Selector, SelectorError};

use crate::check::catalog::Id;
use crate::check::finding::Finding;
use crate::check::source::Tree;
use crate::error::CommandError;
use crate::policy::Origin as _;
use crate::sops::config::{self, Config, NAME};

/// The configurations of a tree, by the folder that each is for.
#[derive(Default)]
pub(in crate::check) struct Configs {
    by_folder: BTreeMap<PathBuf, Vec<CreationRule>>,
}

/// A rule, ready for use.
pub(in crate::check) struct CreationRule {
    path: Option<Expression>,
    /// Which values.
    pub(super) selector: Selector,
    /// The age recipients and PGP fingerprints, if there are any.
    pub(super) readers: BTreeSet<String>,
}

impl Configs {
    /// Reads every `.sops.yaml` of a tree, and says what is wrong with them.
    pub(in crate::check) fn read(tree: &Tree) -> Result<(Self, Vec<Finding>), CommandError> {
        let (mut by_folder, mut findings) = (BTreeMap::new(), Vec::new());
        for path in tree.named(NAME) {
            let text = tree.text(&path)?;
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            by_folder.insert(folder, parse(&path, &text, &mut findings));
        }
        Ok((Self { by_folder }, findings))
    }

    /// The rule for a file: the first that matches in the nearest configuration upward.
    pub(in crate::check) fn rule(&self, path: &Path) -> Option<&CreationRule> {
        if path.file_name().is_some_and(|name| name == NAME) {
            return None;
        }
        let (folder, rules) = path.ancestors().skip(1).find_map(|folder| self.by_folder.get_key_value(folder))?;
        let relative = path.strip_prefix(folder).ok()?.to_string_lossy();
        rules.iter().find(|rule| rule.path.as_ref().is_none_or(|path| path.matches(&relative)))
    }
}

/// Words that say of a file that it holds secrets.
const WORDS: [&str; 7] = ["sops", "secret", "enc", "private", "credential", "password", "vault"];

impl CreationRule {
    /// Whether the rule is for files like this one in particular, and not for everything with a usual ending.
    pub(super) fn claims(&self, path: &Path) -> bool {
        let path = path.to_string_lossy().to_lowercase();
        let expression = self.path.as_ref().map(|path| path.as_str().to_lowercase()).unwrap_or_default();
        WORDS.iter().any(|word| expression.contains(word) && path.contains(word))
    }
}

/// Reads a configuration; a rule that cannot be understood is a finding and matches nothing.
fn parse(path: &Path, text: &str, findings: &mut Vec<Finding>) -> Vec<CreationRule> {
    let raw: Config = match serde_yaml::from_str(text) {
        Ok(raw) => raw,
        Err(error) => {
            let line = error.location().map_or(1, |location| location.line());
            findings.push(Finding::new(Id::WAX306, path, "not a valid configuration of SOPS").line(line));
            return Vec::new();
        }
    };
    let mut rules = Vec::new();
    for (position, raw) in raw.creation_rules.unwrap_or_default().iter().enumerate() {
        match rule(raw) {
            Ok(rule) => rules.push(rule),
            Err(reason) => {
                let key = format!("creation_rules[{position}]");
                findings.push(Finding::new(Id::WAX306, path, reason).line(line_of(text, position)).key(key));
            }
        }
    }
    rules
}

fn rule(raw: &config::CreationRule) -> Result<CreationRule, &'static str> {
    let path = raw.path_regex.as_deref().map(|path| Expression::parse("path_regex", path)).transpose();
    let path = path.map_err(|error| match error {
        SelectorError::Different(..) => "path_regex uses what this program does not read as SOPS does; write it out",
        _ => "path_regex is no valid regular expression",
    })?;
    let selector = raw.fields.selector().map_err(|error| match error {
        SelectorError::Several => "the rule has several selectors of values; SOPS takes one",
        SelectorError::Invalid(_) => {
            "the selector of values is no valid regular expression, so SOPS encrypts nothing and says nothing"
        }
        SelectorError::Different(..) => "the selector uses what this program does not read as SOPS does; write it out",
    })?;
    Ok(CreationRule { path, selector, readers: raw.readers() })
}

/// The line of a rule: where the n-th entry of the list begins.
fn line_of(text: &str, position: usize) -> usize {
    let rules = text.lines().position(|line| line.trim_start().starts_with("creation_rules")).unwrap_or_default();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let below: Vec<_> = text.lines().enumerate().skip(rules + 1).filter(|(_, line)| !line.trim().is_empty()).collect();
    let column = below.iter().find(|(_, line)| line.trim_start().starts_with('-')).map(|(_, line)| indent(line));
    let entries = below.iter().filter(|(_, line)| line.trim_start().starts_with('-') && Some(indent(line)) == column);
    entries.map(|(index, _)| index + 1).nth(position).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_rules_are_told_with_their_line() {
        let mut findings = Vec::new();
        let text =
            "creation_rules:\n  - path_regex: a\n    age: age1x,age1y\n  - path_regex: (\n  - encrypted_regex: (\n";
        let rules = parse(Path::new(".sops.yaml"), text, &mut findings);
        assert_eq!(rules.len(), 1);
        assert_eq!(rules[0].readers.len(), 2);
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [4, 5]);
    }
}
