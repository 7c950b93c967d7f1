//! Reads what an object wants, through the stores that it names: everything at once, so that reads are shared and batched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use sealwax_crds::{DeletionPolicy, EntryState, ExternalSecret, ExternalSecretSpec};
use sealwax_format::SecretBytes;
use sealwax_render::external::{
    Assembled, Fetched, Origin, TemplateSource, Value, Wanted, What, assemble, content_from, template_sources, wanted,
};
use sealwax_sources::{Address, Content, Query, Reader, Reading};

use super::Sources;
use crate::stores::{KeyRules, Reference, ReferenceKind, StoreError};

/// What is asked for at most every so often by those who read once: objects that are made together read together.
const ONCE: Duration = Duration::from_secs(5);

/// What was read, and made of it.
#[derive(Debug)]
pub(super) struct Read {
    /// What the Secret shall hold.
    pub items: BTreeMap<String, SecretBytes>,
    /// Whether the source has nothing at all for it.
    pub empty: bool,
    /// What became of each entry.
    pub entries: Vec<(String, EntryState)>,
    /// When the oldest of it was read.
    pub at: Timestamp,
    /// When the first of it is due again.
    pub due: Option<Timestamp>,
}

/// Why there is nothing that could be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// One word for conditions and metrics.
    pub reason: &'static str,
    /// What to do about it.
    pub message: String,
    /// Whether somebody must act, and no time heals it.
    pub is_final: bool,
    /// Whether the store does not admit the object: then it is not given again what was read before either.
    pub is_refused: bool,
    /// What became of each entry; those that failed with why.
    pub entries: Vec<(String, EntryState, Option<String>)>,
    /// How long the source is left alone yet.
    pub paused: Option<Duration>,
}

impl Failure {
    /// Of the object as a whole.
    pub(super) fn of_all(reason: &'static str, message: String) -> Self {
        Self { reason, message, is_final: true, is_refused: false, entries: Vec::new(), paused: None }
    }
}

/// How fresh values have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Freshness {
    /// How often the object wants them.
    pub interval: Option<Duration>,
    /// Whether what was read of late does not do.
    pub anew: bool,
}

/// What one entry gave.
enum Given {
    One(Arc<Reading>),
    Many(Vec<(String, Arc<Reading>)>),
    Missing,
}

/// Reads everything, and makes what the Secret shall hold of it.
pub(super) async fn fetch(object: &ExternalSecret, sources: &Sources, fresh: Freshness) -> Result<Read, Box<Failure>> {
    let steps = wanted(&object.spec).map_err(|problem| Failure::of_all("SpecInvalid", problem.to_string()))?;
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let given = join_all(steps.iter().map(|step| read(step, namespace, sources, fresh))).await;
    let given = complete(&steps, given)?;
    let at = given.iter().flat_map(Given::readings).map(|reading| reading.read_at).min();
    let at = at.and_then(|time| Timestamp::try_from(time).ok()).unwrap_or_else(Timestamp::now);
    let due = fresh.interval.and_then(|interval| {
        let waits = given.iter().flat_map(Given::readings).map(|reading| reading.due(interval));
        let wait = waits.min().unwrap_or(interval.mul_f64(0.9));
        Timestamp::now().checked_add(jiff::SignedDuration::try_from(wait).ok()?).ok()
    });
    let fetched: Vec<_> = given.iter().map(Given::fetched).collect();
    let assembled = assemble(&object.spec, &fetched)
        .map_err(|error| Failure::of_all("ValueInvalid", crate::telemetry::chain(&error)))?;
    if !assembled.missing.is_empty() {
        return Err(Box::new(missing(assembled)));
    }
    let empty = assembled.items.is_empty();
    let items = if empty && drops_missing(&object.spec) {
        assembled.items
    } else {
        templated(object, assembled.items, namespace, sources).await?
    };
    Ok(Read { items, empty, entries: assembled.entries, at, due })
}

/// Whether what is gone from the source goes from the Secret.
fn drops_missing(spec: &ExternalSecretSpec) -> bool {
    let policy = spec.target.as_ref().and_then(|target| target.deletion_policy);
    !matches!(policy, None | Some(DeletionPolicy::Retain))
}

/// Entries that the Secret has to keep are gone from the source.
fn missing(assembled: Assembled) -> Failure {
    let named = assembled.missing.join(", ");
    let message = format!(
        "the source has nothing for {named}: put it there, mark the entry as optional, or let it go by \
         spec.target.deletionPolicy; the Secret stays as it is"
    );
    let entries = assembled.entries.into_iter().map(|(name, state)| (name, state, None)).collect();
    Failure { entries, ..Failure::of_all("SourceMissing", message) }
}

