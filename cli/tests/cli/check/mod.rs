//! `sealwax check`: what it finds, what it lets through, where it looks, and how it tells.

mod corpus;
mod delivery;
mod documentation;
mod excuses;
mod formats;
mod hostile;
mod mutate;
mod ranges;
mod rendered;
mod states;

use crate::common::{MARK, MARK_BASE64, NUMBER, Outcome, Sandbox};

/// A finding as the JSON report has it.
#[derive(Debug)]
struct Found {
    rule: String,
    path: String,
    line: u64,
}

/// Runs the gate with the JSON report and reads it; nothing that it prints may hold a value.
fn check(sandbox: &Sandbox, arguments: &[&str]) -> Vec<Found> {
    let outcome = sandbox.sealwax(["check", "--format", "json"]).args(arguments).run();
    assert_silent(&outcome);
    assert!(outcome.stdout.starts_with(b"{"), "no report: {outcome}");
    let report: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let text = |finding: &serde_json::Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let found = findings.map(|finding| Found {
        rule: text(finding, "rule"),
        path: text(finding, "path"),
        line: finding["line"].as_u64().unwrap(),
    });
    found.collect()
}

/// The rules that are found, sorted, each once for each file.
fn rules(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let mut rules: Vec<_> =
        check(sandbox, arguments).iter().map(|found| format!("{} {}", found.rule, found.path)).collect();
    rules.sort();
    rules.dedup();
    rules
}

/// What goes to standard error is searched wherever a command runs; here standard output is as well.
fn assert_silent(outcome: &Outcome) {
    let shown = String::from_utf8_lossy(&outcome.stdout);
    for secret in [MARK, MARK_BASE64, NUMBER, "AGE-SECRET-KEY-1"] {
        assert!(!shown.contains(secret), "the report holds {secret}: {outcome}");
    }
}
