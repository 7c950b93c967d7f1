//! What no file tells alone: rules that select nothing, second policies, what changed together, and Git's own settings.

use super::catalog::Id;
use super::finding::Finding;
use super::source::State;
use super::{Context, FILE_NAME};
use crate::error::CommandError;
use crate::repo::Repository;

/// Looks at a state as a whole; `selected` are the rules of the policy that select something.
pub(super) fn of_state(
    context: &Context<'_>,
    state: &State,
    selected: &[usize],
    readers_changed: bool,
    findings: &mut Vec<Finding>,
) {
    second_policies(context, findings);
    if state.whole {
        for (position, rule) in context.rules.iter().enumerate().filter(|(index, _)| !selected.contains(index)) {
            let message = "selects no value in the whole repository";
            let finding = Finding::new(Id::WAX601, &rule.file, message).line(line_of_rule(context, position));
            findings.push(finding.key(format!("rule for {}", rule.path)));
        }
    }
    if readers_changed {
        changed_together(context, state, findings);
    }
}

/// A policy below the root would redirect writers past the owners of the first one.
fn second_policies(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for path in context.tree.named(FILE_NAME).iter().filter(|path| path.components().count() > 1) {
        if !context.policy.as_ref().is_some_and(|policy| policy.is_part(path)) {
            findings.push(Finding::new(
                Id::WAX602,
                path,
                "a second policy below the root, which the first does not include",
            ));
        }
    }
}

/// The line of a rule in its policy file: that of the n-th `[[rule]]`.
fn line_of_rule(context: &Context<'_>, position: usize) -> usize {
    use crate::policy::Origin as _;
    let Some(rule) = context.rules.get(position) else { return 1 };
    let before = context.rules.iter().take(position).filter(|other| other.file == rule.file).count();
    let text = context.tree.text(&rule.file).unwrap_or_default();
    let mut headers = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("[[rule]]"));
    headers.nth(before).map_or(1, |(index, _)| index + 1)
}

fn changed_together(context: &Context<'_>, state: &State, findings: &mut Vec<Finding>) {
    let sources = context.policy.as_ref().map(crate::policy::Policy::sources).unwrap_or_default();
    for source in sources {
        let changed = state.files.iter().any(|file| file.path == source && file.changed);
        if changed {
            let message = "this change touches who reads, and the readers of encrypted files";
            findings.push(Finding::new(Id::WAX603, &source, message));
        }
    }
}

/// Looks for decrypted text that Git was told to keep: `textconv` of our own driver, and of those for SOPS.
pub(super) fn of_git(repository: &Repository, findings: &mut Vec<Finding>) -> Result<(), CommandError> {
    let ours = |name: &str| ["sealwax", "sops"].iter().any(|driver| name.to_ascii_lowercase().contains(driver));
    let path = std::path::Path::new(".git/config");
    for (name, value) in repository.settings(r"^diff\..*\.cachetextconv$") {
        let on = !matches!(value.to_ascii_lowercase().as_str(), "false" | "no" | "off" | "0" | "");
        if on && ours(&name) {
            findings.push(Finding::new(Id::WAX604, path, format!("{name} is on")).key(name));
        }
    }
    for name in repository.refs("refs/notes/textconv/")? {
        if ours(&name) {
            let message = format!("{name} holds decrypted text");
            findings.push(Finding::new(Id::WAX604, path, message).key(name));
        }
    }
    Ok(())
}
