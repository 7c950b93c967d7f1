//! Which replica leads: agreed on through a Lease, and kept certain by the [`Fence`].
//!
//! No replica compares the clocks of others. A lease counts as abandoned when it has not changed for its whole duration
//! *as seen from here*, and every write of it names the resourceVersion that it replaces, so that of two who reach for it
//! one is refused. The leader opens its fence only until nine tenths of the duration after it *sent* the last renewal
//! that succeeded, which is over before anybody else can have waited for the whole. A lease that is not there is waited
//! for like one that is held: it may just have been deleted. So the very first leader of a cluster waits once too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};

use crate::fence::Fence;
use crate::telemetry::{describe, describe_watch};

/// One replica's part in the election.
pub struct Election {
    api: Api<Lease>,
    watched: Api<Lease>,
    name: String,
    identity: String,
    duration: Duration,
    fence: Arc<Fence>,
}

/// Why a replica does not lead any more.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Another one took the lease.
    #[error("another replica leads")]
    Taken,
    /// The lease could not be renewed in time.
    #[error("the lease could not be renewed in time")]
    Expired,
}

/// What was last seen of the lease.
#[derive(Debug)]
enum Seen {
    /// No list has arrived yet.
    Nothing,
    /// There has been none since then: it may just have been deleted, and whoever led may not know yet.
    Absent(Instant),
    /// It was last changed then.
    Lease(Box<Lease>, Instant),
}

impl Election {
    /// Takes part under this identity, which no other replica, and no earlier one of the same Pod, has.
    pub fn new(
        requests: &Client,
        watches: &Client,
        (namespace, name): (&str, &str),
        identity: String,
        duration: Duration,
        fence: Arc<Fence>,
    ) -> Self {
        let api = Api::namespaced(requests.clone(), namespace);
        let watched = Api::namespaced(watches.clone(), namespace);
        Self { api, watched, name: name.to_owned(), identity, duration, fence }
    }

    /// Waits until this replica leads; what it then holds.
    pub async fn win(&self) -> Lease {
        let only = crate::clients::watching().fields(&format!("metadata.name={}", self.name));
        let mut changes = watcher(self.watched.clone(), only)
            .default_backoff()
            .inspect_err(|error| tracing::warn!(error = describe_watch(error), "the watch of the lease starts again"))
            .boxed();
        let mut seen = Seen::Nothing;
        let mut listed = false;
        loop {
            let wait = seen.abandoned_in(&self.identity, self.duration);
            if wait.is_zero() {
                if let Some(lease) = self.take(&seen).await {
                    return lease;
                }
                // Whoever was faster; or our own write, the answer to which was lost.
                match self.in_time(self.api.get_opt(&self.name)).await {
                    Ok(Some(lease)) => seen.note(lease),
                    Ok(None) => seen.gone(),
                    Err(error) => tracing::warn!(error = describe(&error), "the lease cannot be read"),
                }
                tokio::time::sleep(self.duration / 20).await;
            }
            let change = tokio::time::timeout(wait.max(self.duration / 20), changes.next()).await;
            match change {
                Ok(Some(Ok(watcher::Event::Init))) => listed = false,
                Ok(Some(Ok(watcher::Event::InitApply(lease)))) => {
                    listed = true;
                    seen.note(lease);
                }
                Ok(Some(Ok(watcher::Event::Apply(lease)))) => seen.note(lease),
                Ok(Some(Ok(watcher::Event::InitDone))) if !listed => seen.gone(),
                Ok(Some(Ok(watcher::Event::Delete(_)))) => seen.gone(),
                Ok(Some(Ok(watcher::Event::InitDone) | Err(_)) | None) | Err(_) => {}
            }
        }
    }

    /// Tries to become the holder in the place of what was seen.
    async fn take(&self, seen: &Seen) -> Option<Lease> {
        let sent = Instant::now();
        let base = if let Seen::Lease(lease, _) = seen { Some(&**lease) } else { None };
        let transitions = base.and_then(|lease| lease.spec.as_ref()?.lease_transitions).map_or(0, |count| count + 1);
        let lease = self.lease(base, Some(&self.identity), transitions);
        let answer = match base {
            None => self.in_time(self.api.create(&PostParams::default(), &lease)).await,
            Some(_) => self.in_time(self.api.replace(&self.name, &PostParams::default(), &lease)).await,
        };
        match answer {
            Ok(lease) => {
                self.open(sent);
                Some(lease)
            }
            Err(error) => {
                tracing::info!(error = describe(&error), "the lease was not taken");
                None
            }
        }
    }

    /// Renews the lease for as long as that goes well.
    pub async fn hold(&self, mut held: Lease) -> Lost {
        loop {
            let wait = if self.fence.remaining() > self.duration / 2 { self.duration / 3 } else { self.duration / 10 };
            tokio::time::sleep(wait.min(self.fence.remaining())).await;
            // Also after this process was stopped for a while: then another one may lead.
            if !self.fence.is_open() {
                return Lost::Expired;
            }
            let sent = Instant::now();
            let transitions = held.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or_default();
            let lease = self.lease(Some(&held), Some(&self.identity), transitions);
            match self.in_time(self.api.replace(&self.name, &PostParams::default(), &lease)).await {
                Ok(lease) => {
                    self.open(sent);
                    held = lease;
                    continue;
                }
                Err(error) => tracing::warn!(error = describe(&error), "the lease was not renewed"),
            }
            match self.in_time(self.api.get_opt(&self.name)).await {
                Ok(Some(lease)) if holder(&lease) == Some(&self.identity) => held = lease,
                Ok(Some(_)) => {
                    self.fence.close();
                    return Lost::Taken;
                }
                // Somebody deleted it. Others wait for its whole duration, so it can be made again while this is open.
                Ok(None) => {
                    if let Some(lease) = self.take(&Seen::Nothing).await {
                        held = lease;
                    }
                }
                Err(_) => {}
            }
        }
    }

