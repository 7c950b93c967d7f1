//! For people: a line for each finding, then what to do, once for each rule.

use std::collections::BTreeMap;

use crate::check::{Outcome, Severity, readable};

/// How many files that were passed over the summary names.
const NAMED: usize = 5;

/// The report.
pub(super) fn write(outcome: &Outcome) -> String {
    let mut shown = String::new();
    let mut fixes = BTreeMap::new();
    for finding in &outcome.findings {
        let key = finding.key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
        let (path, line, word) = (finding.shown_path(), finding.line, finding.severity.word());
        shown.push_str(&format!("{path}:{line}: {word} {}: {key}{}\n", finding.rule.id, finding.message));
        fixes.insert(finding.rule.id, finding.rule.fix);
    }
    if !fixes.is_empty() {
        shown.push('\n');
    }
    for (id, fix) in fixes {
        shown.push_str(&format!("{id}: {fix}\n"));
    }
    shown
}

/// One line on what was looked at and what was passed over.
pub(crate) fn summary(outcome: &Outcome) -> String {
    let count = |severity: Severity| {
        let count = outcome.count(severity);
        format!("{count} {}{}", severity.word(), if count == 1 { "" } else { "s" })
    };
    let counts = [Severity::Error, Severity::Warning, Severity::Notice].map(count).join(", ");
    let files = if outcome.files == 1 { "1 file".to_owned() } else { format!("{} files", outcome.files) };
    let mut shown = format!("{files} checked: {counts}");
    for (count, what) in [(outcome.allowed, "allowed by comments"), (outcome.excused, "in the baseline")] {
        if count > 0 {
            shown.push_str(&format!("; {count} {what}"));
        }
    }
    if outcome.binary > 0 {
        shown.push_str(&format!("; {} passed over as binary", outcome.binary));
    }
    if !outcome.large.is_empty() {
        let names: Vec<_> = outcome.large.iter().take(NAMED).map(|path| readable(path)).collect();
        let more = outcome.large.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        shown.push_str(&format!("; passed over as larger than 5 MiB: {}{more}", names.join(", ")));
    }
    shown
}
