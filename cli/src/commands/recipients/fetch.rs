//! `sealwax recipients fetch`.

use std::path::{Path, PathBuf};

use sealwax_format::SecretBytes;
use sealwax_format::keys::PublicSigningKey;
use sealwax_format::keys::published::{Published, PublishedError};

use crate::cluster::{Cluster, ClusterArgs};
use crate::error::{Code, CommandError, chain};
use crate::files;
use crate::plugins;
use crate::ui::{Note, Ui};

/// Fetch a cluster's public key through kubeconfig
///
/// Reads the ConfigMap sealwax-recipients beside the controller, as the API server gives it to you. Write the key to
/// a file that the policy names, and commit it: everyone who seals uses that file and needs no access to the cluster.
///
/// The first fetch pins the cluster's signing key in that file. A later one replaces the file only if the pinned key
/// endorses what the cluster publishes by then, and the cluster has the name that the file has.
///
/// Example: sealwax recipients fetch --context prod -o keys/prod.pub
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Where to write it; standard output if absent
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Take what another signing key than the pinned one endorses
    #[arg(long)]
    accept_new_signing_key: bool,
    /// Replace the file of a cluster that had another name
    #[arg(long)]
    accept_new_name: bool,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let published = filed(&Cluster::new(&args.cluster)?.published()?)?;
    let sealing = published.entries().next().map(|entry| entry.recipient);
    let sealing = sealing.ok_or_else(|| CommandError::refused("the cluster publishes no recipient yet"))?;
    let recipient = plugins::recipient("cluster", sealing)
        .map_err(|error| CommandError::refused(format!("what the cluster publishes: {}", chain(&error))))?;
    let mut notes = Vec::new();
    if let Some(output) = &args.output {
        write(output, &published, args, &mut notes)?;
    } else {
        notes.extend(endorsement(&Pinned::Nothing, &published, args.accept_new_signing_key)?);
        ui.data(published.to_file().as_bytes())?;
    }
    let fingerprint = recipient.label().fingerprint();
    let signing = published.signing_key().map(|key| format!(", signing key fingerprint {}", key.fingerprint()));
    let signing = signing.unwrap_or_default();
    notes.push(Note::Done(format!("fingerprint {fingerprint}{signing}; compare with the controller's log")));
    ui.notes(&notes);
    Ok(Code::Done)
}

/// What the file will say, which is all that is looked at from here on.
fn filed(published: &Published) -> Result<Published, CommandError> {
    published.as_filed().map_err(|error| {
        CommandError::refused(format!("what the cluster publishes: {error}; nothing was written")).hint(
            "The controller's --cluster-name is such a name? Then somebody else changed the ConfigMap \
             sealwax-recipients: see who may, delete it, and compare what the controller publishes with its log.",
        )
    })
}

/// Writes the file, or replaces it if its pinned key allows.
fn write(output: &Path, published: &Published, args: &Args, notes: &mut Vec<Note>) -> Result<(), CommandError> {
    let (file, accept) = (published.to_file(), args.accept_new_signing_key);
    if !output.exists() {
        notes.extend(endorsement(&Pinned::Nothing, published, accept)?);
        return files::create(output, file.as_bytes(), false);
    }
    let text = files::read_text(output)?;
    let before = Published::from_file(&text);
    let is_pub = before.entries().next().is_some_and(|entry| plugins::recipient("cluster", entry.recipient).is_ok());
    if !is_pub {
        let message = format!("{}: exists and holds no recipient; it is not replaced", output.display());
        return Err(CommandError::refused(message).hint("Choose another name."));
    }
    notes.extend(same_cluster(output, before.cluster(), published.cluster(), args.accept_new_name)?);
    let pinned = match before.signing_key() {
        Ok(key) => Pinned::Key(output, key),
        Err(error) => Pinned::Unusable(output, error),
    };
    notes.extend(endorsement(&pinned, published, accept)?);
    if text == file { Ok(()) } else { files::replace(output, &SecretBytes::from(text), file.as_bytes()) }
}

/// Checks that it is the cluster that the file is of: one restored from another's backup has the other's signing key.
fn same_cluster(output: &Path, pinned: &str, now: &str, accept: bool) -> Result<Option<Note>, CommandError> {
    if pinned.is_empty() || pinned == now {
        return Ok(None);
    }
    let problem = format!("it is of the cluster {pinned:?}, and this one calls itself {now:?}");
    if accept {
        return Ok(Some(Note::Warning(format!("accepted all the same: {}: {problem}", output.display()))));
    }
    Err(CommandError::refused(format!("{}: {problem}; nothing was written", output.display())).hint(
        "Is it the right --context? Choose another file for another cluster; if this one was renamed on purpose, pass \
         --accept-new-name.",
    ))
}

