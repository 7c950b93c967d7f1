//! `sealwax sops`.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::sops_command;
use crate::ui::Ui;

/// The command line of SOPS: its commands, flags, variables and exit codes, on this engine
///
/// The same program does this when it is called by the name sops: a link of that name serves the
/// tools that call SOPS. `sealwax sops help` lists its commands and flags.
///
/// Examples:
///   sealwax sops decrypt secrets.yaml
///   ln -s "$(command -v sealwax)" ~/.local/bin/sops
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// What SOPS would be called with
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORDS")]
    words: Vec<OsString>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> ExitCode {
    // The parser keeps a `--` for itself, and SOPS has its own use for it.
    let words = std::env::args_os().skip(2);
    debug_assert!(args.words.len() <= words.len());
    sops_command::run(words.collect(), ui)
}
