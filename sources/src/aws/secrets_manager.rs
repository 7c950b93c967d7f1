//! Secrets Manager.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, SecretListEntry, SecretValueEntry, Tag};
use aws_sdk_secretsmanager::{Client, primitives::Blob};
use aws_sdk_sts::config::SharedCredentialsProvider;
use futures::future::BoxFuture;

use super::{at, error, is_forbidden, is_refused, logs_in, metadata, prefixed};
use crate::names::{name_pattern, within_bounds};
use crate::{Address, Kind, Payload, Query, Source, SourceError};

pub(super) const PROVIDER: &str = "SecretsManager";

/// The most secrets that one call gives.
const BATCH: usize = 20;
/// What a version begins with that is an id.
const BY_ID: &str = "uuid/";

/// A client of Secrets Manager.
#[derive(Debug)]
pub(super) struct SecretsManager {
    client: Client,
    prefix: String,
    credentials: SharedCredentialsProvider,
    /// Whether reading many at once is not allowed: a right of its own, which not everyone grants.
    one_by_one: AtomicBool,
}

type Answer = Result<Payload, SourceError>;

impl SecretsManager {
    pub(super) fn new(
        config: &SdkConfig,
        endpoint: Option<&str>,
        prefix: String,
        credentials: SharedCredentialsProvider,
    ) -> Self {
        let builder = aws_sdk_secretsmanager::config::Builder::from(config);
        let builder = at(builder, endpoint, |builder, endpoint| builder.endpoint_url(endpoint));
        Self { client: Client::from_conf(builder.build()), prefix, credentials, one_by_one: AtomicBool::new(false) }
    }

    async fn read_all(&self, addresses: &[Address]) -> Vec<Answer> {
        let mut known = self.current(addresses).await;
        let mut answers = Vec::with_capacity(addresses.len());
        for address in addresses {
            let answer = known.remove(address);
            answers.push(match answer {
                Some(answer) => answer,
                None if address.metadata => self.describe(address).await,
                None => self.get(address).await,
            });
        }
        answers
    }

    /// Current values, read with one call. What it does not answer for is not in the result, and is asked for by itself:
    /// no key vanishes.
    async fn current(&self, addresses: &[Address]) -> HashMap<Address, Answer> {
        let mut wanted: Vec<&Address> = addresses.iter().filter(|one| one.version.is_none() && !one.metadata).collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.len() < 2 || self.one_by_one.load(Ordering::Relaxed) {
            return HashMap::new();
        }
        match self.batched(&wanted).await {
            Ok(answers) => answers,
            // Whatever keeps it from working, reading each tells.
            Err(failure) if is_refused(&failure) => {
                self.one_by_one.store(is_forbidden(&failure), Ordering::Relaxed);
                HashMap::new()
            }
            Err(failure) => {
                let all = wanted.into_iter();
                all.map(|address| (address.clone(), Err(failure.clone().with_key(&address.key)))).collect()
            }
        }
    }

    async fn batched(&self, wanted: &[&Address]) -> Result<HashMap<Address, Answer>, SourceError> {
        let mut answers = HashMap::new();
        let mut page = None;
        loop {
            let ids = wanted.iter().map(|address| prefixed(&self.prefix, &address.key)).collect();
            let call = self.client.batch_get_secret_value().set_secret_id_list(Some(ids)).set_next_token(page);
            let given = call.send().await.map_err(|error| error::of_call(PROVIDER, "read", None, &error))?;
            for failed in given.errors() {
                let failure = error::of_answer(PROVIDER, "read", None, failed.error_code(), failed.message(), None);
                for address in self.named(wanted, failed.secret_id(), failed.secret_id()) {
                    answers.insert(address.clone(), Err(failure.clone().with_key(&address.key)));
                }
            }
            page = given.next_token;
            for entry in given.secret_values.unwrap_or_default() {
                for address in self.named(wanted, entry.name(), entry.arn()) {
                    answers.insert(address.clone(), payload_of(address, entry.clone()));
                }
            }
            if page.is_none() {
                return Ok(answers);
            }
        }
    }

