//! `sealwax completions`.

use clap::CommandFactory as _;

use crate::args::Cli;
use crate::error::{Code, CommandError};
use crate::ui::Ui;

/// Print a completion script for a shell
///
/// Example: sealwax completions bash > ~/.local/share/bash-completion/completions/sealwax
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sealwax", &mut script);
    ui.data(&script)?;
    Ok(Code::Done)
}
