//! Stands before a source, and notes when it refuses the identity: whoever asks next logs in with what the credentials are
//! then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use sealwax_sources::{Address, Kind, Payload, Query, Source, SourceError};

/// A source, and whether it refused the identity when it was last asked.
pub(super) struct Guard {
    source: Box<dyn Source>,
    refused: Arc<AtomicBool>,
}

impl Guard {
    pub(super) fn new(source: Box<dyn Source>, refused: Arc<AtomicBool>) -> Self {
        Self { source, refused }
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
        self.source.read(addresses).inspect(|results| self.note(results)).boxed()
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
        let guard = Guard::new(Box::new(Fake::new(Vec::new())), Arc::clone(&refused));
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
}
