//! Notices that AWS no longer takes the keys of a login, though they have not expired: sessions can be revoked.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::{Address, Kind, Payload, Query, Source, SourceError};

/// Keys that AWS calls dead are replaced at most so often.
const DEAD_EVERY: Duration = Duration::from_secs(5);
/// A revoked session is refused like one that may not read a single secret, which is the usual reason: this seldom.
const SUSPECT_EVERY: Duration = Duration::from_mins(1);

/// Which logins are still to be relied on.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// Keys of an earlier generation are replaced by the next login.
    generation: AtomicU64,
    /// Keys of an earlier generation than this are good for nothing.
    alive_from: AtomicU64,
    given_up: Mutex<Option<Instant>>,
}

/// What a refusal says of the keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Dead,
    Suspect,
}

impl Sessions {
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    pub(super) fn is_alive(&self, generation: u64) -> bool {
        generation >= self.alive_from.load(Ordering::SeqCst)
    }

    /// Has the next call log in anew, unless one did so of late.
    fn give_up(&self, refusal: Refusal) -> bool {
        let every = if refusal == Refusal::Dead { DEAD_EVERY } else { SUSPECT_EVERY };
        // An instant is replaced as a whole: a panic leaves nothing half done.
        let mut given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        if given_up.is_some_and(|last| last.elapsed() < every) {
            return false;
        }
        *given_up = Some(Instant::now());
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        if refusal == Refusal::Dead {
            self.alive_from.store(generation, Ordering::SeqCst);
        }
        true
    }

    #[cfg(test)]
    pub(super) fn refuse(&self, code: &str) -> bool {
        refusal(&SourceError::new("SecretsManager", "read", Kind::Denied).with_code(code))
            .is_some_and(|refusal| self.give_up(refusal))
    }
}

fn refusal(error: &SourceError) -> Option<Refusal> {
    // A login that was refused is no refusal of what it did not give.
    let code = error.code.as_deref().filter(|_| error.kind == Kind::Denied && error.operation != "login")?;
    match code {
        "InvalidClientTokenId" | "UnrecognizedClientException" => Some(Refusal::Dead),
        _ if code.starts_with("ExpiredToken") => Some(Refusal::Dead),
        _ if code.starts_with("AccessDenied") => Some(Refusal::Suspect),
        _ => None,
    }
}

/// A source whose logins are replaced when AWS does not take them any more.
pub(super) struct Renewing<S> {
    pub(super) source: S,
    pub(super) sessions: Arc<Sessions>,
}

impl<S: Source> Renewing<S> {
    /// Whether to ask once more, with new keys.
    fn judge<'e>(&self, errors: impl Iterator<Item = &'e SourceError>) -> bool {
        let refusals: Vec<_> = errors.filter_map(refusal).collect();
        if refusals.contains(&Refusal::Dead) {
            return self.sessions.give_up(Refusal::Dead);
        }
        if !refusals.is_empty() {
            self.sessions.give_up(Refusal::Suspect);
        }
        false
    }
}

impl<S: Source> Source for Renewing<S> {
    fn provider(&self) -> &'static str {
        self.source.provider()
    }

    fn batch(&self) -> usize {
        self.source.batch()
    }

    fn read<'s>(&'s self, addresses: &'s [Address]) -> BoxFuture<'s, Vec<Result<Payload, SourceError>>> {
        async move {
            let answers = self.source.read(addresses).await;
            let again = self.judge(answers.iter().filter_map(|answer| answer.as_ref().err()));
            if again { self.source.read(addresses).await } else { answers }
        }
        .boxed()
    }

    fn find<'s>(&'s self, query: &'s Query) -> BoxFuture<'s, Result<Vec<String>, SourceError>> {
        async move {
            let found = self.source.find(query).await;
            let again = self.judge(found.as_ref().err().into_iter());
            if again { self.source.find(query).await } else { found }
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), SourceError>> {
        self.source.check()
    }
}

impl<S: fmt::Debug> fmt::Debug for Renewing<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}
