//! `sealwax keys retire`: a key that opens no more.

use sealwax_format::keys::cluster::State;

use super::usable;
use crate::cluster::{Cluster, ClusterArgs};
use crate::error::{Code, CommandError};
use crate::ui::{Note, Ui};

/// Objects that are named; of more, the number is.
const SHOWN: usize = 20;

/// Take a key out of use for good: what is sealed for it alone does not open any more
///
/// Refused for the sealing key, and while an object of the cluster needs the key. Git is not searched: older commits
/// and other branches may need it still. The Secret stays, so that a label brings the key back.
///
/// Example: sealwax keys retire sealwax-cluster-key-1
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name or fingerprint of the key
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    cluster: ClusterArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let cluster = Cluster::new(&args.cluster)?;
    let key = cluster.key(&args.key)?;
    let fingerprint = key.known_fingerprint()?;
    let listed = cluster.listed()?.unwrap_or_default();
    if key.state() == State::Retired {
        return Err(CommandError::refused(format!("{} is retired already", key.name)));
    }
    if matches!(key.state(), State::Active | State::Made) || listed.sealing().as_deref() == Some(fingerprint) {
        return Err(CommandError::refused(format!("{} is {} and seals, or is about to", key.name, key.label))
            .hint("Rotate first: sealwax keys rotate."));
    }
    // Everywhere: a key is needed or not for the whole cluster.
    let objects = cluster.objects(&[])?;
    let usable = usable(&cluster.keys()?, &listed);
    let needing: Vec<_> = objects.iter().filter(|object| object.needs(fingerprint, &usable)).collect();
    if !needing.is_empty() {
        let named: Vec<_> = needing.iter().take(SHOWN).map(|object| object.shown.as_str()).collect();
        let more = needing.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!("{} is needed by {} objects: {}{more}", key.name, needing.len(), named.join(", "));
        return Err(CommandError::refused(message).hint(
            "Fetch the new recipients, run `sealwax rekey` on their files, and let Git be applied; then retire the key.",
        ));
    }
    cluster.relabel(&key, State::Retired)?;
    ui.notes(&[
        Note::Done(format!("{} is retired; {} objects were looked at, and none needs it", key.name, objects.len())),
        Note::Hint(format!(
            "To bring it back: kubectl label secret -n {} {} --overwrite sealwax.dev/cluster-key=old",
            cluster.namespace(),
            key.name
        )),
    ]);
    Ok(Code::Done)
}
