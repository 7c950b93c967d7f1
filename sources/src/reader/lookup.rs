//! Reading for those to whom it is an answer, too, that there is nothing.

use std::sync::Arc;
use std::time::Duration;

use super::{Outcome, Reader, Reading};
use crate::{Address, Kind, Query, SourceError};

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
            Err(error) if error.kind == Kind::Missing => return Ok(Vec::new()),
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
        Err(error) if error.kind == Kind::Missing => Ok(None),
        outcome => outcome.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use sealwax_format::SecretBytes;

    use super::*;
    use crate::{Fake, Limits};

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
}
