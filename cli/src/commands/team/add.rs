//! `sealwax team add`.

use super::{members, rule_of, team};
use crate::commands::recipients::policy_here;
use crate::error::{Code, CommandError};
use crate::keyring::{Identities, IdentityArgs};
use crate::ui::{Note, Ui};

/// Let somebody join a team: one file changes, and no document
///
/// You must be a member. The new one can open whatever is wrapped for the team, from then on and in Git's history.
///
/// Example: sealwax team add ops carol=age1…
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the policy calls the team
    name: String,
    /// Recipients of the policy, NAME=RECIPIENT, or .pub files
    #[arg(required = true, value_name = "MEMBER")]
    members: Vec<String>,
    /// Take the members that the team's file names, also where they are others than when this machine last changed it
    #[arg(long)]
    accept_recipients: bool,
    #[command(flatten)]
    identities: IdentityArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let policy = policy_here()?;
    let team = team(&policy, &args.name)?;
    let new = members(&policy, &args.members)?;
    let mut all = team.members.clone();
    for (name, recipient) in new {
        if let Some(standing) = all.insert(name.clone(), recipient.clone())
            && standing.label() != recipient.label()
        {
            return Err(CommandError::refused(format!("{name} is a member with another key"))
                .hint("Remove the old one first: `sealwax team remove` makes a new key for the team."));
        }
    }
    let rule = rule_of(&args.name);
    policy.accepted.check(&rule, &team.readers(), args.accept_recipients)?;
    let readers: Vec<_> = all.values().cloned().collect();
    let names = all.keys().cloned().collect::<Vec<_>>().join(", ");
    team.add(&all, &Identities::new(&args.identities).own()?)?;
    policy.accepted.check(&rule, &readers, true)?;
    ui.notes(&[Note::Done(format!("{}: members: {names}", team.recipient.label()))]);
    Ok(Code::Done)
}
