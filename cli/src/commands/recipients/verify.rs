//! `sealwax recipients verify`.

use sealwax_format::keys::published::{Published, PublishedError};
use subtle::ConstantTimeEq as _;

use super::policy_here;
use crate::error::{Code, CommandError, chain};
use crate::files;
use crate::policy::ListedRecipient;
use crate::ui::{Note, Ui};

/// Compare recipients with what their owners say and with what was agreed to here
///
/// With a name and a fingerprint: whether the policy's recipient has it. Without: whether every
/// recipient can be used, every list of a cluster's keys bears its signature, and every rule has the
/// readers that were last agreed to on this machine.
///
/// Examples:
///   sealwax recipients verify bob 5f0c9a1d2b7e4m3n6p7q
///   sealwax recipients verify
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// What the policy calls it
    #[arg(requires = "fingerprint")]
    name: Option<String>,
    /// Its fingerprint, as its owner told you
    fingerprint: Option<String>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let policy = policy_here()?;
    let listed = policy.listed_recipients();
    if let (Some(name), Some(fingerprint)) = (&args.name, &args.fingerprint) {
        return one(&listed, name, fingerprint, ui);
    }
    let mut outcomes = Vec::new();
    let mut checked = 0;
    for listed in &listed {
        match &listed.recipient {
            Ok(_) => checked += 1,
            Err(error) => outcomes.push(Err(error.clone())),
        }
        outcomes.extend(endorsement(listed)?.map(Err));
    }
    for rule in policy.rules() {
        let rule = rule?;
        if let Some(change) = policy.disagreement(&rule) {
            outcomes.push(Err(CommandError::refused(change).hint("Is it meant? `git log -p` shows who changed it.")));
        }
    }
    outcomes.push(Ok(vec![Note::Done(format!("recipients that can be used: {checked}"))]));
    Ok(ui.outcomes(outcomes))
}

fn one(listed: &[ListedRecipient], name: &str, fingerprint: &str, ui: &Ui) -> Result<Code, CommandError> {
    let found = listed.iter().find(|listed| listed.name == name);
    let found = found.ok_or_else(|| CommandError::usage(format!("the policy has no recipient {name}")))?;
    let label = found.recipient.as_ref().map_err(Clone::clone)?.label();
    let told = fingerprint.trim().trim_start_matches(&format!("{name}@"));
    if !bool::from(label.fingerprint().as_str().as_bytes().ct_eq(told.as_bytes())) {
        let message = format!("{name}: the policy's recipient has the fingerprint {}", label.fingerprint());
        return Err(CommandError::refused(message)
            .hint("Do not encrypt for it. Ask its owner for the key, and see who changed the policy: `git log -p`."));
    }
    ui.notes(&[Note::Done(format!("{label}: the fingerprint is that of the policy's recipient"))]);
    Ok(Code::Done)
}

/// A file that names a cluster's signing key must bear its signature.
fn endorsement(listed: &ListedRecipient) -> Result<Option<CommandError>, CommandError> {
    let Some(file) = &listed.file else { return Ok(None) };
    let published = Published::from_file(&files::read_text(file)?);
    let problem = match published.signing_key() {
        Ok(key) => published.check(&key).err(),
        Err(PublishedError::NoSigningKey) => None,
        Err(error) => Some(error),
    };
    Ok(problem.map(|error| {
        CommandError::refused(format!("{}: {}", file.display(), chain(&error)))
            .hint("Fetch it again with `sealwax recipients fetch`, and see who changed the file.")
    }))
}
