//! The pure half of an `ExternalSecret`: what to read, and what becomes of what was read.
//!
//! [`wanted`] says what to read, one step for each entry of the spec. Whoever reads gives back what was found for each,
//! and [`assemble`] makes items of it. [`content_from`] then runs the templates. Meanings are those of External Secrets
//! Operator, but for what the documentation says; every item has the same bytes.

mod convert;
mod decode;
mod duration;
mod error;
mod json;
mod property;
mod rewrite;
mod templates;

use std::collections::BTreeMap;

use sealwax_crds::{
    DataEntry, DataFromEntry, DeletionPolicy, EntryState, ExternalSecretSpec, Find, MetadataPolicy, RemoteRef,
    SourceRef, StoreRef,
};
use sealwax_format::SecretBytes;

pub use duration::{DurationError, parse_duration};
pub use error::{EntryProblem, ExternalError, SpecProblem, ValueProblem};
pub use templates::{ContentError, FromProblem, Origin, TemplateSource, content_from, template_sources};

/// Items that one entry gives.
type Items = Vec<(String, SecretBytes)>;

/// What to read for one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The entry's name, as in `status.entries`: its `secretKey`, or its place like `dataFrom[0]`.
    pub entry: String,
    /// The store to read it through.
    pub store: &'a StoreRef,
    /// Whether nothing is amiss if there is nothing.
    pub optional: bool,
    /// What to read.
    pub what: What<'a>,
}

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What<'a> {
    /// One secret.
    Get {
        /// Its key in the source.
        key: &'a str,
        /// Its version; the current one if none.
        version: Option<&'a str>,
        /// Whether what the source keeps about it is read instead of it.
        metadata: bool,
    },
    /// Every secret that fits all of this.
    Find {
        /// Where to begin.
        path: Option<&'a str>,
        /// A regular expression for the name.
        name: Option<&'a str>,
        /// Tags.
        tags: &'a BTreeMap<String, String>,
    },
}

/// A value in the form in which its source keeps it.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// The JSON text of an object whose fields are what is kept: Vault, and what sources keep about secrets.
    Fields(&'a SecretBytes),
    /// Any bytes: AWS.
    Text(&'a SecretBytes),
    /// Items by name: Kubernetes.
    Items(&'a BTreeMap<String, SecretBytes>),
}

/// What was found for an entry.
#[derive(Debug)]
pub enum Fetched<'a> {
    /// One secret.
    One(Value<'a>),
    /// What a search found: names and values.
    Many(Vec<(String, Value<'a>)>),
    /// The source has nothing there.
    Missing,
}

/// What became of what was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Assembled {
    /// The items.
    pub items: BTreeMap<String, SecretBytes>,
    /// What became of each entry, in the order of [`wanted`].
    pub entries: Vec<(String, EntryState)>,
    /// Entries that are gone from their source while the Secret has to keep them: if there are any, leave it alone.
    pub missing: Vec<String>,
}

/// What to read, one step for each entry: those of `dataFrom`, then those of `data`.
pub fn wanted(spec: &ExternalSecretSpec) -> Result<Vec<Wanted<'_>>, SpecProblem> {
    if spec.data.is_empty() && spec.data_from.is_empty() {
        return Err(SpecProblem::Nothing);
    }
    let many = spec.data_from.iter().enumerate().map(|(index, entry)| {
        let name = place(index);
        let what = way(entry).ok_or_else(|| SpecProblem::NotOneWay { entry: name.clone() })?;
        step(spec, name, entry.source_ref.as_ref(), entry.optional, what)
    });
    let single = spec.data.iter().map(|entry| {
        let what = get(&entry.remote_ref);
        step(spec, entry.secret_key.clone(), entry.source_ref.as_ref(), entry.optional, what)
    });
    many.chain(single).collect()
}

fn step<'a>(
    spec: &'a ExternalSecretSpec,
    entry: String,
    own: Option<&'a SourceRef>,
    optional: Option<bool>,
    what: What<'a>,
) -> Result<Wanted<'a>, SpecProblem> {
    match spec.store_of(own) {
        Some(store) => Ok(Wanted { entry, store, optional: optional.unwrap_or(false), what }),
        None => Err(SpecProblem::NoStore { entry }),
    }
}

/// The name of an entry of `dataFrom`.
fn place(index: usize) -> String {
    format!("dataFrom[{index}]")
}

fn way(entry: &DataFromEntry) -> Option<What<'_>> {
    match (&entry.extract, &entry.find) {
        (Some(extract), None) => Some(get(extract)),
        (None, Some(Find { path, name, tags, .. })) => {
            Some(What::Find { path: given(path.as_ref()), name: name.as_ref().map(|name| name.regexp.as_str()), tags })
        }
        _ => None,
    }
}

fn get(remote: &RemoteRef) -> What<'_> {
    let metadata = remote.metadata_policy.unwrap_or_default() == MetadataPolicy::Fetch;
    What::Get { key: &remote.key, version: given(remote.version.as_ref()), metadata }
}

