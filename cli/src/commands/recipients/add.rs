//! `sealwax recipients add`.

use std::path::{Path, PathBuf};

use super::policy_here;
use crate::error::{Code, CommandError};
use crate::files;
use crate::plugins;
use crate::policy::edit::{Edit, Source};
use crate::recipient;
use crate::ui::{Note, Ui};

/// Add a recipient to the policy, and to the rules that shall name it
///
/// Documents are wrapped for it when `sealwax rekey` runs, by someone who can read them. Give a member of a team access
/// with `sealwax team add` instead: that changes no document.
///
/// Example: sealwax recipients add bob age1… --rule 'clusters/prod/**'
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the policy shall call it: a-z, 0-9 and -
    name: String,
    /// age1…, ssh-…, or a .pub file
    recipient: String,
    /// Add it to the readers of the rules with this path (repeatable)
    #[arg(long = "rule", value_name = "PATH", conflicts_with = "all_rules")]
    rules: Vec<String>,
    /// Add it to the readers of all rules
    #[arg(long)]
    all_rules: bool,
}

/// Longer ones, such as post-quantum recipients, get a file of their own.
const MAX_INLINE: usize = 200;

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let policy = policy_here()?;
    let text = recipient::text(&args.recipient)?;
    let parsed = plugins::recipient(&args.name, &text)
        .map_err(|error| CommandError::usage(format!("{}: {}", args.name, crate::error::chain(&error))))?;
    let mut edit = Edit::begin(&policy)?;
    let in_file = recipient::is_file(&args.recipient);
    let key_file = (!in_file && text.len() > MAX_INLINE).then(|| PathBuf::from(format!("keys/{}.pub", args.name)));
    let source = match &key_file {
        Some(file) => Source::File(file.display().to_string()),
        None if in_file => Source::File(edit.inside(Path::new(&args.recipient))?),
        None => Source::Text(text.trim().to_owned()),
    };
    edit.add_recipient(&args.name, &source)?;
    let rules = edit.add_reader(&args.name, &args.rules, args.all_rules)?;
    if let Some(file) = &key_file {
        let file = policy.folder().join(file);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| CommandError::io(Code::Refused, "cannot be made", folder, &error))?;
        }
        files::create(&file, format!("{}\n", text.trim()).as_bytes(), false)?;
    }
    edit.finish()?;
    let mut notes = vec![Note::Done(format!("{} is a recipient of the policy, for {rules}", parsed.label()))];
    notes.push(Note::Hint(if rules.is_none() {
        "No rule names it yet: add --rule PATH or --all-rules.".to_owned()
    } else {
        "Compare the fingerprint with its owner; then `sealwax rekey .` wraps what is there.".to_owned()
    }));
    ui.notes(&notes);
    Ok(Code::Done)
}
