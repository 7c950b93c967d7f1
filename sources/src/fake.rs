//! A source whose values stand in its own configuration: for demonstrations and trials, never for secrets.

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use sealwax_format::SecretBytes;

use crate::names::name_pattern;
use crate::{Address, Kind, Payload, Query, Source, SourceError};

const PROVIDER: &str = "Fake";

/// A store that holds what it was made with.
#[derive(Debug)]
pub struct Fake {
    values: Vec<(String, Option<String>, SecretBytes)>,
}

impl Fake {
    /// Of key, version and value each. Of values with the same key and version the last one counts.
    pub fn new(values: Vec<(String, Option<String>, SecretBytes)>) -> Self {
        Self { values }
    }

    fn get(&self, address: &Address) -> Result<Payload, SourceError> {
        if address.metadata {
            let why = "this store has no metadata";
            return Err(SourceError::invalid(PROVIDER, "read", why).with_key(&address.key));
        }
        let mut newest_first = self.values.iter().rev();
        let wanted = |version: &Option<String>| address.version.is_none() || *version == address.version;
        let (_, version, value) = newest_first
            .find(|(key, version, _)| *key == address.key && wanted(version))
            .ok_or_else(|| SourceError::new(PROVIDER, "read", Kind::Missing).with_key(&address.key))?;
        let payload = Payload::text(value.duplicate());
        Ok(Payload { version: version.clone(), ..payload })
    }

    fn search(&self, query: &Query) -> Result<Vec<String>, SourceError> {
        if !query.tags.is_empty() {
            return Err(SourceError::invalid(PROVIDER, "find", "this store has no tags"));
        }
        let name = name_pattern(PROVIDER, query)?;
        let below = query.path.as_deref().map(|path| path.trim_end_matches('/'));
        let mut keys: Vec<_> = self.values.iter().map(|(key, ..)| key.clone()).collect();
        keys.retain(|key| name.as_ref().is_none_or(|name| name.is_match(key)));
        keys.retain(|key| {
            below.is_none_or(|path| path.is_empty() || key.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
        });
        keys.sort();
        keys.dedup();
        Ok(keys)
    }
}

impl Source for Fake {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn batch(&self) -> usize {
        100
    }

    fn read<'s>(&'s self, addresses: &'s [Address]) -> BoxFuture<'s, Vec<Result<Payload, SourceError>>> {
        ready(addresses.iter().map(|address| self.get(address)).collect()).boxed()
    }

    fn find<'s>(&'s self, query: &'s Query) -> BoxFuture<'s, Result<Vec<String>, SourceError>> {
        ready(self.search(query)).boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), SourceError>> {
        ready(Ok(())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Content;

    fn fake() -> Fake {
        let value = |key: &str, version: Option<&str>, value: &str| {
            (key.to_owned(), version.map(str::to_owned), SecretBytes::from(value.to_owned()))
        };
        Fake::new(vec![
            value("a/b", Some("1"), "old"),
            value("a/b", Some("2"), "new"),
            value("a/c", None, "c"),
            value("ab", None, ""),
        ])
    }

    async fn text(address: Address) -> String {
        match fake().read(&[address]).await.remove(0).unwrap().content {
            Content::Text(text) => text.expose_str().unwrap().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn reads_versions() {
        assert_eq!(text(Address::new("a/b")).await, "new");
        assert_eq!(text(Address::new("a/b").with_version("1")).await, "old");
        let missing = fake().read(&[Address::new("a/b").with_version("3")]).await.remove(0).unwrap_err();
        assert_eq!(missing.to_string(), "Fake read of a/b: there is no such secret");
    }

    #[tokio::test]
    async fn finds_by_name_and_path() {
        let all = Query::default();
        assert_eq!(fake().find(&all).await.unwrap(), ["a/b", "a/c", "ab"]);
        let below = Query { path: Some("a".to_owned()), ..Query::default() };
        assert_eq!(fake().find(&below).await.unwrap(), ["a/b", "a/c"]);
        let named = Query { name: Some("b$".to_owned()), ..Query::default() };
        assert_eq!(fake().find(&named).await.unwrap(), ["a/b", "ab"]);
        let broken = Query { name: Some("(".to_owned()), ..Query::default() };
        assert_eq!(fake().find(&broken).await.unwrap_err().reason(), "SourceInvalid");
    }
}
