//! `.sops.yaml`: which files SOPS is meant to encrypt, which of their values, and for whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;
use serde::Deserialize;

use crate::check::catalog::Id;
use crate::check::finding::Finding;
use crate::check::source::Tree;
use crate::error::CommandError;
use crate::policy::Origin as _;

const NAME: &str = ".sops.yaml";

/// The configurations of a tree, by the folder that each is for.
#[derive(Default)]
pub(in crate::check) struct Configs {
    by_folder: BTreeMap<PathBuf, Vec<CreationRule>>,
}

/// A rule, ready for use.
pub(in crate::check) struct CreationRule {
    path: Option<Regex>,
    /// Which values.
    pub(super) selector: Selector,
    /// The age recipients and PGP fingerprints, if there are any.
    pub(super) readers: BTreeSet<String>,
}

/// What says which values of a file SOPS encrypts.
#[derive(Clone, Debug, Default)]
pub(in crate::check) struct Selector {
    unencrypted_suffix: Option<String>,
    encrypted_suffix: Option<String>,
    unencrypted: Option<Regex>,
    encrypted: Option<Regex>,
    unencrypted_comment: Option<Regex>,
    encrypted_comment: Option<Regex>,
}

/// The six fields as `.sops.yaml` and the metadata of files have them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::check) struct Fields {
    pub(super) unencrypted_suffix: Option<String>,
    pub(super) encrypted_suffix: Option<String>,
    pub(super) unencrypted_regex: Option<String>,
    pub(super) encrypted_regex: Option<String>,
    pub(super) unencrypted_comment_regex: Option<String>,
    pub(super) encrypted_comment_regex: Option<String>,
}

/// Why fields are no selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) enum SelectorError {
    Several,
    Expression,
}

impl Fields {
    /// The selector that they state; without any, SOPS leaves out what ends in `_unencrypted`.
    pub(super) fn selector(&self) -> Result<Selector, SelectorError> {
        let expressions = [
            &self.unencrypted_regex,
            &self.encrypted_regex,
            &self.unencrypted_comment_regex,
            &self.encrypted_comment_regex,
        ];
        let suffixes = [&self.unencrypted_suffix, &self.encrypted_suffix];
        let stated = |field: &Option<String>| field.as_ref().is_some_and(|text| !text.is_empty());
        let count = expressions.into_iter().chain(suffixes).filter(|field| stated(field)).count();
        if count > 1 {
            return Err(SelectorError::Several);
        }
        let suffix = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        let expression = |field: &Option<String>| {
            let compiled = suffix(field).map(|text| Regex::new(&text)).transpose();
            compiled.map_err(|_| SelectorError::Expression)
        };
        Ok(Selector {
            unencrypted_suffix: if count == 0 {
                Some("_unencrypted".to_owned())
            } else {
                suffix(&self.unencrypted_suffix)
            },
            encrypted_suffix: suffix(&self.encrypted_suffix),
            unencrypted: expression(&self.unencrypted_regex)?,
            encrypted: expression(&self.encrypted_regex)?,
            unencrypted_comment: expression(&self.unencrypted_comment_regex)?,
            encrypted_comment: expression(&self.encrypted_comment_regex)?,
        })
    }
}

impl Selector {
    /// Whether a value is to be encrypted, by the keys that lead to it and by the comments above it and them.
    pub(super) fn wants(&self, keys: &[&str], has_comment: &dyn Fn(&Regex) -> bool) -> bool {
        let ends = |suffix: &String| keys.iter().any(|key| key.ends_with(suffix.as_str()));
        let matches = |expression: &Regex| keys.iter().any(|key| expression.is_match(key));
        if let Some(suffix) = &self.encrypted_suffix {
            return ends(suffix);
        }
        if let Some(expression) = &self.encrypted {
            return matches(expression);
        }
        if let Some(expression) = &self.encrypted_comment {
            return has_comment(expression);
        }
        !(self.unencrypted_suffix.as_ref().is_some_and(ends)
            || self.unencrypted.as_ref().is_some_and(matches)
            || self.unencrypted_comment.as_ref().is_some_and(has_comment))
    }
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    creation_rules: Option<Vec<RawRule>>,
}

#[derive(Deserialize)]
struct RawRule {
    path_regex: Option<String>,
    #[serde(flatten)]
    keys: RawKeys,
    #[serde(default)]
    key_groups: Option<Vec<RawKeys>>,
    #[serde(flatten)]
    fields: Fields,
}

#[derive(Default, Deserialize)]
struct RawKeys {
    age: Option<Strings>,
    pgp: Option<Strings>,
    #[serde(default)]
    merge: Option<Vec<RawKeys>>,
}

/// A list, or a text with commas.
#[derive(Deserialize)]
#[serde(untagged)]
enum Strings {
    Text(String),
    List(Vec<String>),
}

impl RawKeys {
    fn collect(&self, readers: &mut BTreeSet<String>) {
        for strings in [&self.age, &self.pgp].into_iter().flatten() {
            match strings {
                Strings::Text(text) => readers.extend(text.split(',').filter_map(canonical)),
                Strings::List(list) => readers.extend(list.iter().filter_map(|text| canonical(text))),
            }
        }
        self.merge.iter().flatten().for_each(|keys| keys.collect(readers));
    }
}

/// A recipient as it is compared: fingerprints without blanks and in capitals, SSH keys without their comment.
pub(super) fn canonical(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if text.starts_with("ssh-") {
        return Some(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "));
    }
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    Some(if compact.starts_with("age1") { compact } else { compact.to_ascii_uppercase() })
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
        rules.iter().find(|rule| rule.path.as_ref().is_none_or(|path| path.is_match(&relative)))
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
    let raw: Raw = match serde_yaml::from_str(text) {
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

fn rule(raw: &RawRule) -> Result<CreationRule, &'static str> {
    let path = raw.path_regex.as_deref().map(Regex::new).transpose();
    let path = path.map_err(|_| "path_regex is no valid regular expression")?;
    let selector = raw.fields.selector().map_err(|error| match error {
        SelectorError::Several => "the rule has several selectors of values; SOPS takes one",
        SelectorError::Expression => {
            "the selector of values is no valid regular expression, so SOPS encrypts nothing and says nothing"
        }
    })?;
    let mut readers = BTreeSet::new();
    raw.keys.collect(&mut readers);
    raw.key_groups.iter().flatten().for_each(|group| group.collect(&mut readers));
    Ok(CreationRule { path, selector, readers })
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

    fn fields(encrypted_regex: Option<&str>, encrypted_suffix: Option<&str>) -> Fields {
        Fields {
            encrypted_regex: encrypted_regex.map(str::to_owned),
            encrypted_suffix: encrypted_suffix.map(str::to_owned),
            ..Fields::default()
        }
    }

    #[test]
    fn selects_as_sops_does() {
        let none = |_: &Regex| false;
        let data = fields(Some("^(data|stringData)$"), None).selector().unwrap();
        assert!(data.wants(&["stringData", "password"], &none));
        assert!(!data.wants(&["metadata", "name"], &none));
        let default = fields(None, None).selector().unwrap();
        assert!(default.wants(&["a"], &none));
        assert!(!default.wants(&["a_unencrypted", "b"], &none));
        assert_eq!(fields(Some("("), None).selector().unwrap_err(), SelectorError::Expression);
        assert_eq!(fields(Some("a"), Some("b")).selector().unwrap_err(), SelectorError::Several);
    }

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
