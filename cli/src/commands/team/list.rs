//! `sealwax team list`.

use std::fmt::Write as _;

use crate::commands::recipients::policy_here;
use crate::error::{Code, CommandError};
use crate::team::Team;
use crate::ui::Ui;

/// List the teams of the policy and their members, with whole fingerprints
///
/// Members are what the team's .pub file says; who can open the .age file beside it is known to its members alone.
///
/// Example: sealwax team list
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let (mut text, mut code) = (String::new(), Code::Done);
    for listed in policy_here()?.listed_recipients() {
        let Some(base) = &listed.team else { continue };
        match Team::read(&listed.name, base) {
            Ok(team) => {
                let _ = writeln!(text, "{}", team.recipient.label());
                for member in team.members.values() {
                    let _ = writeln!(text, "  {}", member.label());
                }
            }
            Err(error) => code = code.max(ui.failed(&error)),
        }
    }
    ui.data(text.as_bytes())?;
    Ok(code)
}
