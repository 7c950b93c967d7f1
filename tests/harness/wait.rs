//! Waiting for something to become true, which is how every cluster test reads its result.

use std::time::{Duration, Instant};

/// Asks again and again until there is an answer; panics with `what` when there is none in time.
pub async fn wait_for<T>(timeout: Duration, what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    // Quick at first, because most things happen at once; slower later, to leave the two cores to the servers.
    let mut pause = Duration::from_millis(10);
    loop {
        // The probe itself may hang, for instance on a server that is gone.
        let left = timeout.saturating_sub(started.elapsed());
        if let Ok(Some(answer)) = tokio::time::timeout(left.max(Duration::from_millis(100)), probe()).await {
            return answer;
        }
        assert!(started.elapsed() < timeout, "waited {timeout:?} in vain for {what}");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}
