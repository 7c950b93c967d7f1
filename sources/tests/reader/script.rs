//! A source in memory that counts, takes its time, and fails when told to.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sealwax_sources::{Address, Content, Limits, Outcome, Payload, Query, Source, SourceError};
use tokio::time::Instant;

/// Shared with the source that the reader owns.
#[derive(Clone)]
pub(crate) struct Script(Arc<Inner>);

struct Inner {
    batch: usize,
    born: Instant,
    takes: Duration,
    calls: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
    failure: Mutex<Option<SourceError>>,
    panics: AtomicBool,
    /// How many names a find finds.
    found: AtomicUsize,
    finds_hang: AtomicBool,
}

impl Script {
    pub(crate) fn new(batch: usize) -> Self {
        Self(Arc::new(Inner {
            batch,
            born: Instant::now(),
            takes: Duration::ZERO,
            calls: AtomicUsize::new(0),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            failure: Mutex::new(None),
            panics: AtomicBool::new(false),
            found: AtomicUsize::new(1),
            finds_hang: AtomicBool::new(false),
        }))
    }

    /// How long a call takes. Before anything shares it.
    pub(crate) fn taking(mut self, takes: Duration) -> Self {
        Arc::get_mut(&mut self.0).expect("not shared yet").takes = takes;
        self
    }

    pub(crate) fn source(&self) -> Box<dyn Source> {
        Box::new(self.clone())
    }

    pub(crate) fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }

    pub(crate) fn fail(&self, with: Option<SourceError>) {
        *self.0.failure.lock().unwrap() = with;
    }

    pub(crate) fn panic(&self, panics: bool) {
        self.0.panics.store(panics, Ordering::SeqCst);
    }

    pub(crate) fn find_so_many(&self, found: usize) {
        self.0.found.store(found, Ordering::SeqCst);
    }

    /// From now on no find ends.
    pub(crate) fn hang_finds(&self) {
        self.0.finds_hang.store(true, Ordering::SeqCst);
    }

    async fn call(&self) -> Result<(), SourceError> {
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        let now = self.0.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(now, Ordering::SeqCst);
        assert!(!self.0.panics.load(Ordering::SeqCst), "told to panic");
        if self.0.takes == Duration::MAX {
            futures::future::pending::<()>().await;
        }
        tokio::time::sleep(self.0.takes).await;
        self.0.now.fetch_sub(1, Ordering::SeqCst);
        self.0.failure.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

impl Source for Script {
    fn provider(&self) -> &'static str {
        "Fake"
    }

    fn batch(&self) -> usize {
        self.0.batch
    }

    fn read<'s>(&'s self, addresses: &'s [Address]) -> BoxFuture<'s, Vec<Result<Payload, SourceError>>> {
        async move {
            assert!((1..=self.0.batch).contains(&addresses.len()));
            let sent = Instant::now().duration_since(self.0.born);
            let called = self.call().await;
            let of = |address: &Address| {
                Payload::text(format!("value of {}", address.key)).with_version(sent.as_millis().to_string())
            };
            addresses.iter().map(|address| called.clone().map(|()| of(address))).collect()
        }
        .boxed()
    }

    fn find<'s>(&'s self, _: &'s Query) -> BoxFuture<'s, Result<Vec<String>, SourceError>> {
        async move {
            if self.0.finds_hang.load(Ordering::SeqCst) {
                futures::future::pending::<()>().await;
            }
            let found = self.0.found.load(Ordering::SeqCst);
            self.call().await.map(|()| (1..=found).map(|n| address(n).key).collect())
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), SourceError>> {
        self.call().boxed()
    }
}

/// The key number `n`.
pub(crate) fn address(n: usize) -> Address {
    Address::new(format!("team/{n}"))
}

pub(crate) fn unlimited() -> Limits {
    Limits { concurrency: 100, per_second: 0.0, burst: 0 }
}

/// The text that was read.
pub(crate) fn value(outcome: &Outcome) -> String {
    match &outcome.as_ref().unwrap().payload.content {
        Content::Text(text) => text.expose_str().unwrap().to_owned(),
        other => panic!("{other:?}"),
    }
}

impl Script {
    /// When the call that read this was sent.
    pub(crate) fn sent_at(&self, outcome: &Outcome) -> Instant {
        let version = outcome.as_ref().unwrap().payload.version.clone();
        self.0.born + Duration::from_millis(version.unwrap().parse().unwrap())
    }
}
