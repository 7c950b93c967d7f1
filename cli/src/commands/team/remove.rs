//! `sealwax team remove`.

use super::{rule_of, team};
use crate::commands::recipients::policy_here;
use crate::error::{Code, CommandError};
use crate::keyring::{Identities, IdentityArgs};
use crate::rekey;
use crate::ui::{Note, Ui};

/// Let somebody leave a team: the others get a new key, and what he has been able to read is listed
///
/// He knows the team's old key, and with it every value that is wrapped for the team today: change those at their
/// origin. You must be a member.
///
/// Example: sealwax team remove ops bob && sealwax rekey --superseded .
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the policy calls the team
    name: String,
    /// Names of members
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
    let mut rest = team.members.clone();
    for name in &args.members {
        if rest.remove(name).is_none() {
            return Err(CommandError::usage(format!("{name} is no member of {}", args.name)));
        }
    }
    if rest.is_empty() {
        return Err(CommandError::usage(format!("{} would have no members", args.name))
            .hint("To give up a team, take it out of the policy: `sealwax recipients remove`."));
    }
    let rule = rule_of(&args.name);
    policy.accepted.check(&rule, &team.readers(), args.accept_recipients)?;
    let exposed = rekey::readable_by(policy.folder(), team.recipient.label())?;
    let readers: Vec<_> = rest.values().cloned().collect();
    let recipient = team.remove(&rest, &Identities::new(&args.identities).own()?)?;
    policy.accepted.check(&rule, &readers, true)?;
    let gone = args.members.join(", ");
    let mut notes = vec![Note::Done(format!("{}: a new key for the team, without {gone}", recipient.label()))];
    notes.extend(rekey::exposures(&exposed));
    notes.push(Note::Hint("`sealwax rekey --superseded .` replaces the wraps for the team's old key.".to_owned()));
    ui.notes(&notes);
    Ok(Code::Done)
}
