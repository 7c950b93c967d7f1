//! `sealwax man`.

use std::path::PathBuf;

use clap::CommandFactory as _;

use crate::args::Cli;
use crate::error::{Code, CommandError};
use crate::ui::{Note, Ui};

/// Write the manual pages of all commands into a folder
///
/// Example: sealwax man ~/.local/share/man/man1
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder, which exists
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    clap_mangen::generate_to(Cli::command(), &args.folder)
        .map_err(|error| CommandError::io(Code::Refused, "cannot be written", &args.folder, &error))?;
    ui.notes(&[Note::Done(format!("{}: manual pages written; read them with `man sealwax`", args.folder.display()))]);
    Ok(Code::Done)
}
