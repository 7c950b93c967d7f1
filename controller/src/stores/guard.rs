//! Stands before a source: notes when it refuses the identity, so that whoever asks next logs in with what the credentials
//! are then, and refuses keys that read another secret than they seem to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use sealwax_sources::{Address, Kind, Payload, Query, Source, SourceError};

/// A source, and whether it refused the identity when it was last asked.
pub(super) struct Guard {
    source: Box<dyn Source>,
    refused: Arc<AtomicBool>,
    /// Whether rules are held against keys: of `teams/a/` some sources read `teams/a`, which is not below it.
    ruled: bool,
}

impl Guard {
    pub(super) fn new(source: Box<dyn Source>, refused: Arc<AtomicBool>, ruled: bool) -> Self {
        Self { source, refused, ruled }
    }

    fn may_read(&self, address: &Address) -> bool {
        !(self.ruled && address.key.ends_with('/'))
    }

    async fn read_those_that_may_be(&self, addresses: &[Address]) -> Vec<Result<Payload, SourceError>> {
        let may: Vec<_> = addresses.iter().filter(|address| self.may_read(address)).cloned().collect();
        let results = if may.is_empty() { Vec::new() } else { self.source.read(&may).await };
        let mut results = results.into_iter();
        let mut read = |address: &Address| {
            if self.may_read(address) {
                let lost = || Err(SourceError::new(self.provider(), "read", Kind::Unavailable { after: None }));
                return results.next().unwrap_or_else(lost);
            }
            Err(SourceError::invalid(self.provider(), "read", "a key does not end with a slash where rules hold"))
        };
        addresses.iter().map(&mut read).collect()
    }

    fn note<'r, T: 'r>(&self, results: impl IntoIterator<Item = &'r Result<T, SourceError>>) {
        for result in results {
            match result {
                Ok(_) => self.refused.store(false, Ordering::Relaxed),
                Err(error) if refuses_identity(error) => self.refused.store(true, Ordering::Relaxed),
                Err(_) => {}
            }
        }
    }
}

/// Whether it is about who asks, and not about what is asked for: of that another identity may well see no more.
fn refuses_identity(error: &SourceError) -> bool {
    let about_one_key = matches!(error.operation, "read" | "find") && error.code.as_deref() != Some("401");
    error.kind == Kind::Denied && !about_one_key
}

impl Source for Guard {
    fn provider(&self) -> &'static str {
        self.source.provider()
    }

    fn batch(&self) -> usize {
        self.source.batch()
    }

    fn read<'s>(&'s self, addresses: &'s [Address]) -> BoxFuture<'s, Vec<Result<Payload, SourceError>>> {
        self.read_those_that_may_be(addresses).inspect(|results| self.note(results)).boxed()
    }

    fn find<'s>(&'s self, query: &'s Query) -> BoxFuture<'s, Result<Vec<String>, SourceError>> {
        self.source.find(query).inspect(|result| self.note([result])).boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), SourceError>> {
        self.source.check().inspect(|result| self.note([result])).boxed()
    }
}

#[cfg(test)]
mod tests {
    use sealwax_sources::Fake;

    use super::*;

    #[test]
    fn a_refused_login_is_remembered_and_a_refused_key_is_not() {
        let refused = Arc::new(AtomicBool::new(false));
        let guard = Guard::new(Box::new(Fake::new(Vec::new())), Arc::clone(&refused), false);
        let denied = |operation| SourceError::new("Fake", operation, Kind::Denied);
        let cases = [
            (Err(denied("read").with_code("403")), false),
            (Err(denied("read").with_code("401")), true),
            (Ok(()), false),
            (Err(denied("login")), true),
            (Err(SourceError::new("Fake", "login", Kind::Unavailable { after: None })), true),
            (Ok(()), false),
            (Err(denied("token request").with_code("404")), true),
        ];
        for (result, expected) in cases {
            guard.note([&result]);
            assert_eq!(refused.load(Ordering::Relaxed), expected, "{result:?}");
        }
    }

    #[tokio::test]
    async fn a_key_that_ends_with_a_slash_is_not_read_where_rules_hold() {
        let fake = || Box::new(Fake::new(vec![("a".into(), None, "x".to_owned().into())]));
        let addresses = [Address::new("a/"), Address::new("a"), Address::new("b")];
        let kinds = async |ruled| {
            let results = Guard::new(fake(), Arc::default(), ruled).read(&addresses).await;
            results.into_iter().map(|result| result.err().map(|error| error.reason())).collect::<Vec<_>>()
        };
        assert_eq!(kinds(true).await, [Some("SourceInvalid"), None, Some("SourceMissing")]);
        assert_eq!(kinds(false).await, [Some("SourceMissing"), None, Some("SourceMissing")]);
    }
}
