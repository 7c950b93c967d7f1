//! Asks a source as seldom and as gently as possible.
//!
//! A [`Reader`] stands before one logged-in client of one store, and everything that reads from that store as that
//! identity reads through it. Never through that of another: what one may read says nothing about the other.

mod dispatch;
mod jobs;
mod keep;
mod lookup;
mod pause;

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{Either, join_all, ready};
use tokio::sync::Notify;

pub use self::keep::Reading;

use self::jobs::Jobs;
use self::keep::Keep;
use self::pause::Gate;
use crate::limits::Budget;
use crate::{Address, Kind, Query, Source, SourceError};

/// Secret bytes that one reader keeps at most.
const MOST_BYTES: usize = 32 << 20;

/// Told of every call that was made, to count it.
pub trait Observer: Send + Sync {
    /// `operation` is `read`, `find` or `check`; `result` is `ok` or a [`SourceError::reason`].
    fn called(&self, provider: &'static str, operation: &'static str, result: &'static str);
}

/// Reads of one store as one identity.
///
/// * Equal reads are made once and shared by all who wait; what is pending is sent in the batches that the source takes.
/// * A reading is given again to everybody for whose interval it is still fresh.
/// * No more calls than the limits allow, and none at all while the source wants to be left alone.
pub struct Reader {
    shared: Arc<Shared>,
}

/// What a read ends in.
pub type Outcome = Result<Arc<Reading>, SourceError>;
/// What a find ends in.
pub type Found = Result<Arc<Vec<String>>, SourceError>;

struct Shared {
    source: Box<dyn Source>,
    gate: Gate,
    budget: Budget,
    state: Mutex<State>,
    /// Told when a batch is full.
    full: Notify,
    calls: AtomicU64,
    observer: Option<Arc<dyn Observer>>,
}

struct State {
    reads: Jobs<Address, Outcome>,
    keep: Keep,
    /// What is read along with others, and nobody has asked for yet.
    ahead: HashSet<Address>,
    /// Whether a task sends what is queued.
    dispatching: bool,
    finds: Jobs<Query, Found>,
    found: dispatch::Findings,
}

impl Reader {
    /// A reader before this source, with limits of its own or a budget that it shares.
    pub fn new(source: Box<dyn Source>, budget: impl Into<Budget>) -> Arc<Self> {
        Self::build(source, budget.into(), None)
    }

    /// One that tells of its calls.
    pub fn observed(source: Box<dyn Source>, budget: impl Into<Budget>, observer: Arc<dyn Observer>) -> Arc<Self> {
        Self::build(source, budget.into(), Some(observer))
    }

    fn build(source: Box<dyn Source>, budget: Budget, observer: Option<Arc<dyn Observer>>) -> Arc<Self> {
        let state = State {
            reads: Jobs::default(),
            keep: Keep::new(MOST_BYTES),
            ahead: HashSet::new(),
            dispatching: false,
            finds: Jobs::default(),
            found: dispatch::Findings::default(),
        };
        Arc::new(Self {
            shared: Arc::new(Shared {
                source,
                gate: Gate::default(),
                budget,
                state: Mutex::new(state),
                full: Notify::new(),
                calls: AtomicU64::new(0),
                observer,
            }),
        })
    }

    /// See [`Source::provider`].
    pub fn provider(&self) -> &'static str {
        self.shared.source.provider()
    }

    /// Reads these, none of them older than `interval`. Without an interval: anew, by a call that is sent after this one.
    /// One outcome each, in the same order. Whoever stops waiting stops nothing for the others.
    pub async fn read(&self, addresses: &[Address], interval: Option<Duration>) -> Vec<Outcome> {
        let waits: Vec<_> = {
            let mut state = self.shared.lock();
            let waits = addresses.iter().map(|address| self.shared.start(&mut state, address, interval)).collect();
            self.shared.clone().dispatch(&mut state);
            waits
        };
        join_all(waits).await
    }

    /// The keys of what the query describes, no older than `interval`; shared and limited like reads.
    pub async fn find(&self, query: &Query, interval: Option<Duration>) -> Found {
        self.shared.clone().find(query, interval).await
    }

    /// Whether one can log in.
    pub async fn check(&self) -> Result<(), SourceError> {
        self.shared.check().await
    }

    /// How long the source is left alone yet: until then every read that needs a call fails at once.
    pub fn paused_for(&self) -> Option<Duration> {
        self.shared.gate.paused().map(|(left, _)| left)
    }

    /// Drops what is stale for everybody who asked. To be called now and then.
    pub fn expire(&self) {
        let mut state = self.shared.lock();
        state.keep.expire();
        state.found.expire();
    }

    /// Calls of the source so far.
    pub fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// What is fresh, or why nothing can be had now, or a job to wait for.
    fn start<'s>(
        &'s self,
        state: &mut State,
        address: &Address,
        interval: Option<Duration>,
    ) -> impl Future<Output = Outcome> + use<'s> {
        if let Some(reading) = interval.and_then(|interval| state.keep.fresh(address, interval)) {
            return Either::Left(ready(Ok(reading)));
        }
        if let Some((_, error)) = self.gate.paused() {
            return Either::Left(ready(Err(error.with_key(&address.key))));
        }
        let wait = state.reads.join(address, interval);
        state.ahead.remove(address);
        if state.reads.queued() >= self.source.batch() {
            self.full.notify_one();
        }
        let key = address.key.clone();
        Either::Right(async move { wait.await.unwrap_or_else(|_| Err(self.lost("read").with_key(key))) })
    }

    /// A call that ended without a result: the program is ending, or the source's client has a defect.
    fn lost(&self, operation: &'static str) -> SourceError {
        SourceError::new(self.source.provider(), operation, Kind::Unavailable { after: None })
            .with_detail("the client failed before there was an answer")
    }

    fn observe(&self, operation: &'static str, error: Option<&SourceError>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(observer) = &self.observer {
            observer.called(self.source.provider(), operation, error.map_or("ok", SourceError::reason));
        }
    }

    /// No code of others runs while it is held; a panic leaves a state behind that is still one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({})", self.provider())
    }
}
