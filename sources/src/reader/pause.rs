//! Leaves a source alone for as long as it asks, and then sends one call ahead of all others.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::limits::random_share;
use crate::{Kind, SourceError};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);
/// What a server may ask for. Not for ever: a slip of its clock would end all reading. And not nothing.
const STATED: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(15));

/// Whether calls may be made now.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pause: Mutex<Option<Pause>>,
    /// Told when a probe has ended, one way or the other.
    probed: Notify,
}

#[derive(Debug)]
struct Pause {
    since: Instant,
    until: Instant,
    error: SourceError,
    failures: u32,
    probes: Probes,
}

/// Which calls find out now whether the source works again: one of each size at most.
#[derive(Clone, Copy, Debug, Default)]
struct Probes {
    short: bool,
    long: bool,
}

/// How long a call may take. A find walks a tree: nobody but other finds waits to see how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Short,
    Long,
}

/// The right to make one call. Given back unused or after a panic, it lets the next one try.
#[derive(Debug)]
pub(super) struct Pass<'g> {
    gate: &'g Gate,
    pub(super) started: Instant,
    probe: Option<Size>,
}

enum Answer<'g> {
    Go(Pass<'g>),
    Wait,
    Refuse(SourceError),
}

impl Gate {
    /// What is left of the pause, and why there is one.
    pub(super) fn paused(&self) -> Option<(Duration, SourceError)> {
        let now = Instant::now();
        let pause = self.lock();
        pause.as_ref().filter(|pause| now < pause.until).map(|pause| (pause.until - now, pause.error.clone()))
    }

    /// Waits while another call finds out whether the source works again. An error: it does not.
    pub(super) async fn enter(&self, size: Size) -> Result<Pass<'_>, SourceError> {
        loop {
            let probed = self.probed.notified();
            tokio::pin!(probed);
            // Before looking, or the end of a probe between the two would be missed.
            probed.as_mut().enable();
            match self.ask(size) {
                Answer::Go(pass) => return Ok(pass),
                Answer::Refuse(error) => return Err(error),
                Answer::Wait => probed.await,
            }
        }
    }

    fn ask(&self, size: Size) -> Answer<'_> {
        let started = Instant::now();
        let mut pause = self.lock();
        let probe = match pause.as_mut() {
            Some(pause) if started < pause.until => return Answer::Refuse(pause.error.clone()),
            Some(pause) if pause.probes.short || size == Size::Long && pause.probes.long => return Answer::Wait,
            Some(pause) => {
                pause.probes.set(size, true);
                Some(size)
            }
            None => None,
        };
        Answer::Go(Pass { gate: self, started, probe })
    }

    /// The source failed: it is left alone.
    fn failed(&self, started: Instant, error: &SourceError) {
        let now = Instant::now();
        let stated = error.after().map(|after| after.clamp(STATED.0, STATED.1));
        let mut slot = self.lock();
        let earlier = slot.as_ref().map(|pause| (pause.failures, pause.since, pause.until));
        let (failures, until) = match earlier {
            // One of the calls that were under way when the first of them failed: the same failure, seen again.
            Some((failures, since, until)) if started <= since => {
                (failures, stated.map_or(until, |stated| until.max(now + stated)))
            }
            earlier => {
                let failures = earlier.map_or(0, |(failures, ..)| failures).saturating_add(1);
                (failures, now + stated.unwrap_or_else(|| backoff(failures, random_share())))
            }
        };
        let since = earlier.filter(|(_, since, _)| started <= *since).map_or(now, |(_, since, _)| since);
        let mut error = error.clone();
        // Whoever asks for another key gets this error too.
        error.key = None;
        let probes = slot.as_ref().map(|pause| pause.probes).unwrap_or_default();
        *slot = Some(Pause { since, until, error, failures, probes });
    }

    /// The source answered: the pause is over, unless the call was sent before it began.
    fn answered(&self, started: Instant) {
        let mut pause = self.lock();
        if pause.as_ref().is_some_and(|pause| started >= pause.until) {
            *pause = None;
        }
    }

    /// A panic while it was held leaves a pause behind that is still a pause.
    fn lock(&self) -> MutexGuard<'_, Option<Pause>> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Probes {
    fn set(&mut self, size: Size, under_way: bool) {
        match size {
            Size::Short => self.short = under_way,
            Size::Long => self.long = under_way,
        }
    }
}

