//! Readings that are still good for somebody, within a bound.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::{Address, Payload};

/// What an entry costs beside its value and key.
const OVERHEAD: usize = 256;

/// What was read, and when.
#[derive(Debug)]
pub struct Reading {
    /// What was read.
    pub payload: Payload,
    /// When the call that read it was sent: the value is at least as new as this.
    pub read_at: SystemTime,
    started: Instant,
    factor: f64,
}

impl Reading {
    pub(super) fn new(payload: Payload, started: Instant, factor: f64) -> Self {
        // The wall clock is for people; it is taken back by as long as the call took.
        let now = SystemTime::now();
        let read_at = now.checked_sub(started.elapsed()).unwrap_or(now);
        Self { payload, read_at, started, factor }
    }

    /// How long it stays good for whoever wants it at most this old. A bit less than the interval: by how much was drawn
    /// for all that one call read together, so that they come due together, and calls spread.
    pub fn due(&self, interval: Duration) -> Duration {
        let lifetime = Duration::try_from_secs_f64(interval.as_secs_f64() * self.factor).unwrap_or(Duration::MAX);
        lifetime.saturating_sub(self.started.elapsed())
    }

    pub(super) fn is_fresh(&self, interval: Duration) -> bool {
        self.due(interval) > Duration::ZERO
    }
}

/// What is kept, least recently used first.
#[derive(Debug)]
pub(super) struct Keep {
    entries: HashMap<Address, Entry>,
    order: BTreeMap<u64, Address>,
    tick: u64,
    bytes: usize,
    most_bytes: usize,
    next_expiry: Instant,
}

#[derive(Debug)]
struct Entry {
    reading: Arc<Reading>,
    /// The longest interval that anybody asked with.
    longest: Duration,
    /// Whether anybody took it since it was read.
    taken: bool,
    tick: u64,
}

impl Keep {
    pub(super) fn new(most_bytes: usize) -> Self {
        let (entries, order) = (HashMap::new(), BTreeMap::new());
        Self { entries, order, tick: 0, bytes: 0, most_bytes, next_expiry: Instant::now() }
    }

    /// A reading that is fresh for this interval.
    pub(super) fn fresh(&mut self, address: &Address, interval: Duration) -> Option<Arc<Reading>> {
        let entry = self.entries.get_mut(address).filter(|entry| entry.reading.is_fresh(interval))?;
        entry.longest = entry.longest.max(interval);
        entry.taken = true;
        self.tick += 1;
        self.order.remove(&entry.tick);
        entry.tick = self.tick;
        self.order.insert(self.tick, address.clone());
        Some(entry.reading.clone())
    }

    /// Up to this many that are wanted, soonest due first and nothing that has most of its time before it, each with the
    /// interval that it is wanted with.
    pub(super) fn soonest_due(&self, most: usize) -> Vec<(Address, Duration)> {
        let taken = self.entries.iter().filter(|(_, entry)| entry.taken);
        let due = taken.map(|(address, entry)| (entry.reading.due(entry.longest), address, entry.longest));
        let mut due: Vec<_> = due.filter(|(left, _, interval)| *left < *interval / 4).collect();
        due.sort_by_key(|(left, ..)| *left);
        due.into_iter().take(most).map(|(_, address, interval)| (address.clone(), interval)).collect()
    }

    /// Keeps a new reading for as long as somebody with this interval could want it. `taken`: somebody waits for it.
    pub(super) fn put(&mut self, address: Address, reading: Arc<Reading>, longest: Duration, taken: bool) {
        if Instant::now() >= self.next_expiry {
            self.expire();
            self.next_expiry = Instant::now() + Duration::from_secs(10);
        }
        self.forget(&address);
        let size = cost(&address, &reading);
        // Nobody could use it later, or everything else would have to go for it.
        if !reading.is_fresh(longest) || size > self.most_bytes {
            return;
        }
        self.tick += 1;
        self.bytes += size;
        self.order.insert(self.tick, address.clone());
        self.entries.insert(address, Entry { reading, longest, taken, tick: self.tick });
        while self.bytes > self.most_bytes {
            let Some((_, oldest)) = self.order.first_key_value() else { break };
            self.forget(&oldest.clone());
        }
    }