/// An empty text says nothing.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// Makes items of what was found for each step of [`wanted`], in its order. A later entry wins.
pub fn assemble(spec: &ExternalSecretSpec, fetched: &[Fetched<'_>]) -> Result<Assembled, ExternalError> {
    let many = spec.data_from.iter().enumerate().map(|(index, entry)| (place(index), Entry::Many(entry)));
    let single = spec.data.iter().map(|entry| (entry.secret_key.clone(), Entry::Single(entry)));
    let entries: Vec<(String, Entry<'_>)> = many.chain(single).collect();
    let policy = spec.target.as_ref().and_then(|target| target.deletion_policy).unwrap_or_default();
    let mut assembled = Assembled { items: BTreeMap::new(), entries: Vec::new(), missing: Vec::new() };
    for (index, (name, entry)) in entries.into_iter().enumerate() {
        let found = fetched.get(index).ok_or(EntryProblem::Mismatch).and_then(|fetched| entry.items(fetched));
        let found = found.map_err(|problem| ExternalError { entry: name.clone(), problem })?;
        let state = match found {
            Some(items) => {
                assembled.items.extend(items);
                EntryState::Synced
            }
            None if entry.is_optional() => EntryState::Skipped,
            None => {
                if policy == DeletionPolicy::Retain {
                    assembled.missing.push(name.clone());
                }
                EntryState::Missing
            }
        };
        assembled.entries.push((name, state));
    }
    Ok(assembled)
}

/// An entry of either list.
#[derive(Clone, Copy)]
enum Entry<'a> {
    Many(&'a DataFromEntry),
    Single(&'a DataEntry),
}

impl Entry<'_> {
    fn is_optional(&self) -> bool {
        match self {
            Self::Many(entry) => entry.optional,
            Self::Single(entry) => entry.optional,
        }
        .unwrap_or(false)
    }

    /// The items that the entry gives; nothing if there is nothing, be it the secret, the part of it or what was searched.
    fn items(&self, fetched: &Fetched<'_>) -> Result<Option<Items>, EntryProblem> {
        match (self, fetched) {
            (_, Fetched::Missing) => Ok(None),
            (Self::Single(entry), Fetched::One(value)) => single(entry, *value),
            (Self::Many(entry), Fetched::One(value)) => match &entry.extract {
                Some(extract) => extracted(entry, extract, *value),
                None => Err(EntryProblem::Mismatch),
            },
            (Self::Many(entry), Fetched::Many(values)) => match &entry.find {
                Some(find) => searched(entry, find, values),
                None => Err(EntryProblem::Mismatch),
            },
            (Self::Single(_), Fetched::Many(_)) => Err(EntryProblem::Mismatch),
        }
    }
}

fn single(entry: &DataEntry, value: Value<'_>) -> Result<Option<Items>, EntryProblem> {
    let (name, remote) = (&entry.secret_key, &entry.remote_ref);
    let property = remote.property.as_deref().unwrap_or_default();
    let Some(value) = property::part(value, property).map_err(EntryProblem::Value)? else { return Ok(None) };
    finished(vec![(name.clone(), value)], remote).map(Some)
}

fn extracted(entry: &DataFromEntry, remote: &RemoteRef, value: Value<'_>) -> Result<Option<Items>, EntryProblem> {
    let property = remote.property.as_deref().unwrap_or_default();
    let Some(items) = property::extract(value, property).map_err(EntryProblem::Value)? else { return Ok(None) };
    let items = named(items, entry, remote)?;
    finished(items, remote).map(Some)
}

fn searched(entry: &DataFromEntry, find: &Find, values: &[(String, Value<'_>)]) -> Result<Option<Items>, EntryProblem> {
    if values.is_empty() {
        return Ok(None);
    }
    let whole = |(name, value): &(String, Value<'_>)| match property::part(*value, "") {
        Ok(value) => Ok((name.clone(), value.unwrap_or_default())),
        Err(problem) => Err(EntryProblem::ValueOf { name: name.clone(), problem }),
    };
    let items = values.iter().map(whole).collect::<Result<Items, _>>()?;
    let strategies = RemoteRef {
        conversion_strategy: find.conversion_strategy,
        decoding_strategy: find.decoding_strategy,
        null_byte_policy: find.null_byte_policy,
        ..RemoteRef::default()
    };
    let items = named(items, entry, &strategies)?;
    finished(items, &strategies).map(Some)
}

/// With a rewrite, names are not converted: it may have been written to do that.
fn named(items: Items, entry: &DataFromEntry, strategies: &RemoteRef) -> Result<Items, EntryProblem> {
    if entry.rewrite.is_empty() {
        return convert::names(items, strategies.conversion_strategy.unwrap_or_default());
    }
    rewrite::names(items, &entry.rewrite)
}

/// Names checked, values decoded.
fn finished(items: Items, strategies: &RemoteRef) -> Result<Items, EntryProblem> {
    let decoding = strategies.decoding_strategy.unwrap_or_default();
    let null_bytes = strategies.null_byte_policy.unwrap_or_default();
    let finish = |(name, value): (String, SecretBytes)| {
        if !convert::is_name(&name) {
            return Err(EntryProblem::Name(name));
        }
        let value = decode::value(&name, value, decoding, null_bytes)?;
        Ok((name, value))
    };
    items.into_iter().map(finish).collect()
}
