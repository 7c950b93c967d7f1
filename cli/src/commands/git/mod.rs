//! `sealwax git`: what Git itself calls.

mod textconv;

use clap::Subcommand;

use crate::error::{Code, CommandError};
use crate::ui::Ui;

/// What Git calls: drivers for its diffs and merges
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Textconv(textconv::Args),
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    match &args.command {
        Command::Textconv(args) => textconv::run(args, ui),
    }
}
