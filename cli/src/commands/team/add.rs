//! `sealwax team add`.

use super::{members, team};
use crate::accepted::Subject;
use crate::commands::recipients::policy_here;
use crate::error::{Code, CommandError};
use crate::keyring::{Identities, IdentityArgs};
use crate::ui::{Note, Ui};

/// Let somebody join a team: two files change, and no document
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
    let before = Subject::team(&args.name, team.members.values().cloned());
    policy.accepted.check(&before, policy.subjects(), args.accept_recipients)?;
    let names = all.keys().cloned().collect::<Vec<_>>().join(", ");
    team.add(&all, &team.open(&Identities::new(&args.identities).own()?)?)?;
    let now = Subject::team(&args.name, all.into_values());
    policy.accepted.check(&now, policy.subjects(), true)?;
    ui.notes(&[Note::Done(format!("{}: members: {names}", team.recipient.label()))]);
    Ok(Code::Done)
}
