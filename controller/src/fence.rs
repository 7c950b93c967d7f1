//! The fence before every write: open while this replica leads, by a clock that no one can set.
//!
//! The lease in the cluster says who may lead; this says until when that is certain. The deadline is counted from before
//! the renewal was *sent*, on the monotonic clock, so that it is over here before anybody else can take the lease: also
//! for a process that was stopped in its tracks and goes on much later.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Until when writes may be sent.
#[derive(Debug)]
pub struct Fence {
    base: Instant,
    /// Milliseconds after `base`; 0 is closed.
    until: AtomicU64,
}

impl Fence {
    /// Closed.
    pub fn closed() -> Self {
        Self { base: Instant::now(), until: AtomicU64::new(0) }
    }

    /// Open until then. The last word counts.
    pub fn open_until(&self, deadline: Instant) {
        let millis = deadline.saturating_duration_since(self.base).as_millis();
        self.until.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Closed from now on.
    pub fn close(&self) {
        self.until.store(0, Ordering::SeqCst);
    }

    /// Whether a write may be sent now.
    pub fn is_open(&self) -> bool {
        self.is_open_at(Instant::now())
    }

    /// For how long writes may still be sent.
    pub fn remaining(&self) -> Duration {
        let until = Duration::from_millis(self.until.load(Ordering::SeqCst));
        until.saturating_sub(self.base.elapsed())
    }

    fn is_open_at(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.base) < Duration::from_millis(self.until.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_for_as_long_as_it_was_told() {
        let fence = Fence::closed();
        assert!(!fence.is_open());
        let after = |millis| fence.base + Duration::from_millis(millis);
        fence.open_until(after(5000));
        assert!(fence.is_open_at(after(4999)));
        assert!(!fence.is_open_at(after(5000)));
        fence.close();
        assert!(!fence.is_open_at(fence.base));
    }
}
