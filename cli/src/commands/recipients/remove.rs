//! `sealwax recipients remove`.

use super::policy_here;
use crate::commands::team::other_ways;
use crate::error::{Code, CommandError};
use crate::policy::edit::Edit;
use crate::ui::{Note, Ui};

/// Take a recipient out of the policy, with all its rules
///
/// What is encrypted stays readable for it until `sealwax rekey` has run, which also lists the values that it has been
/// able to read: those must be changed at their origin.
///
/// Example: sealwax recipients remove bob && sealwax rekey .
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the policy calls it
    name: String,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let policy = policy_here()?;
    let listed = policy.listed_recipients().into_iter().find(|listed| listed.name == args.name);
    let mut edit = Edit::begin(&policy)?;
    let rules = edit.remove_recipient(&args.name)?;
    edit.finish()?;
    let mut notes = vec![
        Note::Done(format!("{} is no longer a recipient of the policy; it was named in {rules}", args.name)),
        Note::Hint("`sealwax rekey .` takes the wraps away and lists what must be changed at its origin.".to_owned()),
    ];
    if let Some(recipient) = listed.and_then(|listed| listed.recipient.ok()) {
        notes.extend(other_ways(&policy_here()?, &recipient));
    }
    ui.notes(&notes);
    Ok(Code::Done)
}
