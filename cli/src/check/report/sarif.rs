//! SARIF 2.1.0, as much of it as code scanning uses. Never a snippet: it would hold the value.

use serde_json::{Value, json};

use crate::check::{Finding, Outcome, RULES, Rule, Severity};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The report.
pub(super) fn write(outcome: &Outcome) -> String {
    let rules: Vec<_> = RULES.iter().map(rule).collect();
    let results: Vec<_> = outcome.findings.iter().map(result).collect();
    let driver = json!({
        "name": "sealwax",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules,
    });
    let run = json!({
        "tool": { "driver": driver },
        "automationDetails": { "id": "sealwax/check/" },
        "columnKind": "unicodeCodePoints",
        "results": results,
    });
    let report = json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": [run] });
    serde_json::to_string_pretty(&report).map(|text| text + "\n").unwrap_or_default()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "note",
    }
}

/// From 0 to 10, as code scanning sorts by it: what is readable weighs most.
fn weight(rule: &Rule) -> &'static str {
    match (rule.severity, rule.plaintext) {
        (Severity::Error, true) => "9.0",
        (Severity::Error, false) => "7.0",
        (Severity::Warning, _) => "5.0",
        (Severity::Notice, _) => "2.0",
    }
}

fn rule(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": rule.explanation },
        "help": { "text": rule.fix, "markdown": rule.fix },
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": { "tags": ["security"], "security-severity": weight(rule) },
    })
}

fn result(finding: &Finding) -> Value {
    let key = finding.key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
    let index = RULES.iter().position(|rule| rule.id == finding.rule.id);
    json!({
        "ruleId": finding.rule.id,
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": { "text": format!("{key}{}", finding.message) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri(&finding.path) },
                "region": { "startLine": finding.line },
            },
        }],
        "partialFingerprints": { "primaryLocationLineHash": finding.fingerprint() },
    })
}

/// A path as a relative reference: everything but what needs no escape is escaped.
fn uri(path: &std::path::Path) -> String {
    let mut shown = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
            shown.push(char::from(*byte));
        } else {
            shown.push_str(&format!("%{byte:02X}"));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri(std::path::Path::new("a b/é%.yaml")), "a%20b/%C3%A9%25.yaml");
    }
}
