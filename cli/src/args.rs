//! The command line: the root parser and the table of subcommands.

use clap::{Parser, Subcommand};

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

/// What to do.
#[derive(Debug, Subcommand)]
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