impl Pass<'_> {
    /// Says how the source answered, as seen by all errors of one call and by whether anything succeeded.
    pub(super) fn report<'e>(self, errors: impl IntoIterator<Item = &'e SourceError>, succeeded: bool) {
        let (mut failure, mut answered) = (None::<&SourceError>, succeeded);
        for error in errors {
            match error.kind {
                // One entry of a batch that failed among others that did not is that entry's trouble.
                Kind::Unavailable { .. } if succeeded => {}
                Kind::Throttled { .. } | Kind::Unavailable { .. } => {
                    failure = failure.filter(|earlier| earlier.after() >= error.after()).or(Some(error));
                }
                Kind::Missing | Kind::Denied => answered = true,
                // Often said without a call.
                Kind::Invalid(_) => {}
            }
        }
        match failure {
            Some(error) => self.gate.failed(self.started, error),
            None if answered => self.gate.answered(self.started),
            None => {}
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if let Some(size) = self.probe {
            if let Some(pause) = self.gate.lock().as_mut() {
                pause.probes.set(size, false);
            }
            self.gate.probed.notify_waiters();
        }
    }
}

/// Doubles from [`FIRST`] to [`LONGEST`]; `share` of the second half is taken off, so that several controllers that lost
/// the same server do not come back together.
fn backoff(failures: u32, share: f64) -> Duration {
    let full = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST);
    full.mul_f64(1.0 - share.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unavailable(after: Option<u64>) -> SourceError {
        SourceError::new("Fake", "read", Kind::Unavailable { after: after.map(Duration::from_secs) })
    }

    #[test]
    fn backoff_grows_to_the_cap() {
        assert_eq!(backoff(1, 0.0), FIRST);
        assert_eq!(backoff(3, 0.0), FIRST * 4);
        assert_eq!(backoff(1, 1.0), FIRST / 2);
        assert_eq!(backoff(u32::MAX, 0.0), LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_of_one_moment_count_as_one() {
        let gate = Gate::default();
        let mut passes = Vec::new();
        for _ in 0..20 {
            passes.push(gate.enter(Size::Short).await.unwrap());
        }
        tokio::time::advance(Duration::from_millis(5)).await;
        for pass in passes {
            pass.report([&unavailable(None)], false);
        }
        assert!(gate.paused().unwrap().0 <= FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_success_from_before_ends_nothing() {
        let gate = Gate::default();
        let (one, two) = (gate.enter(Size::Short).await.unwrap(), gate.enter(Size::Short).await.unwrap());
        tokio::time::advance(Duration::from_millis(5)).await;
        one.report([&unavailable(Some(30))], false);
        two.report([], true);
        assert_eq!(gate.paused().unwrap().0, Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_goes_ahead_of_all_others() {
        let gate = Gate::default();
        gate.enter(Size::Short).await.unwrap().report([&unavailable(Some(10))], false);
        assert!(gate.enter(Size::Short).await.is_err());
        tokio::time::advance(Duration::from_secs(10)).await;
        let probe = gate.enter(Size::Short).await.unwrap();
        assert!(matches!(gate.ask(Size::Short), Answer::Wait));
        // A probe that ends without an answer lets the next one try.
        drop(probe);
        let probe = gate.enter(Size::Short).await.unwrap();
        probe.report([], true);
        assert!(gate.enter(Size::Short).await.is_ok() && gate.enter(Size::Short).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_but_finds_waits_for_a_find() {
        let gate = Gate::default();
        gate.enter(Size::Short).await.unwrap().report([&unavailable(Some(10))], false);
        tokio::time::advance(Duration::from_secs(10)).await;
        let find = gate.enter(Size::Long).await.unwrap();
        assert!(matches!(gate.ask(Size::Long), Answer::Wait));
        let read = gate.enter(Size::Short).await.unwrap();
        for size in [Size::Short, Size::Long] {
            assert!(matches!(gate.ask(size), Answer::Wait), "one read goes ahead of all others");
        }
        read.report([], true);
        assert!(gate.enter(Size::Short).await.is_ok() && gate.enter(Size::Long).await.is_ok());
        // What the find says of the time before counts no more.
        tokio::time::advance(Duration::from_mins(1)).await;
        find.report([], true);
        assert!(gate.enter(Size::Short).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn finds_alone_find_out_too() {
        let gate = Gate::default();
        for failures in 1..4 {
            let pass = gate.enter(Size::Long).await.unwrap();
            tokio::time::advance(Duration::from_millis(1)).await;
            pass.report([&unavailable(None)], false);
            let left = gate.paused().unwrap().0;
            assert!(left >= backoff(failures, 1.0), "{failures}: {left:?}");
            tokio::time::advance(left).await;
        }
        gate.enter(Size::Long).await.unwrap().report([], true);
        assert!(gate.paused().is_none() && matches!(gate.ask(Size::Long), Answer::Go(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_cannot_ask_to_be_left_alone_for_ever() {
        let gate = Gate::default();
        gate.enter(Size::Short).await.unwrap().report([&unavailable(Some(u64::MAX / 2))], false);
        assert_eq!(gate.paused().unwrap().0, STATED.1);
    }
}
