//! `sealwax team`.

mod add;
mod create;
mod list;
mod remove;

use std::collections::BTreeMap;

use clap::Subcommand;
use sealwax_format::keys::Recipient;

use crate::error::{Code, CommandError};
use crate::policy::Policy;
use crate::recipient;
use crate::team::Team;
use crate::ui::{Note, Ui};

/// Teams: one key for many people, so that somebody who joins changes no document
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(create::Args),
    Add(add::Args),
    Remove(remove::Args),
    List(list::Args),
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    match &args.command {
        Command::Create(args) => create::run(args, ui),
        Command::Add(args) => add::run(args, ui),
        Command::Remove(args) => remove::run(args, ui),
        Command::List(args) => list::run(args, ui),
    }
}

/// The team that the policy calls so.
fn team(policy: &Policy, name: &str) -> Result<Team, CommandError> {
    let listed = policy.listed_recipients().into_iter().find(|listed| listed.name == name);
    let base = listed.and_then(|listed| listed.team);
    let base = base.ok_or_else(|| {
        CommandError::usage(format!("the policy has no team {name}")).hint("Make it with `sealwax team create`.")
    })?;
    Team::read(name, &base)
}

/// Members as they are named: a recipient of the policy, NAME=RECIPIENT, or a .pub file.
fn members(policy: &Policy, named: &[String]) -> Result<BTreeMap<String, Recipient>, CommandError> {
    let listed = policy.listed_recipients();
    let mut members = BTreeMap::new();
    for text in named {
        let recipient = match listed.iter().find(|listed| listed.name == *text) {
            Some(listed) if listed.team.is_some() => {
                return Err(CommandError::usage(format!("{text} is a team; name its members instead")));
            }
            Some(listed) => listed.recipient.clone()?,
            None => recipient::parse("member", text)?,
        };
        members.insert(recipient.label().name().to_owned(), recipient);
    }
    Ok(members)
}

/// How somebody can read besides the way that he has just lost: his key may be a recipient of the policy, under whatever
/// name, or a member of a team.
pub(crate) fn other_ways(policy: &Policy, person: &Recipient) -> Vec<Note> {
    let key = person.label().fingerprint();
    let mut notes = Vec::new();
    for listed in policy.listed_recipients() {
        let name = &listed.name;
        if listed.recipient.as_ref().is_ok_and(|recipient| recipient.label().fingerprint() == key) {
            let rules = if listed.rules.is_empty() { "no rule".to_owned() } else { listed.rules.join(", ") };
            notes.push(Note::Warning(format!("{name} is a recipient of the policy with the same key; reads: {rules}")));
            notes.push(Note::Hint(format!("`sealwax recipients remove {name}` if that shall end too.")));
        }
        let Some(team) = listed.team.as_deref().and_then(|base| Team::read(name, base).ok()) else { continue };
        for (member, _) in team.members.iter().filter(|(_, member)| member.label().fingerprint() == key) {
            notes.push(Note::Warning(format!("{member} is a member of the team {name} with the same key")));
            notes.push(Note::Hint(format!("`sealwax team remove {name} {member}` if that shall end too.")));
        }
    }
    notes
}