/// All, or why not all.
fn complete(
    steps: &[Wanted<'_>],
    given: Vec<Result<Given, (StoreError, Option<Duration>)>>,
) -> Result<Vec<Given>, Box<Failure>> {
    let errors: Vec<_> =
        steps.iter().zip(&given).filter_map(|(step, given)| Some((step, given.as_ref().err()?))).collect();
    // What time heals is told first only if there is nothing that it does not heal.
    let Some((first, (error, _))) = errors.iter().max_by_key(|(_, (error, _))| error.is_final()) else {
        return Ok(given.into_iter().filter_map(Result::ok).collect());
    };
    let more = errors.len() - 1;
    let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    let state = |given: &Result<Given, (StoreError, _)>| match given {
        Ok(Given::Missing) => (EntryState::Missing, None),
        Ok(_) => (EntryState::Synced, None),
        Err((error, _)) => (EntryState::Failed, Some(error.to_string())),
    };
    let entries = steps.iter().zip(&given).map(|(step, given)| {
        let (state, message) = state(given);
        (step.entry.clone(), state, message)
    });
    Err(Box::new(Failure {
        reason: error.reason(),
        message: format!("{}: {error}{more}", first.entry),
        is_final: errors.iter().any(|(_, (error, _))| error.is_final()),
        is_refused: errors.iter().any(|(_, (error, _))| error.refuses()),
        entries: entries.collect(),
        paused: errors.iter().filter_map(|(_, (_, paused))| *paused).max(),
    }))
}

/// Reads for one entry. What is not there is no error.
async fn read(
    step: &Wanted<'_>,
    namespace: &str,
    sources: &Sources,
    fresh: Freshness,
) -> Result<Given, (StoreError, Option<Duration>)> {
    let still = |error: StoreError| (error, None);
    let (reader, rules, name) = open(step, namespace, sources).await.map_err(still)?;
    let refused = |refusal| StoreError::Refused { name: name.clone(), refusal };
    let given = match &step.what {
        What::Get { key, version, metadata } => {
            rules.check(key).map_err(|refusal| still(refused(refusal)))?;
            let address = Address { key: (*key).to_owned(), version: version.map(str::to_owned), metadata: *metadata };
            reader.get(address, maximum(fresh)).await.map(|found| found.map_or(Given::Missing, Given::One))
        }
        What::Find { path, name, tags } => {
            if let (Some(path), KeyRules::Prefixes(_)) = (path, &rules) {
                // Where nothing may be read, nothing is looked for either.
                rules.check(&format!("{}/", path.trim_end_matches('/'))).map_err(|refusal| still(refused(refusal)))?;
            }
            let query = Query { path: path.map(str::to_owned), name: name.map(str::to_owned), tags: (*tags).clone() };
            let found = reader.search(&query, |key| !rules.hides(key), maximum(fresh)).await;
            found.map(|found| if found.is_empty() { Given::Missing } else { Given::Many(found) })
        }
    };
    given.map_err(|error| (StoreError::Source(error), reader.paused_for()))
}

/// The client of the entry's store, and what may be read through it.
async fn open(
    step: &Wanted<'_>,
    namespace: &str,
    sources: &Sources,
) -> Result<(Arc<Reader>, KeyRules, String), StoreError> {
    let missing = || StoreError::NoStore { kind: step.store.kind.unwrap_or_default(), name: step.store.name.clone() };
    let store = sources.stores.find(step.store, namespace, &sources.local)?.ok_or_else(missing)?;
    let rules = sources.stores.admit(&store, namespace).await?;
    Ok((sources.stores.reader(&store, Some(namespace)).await?, rules, step.store.name.clone()))
}

fn maximum(fresh: Freshness) -> Option<Duration> {
    (!fresh.anew).then(|| fresh.interval.unwrap_or(ONCE))
}

impl Given {
    fn readings(&self) -> impl Iterator<Item = &Arc<Reading>> {
        let (one, many) = match self {
            Self::One(reading) => (Some(reading), None),
            Self::Many(readings) => (None, Some(readings)),
            Self::Missing => (None, None),
        };
        one.into_iter().chain(many.into_iter().flatten().map(|(_, reading)| reading))
    }

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

/// What the templates make of the items, with those that stand in `ConfigMap`s and Secrets of the namespace.
async fn templated(
    object: &ExternalSecret,
    items: BTreeMap<String, SecretBytes>,
    namespace: &str,
    sources: &Sources,
) -> Result<BTreeMap<String, SecretBytes>, Box<Failure>> {
    let template = object.spec.target.as_ref().and_then(|target| target.template.as_ref());
    let mut held = BTreeMap::new();
    for source in template_sources(template) {
        let found = template_source(source, namespace, sources).await.map_err(|error| {
            let failure = Failure::of_all("TemplateMissing", format!("spec.target.template.templateFrom: {error}"));
            Failure { is_final: false, ..failure }
        })?;
        held.insert((source.origin, source.name.to_owned()), found);
    }
    let find = |source: TemplateSource<'_>| held.get(&(source.origin, source.name.to_owned()));
    // Templates take their time; elsewhere, so that the lease and the watches go on meanwhile.
    let made = tokio::task::block_in_place(|| content_from(items, template, find));
    made.map_err(|error| Box::new(Failure::of_all("Template", error.to_string())))
}

/// An object that holds templates, as something that is depended on.
pub(super) fn template_reference(source: TemplateSource<'_>, namespace: &str) -> Reference {
    let kind = match source.origin {
        Origin::ConfigMap => ReferenceKind::ConfigMap,
        Origin::Secret => ReferenceKind::Secret,
    };
    Reference { kind, namespace: namespace.to_owned(), name: source.name.to_owned() }
}

async fn template_source(
    source: TemplateSource<'_>,
    namespace: &str,
    sources: &Sources,
) -> Result<BTreeMap<String, SecretBytes>, StoreError> {
    let reference = template_reference(source, namespace);
    Ok(match source.origin {
        Origin::ConfigMap => {
            let data = sources.stores.template_config_map(&reference).await?.data.unwrap_or_default();
            data.into_iter().map(|(item, text)| (item, SecretBytes::from(text))).collect()
        }
        Origin::Secret => {
            let data = sources.stores.template_secret(&reference).await?.data.unwrap_or_default();
            data.into_iter().map(|(item, ByteString(bytes))| (item, SecretBytes::from(bytes))).collect()
        }
    })
}
