//! `sealwax git`: what Git calls. One file for each of its ways in.

mod merge;
mod textconv;

use clap::Subcommand;

use crate::error::{Code, CommandError};
use crate::ui::Ui;

/// What Git calls: drivers for its diffs and merges
///
/// Not for people: `sealwax init` writes these commands into Git's configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Merge(merge::Args),
    Textconv(textconv::Args),
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    match &args.command {
        Command::Merge(args) => merge::run(args, ui),
        Command::Textconv(args) => textconv::run(args, ui),
    }
}
