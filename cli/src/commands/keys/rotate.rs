//! `sealwax keys rotate`: a new sealing key, or another one of those at hand.

use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use sealwax_format::keys::cluster::{ROTATED, State};
use sealwax_format::{OsRandom, Random as _};

use crate::cluster::{Cluster, ClusterArgs, Listed};
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
        None => renew(&cluster, before.as_deref(), deadline, ui)?,
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
    cluster.relabel(&key, State::Made)?;
    ui.notes(&[Note::Done(format!("{} shall seal; waiting for the controller", key.name))]);
    wait(cluster, deadline, |listed| (listed.sealing().as_ref() == Some(&fingerprint)).then(|| fingerprint.clone()))
}

fn renew(cluster: &Cluster, before: Option<&str>, deadline: Instant, ui: &Ui) -> Result<String, CommandError> {
    let request = request()?;
    cluster.request_rotation(&request)?;
    ui.notes(&[Note::Done("a new key is asked for; waiting for the controller".to_owned())]);
    let mut told = false;
    wait(cluster, deadline, |listed| {
        let answered = listed.annotations.get(ROTATED) == Some(&request);
        let sealing = listed.sealing().filter(|now| Some(now.as_str()) != before);
        if answered && sealing.is_none() && !told {
            ui.notes(&[Note::Done("the key is made; it seals once its escrow copies exist".to_owned())]);
            told = true;
        }
        sealing.filter(|_| answered)
    })
}

/// A text that nobody used before.
fn request() -> Result<String, CommandError> {
    let mut bytes = [0; 6];
    OsRandom.fill(&mut bytes).map_err(|error| CommandError::refused(error.to_string()))?;
    let random = sealwax_format::base64::encode(&bytes);
    Ok(format!("{} {random}", Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ")))
}

fn wait(
    cluster: &Cluster,
    deadline: Instant,
    mut done: impl FnMut(&Listed) -> Option<String>,
) -> Result<String, CommandError> {
    loop {
        if let Some(sealing) = done(&cluster.listed()?.unwrap_or_default()) {
            return Ok(sealing);
        }
        if Instant::now() >= deadline {
            return Err(CommandError::refused("the new key does not seal yet").hint(
                "The request stays, and the controller carries it out. Is it running? Its events say what it waits for.",
            ));
        }
        cluster.pause(PAUSE);
    }
}
