//! What the gate has to say: a rule, a place and a sentence, never a value.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::catalog::{Id, Rule, Severity};

/// One thing to look at.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// Which rule.
    pub(crate) rule: &'static Rule,
    /// How much it matters; nearly always the rule's own.
    pub(crate) severity: Severity,
    /// The file, below the root of what is looked at.
    pub(crate) path: PathBuf,
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// What in the file it is about, such as the path of a value.
    pub(crate) key: Option<String>,
    /// What is wrong.
    pub(crate) message: String,
    /// The commit that holds it, where later ones no longer do.
    pub(crate) commit: Option<String>,
    /// Tells equal findings of one file apart.
    pub(crate) ordinal: usize,
}

impl Finding {
    /// About a file as a whole, at its first line.
    pub(crate) fn new(id: Id, path: &Path, message: impl Into<String>) -> Self {
        let rule = id.rule();
        Self {
            rule,
            severity: rule.severity,
            path: path.to_owned(),
            line: 1,
            key: None,
            message: printable(&message.into()),
            commit: None,
            ordinal: 0,
        }
    }

    /// On this line.
    pub(crate) fn line(self, line: usize) -> Self {
        Self { line: line.max(1), ..self }
    }

    /// About this part of the file. Keys come from files: control characters must not reach a terminal or a report.
    pub(crate) fn key(self, key: impl AsRef<str>) -> Self {
        Self { key: Some(printable(key.as_ref())), ..self }
    }

    /// With another weight than the rule's usual one.
    pub(crate) fn severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    /// What stays the same while the finding does: a hash of rule, path and key, never of a value.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let path = self.path.to_string_lossy();
        for part in [self.rule.id, &*path, self.key.as_deref().unwrap_or_default(), &self.ordinal.to_string()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        data_encoding::HEXLOWER.encode(&hash.finalize()[..16])
    }

    /// The path as people and programs read it: with forward slashes, control characters escaped.
    pub(crate) fn shown_path(&self) -> String {
        readable(&self.path)
    }
}

/// Names that files chose, without what would move a terminal's cursor or turn the direction of its text around.
fn printable(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).collect()
}

/// A path for people and programs, control characters escaped.
pub(crate) fn readable(path: &Path) -> String {
    let path = path.to_string_lossy();
    path.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Numbers findings that are alike, so that a second one is not taken for the first.
pub(crate) fn number(findings: &mut [Finding]) {
    let mut seen = std::collections::HashMap::new();
    for finding in findings {
        let alike = (finding.rule.id, finding.path.clone(), finding.key.clone(), finding.commit.clone());
        let count = seen.entry(alike).or_insert(0);
        finding.ordinal = *count;
        *count += 1;
    }
}

/// Sorts for reading and drops what is said twice: of several findings about the leak of one value, the heaviest stays,
/// and of those the one whose rule knows most of the file.
pub(crate) fn tidy(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| {
        let key = |finding: &Finding| (std::cmp::Reverse(finding.severity), std::cmp::Reverse(finding.rule.id));
        (&a.path, a.line, &a.key, key(a), &a.message).cmp(&(&b.path, b.line, &b.key, key(b), &b.message))
    });
    let mut leaks = std::collections::HashSet::new();
    findings.retain(|finding| {
        let place = (finding.path.clone(), finding.line, finding.key.clone(), finding.commit.clone());
        !finding.rule.plaintext || leaks.insert(place)
    });
}
