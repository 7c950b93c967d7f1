//! Reads everything that is wanted, through one client for each store: all of it, or an error for each thing that fails.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use sealwax_crds::{EntryState, OneProvider, StoreSpec};
use sealwax_format::SecretBytes;
use sealwax_render::external::{Fetched, Value, Wanted, What, assemble, wanted};
use sealwax_sources::{Address, Content, Limits, Query, Reader, Reading};

use super::connect::{connect, source_failed};
use super::{Wish, Wishes};
use crate::error::{CommandError, chain};
use crate::vault::same_server;

/// What was read of late is not read again: one run asks for everything once.
const ONE_RUN: Duration = Duration::from_hours(1);

/// What one `ExternalSecret` gave.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) items: BTreeMap<String, SecretBytes>,
    /// Optional entries for which there is nothing.
    pub(crate) left_out: Vec<String>,
}

/// What one entry gave.
enum Given {
    One(Arc<Reading>),
    Many(Vec<(String, Arc<Reading>)>),
    Missing,
}

/// Reads for all. What it asks for is asked for at once, so that reads are shared and batched.
pub(crate) fn read_all(wishes: &Wishes) -> Result<Vec<Result<Imported, CommandError>>, CommandError> {
    let mut steps = Vec::with_capacity(wishes.all.len());
    let mut used = BTreeMap::new();
    for wish in &wishes.all {
        let wanted = wanted(&wish.spec);
        let wanted = wanted.map_err(|problem| CommandError::refused(format!("{}: {problem}", wish.shown)))?;
        let mut stores = Vec::with_capacity(wanted.len());
        for step in &wanted {
            let (store, understood) = wishes.stores.find(wish, step.store)?;
            if let std::collections::btree_map::Entry::Vacant(entry) = used.entry(store) {
                entry.insert((step.store.name.clone(), understood?));
            }
            stores.push(store);
        }
        steps.push((wish, wanted, stores));
    }
    one_server(&used)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::refused(format!("no runtime: {error}")))?;
    runtime.block_on(async {
        let mut readers = HashMap::new();
        for (index, (name, spec)) in &used {
            let source = connect(spec).await.map_err(|error| error.of(&format!("store {name}")))?;
            readers.insert(*index, Reader::new(source, Limits::default()));
        }
        let each = steps.iter().map(|(wish, wanted, stores)| one(wish, wanted, stores, &readers));
        Ok(join_all(each).await)
    })
}

/// `VAULT_ADDR` is one server. What a store at another one holds must not be read from it.
fn one_server(used: &BTreeMap<usize, (String, StoreSpec)>) -> Result<(), CommandError> {
    let mut first = None;
    for (name, spec) in used.values() {
        let Some(OneProvider::Vault(provider)) = spec.provider.one() else { continue };
        if !provider.server.is_empty() && !same_server(first.get_or_insert(&provider.server), &provider.server) {
            return Err(CommandError::usage(format!("store {name}: is at another server than the stores before it"))
                .hint("Your token is one server's. Import what reads from each server by a run of its own."));
        }
    }
    Ok(())
}

async fn one(
    wish: &Wish,
    wanted: &[Wanted<'_>],
    stores: &[usize],
    readers: &HashMap<usize, Arc<Reader>>,
) -> Result<Imported, CommandError> {
    let reads = wanted.iter().zip(stores).map(|(step, store)| async {
        let reader = readers.get(store).ok_or_else(|| CommandError::refused("its store has no client"))?;
        read(step, reader).await.map_err(|error| error.of(&format!("{}: {}", wish.shown, label(wish, step))))
    });
    let given = join_all(reads).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let fetched: Vec<_> = given.iter().map(Given::fetched).collect();
    let assembled = assemble(&wish.spec, &fetched).map_err(|error| {
        let step = wanted.iter().find(|step| step.entry == error.entry);
        let entry = step.map_or_else(|| error.entry.clone(), |step| label(wish, step));
        let error = CommandError::refused(format!("{}: {entry}: {}", wish.shown, chain(&error.problem)));
        if wish.is_manifest {
            error
        } else {
            error.hint("What is not a JSON object is one item, which needs a name: --from ITEM=SOURCE:KEY")
        }
    })?;
    let in_state = |wanted_state: EntryState| {
        let entries = assembled.entries.iter().zip(wanted).filter(move |((_, state), _)| *state == wanted_state);
        entries.map(|(_, step)| described(wish, step)).collect::<Vec<_>>()
    };
    let missing = in_state(EntryState::Missing);
    if !missing.is_empty() {
        let error = format!("{}: its source has nothing for {}", wish.shown, missing.join(", "));
        let error = CommandError::refused(error);
        return Err(if wish.is_manifest {
            error.hint("Put it there, take it out of the manifest, or mark the entry as `optional: true`.")
        } else {
            error
        });
    }
    let left_out = in_state(EntryState::Skipped);
    if assembled.items.is_empty() {
        return Err(CommandError::refused(format!("{}: there is nothing to import", wish.shown)));
    }
    Ok(Imported { items: assembled.items, left_out })
}

/// An entry as whoever wrote it knows it.
fn label(wish: &Wish, step: &Wanted<'_>) -> String {
    match &step.what {
        What::Get { key, .. } if !wish.is_manifest => format!("{}:{key}", step.store.name),
        _ => step.entry.clone(),
    }
}

/// An entry, with what it reads.
fn described(wish: &Wish, step: &Wanted<'_>) -> String {
    let property = wish.spec.data.iter().find(|entry| entry.secret_key == step.entry);
    let property = property.and_then(|entry| entry.remote_ref.property.as_deref());
    match &step.what {
        What::Get { key, .. } => {
            let property = property.map(|property| format!(", property {property}")).unwrap_or_default();
            if wish.is_manifest {
                format!("{} (key {key}{property})", step.entry)
            } else {
                format!("{}{property}", label(wish, step))
            }
        }
        What::Find { .. } => step.entry.clone(),
    }
}

async fn read(step: &Wanted<'_>, reader: &Reader) -> Result<Given, CommandError> {
    let given = match &step.what {
        What::Get { key, version, metadata } => {
            let address = Address { key: (*key).to_owned(), version: version.map(str::to_owned), metadata: *metadata };
            reader.get(address, Some(ONE_RUN)).await.map(|found| found.map_or(Given::Missing, Given::One))
        }
        What::Find { path, name, tags } => {
            let query = Query { path: path.map(str::to_owned), name: name.map(str::to_owned), tags: (*tags).clone() };
            let found = reader.search(&query, |_| true, Some(ONE_RUN)).await;
            found.map(|found| if found.is_empty() { Given::Missing } else { Given::Many(found) })
        }
    };
    given.map_err(source_failed)
}

impl Given {
    fn fetched(&self) -> Fetched<'_> {
        match self {
            Self::One(reading) => Fetched::One(value(reading)),
            Self::Many(readings) => {
                Fetched::Many(readings.iter().map(|(key, reading)| (key.clone(), value(reading))).collect())
            }
            Self::Missing => Fetched::Missing,
        }
    }
}

fn value(reading: &Reading) -> Value<'_> {
    match &reading.payload.content {
        Content::Fields(json) => Value::Fields(json),
        Content::Text(bytes) => Value::Text(bytes),
        Content::Items(items) => Value::Items(items),
    }
}