/// What the file that is to be replaced says about the signing key.
enum Pinned<'p> {
    /// There is no file.
    Nothing,
    /// This one.
    Key(&'p Path, PublicSigningKey),
    /// A file that names none, or a malformed one.
    Unusable(&'p Path, PublishedError),
}

/// Checks that what is published bears the word of the pinned key or, where none is pinned, of the key that it names.
/// The warning is what was let pass: another key, on purpose, but never a list that its own key does not endorse.
fn endorsement(pinned: &Pinned<'_>, published: &Published, accept: bool) -> Result<Option<Note>, CommandError> {
    let own = match published.signing_key() {
        Ok(own) => own,
        // A controller that has no signing key yet, or whose own key is lost.
        Err(PublishedError::NoSigningKey) if pinned.none_before(accept) => {
            return Ok(Some(Note::Warning("the cluster names no signing key; nothing is pinned".to_owned())));
        }
        Err(error) => return Err(unendorsed(pinned, error)),
    };
    let problem = match pinned {
        Pinned::Key(_, pinned) if *pinned != own => Some(format!(
            "the cluster names the signing key {}, and pinned is {}",
            own.fingerprint(),
            pinned.fingerprint()
        )),
        Pinned::Unusable(_, error) => Some(chain(error)),
        Pinned::Key(..) | Pinned::Nothing => None,
    };
    match (problem, published.check(&own)) {
        (Some(problem), _) if !accept => Err(refused(pinned.path(), &problem)),
        (_, Err(error)) => Err(unendorsed(pinned, error)),
        (problem, Ok(())) => Ok(problem.map(|problem| Note::Warning(format!("accepted all the same: {problem}")))),
    }
}

impl Pinned<'_> {
    fn path(&self) -> &Path {
        match self {
            Self::Nothing => Path::new("recipients"),
            Self::Key(path, _) | Self::Unusable(path, _) => path,
        }
    }

    /// Whether no signing key is given up by taking a list that names none.
    fn none_before(&self, accept: bool) -> bool {
        match self {
            Self::Nothing => true,
            Self::Unusable(_, error) => accept && *error == PublishedError::NoSigningKey,
            Self::Key(..) => false,
        }
    }
}

fn refused(path: &Path, problem: &str) -> CommandError {
    CommandError::refused(format!("{}: {problem}; nothing was written", path.display())).hint(
        "If the cluster was made anew or its signing key replaced on purpose, compare the fingerprint with the \
         controller's log and pass --accept-new-signing-key.",
    )
}

/// What no flag lets pass.
fn unendorsed(pinned: &Pinned<'_>, error: PublishedError) -> CommandError {
    let (path, problem) = (pinned.path().display(), chain(&error));
    CommandError::refused(format!("{path}: what the cluster publishes: {problem}; nothing was written")).hint(
        "A controller endorses what it publishes. Is it running, and is its own key there (event \
         ControllerKeyMissing)? See also who may change the ConfigMap sealwax-recipients.",
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
        let pinned = || Pinned::Key(Path::new("x"), SigningKey::from_seed(&[1; 32]).public());
        let plain = || Pinned::Unusable(Path::new("x"), PublishedError::NoSigningKey);
        // What is named and who signed; whether it is taken later, at first, later on purpose, for a file without key.
        let cases = [
            (Some(1), Some(1), [true, true, true, true]),
            (Some(2), Some(2), [false, true, true, true]),
            // The pinned key's own signature does not vouch for another key that is named beside it.
            (Some(2), Some(1), [false, false, false, false]),
            (Some(1), Some(2), [false, false, false, false]),
            (Some(1), None, [false, false, false, false]),
            (Some(2), None, [false, false, false, false]),
            (None, None, [false, true, false, true]),
            (None, Some(1), [false, true, false, true]),
        ];
        for (named, signed, expected) in cases {
            let published = published(named, signed);
            let check = |pinned, accept| endorsement(&pinned, &published, accept).is_ok();
            let taken =
                [check(pinned(), false), check(Pinned::Nothing, false), check(pinned(), true), check(plain(), true)];
            assert_eq!(taken, expected, "{named:?} {signed:?}");
            assert!(!check(plain(), false), "{named:?} {signed:?}");
        }
    }

    #[test]
    fn another_cluster_is_told_by_its_name() {
        let check = |pinned, now, accept| same_cluster(Path::new("x"), pinned, now, accept).map(|note| note.is_some());
        assert_eq!(check("prod", "prod", false).ok(), Some(false));
        assert_eq!(check("", "prod", false).ok(), Some(false));
        assert_eq!(check("prod", "drill", true).ok(), Some(true));
        assert!(check("prod", "drill", false).unwrap_err().hints()[0].contains("--accept-new-name"));
    }

    #[test]
    fn the_fingerprint_that_is_shown_is_of_the_key_that_is_written() {
        let attacked = published(None, None);
        let text = attacked.to_file().replace("prod", "prod\nage1attacker");
        assert_eq!(Published::from_file(&text).entries().next().unwrap().recipient, "age1attacker");
        let items = [(CLUSTER, "prod\nage1attacker"), (RECIPIENTS, "age1x\n")];
        let items = items.map(|(item, text)| (item.to_owned(), text.to_owned()));
        let refused = filed(&Published::from_items(items.into())).unwrap_err();
        assert!(!refused.message().contains("attacker"), "{}", refused.message());
        assert_eq!(filed(&attacked).unwrap(), attacked);
    }
}
