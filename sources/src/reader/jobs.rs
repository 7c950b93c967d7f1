//! Who waits for which read: equal reads are one job, and a job that nobody waits for any more is still finished.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::Shared;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The end of one job, which any number of callers wait for. An error: the job was lost.
pub(super) type Wait<T> = Shared<oneshot::Receiver<T>>;

/// Jobs by what they read.
#[derive(Debug)]
pub(super) struct Jobs<K, T> {
    slots: HashMap<K, Slot<T>>,
    /// What can be sent now, first come, first served.
    queue: VecDeque<K>,
}

#[derive(Debug)]
struct Slot<T> {
    /// The call is under way, since then.
    sent: Option<(Instant, Job<T>)>,
    /// To be sent when that one is back, for those to whom it may be too old.
    waiting: Option<Job<T>>,
}

#[derive(Debug)]
struct Job<T> {
    sender: oneshot::Sender<T>,
    wait: Wait<T>,
    /// The longest interval of those who wait.
    longest: Duration,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { sent: None, waiting: None }
    }
}

impl<K, T> Default for Jobs<K, T> {
    fn default() -> Self {
        Self { slots: HashMap::new(), queue: VecDeque::new() }
    }
}

impl<K: Eq + Hash + Clone, T: Clone> Jobs<K, T> {
    /// Joins the job for this key, or adds one. A call that was sent already is no good without an interval, or if that
    /// has passed since: what it reads may be older than is wanted.
    pub(super) fn join(&mut self, key: &K, interval: Option<Duration>) -> Wait<T> {
        let slot = self.slots.entry(key.clone()).or_default();
        let longest = interval.unwrap_or_default();
        let sent = slot.sent.as_mut().filter(|(since, _)| interval.is_some_and(|interval| since.elapsed() <= interval));
        if let Some(job) = sent.map(|(_, job)| job).or(slot.waiting.as_mut()) {
            job.longest = job.longest.max(longest);
            return job.wait.clone();
        }
        let (sender, receiver) = oneshot::channel();
        let wait = receiver.shared();
        slot.waiting = Some(Job { sender, wait: wait.clone(), longest });
        if slot.sent.is_none() {
            self.queue.push_back(key.clone());
        }
        wait
    }

    /// Whether there is a job for this key.
    pub(super) fn has(&self, key: &K) -> bool {
        self.slots.contains_key(key)
    }

    /// How many could be sent now.
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Up to this many, to be sent now.
    pub(super) fn send(&mut self, most: usize) -> Vec<K> {
        let keys: Vec<K> = self.queue.drain(..most.min(self.queue.len())).collect();
        let now = Instant::now();
        for key in &keys {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.sent = slot.waiting.take().map(|job| (now, job));
            }
        }
        keys
    }

    /// The call for this key waited for its turn, and leaves only now.
    pub(super) fn leaves(&mut self, key: &K, now: Instant) {
        if let Some((since, _)) = self.slots.get_mut(key).and_then(|slot| slot.sent.as_mut()) {
            *since = now;
        }
    }

    /// The call for this key is back: tells everybody. Returns the longest interval of those who waited.
    pub(super) fn finish(&mut self, key: &K, outcome: T) -> Duration {
        let Some(slot) = self.slots.get_mut(key) else { return Duration::ZERO };
        let job = slot.sent.take();
        if slot.waiting.is_some() {
            self.queue.push_back(key.clone());
        } else {
            self.slots.remove(key);
        }
        job.map_or(Duration::ZERO, |(_, job)| {
            // Nobody may be left who waits.
            let _ = job.sender.send(outcome);
            job.longest
        })
    }

    /// The longest interval of those who wait for this call.
    pub(super) fn longest(&self, key: &K) -> Duration {
        self.slots.get(key).and_then(|slot| slot.sent.as_ref()).map_or(Duration::ZERO, |(_, job)| job.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Option<Duration> = Some(Duration::from_mins(1));

    #[test]
    fn equal_reads_are_one_job() {
        let mut jobs = Jobs::<&str, u8>::default();
        let (one, two) = (jobs.join(&"a", SOME), jobs.join(&"a", None));
        assert_eq!(jobs.send(9), ["a"]);
        let three = jobs.join(&"a", SOME);
        jobs.finish(&"a", 7);
        for wait in [one, two, three] {
            assert_eq!(wait.now_or_never(), Some(Ok(7)));
        }
        assert_eq!((jobs.queued(), jobs.slots.len()), (0, 0));
    }

    #[test]
    fn what_was_sent_is_too_old_for_a_forced_read() {
        let mut jobs = Jobs::<&str, u8>::default();
        let first = jobs.join(&"a", None);
        jobs.send(1);
        let (forced, joined) = (jobs.join(&"a", None), jobs.join(&"a", None));
        assert_eq!(jobs.queued(), 0, "once at a time");
        jobs.finish(&"a", 1);
        assert_eq!(first.now_or_never(), Some(Ok(1)));
        assert_eq!(forced.clone().now_or_never(), None);
        assert_eq!(jobs.send(1), ["a"]);
        jobs.finish(&"a", 2);
        assert_eq!((forced.now_or_never(), joined.now_or_never()), (Some(Ok(2)), Some(Ok(2))));
    }

    #[tokio::test(start_paused = true)]
    async fn how_old_a_call_is_counts_from_when_it_leaves() {
        let mut jobs = Jobs::<&str, u8>::default();
        let minute = Duration::from_mins(1);
        drop(jobs.join(&"a", SOME));
        jobs.send(1);
        tokio::time::advance(2 * minute).await;
        jobs.leaves(&"a", Instant::now());
        tokio::time::advance(minute).await;
        let joins = jobs.join(&"a", SOME);
        tokio::time::advance(minute).await;
        let waits = jobs.join(&"a", SOME);
        jobs.finish(&"a", 1);
        assert_eq!((joins.now_or_never(), waits.now_or_never()), (Some(Ok(1)), None));
    }

    #[test]
    fn a_caller_that_leaves_takes_nothing_with_it() {
        let mut jobs = Jobs::<&str, u8>::default();
        let (leaves, stays) = (jobs.join(&"a", SOME), jobs.join(&"a", SOME));
        drop(leaves);
        jobs.send(1);
        jobs.finish(&"a", 3);
        assert_eq!(stays.now_or_never(), Some(Ok(3)));
    }
}