    /// The addresses that mean the secret of this name or ARN. An ARN may lack the six characters that AWS adds.
    fn named<'a>(&self, wanted: &[&'a Address], name: Option<&str>, arn: Option<&str>) -> Vec<&'a Address> {
        let is = |address: &Address| {
            let asked = prefixed(&self.prefix, &address.key);
            let short = arn.and_then(|arn| arn.rsplit_once('-')).map(|(short, _)| short);
            Some(asked.as_str()) == name
                || Some(asked.as_str()) == arn
                || (asked.starts_with("arn:") && Some(asked.as_str()) == short)
        };
        wanted.iter().copied().filter(|address| is(address)).collect()
    }

    async fn get(&self, address: &Address) -> Answer {
        let mut call = self.client.get_secret_value().secret_id(prefixed(&self.prefix, &address.key));
        if let Some(version) = &address.version {
            call = match version.strip_prefix(BY_ID) {
                Some(id) => call.version_id(id),
                None => call.version_stage(version),
            };
        }
        match call.send().await {
            Ok(given) => payload(address, given.secret_string, given.secret_binary, given.version_id),
            Err(error) => Err(error::of_call(PROVIDER, "read", Some(&address.key), &error)),
        }
    }

    async fn describe(&self, address: &Address) -> Answer {
        let call = self.client.describe_secret().secret_id(prefixed(&self.prefix, &address.key));
        let given = call.send().await.map_err(|error| error::of_call(PROVIDER, "read", Some(&address.key), &error))?;
        metadata(PROVIDER, &tags(given.tags.as_deref().unwrap_or_default()))
    }

    async fn search(&self, query: &Query) -> Result<Vec<String>, SourceError> {
        let name = name_pattern(PROVIDER, query)?;
        let path = query.path.as_deref().unwrap_or_default();
        let fits = |entry: &SecretListEntry| {
            let tags = tags(entry.tags());
            entry.name().is_some_and(|found| {
                found.starts_with(&self.prefix)
                    && found.starts_with(path)
                    && name.as_ref().is_none_or(|name| name.is_match(found))
                    && query.tags.iter().all(|tag| tags.get(tag.0) == Some(tag.1))
            })
        };
        let (mut keys, mut seen) = (Vec::new(), 0);
        let mut page = None;
        loop {
            let call = self.client.list_secrets().max_results(100).set_filters(filters(query)).set_next_token(page);
            let given = call.send().await.map_err(|error| error::of_call(PROVIDER, "find", None, &error))?;
            seen += given.secret_list().len();
            within_bounds(PROVIDER, seen)?;
            keys.extend(given.secret_list().iter().filter(|entry| fits(entry)).filter_map(|entry| entry.name.clone()));
            page = given.next_token;
            if page.is_none() {
                keys.sort_unstable();
                keys.dedup();
                return Ok(keys);
            }
        }
    }
}

/// What AWS can look for by itself: beginnings of names, of tags' keys and of tags' values, whichever belongs to which.
fn filters(query: &Query) -> Option<Vec<Filter>> {
    let filter = |key, values: Vec<String>| Filter::builder().key(key).set_values(Some(values)).build();
    let mut filters = Vec::new();
    if let Some(path) = query.path.as_ref().filter(|path| !path.is_empty()) {
        filters.push(filter(FilterNameStringType::Name, vec![path.clone()]));
    }
    // One tag narrows enough: a list of several means any of them.
    if let Some((key, value)) = query.tags.first_key_value() {
        filters.push(filter(FilterNameStringType::TagKey, vec![key.clone()]));
        if !value.is_empty() {
            filters.push(filter(FilterNameStringType::TagValue, vec![value.clone()]));
        }
    }
    (!filters.is_empty()).then_some(filters)
}

fn tags(tags: &[Tag]) -> BTreeMap<String, String> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    tags.iter().map(|tag| (text(tag.key()), text(tag.value()))).collect()
}

fn payload_of(address: &Address, entry: SecretValueEntry) -> Answer {
    payload(address, entry.secret_string, entry.secret_binary, entry.version_id)
}

fn payload(address: &Address, text: Option<String>, binary: Option<Blob>, version: Option<String>) -> Answer {
    let payload = match (text, binary) {
        (Some(text), _) => Payload::text(text),
        (None, Some(binary)) => Payload::text(binary.into_inner()),
        (None, None) => {
            let empty = SourceError::new(PROVIDER, "read", Kind::Missing).with_key(&address.key);
            return Err(empty.with_detail("the secret has no value"));
        }
    };
    Ok(if let Some(version) = version { payload.with_version(version) } else { payload })
}

impl Source for SecretsManager {
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
