//! One file per subcommand: its flags, whose comments are its help, and one function.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod copy;
pub(crate) mod decrypt;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod edit;
pub(crate) mod encrypt;
pub(crate) mod exec;
pub(crate) mod get;
pub(crate) mod git;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod keygen;
pub(crate) mod keys;
pub(crate) mod man;
pub(crate) mod migrate;
pub(crate) mod rebind;
pub(crate) mod recipients;
pub(crate) mod rekey;
pub(crate) mod render;
pub(crate) mod rotate;
pub(crate) mod seal;
pub(crate) mod set;
pub(crate) mod sops;
pub(crate) mod status;
pub(crate) mod team;
pub(crate) mod unset;
pub(crate) mod verify;

use std::process::ExitCode;

use crate::args::{Cli, Command};
use crate::error::CommandError;
use crate::ui::Ui;

/// Runs the chosen subcommand.
pub(crate) fn run(cli: Cli, ui: &Ui) -> Result<ExitCode, CommandError> {
    let code = match cli.command {
        // The exit code of the command that it ran.
        Command::Exec(args) => return exec::run(&args, ui),
        // Those of SOPS.
        Command::Sops(args) => return Ok(sops::run(&args, ui)),
        Command::Init(args) => init::run(&args, ui),
        Command::Doctor(args) => doctor::run(&args, ui),
        Command::Keygen(args) => keygen::run(&args, ui),
        Command::Encrypt(args) => encrypt::run(&args, ui),
        Command::Decrypt(args) => decrypt::run(&args, ui),
        Command::Edit(args) => edit::run(&args, ui),
        Command::Get(args) => get::run(&args, ui),
        Command::Set(args) => set::run(&args, ui),
        Command::Unset(args) => unset::run(&args, ui),
        Command::Seal(args) => seal::run(&args, ui),
        Command::Import(args) => import::run(&args, ui),
        Command::Render(args) => render::run(&args, ui),
        Command::Rebind(args) => rebind::run(&args, ui),
        Command::Copy(args) => copy::run(&args, ui),
        Command::Rekey(args) => rekey::run(&args, ui),
        Command::Rotate(args) => rotate::run(&args, ui),
        Command::Migrate(args) => migrate::run(&args, ui),
        Command::Verify(args) => verify::run(&args, ui),
        Command::Status(args) => status::run(&args, ui),
        Command::Diff(args) => diff::run(&args, ui),
        Command::Git(args) => git::run(&args, ui),
        Command::Check(args) => check::run(&args, ui),
        Command::Inspect(args) => inspect::run(&args, ui),
        Command::Recipients(args) => recipients::run(&args, ui),
        Command::Team(args) => team::run(&args, ui),
        Command::Keys(args) => keys::run(&args, ui),
        Command::Completions(args) => completions::run(&args, ui),
        Command::Man(args) => man::run(&args, ui),
    };
    code.map(ExitCode::from)
}
