//! The command people run: encrypts selected values of YAML and JSON files, so that they can live in Git.
//!
//! | room | holds |
//! |---|---|
//! | `args` | the command line |
//! | `commands` | one file per subcommand, no logic that another needs |
//! | `policy` | `.sealwax.toml`: which rule governs a file, and who reads it |
//! | `team` | one key for many people |
//! | `view` | encrypted files for people, every value masked |
//! | `values`, `mask`, `obeyed` | values by name, for programs; hidden in the log of a CI job; names that are none for values |
//! | `setup` | what a clone and its machine need |
//! | `sops` | files of SOPS, opened |
//! | `sops_command` | the command line of SOPS |
//! | `recipient` | recipients of the command line |
//! | `accepted`, `state` | the readers that were agreed to on this machine; where it keeps that |
//! | `job` | one file of a command: policy, place and readers resolved |
//! | `survey` | the files of folders |
//! | `readers`, `rekey` | who a document names, and many documents made to fit who shall read them |
//! | `open`, `keyring`, `plugins` | identities |
//! | `program` | other programs whose input or output is secret |
//! | `paths` | values and documents as people name them |
//! | `manifest` | from a Secret to an EncryptedSecret in the clear |
//! | `repo` | the Git repository; the only code that runs `git` |
//! | `check` | the gate: the rules of `sealwax check`, and how findings are written |
//! | `history`, `exposure` | tokens of Git's HEAD used again; nothing encrypted left in the clear |
//! | `vault` | Vault as its user's own command would be used |
//! | `migrate` | a repository from SOPS to the format here, and back |
//! | `import` | values of Vault and AWS, read as whoever runs this |
//! | `cluster` | the only use of Kubernetes |
//! | `outcomes` | what came of each of several files |
//! | `files`, `unix` | reading, atomic replacing, private temporary files |
//! | `editor` | a private copy, and an editor over it |
//! | `error`, `ui` | kinds and exit codes; the only code that prints |

mod accepted;
mod args;
mod check;
mod cluster;
mod commands;
mod commented;
mod editor;
mod error;
mod exposure;
mod files;
mod history;
mod import;
mod job;
mod keyring;
mod manifest;
mod mask;
mod migrate;
mod obeyed;
mod open;
mod outcomes;
mod paths;
mod plugins;
mod policy;
mod program;
mod readers;
mod recipient;
mod rekey;
mod repo;
mod setup;
mod sops;
mod sops_command;
mod state;
mod survey;
mod team;
mod ui;
mod unix;
mod values;
mod vault;
mod view;

use std::process::ExitCode;

use args::Cli;
use ui::Ui;

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    unix::harden();
    if sops_command::is_called() {
        return sops_command::run(std::env::args_os().skip(1).collect(), &Ui::new());
    }
    let cli = Cli::of_process();
    let ui = Ui::new();
    match commands::run(cli, &ui) {
        Ok(code) => code,
        Err(error) => {
            ui.error(&error);
            error.code().into()
        }
    }
}