    /// Gives the lease back, so that nobody has to wait for it to run out. The fence is closed first.
    pub async fn release(&self) {
        self.fence.close();
        let given = async {
            let held = self.api.get_opt(&self.name).await?.filter(|lease| holder(lease) == Some(&self.identity));
            let Some(held) = held else { return Ok(()) };
            let transitions = held.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or_default();
            let lease = self.lease(Some(&held), None, transitions);
            self.api.replace(&self.name, &PostParams::default(), &lease).await.map(drop)
        };
        if let Err(error) = self.in_time(given).await {
            tracing::warn!(error = describe(&error), "the lease was not given back, and runs out by itself");
        }
    }

    fn open(&self, sent: Instant) {
        self.fence.open_until(sent + self.duration.mul_f64(0.9));
    }

    fn lease(&self, base: Option<&Lease>, holder: Option<&str>, transitions: i32) -> Lease {
        let now = MicroTime(Timestamp::now());
        let acquired =
            base.and_then(|lease| lease.spec.clone()).filter(|spec| spec.holder_identity.as_deref() == holder);
        Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                uid: base.and_then(|lease| lease.metadata.uid.clone()),
                resource_version: base.and_then(|lease| lease.metadata.resource_version.clone()),
                labels: base.and_then(|lease| lease.metadata.labels.clone()),
                annotations: base.and_then(|lease| lease.metadata.annotations.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.unwrap_or_default().to_owned()),
                lease_duration_seconds: i32::try_from(self.duration.as_secs()).ok(),
                acquire_time: acquired.and_then(|spec| spec.acquire_time).or_else(|| Some(now.clone())),
                renew_time: Some(now),
                lease_transitions: Some(transitions),
                ..LeaseSpec::default()
            }),
        }
    }

    async fn in_time<T>(&self, request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, kube::Error> {
        let answer = tokio::time::timeout(self.duration / 3, request).await;
        answer.unwrap_or_else(|_| Err(kube::Error::Service("the API server did not answer in time".into())))
    }
}

impl Seen {
    /// It was seen like this. What is known already is no sign of life: a list after a broken watch repeats it.
    fn note(&mut self, lease: Lease) {
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        let known = matches!(self, Self::Lease(before, _) if version(before) == version(&lease));
        if !known {
            *self = Self::Lease(Box::new(lease), Instant::now());
        }
    }

    /// It is not there.
    fn gone(&mut self) {
        match self {
            Self::Nothing | Self::Lease(..) => *self = Self::Absent(Instant::now()),
            Self::Absent(_) => {}
        }
    }

    /// In how long the lease may be taken by `identity`, where nothing says how long it lasts.
    fn abandoned_in(&self, identity: &str, usual: Duration) -> Duration {
        match self {
            Self::Nothing => Duration::MAX,
            Self::Absent(since) => usual.saturating_sub(since.elapsed()),
            Self::Lease(lease, since) => {
                if holder(lease).is_none_or(|holder| holder == identity) {
                    return Duration::ZERO;
                }
                let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
                let lasts = seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
                lasts.unwrap_or(usual).saturating_sub(since.elapsed())
            }
        }
    }
}

fn holder(lease: &Lease) -> Option<&String> {
    lease.spec.as_ref()?.holder_identity.as_ref().filter(|holder| !holder.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Duration = Duration::from_secs(15);

    fn lease(version: &str, holder: &str) -> Lease {
        Lease {
            metadata: ObjectMeta { resource_version: Some(version.into()), ..ObjectMeta::default() },
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.into()),
                lease_duration_seconds: Some(15),
                ..LeaseSpec::default()
            }),
        }
    }

    fn is_free(seen: &Seen) -> bool {
        seen.abandoned_in("me", USUAL).is_zero()
    }

    /// As if the last sign of life lay that far back.
    fn age(seen: &mut Seen, by: Duration) {
        if let Seen::Lease(_, since) | Seen::Absent(since) = seen {
            *since = Instant::now().checked_sub(by).unwrap();
        }
    }

    #[test]
    fn waits_for_the_whole_duration_since_the_last_sign_of_life() {
        let mut seen = Seen::Nothing;
        assert_eq!(seen.abandoned_in("me", USUAL), Duration::MAX, "nothing is known");
        seen.note(lease("1", "a"));
        assert!(!is_free(&seen));
        age(&mut seen, USUAL);
        seen.note(lease("1", "a"));
        assert!(is_free(&seen), "a list that repeats it is no sign of life");
        seen.note(lease("2", "a"));
        assert!(!is_free(&seen));
        seen.note(lease("3", ""));
        assert!(is_free(&seen), "given back");
        seen.note(lease("4", "me"));
        assert!(is_free(&seen), "our own, the answer to which was lost");
    }

    #[test]
    fn a_lease_that_is_not_there_is_waited_for_like_any_other() {
        let mut seen = Seen::Nothing;
        for _ in 0..2 {
            seen.gone();
            assert!(!is_free(&seen), "whoever led may not know yet");
            seen.gone();
            age(&mut seen, USUAL);
            assert!(is_free(&seen));
            seen.note(lease("1", "a"));
        }
    }
}
