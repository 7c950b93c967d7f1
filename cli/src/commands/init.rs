//! `sealwax init`.

use crate::error::{Code, CommandError};
use crate::repo::Repository;
use crate::setup::{HookKind, PIECES, Setup, State};
use crate::ui::{Note, Ui};

/// Set up a repository and this clone of it: key, policy, drivers for Git, and the guarding hook
///
/// Makes what is missing and changes nothing that is there, so it can run any time, and should run
/// once in each new clone. The policy is proposed from the Secrets and the .sops.yaml that it finds.
///
/// Examples:
///   sealwax init
///   sealwax init --hook framework      for teams that use the pre-commit framework
///   sealwax init --check               only say what is missing
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Say what is missing, make nothing, and fail if anything is
    #[arg(long)]
    check: bool,
    /// How the gate runs before each commit
    #[arg(long, value_enum, default_value_t = HookKind::Plain, value_name = "KIND")]
    hook: HookKind,
    /// Make a post-quantum key, if one has to be made
    #[arg(long)]
    pq: bool,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let setup = Setup { repository: Repository::here()?, hook: args.hook, post_quantum: args.pq };
    let mut code = Code::Done;
    for piece in &PIECES {
        let name = piece.name;
        let note = match piece.look(&setup)? {
            State::Good(what) => Note::Done(format!("{name}: {what}")),
            State::Missing(what) if args.check => {
                code = Code::Refused;
                Note::Warning(format!("{name}: {what}"))
            }
            State::Missing(_) => Note::Done(format!("{name}: made: {}", piece.make(&setup)?)),
            State::Yours(what, mend) => {
                code = Code::Refused;
                ui.notes(&[Note::Warning(format!("{name}: {what}"))]);
                Note::Hint(mend)
            }
        };
        ui.notes(&[note]);
    }
    if args.check && code != Code::Done {
        ui.notes(&[Note::Hint("`sealwax init` makes what is missing.".to_owned())]);
    }
    Ok(code)
}
