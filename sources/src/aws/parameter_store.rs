//! Parameter Store, of Systems Manager.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use aws_config::SdkConfig;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{Parameter, ParameterStringFilter, ResourceTypeForTagging};
use aws_sdk_sts::config::SharedCredentialsProvider;
use futures::future::BoxFuture;

use super::{at, error, is_forbidden, is_refused, logs_in, metadata, prefixed};
use crate::names::{name_pattern, within_bounds};
use crate::{Address, Kind, Payload, Query, Source, SourceError};

pub(super) const PROVIDER: &str = "ParameterStore";

/// The most parameters that one call gives.
const BATCH: usize = 10;

/// A client of Parameter Store.
#[derive(Debug)]
pub(super) struct ParameterStore {
    client: Client,
    prefix: String,
    credentials: SharedCredentialsProvider,
    /// Whether reading many at once is not allowed: a right of its own, which not everyone grants.
    one_by_one: AtomicBool,
}

type Answer = Result<Payload, SourceError>;
type Together = Result<Parameter, SourceError>;

impl ParameterStore {
    pub(super) fn new(
        config: &SdkConfig,
        endpoint: Option<&str>,
        prefix: String,
        credentials: SharedCredentialsProvider,
    ) -> Self {
        let builder = aws_sdk_ssm::config::Builder::from(config);
        let builder = at(builder, endpoint, |builder, endpoint| builder.endpoint_url(endpoint));
        Self { client: Client::from_conf(builder.build()), prefix, credentials, one_by_one: AtomicBool::new(false) }
    }

    /// The name that is asked for, with the version behind it.
    fn name(&self, address: &Address) -> String {
        let name = prefixed(&self.prefix, &address.key);
        address.version.as_ref().map_or(name.clone(), |version| format!("{name}:{version}"))
    }

    async fn read_all(&self, addresses: &[Address]) -> Vec<Answer> {
        let names = self.apart(addresses);
        let together = names.len() > 1 && !self.one_by_one.load(Ordering::Relaxed);
        let (known, forbidden) = if together { self.together(&names).await } else { (HashMap::new(), false) };
        let mut answers = Vec::with_capacity(addresses.len());
        for address in addresses {
            answers.push(if address.metadata {
                self.describe(address).await
            } else if let Some(answer) = known.get(&self.name(address)) {
                copied(address, answer)
            } else {
                self.get(address).await
            });
        }
        // One forbidden name forbids the whole call. Only if each may be read by itself is the call what is forbidden.
        if forbidden && answers.iter().all(|answer| !matches!(answer, Err(failure) if failure.kind == Kind::Denied)) {
            self.one_by_one.store(true, Ordering::Relaxed);
        }
        answers
    }

