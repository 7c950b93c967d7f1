//! When to look again, and who goes first: capped, jittered, endless backoff, a brake on fights over a Secret, and places
//! that failures cannot take.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::ownership::Kind;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_mins(5);

/// Repairs of one Secret that are made at once, one after the other.
const FREE_REPAIRS: u32 = 20;
/// After how long one more is free.
const REPAIR_EVERY: Duration = Duration::from_secs(3);

/// How often things failed in a row, and were repaired of late.
#[derive(Debug)]
pub struct Backoff<K>(Mutex<HashMap<K, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    failures: u32,
    /// The generation that failed: another one is a fresh change.
    generation: Option<i64>,
    /// Repairs not yet paid for by time, as of then.
    repairs: Option<(u32, Instant)>,
}

impl<K> Default for Backoff<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone> Backoff<K> {
    /// The wait after one more failure of this generation.
    pub fn failed(&self, key: &K, generation: Option<i64>) -> Duration {
        let mut entries = self.lock();
        let entry = entries.entry(key.clone()).or_default();
        entry.failures = if entry.generation == generation { entry.failures.saturating_add(1) } else { 1 };
        entry.generation = generation;
        delay(entry.failures, random_share())
    }

    /// Whether the last try of this generation failed.
    pub fn has_failed(&self, key: &K, generation: Option<i64>) -> bool {
        self.lock().get(key).is_some_and(|entry| entry.failures > 0 && entry.generation == generation)
    }

    /// A success: the next failure is the first again.
    pub fn succeeded(&self, key: &K) {
        let mut entries = self.lock();
        if let Some(entry) = entries.get_mut(key) {
            entry.failures = 0;
            if entry.repairs.is_none() {
                entries.remove(key);
            }
        }
    }

    /// Asks to repair a Secret that somebody changed. `Err` is the wait, when somebody else keeps changing it: two
    /// programs that undo each other at full speed would take the API server down with them.
    pub fn repair(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let mut entries = self.lock();
        let repairs = &mut entries.entry(key.clone()).or_default().repairs;
        let (made, since) = repairs.unwrap_or((0, now));
        let paid = u32::try_from(now.duration_since(since).as_secs() / REPAIR_EVERY.as_secs()).unwrap_or(u32::MAX);
        let (made, since) = if paid >= made { (0, now) } else { (made - paid, since + REPAIR_EVERY * paid) };
        if made >= FREE_REPAIRS {
            *repairs = Some((made, since));
            return Err((since + REPAIR_EVERY).saturating_duration_since(now));
        }
        *repairs = Some((made + 1, since));
        Ok(())
    }

    /// Forgets one.
    pub fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    /// Forgets what `keep` does not name.
    pub fn retain(&self, keep: impl Fn(&K) -> bool) {
        self.lock().retain(|key, _| keep(key));
    }

    /// A panic while it was held leaves counters behind that are still counters.
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who goes first. However many objects fail, and however long each failure takes, half of the places stay free for what
/// has just changed.
#[derive(Debug)]
pub struct Lanes {
    places: Semaphore,
    retries: Semaphore,
}

/// A place among those who work at the same time, for as long as it is held.
#[derive(Debug)]
pub struct Turn<'l> {
    _place: SemaphorePermit<'l>,
    _retry: Option<SemaphorePermit<'l>>,
}

impl Lanes {
    /// For so many at the same time.
    pub fn new(concurrency: u16) -> Self {
        let places = usize::from(concurrency.max(2));
        Self { places: Semaphore::new(places), retries: Semaphore::new(places / 2) }
    }

    /// Waits for a place, a retry for one in its half. First come, first served.
    pub async fn turn(&self, retry: bool) -> Option<Turn<'_>> {
        let retry = if retry { Some(self.retries.acquire().await.ok()?) } else { None };
        Some(Turn { _place: self.places.acquire().await.ok()?, _retry: retry })
    }
}

/// Lanes for each kind: what waits for a source never keeps what needs none from its turn.
#[derive(Clone, Debug)]
pub struct KindLanes {
    encrypted: Arc<Lanes>,
    external: Arc<Lanes>,
}

impl KindLanes {
    /// For so many of each kind at the same time.
    pub fn new(concurrency: u16) -> Self {
        let lanes = || Arc::new(Lanes::new(concurrency));
        Self { encrypted: lanes(), external: lanes() }
    }

    /// Those of one kind.
    pub fn of(&self, kind: Kind) -> Arc<Lanes> {
        Arc::clone(match kind {
            Kind::EncryptedSecret => &self.encrypted,
            Kind::ExternalSecret => &self.external,
        })
    }
}

/// Doubles from [`FIRST`] to [`LONGEST`]; `share` of the second half is taken off, so that what failed together does not
/// come back together.
fn delay(failures: u32, share: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let full = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    full.mul_f64(1.0 - share.clamp(0.0, 1.0) / 2.0)
}

/// Between 0 and 1. No randomness at hand is no reason to fail: then there is no jitter.
pub fn random_share() -> f64 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_or(0.0, |()| f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX))
}

/// Ten random characters: what tells this process from any other.
pub fn random_name() -> String {
    let mut bytes = [0; 6];
    // Without randomness nothing else works either.
    let _ = getrandom::fill(&mut bytes);
    data_encoding::BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_the_cap() {
        assert_eq!(delay(1, 0.0), FIRST);
        assert_eq!(delay(3, 0.0), FIRST * 4);
        assert_eq!(delay(1, 1.0), FIRST / 2);
        assert_eq!(delay(u32::MAX, 0.0), LONGEST);
    }

    #[test]
    fn a_success_starts_anew() {
        let backoff = Backoff::default();
        for _ in 0..9 {
            backoff.failed(&"a", None);
        }
        backoff.succeeded(&"a");
        assert!(backoff.failed(&"a", None) <= FIRST);
    }

    #[test]
    fn a_new_generation_is_no_retry() {
        let backoff = Backoff::default();
        for _ in 0..9 {
            backoff.failed(&"a", Some(1));
        }
        assert!(backoff.has_failed(&"a", Some(1)) && !backoff.has_failed(&"a", Some(2)));
        assert!(backoff.failed(&"a", Some(2)) <= FIRST);
    }

    #[tokio::test]
    async fn retries_never_take_more_than_half() {
        let lanes = Lanes::new(4);
        let (one, two) = (lanes.turn(true).await, lanes.turn(true).await);
        assert!(one.is_some() && two.is_some());
        let third = lanes.turn(true);
        assert!(tokio::time::timeout(Duration::from_millis(20), third).await.is_err(), "it waits");
        assert!(lanes.turn(false).await.is_some());
        drop(one);
        assert!(lanes.turn(true).await.is_some());
    }

    #[test]
    fn repairs_are_free_until_they_are_a_fight() {
        let (backoff, start) = (Backoff::default(), Instant::now());
        for _ in 0..FREE_REPAIRS {
            assert_eq!(backoff.repair(&"a", start), Ok(()));
        }
        assert_eq!(backoff.repair(&"a", start), Err(REPAIR_EVERY));
        assert_eq!(backoff.repair(&"b", start), Ok(()));
        assert_eq!(backoff.repair(&"a", start + REPAIR_EVERY), Ok(()));
        assert_eq!(backoff.repair(&"a", start + REPAIR_EVERY), Err(REPAIR_EVERY));
        let later = start + REPAIR_EVERY * (FREE_REPAIRS + 2);
        assert_eq!(backoff.repair(&"a", later), Ok(()));
    }
}
