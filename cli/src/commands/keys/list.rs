//! `sealwax keys list` and `sealwax keys needed-by`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::usable;
use crate::cluster::needs::{SOME, unreadable};
use crate::cluster::{Cluster, ClusterArgs};
use crate::error::{Code, CommandError};
use crate::ui::{Format, Note, Ui};

/// Show a cluster's keys: state, fingerprint, date, escrow copies, and how many objects need each
///
/// No private key is read. An object needs a key if one of its data keys is wrapped for that key and for no other that
/// opens.
///
/// Example: sealwax keys list --context prod
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Count the objects of this namespace only (repeatable)
    #[arg(long = "in", value_name = "NAMESPACE")]
    namespaces: Vec<String>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    state: String,
    name: String,
    fingerprint: Option<String>,
    created: Option<String>,
    seals: bool,
    escrow_copies: usize,
    /// Unknown without the right to list objects.
    needed_by: Option<usize>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let cluster = Cluster::new(&args.cluster)?;
    let keys = cluster.keys()?;
    let listed = cluster.listed()?.unwrap_or_default();
    let copies = cluster.escrow_copies()?;
    let (objects, problem) = match cluster.objects(&args.namespaces, SOME) {
        Ok(objects) => (Some(objects), None),
        Err(error) => (None, Some(Note::Warning(format!("objects are not counted: {}", error.message())))),
    };
    let (usable, sealing) = (usable(&keys, &listed), listed.sealing());
    let created: BTreeMap<String, String> = listed
        .published
        .entries()
        .filter_map(|entry| Some((entry.fingerprint().to_string(), entry.created?.to_owned())))
        .collect();
    let rows = keys.into_iter().map(|key| {
        let fingerprint = key.fingerprint.as_deref().unwrap_or_default();
        let needing = |objects: &Vec<crate::cluster::needs::Object>| {
            objects.iter().filter(|object| object.needs(fingerprint, &usable)).count()
        };
        Row {
            created: created.get(fingerprint).cloned(),
            seals: sealing.as_deref() == Some(fingerprint),
            escrow_copies: copies.get(fingerprint).copied().unwrap_or_default(),
            needed_by: objects.as_ref().map(needing),
            state: key.label,
            name: key.name,
            fingerprint: key.fingerprint,
        }
    });
    let rows: Vec<Row> = rows.collect();
    let shown = match args.format {
        Format::Json => serde_json::to_string_pretty(&rows).map(|json| json + "\n").unwrap_or_default(),
        Format::Text => table(&rows),
    };
    ui.data(shown.as_bytes())?;
    let doubtful = objects.as_deref().and_then(unreadable).map(Note::Warning);
    ui.notes(&problem.into_iter().chain(doubtful).collect::<Vec<_>>());
    Ok(Code::Done)
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default().max(4);
    let mut text = format!(
        "{:<9}{:<width$}  {:<21} {:<21} {:<6} {:<7} NEEDED BY\n",
        "STATE", "NAME", "FINGERPRINT", "CREATED", "SEALS", "ESCROW"
    );
    for row in rows {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let needed = row.needed_by.map_or_else(|| "?".to_owned(), |count| count.to_string());
        let _ = writeln!(
            text,
            "{:<9}{:<width$}  {:<21} {:<21} {:<6} {:<7} {needed}",
            row.state,
            row.name,
            or_dash(&row.fingerprint),
            or_dash(&row.created),
            if row.seals { "yes" } else { "no" },
            row.escrow_copies,
        );
    }
    text
}

/// Name the objects that would not open without a key
///
/// Counts the wraps of the document's key and those of values with keys of their own. What is in Git and not in the
/// cluster is not seen.
///
/// Example: sealwax keys needed-by sealwax-cluster-key-1
#[derive(Debug, clap::Args)]
pub(crate) struct NeededByArgs {
    /// Name or fingerprint of the key; all keys if absent
    #[arg(value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Look at the objects of this namespace only (repeatable)
    #[arg(long = "in", value_name = "NAMESPACE")]
    namespaces: Vec<String>,
}

pub(crate) fn needed_by(args: &NeededByArgs, ui: &Ui) -> Result<Code, CommandError> {
    let cluster = Cluster::new(&args.cluster)?;
    let keys = cluster.keys()?;
    let wanted = args.key.as_deref().map(|wanted| cluster.key(wanted)).transpose()?;
    let usable = usable(&keys, &cluster.listed()?.unwrap_or_default());
    let objects = cluster.objects(&args.namespaces, SOME)?;
    let mut text = String::new();
    for key in &keys {
        let Some(fingerprint) = key.fingerprint.as_deref() else { continue };
        if wanted.as_ref().is_some_and(|wanted| wanted.name != key.name) {
            continue;
        }
        for object in objects.iter().filter(|object| object.needs(fingerprint, &usable)) {
            match &wanted {
                Some(_) => text.push_str(&format!("{}\n", object.shown)),
                None => text.push_str(&format!("{} {}\n", key.name, object.shown)),
            }
        }
    }
    ui.data(text.as_bytes())?;
    ui.notes(&unreadable(&objects).map(Note::Warning).into_iter().collect::<Vec<_>>());
    Ok(Code::Done)
}
