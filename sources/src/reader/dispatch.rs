//! Sends what is queued: in batches, within the limits, and not while the source is left alone.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::keep::Reading;
use super::pause::{Pass, Size};
use super::{Found, Outcome, Shared, State};
use crate::limits::random_share;
use crate::names::few_enough;
use crate::{Address, Kind, Payload, Query, SourceError};

/// How long a batch waits for company.
const GATHER: Duration = Duration::from_millis(10);
/// After this a client that gives no answer is given up. Clients have shorter limits of their own.
const READ_LIMIT: Duration = Duration::from_mins(1);
/// A find walks a tree.
const FIND_LIMIT: Duration = Duration::from_mins(5);
/// Results of finds kept at most: they are lists of names.
const MOST_FINDINGS: usize = 256;

/// Results of finds that are still good for somebody.
#[derive(Debug, Default)]
pub(super) struct Findings(HashMap<Query, Finding>);

#[derive(Debug)]
struct Finding {
    keys: Arc<Vec<String>>,
    started: Instant,
    factor: f64,
    longest: Duration,
}

impl Shared {
    /// Has everything sent that is queued, unless that is being done.
    pub(super) fn dispatch(self: Arc<Self>, state: &mut State) {
        if state.reads.queued() > 0 && !state.dispatching {
            state.dispatching = true;
            tokio::spawn(self.send_all());
        }
    }

    async fn send_all(self: Arc<Self>) {
        loop {
            self.gather().await;
            self.refuse_while_paused();
            let permit = self.clone().turn().await;
            let Some(addresses) = self.next_batch() else { return };
            tokio::spawn(self.clone().send(addresses, permit));
            // Between two batches whoever else is ready goes first: among them the callers of the next one.
            tokio::task::yield_now().await;
        }
    }

    fn next_batch(&self) -> Option<Vec<Address>> {
        let mut state = self.lock();
        self.fill(&mut state);
        let addresses = state.reads.send(self.source.batch().max(1));
        state.dispatching = !addresses.is_empty();
        state.dispatching.then_some(addresses)
    }

    /// Reads along what is due soon, where a batch has room for it: it costs no call, and what was read together stays so.
    fn fill(&self, state: &mut State) {
        let (queued, batch) = (state.reads.queued(), self.source.batch());
        if !(1..batch).contains(&queued) {
            return;
        }
        for (address, interval) in state.keep.soonest_due(batch) {
            if state.reads.queued() >= batch {
                return;
            }
            if !state.reads.has(&address) {
                drop(state.reads.join(&address, Some(interval)));
                state.ahead.insert(address);
            }
        }
    }

    /// What was queued when the pause began does not wait for the rate, only to be told.
    fn refuse_while_paused(&self) {
        let Some((_, error)) = self.gate.paused() else { return };
        let mut state = self.lock();
        for address in state.reads.send(usize::MAX) {
            state.ahead.remove(&address);
            state.reads.finish(&address, Err(error.clone().with_key(&address.key)));
        }
    }

    /// Waits for a batch to fill.
    async fn gather(&self) {
        let batch = self.source.batch();
        if (1..batch).contains(&self.lock().reads.queued()) {
            // A permit left over from an earlier batch only ends the wait early.
            let _ = timeout(GATHER, self.full.notified()).await;
        }
    }

