//! `sealwax team create`.

use std::path::Path;

use super::members;
use crate::accepted::Subject;
use crate::commands::recipients::policy_here;
use crate::error::{Code, CommandError};
use crate::policy::edit::{Edit, Source};
use crate::team::Team;
use crate::ui::{Note, Ui};

/// Make a team: a key of its own, which its members can open
///
/// Writes keys/NAME.pub, which names the members, and keys/NAME.age, which holds the team's private key encrypted to
/// them; both belong into Git. The policy gets a recipient of this name.
///
/// Example: sealwax team create ops alice bob=age1… --rule 'clusters/prod/**'
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the policy shall call it: a-z, 0-9 and -
    name: String,
    /// Recipients of the policy, NAME=RECIPIENT, or .pub files
    #[arg(required = true, value_name = "MEMBER")]
    members: Vec<String>,
    /// Where its files go, below the policy's folder
    #[arg(long, value_name = "FOLDER", default_value = "keys")]
    folder: String,
    /// Add it to the readers of the rules with this path (repeatable)
    #[arg(long = "rule", value_name = "PATH")]
    rules: Vec<String>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let policy = policy_here()?;
    let members = members(&policy, &args.members)?;
    let count = members.len();
    let base = format!("{}/{}", args.folder.trim_end_matches('/'), args.name);
    let mut edit = Edit::begin(&policy)?;
    edit.add_recipient(&args.name, &Source::Team(base.clone()))?;
    let rules = edit.add_reader(&args.name, &args.rules, false)?;
    let recipient = Team::create(&args.name, &policy.folder().join(Path::new(&base)), &members)?;
    edit.finish()?;
    let team = Subject::team(&args.name, members.into_values());
    policy.accepted.check(&team, &[], true)?;
    ui.notes(&[
        Note::Done(format!("{}: a team of {count}, for {rules}", recipient.label())),
        Note::Hint(format!(
            "Commit {base}.pub, {base}.age and the policy; then `sealwax rekey .` wraps what is there."
        )),
    ]);
    Ok(Code::Done)
}
