//! `sealwax recipients`.

mod add;
mod fetch;
mod list;
mod remove;
mod verify;

use std::path::Path;

use clap::Subcommand;

use crate::error::{Code, CommandError};
use crate::policy::{self, Policy};
use crate::ui::Ui;

/// Who the policy names as readers: people, teams and clusters
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    Add(add::Args),
    Remove(remove::Args),
    Verify(verify::Args),
    Fetch(fetch::Args),
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    match &args.command {
        Command::List(args) => list::run(args, ui),
        Command::Add(args) => add::run(args, ui),
        Command::Remove(args) => remove::run(args, ui),
        Command::Verify(args) => verify::run(args, ui),
        Command::Fetch(args) => fetch::run(args, ui),
    }
}

/// The policy of the folder that the command was called in.
pub(crate) fn policy_here() -> Result<Policy, CommandError> {
    // Any name will do: it is the folder that decides.
    policy::discover(Path::new(policy::FILE_NAME), Policy::load)?.ok_or_else(|| {
        CommandError::usage(format!("there is no {} for this folder", policy::FILE_NAME))
            .hint("Make one with `sealwax init`.")
    })
}