    /// A place among the calls under way, and a token of the rate.
    async fn turn(self: Arc<Self>) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed; without a permit a call would still be right.
        let permit = self.budget.places.clone().acquire_owned().await.ok();
        self.budget.bucket.take().await;
        permit
    }

    async fn send(self: Arc<Self>, addresses: Vec<Address>, permit: Option<OwnedSemaphorePermit>) {
        let (outcomes, factor_of) = match self.gate.enter(Size::Short).await {
            Err(error) => (addresses.iter().map(|_| Err(error.clone())).collect(), None),
            Ok(pass) => {
                let started = pass.started;
                (self.call(&addresses, pass).await, Some((started, 0.8 + 0.2 * random_share())))
            }
        };
        drop(permit);
        let mut state = self.lock();
        for (address, outcome) in addresses.into_iter().zip(outcomes) {
            let taken = !state.ahead.remove(&address);
            let outcome: Outcome = match (outcome, factor_of) {
                (Ok(payload), Some((started, factor))) => {
                    let reading = Arc::new(Reading::new(payload, started, factor));
                    let longest = state.reads.longest(&address);
                    state.keep.put(address.clone(), reading.clone(), longest, taken);
                    Ok(reading)
                }
                (Ok(_), None) => Err(self.lost("read").with_key(&address.key)),
                (Err(error), _) => {
                    if matches!(error.kind, Kind::Missing | Kind::Denied) {
                        state.keep.forget(&address);
                    }
                    Err(error.with_key(&address.key))
                }
            };
            state.reads.finish(&address, outcome);
        }
        // What was held back until this call was over.
        self.clone().dispatch(&mut state);
    }

    /// One call. Always as many results as addresses.
    async fn call(&self, addresses: &[Address], pass: Pass<'_>) -> Vec<Result<Payload, SourceError>> {
        let lost = || addresses.iter().map(|_| Err(self.lost("read"))).collect();
        let call = AssertUnwindSafe(async { self.source.read(addresses).await }).catch_unwind();
        let results: Vec<_> = match timeout(READ_LIMIT, call).await {
            Ok(Ok(results)) if results.len() == addresses.len() => results,
            Ok(_) => {
                // The client's defect says nothing about the server: others go on.
                self.observe("read", Some(&self.lost("read")));
                return lost();
            }
            Err(_) => addresses.iter().map(|_| Err(self.timed_out("read"))).collect(),
        };
        let succeeded = results.iter().any(Result::is_ok);
        let errors: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
        self.observe("read", if succeeded { None } else { errors.first().copied() });
        pass.report(errors, succeeded);
        results
    }

    fn timed_out(&self, operation: &'static str) -> SourceError {
        SourceError::new(self.source.provider(), operation, Kind::Unavailable { after: None })
            .with_detail("there was no answer in time")
    }

    pub(super) async fn find(self: Arc<Self>, query: &Query, interval: Option<Duration>) -> Found {
        let wait = {
            let mut state = self.lock();
            if let Some(keys) = interval.and_then(|interval| state.found.fresh(query, interval)) {
                return Ok(keys);
            }
            if let Some((_, error)) = self.gate.paused() {
                return Err(error);
            }
            let wait = state.finds.join(query, interval);
            self.clone().start_finds(&mut state);
            wait
        };
        wait.await.unwrap_or_else(|_| Err(self.lost("find")))
    }

    fn start_finds(self: Arc<Self>, state: &mut State) {
        for query in state.finds.send(usize::MAX) {
            tokio::spawn(self.clone().find_now(query));
        }
    }

    async fn find_now(self: Arc<Self>, query: Query) {
        // Finds leave places to reads: each may take minutes.
        let place = self.budget.finds.clone().acquire_owned().await.ok();
        let permit = self.clone().turn().await;
        let found = match self.gate.enter(Size::Long).await {
            Err(error) => Err(error),
            Ok(pass) => {
                let started = pass.started;
                self.lock().finds.leaves(&query, started);
                let call = AssertUnwindSafe(async { self.source.find(&query).await }).catch_unwind();
                let found = self.judge("find", timeout(FIND_LIMIT, call).await, pass);
                let few = |keys: Vec<String>| few_enough(self.source.provider(), keys);
                found.and_then(few).map(|keys| (Arc::new(keys), started))
            }
        };
        drop((permit, place));
        let mut state = self.lock();
        if let Ok((keys, started)) = &found {
            let longest = state.finds.longest(&query);
            let finding =
                Finding { keys: keys.clone(), started: *started, factor: 0.8 + 0.2 * random_share(), longest };
            state.found.put(query.clone(), finding);
        }
        state.finds.finish(&query, found.map(|(keys, _)| keys));
        self.clone().start_finds(&mut state);
    }

    pub(super) async fn check(self: &Arc<Self>) -> Result<(), SourceError> {
        if let Some((_, error)) = self.gate.paused() {
            return Err(error);
        }
        let _permit = self.clone().turn().await;
        let pass = self.gate.enter(Size::Short).await?;
        let call = AssertUnwindSafe(async { self.source.check().await }).catch_unwind();
        self.judge("check", timeout(READ_LIMIT, call).await, pass)
    }

    /// Counts a call that has one result, and lets others go on or not.
    fn judge<T, P, E>(
        &self,
        operation: &'static str,
        result: Result<Result<Result<T, SourceError>, P>, E>,
        pass: Pass<'_>,
    ) -> Result<T, SourceError> {
        let result = match result {
            Ok(Ok(result)) => result,
            Ok(Err(_panic)) => {
                let lost = self.lost(operation);
                self.observe(operation, Some(&lost));
                return Err(lost);
            }
            Err(_elapsed) => Err(self.timed_out(operation)),
        };
        self.observe(operation, result.as_ref().err());
        pass.report(result.as_ref().err(), result.is_ok());
        result
    }
}

impl Finding {
    fn is_fresh(&self, interval: Duration) -> bool {
        self.started.elapsed().as_secs_f64() < interval.as_secs_f64() * self.factor
    }
}

impl Findings {
    fn fresh(&mut self, query: &Query, interval: Duration) -> Option<Arc<Vec<String>>> {
        let finding = self.0.get_mut(query).filter(|finding| finding.is_fresh(interval))?;
        finding.longest = finding.longest.max(interval);
        Some(finding.keys.clone())
    }

    fn put(&mut self, query: Query, finding: Finding) {
        self.expire();
        if self.0.len() >= MOST_FINDINGS {
            let oldest = self.0.iter().min_by_key(|(_, finding)| finding.started).map(|(query, _)| query.clone());
            oldest.and_then(|query| self.0.remove(&query));
        }
        self.0.insert(query, finding);
    }

    pub(super) fn expire(&mut self) {
        self.0.retain(|_, finding| finding.is_fresh(finding.longest));
    }
}
