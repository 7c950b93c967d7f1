//! The baseline: findings that were there when the gate was put up, and are let through until someone mends them.
//!
//! An entry is a hash of rule, path and key: no value and no hash of one. A second finding at the same place is not
//! excused by the first.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::catalog::Id;
use super::finding::Finding;
use crate::error::CommandError;
use crate::files::{self, Input};

/// A baseline file.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    version: u32,
    findings: BTreeMap<String, Entry>,
}

/// For people who read the file; only the hash counts.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    rule: String,
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl Baseline {
    /// Reads a baseline file.
    pub(crate) fn read(path: &Path) -> Result<Self, CommandError> {
        let text = files::read_text(path)?;
        let wrong = |reason: String| {
            CommandError::usage(format!("{}: not a baseline: {reason}", path.display()))
                .hint("Write one with `sealwax check --baseline FILE --update-baseline`.")
        };
        let baseline: Self = serde_json::from_str(&text).map_err(|error| wrong(format!("line {}", error.line())))?;
        if baseline.version == 1 { Ok(baseline) } else { Err(wrong("its version is not 1".to_owned())) }
    }

    /// The baseline that excuses these findings.
    pub(crate) fn of(findings: &[Finding]) -> Self {
        let entry = |finding: &Finding| {
            let entry =
                Entry { rule: finding.rule.id.to_owned(), path: finding.shown_path(), key: finding.key.clone() };
            (finding.fingerprint(), entry)
        };
        Self { version: 1, findings: findings.iter().map(entry).collect() }
    }

    /// Writes it.
    pub(crate) fn write(&self, path: &Path) -> Result<(), CommandError> {
        let text = serde_json::to_string_pretty(self).map_err(|error| CommandError::refused(error.to_string()))? + "\n";
        if path.exists() {
            let before = Input::read(path).map_err(|error| CommandError::usage(error.message()))?;
            files::replace(path, &before.bytes, text.as_bytes())
        } else {
            files::create(path, text.as_bytes(), false)
        }
    }

    /// Takes out what is excused; how many those are. An entry without its finding is told if everything was looked at.
    pub(crate) fn apply(&self, findings: &mut Vec<Finding>, whole: bool, shown: &Path) -> usize {
        let mut matched = std::collections::HashSet::new();
        let before = findings.len();
        findings.retain(|finding| {
            let fingerprint = finding.fingerprint();
            let known = self.findings.contains_key(&fingerprint);
            if known {
                matched.insert(fingerprint);
            }
            !known
        });
        let excused = before - findings.len();
        for (fingerprint, entry) in self.findings.iter().filter(|(known, _)| whole && !matched.contains(*known)) {
            let about = entry.key.as_deref().map(|key| format!(": {key}")).unwrap_or_default();
            let message = format!("{} in {}{about} is no longer found", entry.rule, entry.path);
            findings.push(Finding::new(Id::WAX903, shown, message).key(fingerprint));
        }
        excused
    }
}
