//! Why no key opened a file: each that was tried, and what to do.

use sealwax_format::sops::Wrap;

use super::entry;
use crate::error::CommandError;

/// A key that did not open.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    key: String,
    why: String,
    hints: Vec<String>,
}

impl Attempt {
    pub(super) fn new(wrap: &Wrap, why: impl Into<String>) -> Self {
        Self { key: entry::shown(wrap), why: why.into(), hints: Vec::new() }
    }

    /// What another room says of it.
    pub(super) fn of(wrap: &Wrap, error: &CommandError) -> Self {
        Self { hints: error.hints().to_vec(), ..Self::new(wrap, error.message()) }
    }

    /// The same, with a sentence on what to do.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// A group of which no key opened.
pub(super) struct GroupFailure {
    /// Counted from one.
    pub(super) number: usize,
    pub(super) attempts: Vec<Attempt>,
}

/// Fewer groups opened than are needed.
pub(super) struct Failure {
    pub(super) groups: usize,
    pub(super) wanted: usize,
    pub(super) opened: usize,
    pub(super) failed: Vec<GroupFailure>,
}

impl Failure {
    pub(super) fn error(self, shown: &str) -> CommandError {
        let mut message = if self.groups > 1 {
            format!("{shown}: of the {} key groups that are needed, {} opened", self.wanted, self.opened)
        } else {
            format!("{shown}: none of its keys opens it")
        };
        let mut hints: Vec<String> = Vec::new();
        for group in self.failed {
            let of_group = if self.groups > 1 { format!("group {}: ", group.number) } else { String::new() };
            if group.attempts.is_empty() {
                message.push_str(&format!("\n  {of_group}it has no keys"));
            }
            for attempt in group.attempts {
                message.push_str(&format!("\n  {of_group}{}: {}", attempt.key, attempt.why));
                for hint in attempt.hints {
                    if !hints.contains(&hint) {
                        hints.push(hint);
                    }
                }
            }
        }
        let error = CommandError::refused(message);
        hints.into_iter().fold(error, CommandError::hint)
    }
}
