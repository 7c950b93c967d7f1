//! `sealwax team remove`.

use std::collections::BTreeMap;

use super::{other_ways, team};
use crate::accepted::Subject;
use crate::commands::recipients::policy_here;
use crate::error::{Code, CommandError};
use crate::keyring::{Identities, IdentityArgs};
use crate::rekey;
use crate::ui::{Note, Ui};

/// Let somebody leave a team: the others get a new key, and what he has been able to read is listed
///
/// He knows the team's old keys, and with them every value that is wrapped for the team today: change those at their
/// origin. Named are also other ways in that he keeps. You must be a member.
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
    let mut gone = Vec::new();
    for name in &args.members {
        gone.push(
            rest.remove(name).ok_or_else(|| CommandError::usage(format!("{name} is no member of {}", args.name)))?,
        );
    }
    if rest.is_empty() {
        return Err(CommandError::usage(format!("{} would have no members", args.name))
            .hint("To give up a team, take it out of the policy: `sealwax recipients remove`."));
    }
    let keys: BTreeMap<_, _> = gone.iter().map(|member| (member.label().fingerprint(), member)).collect();
    if let Some((name, _)) = rest.iter().find(|(_, member)| keys.contains_key(member.label().fingerprint())) {
        return Err(CommandError::usage(format!("{name} is a member with the same key, and would stay"))
            .hint(format!("Name {name} too, and add whoever shall stay again with a key of his own.")));
    }
    let before = Subject::team(&args.name, team.members.values().cloned());
    policy.accepted.check(&before, policy.subjects(), args.accept_recipients)?;
    let secrets = team.open(&Identities::new(&args.identities).own()?)?;
    let mut known = secrets.fingerprints();
    known.insert(team.recipient.label().fingerprint().clone());
    let exposed = rekey::readable_by(policy.folder(), &known)?;
    let undisputed = policy.undisputed();
    let recipient = team.remove(&rest, &secrets)?;
    policy_here()?.agree_to(&undisputed)?;
    policy.accepted.check(&Subject::team(&args.name, rest.into_values()), policy.subjects(), true)?;
    let names = args.members.join(", ");
    let mut notes = vec![Note::Done(format!("{}: a new key for the team, without {names}", recipient.label()))];
    notes.extend(rekey::exposures(&exposed));
    notes.push(Note::Hint("`sealwax rekey --superseded .` replaces the wraps for the team's old key.".to_owned()));
    notes.extend(keys.values().flat_map(|member| other_ways(&policy, member)));
    ui.notes(&notes);
    Ok(Code::Done)
}
