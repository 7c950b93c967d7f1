//! Reading for those to whom it is an answer, too, that there is nothing.

use std::sync::Arc;
use std::time::Duration;

use super::{Outcome, Reader, Reading};
use crate::{Address, Query, SourceError};

impl Reader {
    /// One secret, as [`Reader::read`] reads it; nothing if there is none.
    pub async fn get(&self, address: Address, interval: Option<Duration>) -> Result<Option<Arc<Reading>>, SourceError> {
        let mut outcomes = self.read(&[address], interval).await;
        let silent = || Err(SourceError::invalid(self.provider(), "read", "no answer"));
        found(outcomes.pop().unwrap_or_else(silent))
    }

    /// What the query describes, by key, of the keys that `may` lets through. Whatever goes between looking and reading
    /// is as if it had never been there.
    pub async fn search(
        &self,
        query: &Query,
        may: impl Fn(&str) -> bool,
        interval: Option<Duration>,
    ) -> Result<Vec<(String, Arc<Reading>)>, SourceError> {
        let keys = match self.find(query, interval).await {
            Err(error) if error.is_absence() => return Ok(Vec::new()),
            keys => keys?,
        };
        let addresses: Vec<_> = keys.iter().filter(|key| may(key)).map(Address::new).collect();
        let outcomes = self.read(&addresses, interval).await;
        let mut readings = Vec::with_capacity(addresses.len());
        for (address, outcome) in addresses.into_iter().zip(outcomes) {
            readings.extend(found(outcome)?.map(|reading| (address.key, reading)));
        }
        Ok(readings)
    }
}

fn found(outcome: Outcome) -> Result<Option<Arc<Reading>>, SourceError> {
    match outcome {
        Err(error) if error.is_absence() => Ok(None),
        outcome => outcome.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::future::{BoxFuture, ready};
    use sealwax_format::SecretBytes;

    use super::*;
    use crate::{Fake, Kind, Limits, Payload, Source};

    fn reader() -> Arc<Reader> {
        let value = |key: &str| (key.to_owned(), None, SecretBytes::from("x".to_owned()));
        Reader::new(Box::new(Fake::new(vec![value("a/b"), value("a/c"), value("d")])), Limits::default())
    }

    #[tokio::test]
    async fn nothing_is_an_answer() {
        let reader = reader();
        assert!(reader.get(Address::new("d"), None).await.unwrap().is_some());
        assert!(reader.get(Address::new("e"), None).await.unwrap().is_none());
        let wrong = reader.get(Address::new("d").with_metadata(), None).await.unwrap_err();
        assert!(matches!(wrong.kind, Kind::Invalid(_)));
    }

    #[tokio::test]
    async fn a_search_gives_what_may_be_read() {
        let query = Query { path: Some("a".to_owned()), ..Query::default() };
        let found = reader().search(&query, |key| key != "a/c", None).await.unwrap();
        assert_eq!(found.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["a/b"]);
    }
    /// Whose login misses something, whatever is asked.
    struct Shut;

    fn no_account() -> SourceError {
        SourceError::new("Kubernetes", "login", Kind::Missing).with_code("404")
    }

    impl Source for Shut {
        fn provider(&self) -> &'static str {
            "Vault"
        }

        fn batch(&self) -> usize {
            1
        }

        fn read<'s>(&'s self, addresses: &'s [Address]) -> BoxFuture<'s, Vec<Result<Payload, SourceError>>> {
            ready(addresses.iter().map(|_| Err(no_account())).collect()).boxed()
        }

        fn find<'s>(&'s self, _: &'s Query) -> BoxFuture<'s, Result<Vec<String>, SourceError>> {
            ready(Err(no_account())).boxed()
        }

        fn check(&self) -> BoxFuture<'_, Result<(), SourceError>> {
            ready(Err(no_account())).boxed()
        }
    }

    #[tokio::test]
    async fn a_login_that_misses_something_is_no_answer() {
        let reader = Reader::new(Box::new(Shut), Limits::default());
        assert_eq!(reader.get(Address::new("d"), None).await.unwrap_err().operation, "login");
        assert_eq!(reader.search(&Query::default(), |_| true, None).await.unwrap_err().operation, "login");
    }
}
