//! `sealwax recipients`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use sealwax_format::SecretBytes;
use sealwax_format::keys::PublicSigningKey;
use sealwax_format::keys::published::{Published, PublishedError};

use crate::cluster::{Cluster, ClusterArgs};
use crate::error::{Code, CommandError, chain};
use crate::files;
use crate::plugins;
use crate::ui::{Note, Ui};

/// Public keys of clusters
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Fetch(FetchArgs),
}

/// Fetch a cluster's public key through kubeconfig
///
/// Reads the ConfigMap sealwax-recipients beside the controller, as the API server gives it to you. Write the key to
/// a file that the policy names, and commit it: everyone who seals uses that file and needs no access to the cluster.
///
/// The first fetch pins the cluster's signing key in that file. A later one replaces the file only if the pinned key
/// endorses what the cluster publishes by then.
///
/// Example: sealwax recipients fetch --context prod -o keys/prod.pub
#[derive(Debug, clap::Args)]
struct FetchArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Where to write it; standard output if absent
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Take what the cluster publishes though the pinned signing key does not endorse it
    #[arg(long)]
    accept_new_signing_key: bool,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let Command::Fetch(args) = &args.command;
    let published = Cluster::new(&args.cluster)?.published()?;
    let sealing = published.entries().next().map(|entry| entry.recipient);
    let sealing = sealing.ok_or_else(|| CommandError::refused("the cluster publishes no recipient yet"))?;
    let recipient = plugins::recipient("cluster", sealing)
        .map_err(|error| CommandError::refused(format!("what the cluster publishes: {}", chain(&error))))?;
    let mut notes = Vec::new();
    if let Some(output) = &args.output {
        write(output, &published, args.accept_new_signing_key, &mut notes)?;
    } else {
        notes.extend(endorsement(None, &published, args.accept_new_signing_key)?);
        ui.data(published.to_file().as_bytes())?;
    }
    let fingerprint = recipient.label().fingerprint();
    let signing = published.signing_key().map(|key| format!(", signing key fingerprint {}", key.fingerprint()));
    let signing = signing.unwrap_or_default();
    notes.push(Note::Done(format!("fingerprint {fingerprint}{signing}; compare with the controller's log")));
    ui.notes(&notes);
    Ok(Code::Done)
}

/// Writes the file, or replaces it if its pinned key allows.
fn write(output: &Path, published: &Published, accept: bool, notes: &mut Vec<Note>) -> Result<(), CommandError> {
    let file = published.to_file();
    if !output.exists() {
        notes.extend(endorsement(None, published, accept)?);
        return files::create(output, file.as_bytes(), false);
    }
    let text = files::read_text(output)?;
    let before = Published::from_file(&text);
    let is_pub = before.entries().next().is_some_and(|entry| plugins::recipient("cluster", entry.recipient).is_ok());
    if !is_pub {
        let message = format!("{}: exists and holds no recipient; it is not replaced", output.display());
        return Err(CommandError::refused(message).hint("Choose another name."));
    }
    let pinned = before.signing_key().map_err(|error| refused(output, &error.to_string()));
    let pinned = match pinned {
        Ok(key) => Some(key),
        Err(_) if accept => None,
        Err(error) => return Err(error),
    };
    notes.extend(endorsement(pinned.as_ref().map(|key| (output, key)), published, accept)?);
    if text == file { Ok(()) } else { files::replace(output, &SecretBytes::from(text), file.as_bytes()) }
}

/// Checks that what is published bears the word of the pinned key or, where none is pinned, of the key that it names.
/// The warning is what was let pass.
fn endorsement(
    pinned: Option<(&Path, &PublicSigningKey)>,
    published: &Published,
    accept: bool,
) -> Result<Option<Note>, CommandError> {
    let own = published.signing_key();
    let problem = match (&own, pinned) {
        (Ok(own), Some((_, pinned))) if own != pinned => Some(format!(
            "the cluster names the signing key {}, and pinned is {}",
            own.fingerprint(),
            pinned.fingerprint()
        )),
        (Ok(own), _) => {
            published.check(own).err().map(|error| format!("what the cluster publishes: {}", chain(&error)))
        }
        // A controller that has no signing key yet, or whose own key is lost.
        (Err(PublishedError::NoSigningKey), None) => {
            return Ok(Some(Note::Warning("the cluster names no signing key; nothing is pinned".to_owned())));
        }
        (Err(error), _) => Some(format!("what the cluster publishes: {}", chain(error))),
    };
    match problem {
        None => Ok(None),
        Some(problem) if accept => Ok(Some(Note::Warning(format!("accepted all the same: {problem}")))),
        Some(problem) => Err(refused(pinned.map_or(Path::new("recipients"), |(path, _)| path), &problem)),
    }
}

fn refused(path: &Path, problem: &str) -> CommandError {
    CommandError::refused(format!("{}: {problem}; nothing was written", path.display())).hint(
        "If the cluster was made anew or its signing key replaced on purpose, compare the fingerprint with the \
         controller's log and pass --accept-new-signing-key.",
    )
}

#[cfg(test)]
mod tests {
    use sealwax_format::keys::SigningKey;
    use sealwax_format::keys::published::{CLUSTER, RECIPIENTS, SIGNATURE, SIGNING_KEY};

    use super::*;

    fn published(named: Option<u8>, signed: Option<u8>) -> Published {
        let key = |seed: u8| SigningKey::from_seed(&[seed; 32]);
        let items = [
            Some((CLUSTER, "prod".to_owned())),
            Some((RECIPIENTS, "age1x\n".to_owned())),
            named.map(|seed| (SIGNING_KEY, key(seed).public().to_string())),
            signed.map(|seed| (SIGNATURE, key(seed).endorse("prod", "age1x\n"))),
        ];
        Published::from_items(items.into_iter().flatten().map(|(item, text)| (item.to_owned(), text)).collect())
    }

    #[test]
    fn only_the_pinned_key_endorses() {
        let pinned = SigningKey::from_seed(&[1; 32]).public();
        let cases = [
            (Some(1), Some(1), true, true),
            (Some(2), Some(2), false, true),
            // The pinned key's own signature does not vouch for another key that is named beside it.
            (Some(2), Some(1), false, false),
            (Some(1), Some(2), false, false),
            (Some(1), None, false, false),
            (None, None, false, true),
            (None, Some(1), false, true),
        ];
        for (named, signed, later, first) in cases {
            let published = published(named, signed);
            let check = |pinned| endorsement(pinned, &published, false).is_ok();
            assert_eq!(check(Some((Path::new("x"), &pinned))), later, "{named:?} {signed:?}");
            assert_eq!(check(None), first, "{named:?} {signed:?}");
            assert!(endorsement(Some((Path::new("x"), &pinned)), &published, true).is_ok(), "on purpose");
        }
    }
}
