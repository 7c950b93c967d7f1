//! For programs: one object, whose fields stay.

use serde::Serialize;

use crate::check::{Outcome, Severity, readable};

#[derive(Serialize)]
struct Report<'o> {
    version: u32,
    findings: Vec<Entry<'o>>,
    summary: Summary,
}

#[derive(Serialize)]
struct Entry<'o> {
    rule: &'o str,
    severity: Severity,
    path: String,
    line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'o str>,
    message: &'o str,
    fix: &'o str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'o str>,
    fingerprint: String,
}

#[derive(Serialize)]
struct Summary {
    files: usize,
    errors: usize,
    warnings: usize,
    notices: usize,
    allowed: usize,
    baseline: usize,
    binary: usize,
    large: Vec<String>,
}

/// The report.
pub(super) fn write(outcome: &Outcome) -> String {
    let findings = outcome.findings.iter().map(|finding| Entry {
        rule: finding.rule.id,
        severity: finding.severity,
        path: finding.shown_path(),
        line: finding.line,
        key: finding.key.as_deref(),
        message: &finding.message,
        fix: finding.rule.fix,
        commit: finding.commit.as_deref(),
        fingerprint: finding.fingerprint(),
    });
    let summary = Summary {
        files: outcome.files,
        errors: outcome.count(Severity::Error),
        warnings: outcome.count(Severity::Warning),
        notices: outcome.count(Severity::Notice),
        allowed: outcome.allowed,
        baseline: outcome.excused,
        binary: outcome.binary,
        large: outcome.large.iter().map(|path| readable(path)).collect(),
    };
    let report = Report { version: 1, findings: findings.collect(), summary };
    serde_json::to_string_pretty(&report).map(|text| text + "\n").unwrap_or_default()
}