    pub(super) fn forget(&mut self, address: &Address) {
        if let Some(entry) = self.entries.remove(address) {
            self.order.remove(&entry.tick);
            self.bytes -= cost(address, &entry.reading);
        }
    }

    /// Drops what is stale for everybody who asked.
    pub(super) fn expire(&mut self) {
        let stale = self.entries.iter().filter(|(_, entry)| !entry.reading.is_fresh(entry.longest));
        for address in stale.map(|(address, _)| address.clone()).collect::<Vec<_>>() {
            self.forget(&address);
        }
    }
}

fn cost(address: &Address, reading: &Reading) -> usize {
    reading.payload.size() + 2 * address.key.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn reading(bytes: usize) -> Arc<Reading> {
        Arc::new(Reading::new(Payload::text(vec![0; bytes]), Instant::now(), 0.9))
    }

    #[tokio::test(start_paused = true)]
    async fn is_never_older_than_its_interval() {
        let reading = Reading::new(Payload::text(Vec::new()), Instant::now(), 1.0);
        assert_eq!(reading.due(HOUR), HOUR);
        tokio::time::advance(HOUR).await;
        assert!(!reading.is_fresh(HOUR));
        assert!(reading.is_fresh(Duration::MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn keeps_within_its_bound_and_drops_the_least_used() {
        let mut keep = Keep::new(10_000);
        for name in ["a", "b", "c"] {
            keep.put(Address::new(name), reading(3000), HOUR, true);
        }
        assert!(keep.fresh(&Address::new("a"), HOUR).is_some());
        keep.put(Address::new("d"), reading(3000), HOUR, true);
        assert!(keep.fresh(&Address::new("b"), HOUR).is_none(), "least recently used");
        assert!(keep.fresh(&Address::new("a"), HOUR).is_some());
        keep.put(Address::new("huge"), reading(20_000), HOUR, true);
        assert!(keep.fresh(&Address::new("d"), HOUR).is_some(), "one value is not worth all others");
        assert!(keep.bytes <= 10_000);
    }

    #[tokio::test(start_paused = true)]
    async fn keeps_nothing_for_longer_than_anybody_wants() {
        let mut keep = Keep::new(10_000);
        keep.put(Address::new("a"), reading(1), HOUR, true);
        keep.put(Address::new("b"), reading(1), HOUR, true);
        assert!(keep.fresh(&Address::new("b"), 2 * HOUR).is_some());
        tokio::time::advance(HOUR).await;
        keep.expire();
        assert_eq!(keep.entries.len(), 1);
        assert!(keep.fresh(&Address::new("b"), 2 * HOUR).is_some());
        tokio::time::advance(HOUR).await;
        keep.expire();
        assert_eq!((keep.entries.len(), keep.order.len(), keep.bytes), (0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_wanted_and_nearly_due_is_read_along() {
        let mut keep = Keep::new(10_000);
        keep.put(Address::new("wanted"), reading(1), HOUR, true);
        keep.put(Address::new("left"), reading(1), HOUR, false);
        assert!(keep.soonest_due(10).is_empty(), "it has its time before it");
        tokio::time::advance(HOUR / 2).await;
        keep.put(Address::new("new"), reading(1), HOUR, true);
        tokio::time::advance(HOUR / 4).await;
        assert_eq!(keep.soonest_due(10), [(Address::new("wanted"), HOUR)], "nobody took the other");
        assert!(keep.fresh(&Address::new("left"), HOUR).is_some());
        assert_eq!(keep.soonest_due(10).len(), 2);
        assert_eq!(keep.soonest_due(1).len(), 1);
    }
}
