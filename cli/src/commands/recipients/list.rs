//! `sealwax recipients list`.

use std::fmt::Write as _;

use super::policy_here;
use crate::error::{Code, CommandError};
use crate::ui::Ui;

/// List the recipients of the policy with their whole fingerprints, and the rules that name them
///
/// Compare a fingerprint with its owner, by another way than this repository, before you rely on it.
///
/// Example: sealwax recipients list
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let policy = policy_here()?;
    let (mut text, mut code) = (String::new(), Code::Done);
    for listed in policy.listed_recipients() {
        let rules = if listed.rules.is_empty() { "no rule".to_owned() } else { listed.rules.join(", ") };
        match &listed.recipient {
            Ok(recipient) => {
                let kind = listed.kind(recipient);
                let _ = writeln!(text, "{}  {kind}, {}\n  reads: {rules}", recipient.label(), listed.source);
            }
            Err(error) => {
                let _ = writeln!(text, "{}  cannot be used, {}\n  reads: {rules}", listed.name, listed.source);
                ui.error(error);
                code = code.max(error.code());
            }
        }
    }
    ui.data(text.as_bytes())?;
    Ok(code)
}
