//! `sealwax recipients`.

use std::path::PathBuf;

use clap::Subcommand;

use crate::cluster;
use crate::error::{Code, CommandError};
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
/// Example: sealwax recipients fetch --context prod -o keys/prod.pub
#[derive(Debug, clap::Args)]
struct FetchArgs {
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Namespace of the controller
    #[arg(long, value_name = "NAMESPACE", default_value = "sealwax-system")]
    namespace: String,
    /// Where to write it; standard output if absent
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let Command::Fetch(args) = &args.command;
    let published = cluster::published_recipients(args.context.as_deref(), &args.namespace)?;
    let line = published.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let line = line.ok_or_else(|| CommandError::refused("the cluster publishes no recipient yet"))?;
    let recipient = plugins::recipient("cluster", line).map_err(|error| {
        CommandError::refused(format!("what the cluster publishes: {}", crate::error::chain(&error)))
    })?;
    match &args.output {
        Some(output) => files::create(output, published.as_bytes(), false)?,
        None => ui.data(published.as_bytes())?,
    }
    let fingerprint = recipient.label().fingerprint();
    ui.notes(&[Note::Done(format!("fingerprint {fingerprint}; compare it with the one in the controller's log"))]);
    Ok(Code::Done)
}
