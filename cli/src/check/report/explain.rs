//! One rule in words.

use crate::check::{RULES, Rule};

/// The rule, when it fires, and what to do.
pub(crate) fn rule(rule: &Rule) -> String {
    let (id, title, severity) = (rule.id, rule.title, rule.severity.word());
    format!("{id} ({severity}): {title}\n\n{}\n\nWhat to do: {}\n", rule.explanation, rule.fix)
}

/// Every rule in a line.
pub(crate) fn list() -> String {
    let lines = RULES.iter().map(|rule| format!("{} {:8} {}", rule.id, rule.severity.word(), rule.title));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}
