//! `sealwax keys rotate`: a new sealing key, or another one of those at hand.

use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use sealwax_format::keys::cluster::{ROTATED, State};
use sealwax_format::{OsRandom, Random as _};

use crate::cluster::keys::Key;
use crate::cluster::{Cluster, ClusterArgs};
use crate::error::{Code, CommandError};
use crate::ui::{Note, Ui};

/// How often to look.
const PAUSE: Duration = Duration::from_millis(500);

/// Have the controller make a new sealing key, or seal with another one that is there
///
/// Asks the controller, and waits until the key seals. The old key goes on opening what was sealed for it. With escrow
/// recipients configured, the new key seals once their copies exist.
///
/// Example: sealwax keys rotate --context prod
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Seal with this key, by name or fingerprint, instead of a new one
    #[arg(long, value_name = "KEY")]
    to: Option<String>,
    /// Ask for a key even where no controller has published anything; it opens nothing of what is in Git
    #[arg(long, conflicts_with = "to")]
    begin_anew: bool,
    /// How many seconds to wait for the controller
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
    #[command(flatten)]
    cluster: ClusterArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let cluster = Cluster::new(&args.cluster)?;
    let before = cluster.listed()?.unwrap_or_default().sealing();
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    let sealing = match &args.to {
        Some(wanted) => switch(&cluster, wanted, before.as_deref(), deadline, ui)?,
        None => renew(&cluster, args, before.as_deref(), deadline, ui)?,
    };
    ui.notes(&[
        Note::Done(format!("{sealing} seals from now on")),
        Note::Hint("Fetch it for those who seal: sealwax recipients fetch -o keys/NAME.pub, and commit it.".to_owned()),
        Note::Hint("Back up the keys: sealwax keys backup.".to_owned()),
    ]);
    Ok(Code::Done)
}

fn switch(
    cluster: &Cluster,
    wanted: &str,
    before: Option<&str>,
    deadline: Instant,
    ui: &Ui,
) -> Result<String, CommandError> {
    let key = cluster.key(wanted)?;
    let fingerprint = key.known_fingerprint()?.to_owned();
    if before == Some(fingerprint.as_str()) {
        return Err(CommandError::refused(format!("{} is the sealing key already", key.name)));
    }
    // The controller takes the newest of several.
    for rival in rivals(&cluster.keys()?, &key.name) {
        cluster.relabel(rival, State::Waiting)?;
        ui.notes(&[Note::Warning(format!("{} was about to seal, and waits from now on", rival.name))]);
    }
    cluster.relabel(&key, State::Made)?;
    ui.notes(&[Note::Done(format!("{} shall seal; waiting for the controller", key.name))]);
    wait(cluster, deadline, || {
        if cluster.listed()?.unwrap_or_default().sealing().as_ref() == Some(&fingerprint) {
            return Ok(Look::Seals(fingerprint.clone()));
        }
        Ok(undone(&cluster.keys()?, &key.name).map_or(Look::NotYet, Look::Undone))
    })
}

/// The other keys that are about to seal.
fn rivals<'k>(keys: &'k [Key], name: &str) -> impl Iterator<Item = &'k Key> {
    keys.iter().filter(move |key| key.state() == State::Made && key.name != name)
}

/// Why a key will not seal any more that was told to: its label says neither that it shall nor that it does.
fn undone(keys: &[Key], name: &str) -> Option<CommandError> {
    let label = match keys.iter().find(|key| key.name == name) {
        Some(key) if matches!(key.state(), State::Made | State::Active) => return None,
        Some(key) => format!("{name} was set to {}", key.label),
        None => format!("{name} was deleted"),
    };
    Some(CommandError::refused(format!("{label} meanwhile, and does not seal")).hint(
        "Another key was made or chosen, or somebody changed the label: see `sealwax keys list` and the events, then \
         run it again.",
    ))
}

fn renew(
    cluster: &Cluster,
    args: &Args,
    before: Option<&str>,
    deadline: Instant,
    ui: &Ui,
) -> Result<String, CommandError> {
    let request = request()?;
    cluster.request_rotation(&request, args.begin_anew)?;
    ui.notes(&[Note::Done("a new key is asked for; waiting for the controller".to_owned())]);
    let mut told = false;
    wait(cluster, deadline, || {
        let listed = cluster.listed()?.unwrap_or_default();
        let answered = listed.annotations.get(ROTATED) == Some(&request);
        let sealing = listed.sealing().filter(|now| Some(now.as_str()) != before);
        if answered && sealing.is_none() && !told {
            ui.notes(&[Note::Done("the key is made; it seals once its escrow copies exist".to_owned())]);
            told = true;
        }
        Ok(sealing.filter(|_| answered).map_or(Look::NotYet, Look::Seals))
    })
}

/// A text that nobody used before.
fn request() -> Result<String, CommandError> {
    let mut bytes = [0; 6];
    OsRandom.fill(&mut bytes).map_err(|error| CommandError::refused(error.to_string()))?;
    let random = sealwax_format::base64::encode(&bytes);
    Ok(format!("{} {random}", Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ")))
}

/// What was found.
enum Look {
    Seals(String),
    NotYet,
    /// It will not come.
    Undone(CommandError),
}

/// Looks until the key seals. An API server that is away for a moment ends nothing: the request is made.
fn wait(
    cluster: &Cluster,
    deadline: Instant,
    mut look: impl FnMut() -> Result<Look, CommandError>,
) -> Result<String, CommandError> {
    const STANDS: &str =
        "The request stands, and the controller carries it out. Is it running? Its events say what it waits for.";
    loop {
        let late = Instant::now() >= deadline;
        match look() {
            Ok(Look::Seals(sealing)) => return Ok(sealing),
            Ok(Look::Undone(error)) => return Err(error),
            Ok(Look::NotYet) if late => {
                return Err(CommandError::refused("the new key does not seal yet").hint(STANDS));
            }
            Err(error) if late || !error.is_transient() => return Err(error.hint(STANDS)),
            Ok(Look::NotYet) | Err(_) => cluster.pause(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_at_a_time_is_about_to_seal() {
        let key = |(name, label): (&str, &str)| Key {
            name: name.into(),
            label: label.into(),
            fingerprint: None,
            version: None,
        };
        let keys: Vec<_> =
            [("a", "active"), ("b", "made"), ("c", "made"), ("d", "old"), ("e", "waiting")].map(key).into();
        let others = |name| rivals(&keys, name).map(|key| key.name.as_str()).collect::<Vec<_>>();
        assert_eq!(others("d"), ["b", "c"]);
        assert_eq!(others("b"), ["c"]);
        for (name, goes_on) in [("a", true), ("b", true), ("d", false), ("e", false), ("gone", false)] {
            assert_eq!(undone(&keys, name).is_none(), goes_on, "{name}");
        }
    }
}