    /// Parameters with the names to ask for them by, no parameter twice: an answer names the parameter, and not every
    /// server says which version it is.
    fn apart(&self, addresses: &[Address]) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for address in addresses.iter().filter(|address| !address.metadata) {
            names.entry(prefixed(&self.prefix, &address.key)).or_insert_with(|| self.name(address));
        }
        names
    }

    /// These parameters, read with one call, and whether that is forbidden. What it does not answer for is not in the
    /// result, and is asked for by itself: a name that is none of a parameter makes the whole call invalid.
    async fn together(&self, names: &BTreeMap<String, String>) -> (HashMap<String, Together>, bool) {
        let asked = names.values().cloned().collect();
        let call = self.client.get_parameters().set_names(Some(asked)).with_decryption(true);
        let given = match call.send().await.map_err(|error| error::of_call(PROVIDER, "read", None, &error)) {
            Ok(given) => given,
            Err(failure) if is_refused(&failure) => return (HashMap::new(), is_forbidden(&failure)),
            Err(failure) => {
                return (names.values().map(|name| (name.clone(), Err(failure.clone()))).collect(), false);
            }
        };
        let missing = given.invalid_parameters.unwrap_or_default().into_iter();
        let missing = missing.map(|name| (name, Err(SourceError::new(PROVIDER, "read", Kind::Missing))));
        let asked_as = |parameter: &Parameter| {
            let mut by = [parameter.name(), parameter.arn()].into_iter().flatten();
            by.find_map(|name| names.get(name)).cloned()
        };
        let found = given.parameters.unwrap_or_default().into_iter();
        let found = found.filter_map(|parameter| Some((asked_as(&parameter)?, Ok(parameter))));
        (missing.chain(found).collect(), false)
    }

    async fn get(&self, address: &Address) -> Answer {
        let call = self.client.get_parameter().name(self.name(address)).with_decryption(true);
        let failed = |error| error::of_call(PROVIDER, "read", Some(&address.key), &error);
        let given = call.send().await.map_err(failed)?.parameter;
        given.ok_or_else(|| missing(address)).and_then(|parameter| payload(address, parameter))
    }

    async fn describe(&self, address: &Address) -> Answer {
        let name = prefixed(&self.prefix, &address.key);
        let call = self.client.list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter);
        let answer = call.resource_id(name).send().await;
        let given = answer.map_err(|error| error::of_call(PROVIDER, "read", Some(&address.key), &error))?;
        let tags = given.tag_list.unwrap_or_default().into_iter();
        metadata(PROVIDER, &tags.map(|tag| (tag.key, tag.value)).collect())
    }

    async fn search(&self, query: &Query) -> Result<Vec<String>, SourceError> {
        let name = name_pattern(PROVIDER, query)?;
        let path = query.path.as_deref().filter(|path| !path.is_empty());
        let found = match path {
            Some(path) if query.tags.is_empty() => match self.below(path).await {
                Err(failure) if failure.kind == Kind::Denied => self.described(Some(path), &query.tags).await?,
                found => found?,
            },
            path => self.described(path, &query.tags).await?,
        };
        let mut keys: Vec<String> = found
            .into_iter()
            .filter(|found| found.starts_with(&self.prefix) && name.as_ref().is_none_or(|name| name.is_match(found)))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// Names below a path. The values that come along are still encrypted, and are dropped.
    async fn below(&self, path: &str) -> Result<Vec<String>, SourceError> {
        let mut names = Vec::new();
        let mut page = None;
        loop {
            let call = self.client.get_parameters_by_path().path(path).recursive(true).with_decryption(false);
            let answer = call.max_results(10).set_next_token(page).send().await;
            let given = answer.map_err(|error| error::of_call(PROVIDER, "find", None, &error))?;
            names.extend(given.parameters.unwrap_or_default().into_iter().filter_map(|parameter| parameter.name));
            within_bounds(PROVIDER, names.len())?;
            page = given.next_token;
            if page.is_none() {
                return Ok(names);
            }
        }
    }

    /// Names by what is known about parameters. AWS compares tags exactly here.
    async fn described(&self, path: Option<&str>, tags: &BTreeMap<String, String>) -> Result<Vec<String>, SourceError> {
        let filter = |key: String, option: &str, value: &str| {
            let filter = ParameterStringFilter::builder().key(key).option(option).values(value).build();
            filter.map_err(|_| SourceError::invalid(PROVIDER, "find", "a tag has no key"))
        };
        let path = path.map(|path| filter("Path".to_owned(), "Recursive", path));
        let tags = tags.iter().map(|(key, value)| filter(format!("tag:{key}"), "Equals", value));
        let filters = path.into_iter().chain(tags).collect::<Result<Vec<_>, _>>()?;
        let filters = (!filters.is_empty()).then_some(filters);
        let mut names = Vec::new();
        let mut page = None;
        loop {
            let call = self.client.describe_parameters().set_parameter_filters(filters.clone());
            let answer = call.max_results(50).set_next_token(page).send().await;
            let given = answer.map_err(|error| error::of_call(PROVIDER, "find", None, &error))?;
            names.extend(given.parameters.unwrap_or_default().into_iter().filter_map(|parameter| parameter.name));
            within_bounds(PROVIDER, names.len())?;
            page = given.next_token;
            if page.is_none() {
                return Ok(names);
            }
        }
    }
}

fn missing(address: &Address) -> SourceError {
    SourceError::new(PROVIDER, "read", Kind::Missing).with_key(&address.key)
}

fn copied(address: &Address, answer: &Together) -> Answer {
    match answer {
        Ok(parameter) => payload(address, parameter.clone()),
        Err(failure) => Err(failure.clone().with_key(&address.key)),
    }
}

fn payload(address: &Address, parameter: Parameter) -> Answer {
    let version = parameter.version;
    let value = parameter.value.ok_or_else(|| missing(address))?;
    Ok(Payload::text(value).with_version(version.to_string()))
}

impl Source for ParameterStore {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn batch(&self) -> usize {
        if self.one_by_one.load(Ordering::Relaxed) { 1 } else { BATCH }
    }

    fn read<'s>(&'s self, addresses: &'s [Address]) -> BoxFuture<'s, Vec<Answer>> {
        Box::pin(self.read_all(addresses))
    }

    fn find<'s>(&'s self, query: &'s Query) -> BoxFuture<'s, Result<Vec<String>, SourceError>> {
        Box::pin(self.search(query))
    }

    fn check(&self) -> BoxFuture<'_, Result<(), SourceError>> {
        Box::pin(logs_in(PROVIDER, &self.credentials))
    }
}
