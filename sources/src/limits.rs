//! How hard a source may be asked: calls at the same time, and calls per second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

/// The limits of one source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Calls that are under way at the same time.
    pub concurrency: usize,
    /// Calls per second, on average. Zero or less: no limit.
    pub per_second: f64,
    /// Calls that may be made at once after a quiet time.
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { concurrency: 8, per_second: 50.0, burst: 100 }
    }
}

/// What all that read of one source may use up together, each as an identity of its own.
#[derive(Clone, Debug)]
pub struct Budget {
    pub(crate) places: Arc<Semaphore>,
    /// Those of them that finds may take.
    pub(crate) finds: Arc<Semaphore>,
    pub(crate) bucket: Arc<Bucket>,
}

impl Budget {
    /// An unused one within these limits.
    pub fn new(limits: &Limits) -> Self {
        let places = limits.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(places)),
            finds: Arc::new(Semaphore::new(places.div_ceil(2))),
            bucket: Arc::new(Bucket::new(limits)),
        }
    }
}

impl From<Limits> for Budget {
    fn from(limits: Limits) -> Self {
        Self::new(&limits)
    }
}

/// A token bucket that hands out tokens of the future: whoever takes one is told when it is good. First come, first
/// served, and nobody has to fill it.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// The time between two tokens; `None`: there is no limit.
    every: Option<Duration>,
    burst: u32,
    /// When the next token would be good, had nobody saved any.
    next: Mutex<Option<Instant>>,
}

impl Bucket {
    pub(crate) fn new(limits: &Limits) -> Self {
        let limited = limits.per_second > 0.0 && limits.per_second.is_finite();
        let every = limited.then(|| Duration::try_from_secs_f64(1.0 / limits.per_second).unwrap_or(Duration::MAX));
        Self { every, burst: limits.burst.max(1), next: Mutex::default() }
    }

    /// Waits for a token.
    pub(crate) async fn take(&self) {
        if let Some(good) = self.reserve(Instant::now()) {
            sleep_until(good).await;
        }
    }

    fn reserve(&self, now: Instant) -> Option<Instant> {
        let every = self.every?;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        // A quiet time saves up to `burst` tokens and no more.
        let saved = every.saturating_mul(self.burst - 1);
        let oldest = now.checked_sub(saved).unwrap_or(now);
        let token = next.map_or(oldest, |next| next.max(oldest));
        *next = token.checked_add(every);
        (token > now).then_some(token)
    }
}

/// Between 0 and 1. No randomness at hand is no reason to fail: then there is no jitter.
pub(crate) fn random_share() -> f64 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_or(0.5, |()| f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_free_and_the_rest_keeps_pace() {
        let bucket = Bucket::new(&Limits { concurrency: 1, per_second: 10.0, burst: 5 });
        let start = Instant::now();
        for _ in 0..5 {
            bucket.take().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..10 {
            bucket.take().await;
        }
        assert!((900..1100).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_quiet_time_saves_no_more_than_a_burst() {
        let bucket = Bucket::new(&Limits { concurrency: 1, per_second: 1.0, burst: 2 });
        bucket.take().await;
        tokio::time::sleep(Duration::from_secs(1000)).await;
        let start = Instant::now();
        for _ in 0..3 {
            bucket.take().await;
        }
        assert!(start.elapsed() >= Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_is_no_wait() {
        let bucket = Bucket::new(&Limits { concurrency: 1, per_second: 0.0, burst: 0 });
        let start = Instant::now();
        for _ in 0..10_000 {
            bucket.take().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
