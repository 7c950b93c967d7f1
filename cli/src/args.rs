//! The command line: the root parser and the table of subcommands.

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::commands::{
    check, completions, copy, decrypt, diff, doctor, edit, encrypt, exec, get, git, import, init, inspect, keygen,
    keys, man, migrate, rebind, recipients, rekey, render, rotate, seal, set, sops, status, team, unset, verify,
};

/// Keep secrets in Git: encrypt the secret values of YAML and JSON files, and only those.
#[derive(Debug, Parser)]
#[command(name = "sealwax", version, max_term_width = 100, disable_help_subcommand = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  sealwax keygen                                   make your key; share the line it prints
  sealwax seal secret.yaml -o db.yaml              turn a Secret into an EncryptedSecret for Git
  sealwax edit db.yaml                             edit the values in your editor
  sealwax set db.yaml password                     replace one value; needs no private key
  sealwax encrypt values.yaml --to age1… --select '**.password'

Exit codes: 0 done, 1 refused or failed, 2 wrong usage or policy, 3 an input could not be read.";

impl Cli {
    /// The command line of this process; wrong ones, and questions for help, end it.
    pub(crate) fn of_process() -> Self {
        let mut command = Self::command();
        // The help of all commands lists what each says of itself.
        if std::env::args_os().nth(1).is_none_or(|first| first.as_encoded_bytes().starts_with(b"-")) {
            command.build();
        }
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}

/// What to do. The flags of a command are made when it is called: to make those of all takes longer than most commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Command {
    Init(init::Args),
    Doctor(doctor::Args),
    Keygen(keygen::Args),
    Encrypt(encrypt::Args),
    Decrypt(decrypt::Args),
    Edit(edit::Args),
    Get(get::Args),
    Exec(exec::Args),
    Set(set::Args),
    Unset(unset::Args),
    Seal(seal::Args),
    Import(import::Args),
    Render(render::Args),
    Rebind(rebind::Args),
    Copy(copy::Args),
    Rekey(rekey::Args),
    Rotate(rotate::Args),
    Migrate(migrate::Args),
    Sops(sops::Args),
    Verify(verify::Args),
    Status(status::Args),
    Diff(diff::Args),
    Check(check::Args),
    Inspect(inspect::Args),
    Recipients(recipients::Args),
    Team(team::Args),
    Git(git::Args),
    Keys(keys::Args),
    Completions(completions::Args),
    Man(man::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
