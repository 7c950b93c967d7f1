//! Hiding values in the log of a GitHub Actions job.

use sealwax_format::SecretBytes;
use zeroize::Zeroizing;

use crate::error::CommandError;
use crate::ui::Ui;

/// Shorter lines of a longer value are no secrets, and hiding them would hide half of the log: `}`, `-`, `EOF`.
const SHORTEST: usize = 4;

/// Asks the runner to hide these values. Anywhere else the request itself would show them, so it is refused there.
pub(crate) fn on_github(values: &[SecretBytes], ui: &Ui) -> Result<(), CommandError> {
    if std::env::var_os("GITHUB_ACTIONS").is_none_or(|value| value != "true") {
        return Err(CommandError::usage("--mask works in GitHub Actions only; elsewhere it would print the values")
            .hint("Leave --mask out, or set it only where GITHUB_ACTIONS is true."));
    }
    for value in values {
        let Some(text) = value.expose_str() else { continue };
        let single = !text.trim_end().contains('\n');
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && (single || line.len() >= SHORTEST)) {
            ui.workflow_command(&request(line));
        }
    }
    Ok(())
}

fn request(line: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(line.len() * 3 + 16));
    text.push_str("::add-mask::");
    for c in line.chars() {
        match c {
            '%' => text.push_str("%25"),
            '\r' => text.push_str("%0D"),
            other => text.push(other),
        }
    }
    text
}
