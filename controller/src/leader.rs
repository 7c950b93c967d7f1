//! Which replica leads: agreed on through a Lease, and kept certain by the [`Fence`].
//!
//! No replica compares the clocks of others. A lease counts as abandoned when it has not changed for its whole duration
//! *as seen from here*, and every write of it names the resourceVersion that it replaces, so that of two who reach for it
//! one is refused. The leader opens its fence only until nine tenths of the duration after it *sent* the last renewal
//! that succeeded, which is over before anybody else can have waited for the whole.

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

/// A lease as it was last seen.
struct Seen {
    lease: Lease,
    since: Instant,
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
        let only = watcher::Config::default().fields(&format!("metadata.name={}", self.name));
        let mut changes = watcher(self.watched.clone(), only)
            .default_backoff()
            .inspect_err(|error| tracing::warn!(error = describe_watch(error), "the watch of the lease starts again"))
            .boxed();
        let mut seen: Option<Seen> = None;
        // Before the first list nothing is known, not even that there is no lease.
        let mut listed = false;
        loop {
            let wait = if listed { abandoned_in(seen.as_ref()) } else { Duration::MAX };
            if wait.is_zero() {
                match self.take(seen.as_ref().map(|seen| &seen.lease)).await {
                    Some(lease) => return lease,
                    // Whoever was faster shows in the watch; else it is tried again.
                    None => tokio::time::sleep(self.duration / 10).await,
                }
            }
            let change = tokio::time::timeout(wait.max(self.duration / 20), changes.next()).await;
            if let Ok(Some(Ok(event))) = change {
                listed |= note(&mut seen, event);
            }
        }
    }

    /// Tries to become the holder in the place of what was seen.
    async fn take(&self, seen: Option<&Lease>) -> Option<Lease> {
        let sent = Instant::now();
        let transitions = seen.and_then(|lease| lease.spec.as_ref()?.lease_transitions).map_or(0, |count| count + 1);
        let lease = self.lease(seen, Some(&self.identity), transitions);
        let parameters = PostParams::default();
        let answer = match seen {
            None => self.in_time(self.api.create(&parameters, &lease)).await,
            Some(_) => self.in_time(self.api.replace(&self.name, &parameters, &lease)).await,
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
    pub async fn hold(&self, mut held: Lease) -> (Lost, Lease) {
        loop {
            let wait = if self.fence.remaining() > self.duration / 2 { self.duration / 3 } else { self.duration / 10 };
            tokio::time::sleep(wait.min(self.fence.remaining())).await;
            // Also after this process was stopped for a while: then another one may lead.
            if !self.fence.is_open() {
                return (Lost::Expired, held);
            }
            let sent = Instant::now();
            let transitions = held.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or_default();
            let lease = self.lease(Some(&held), Some(&self.identity), transitions);
            match self.in_time(self.api.replace(&self.name, &PostParams::default(), &lease)).await {
                Ok(lease) => {
                    self.open(sent);
                    held = lease;
                }
                Err(error) => {
                    tracing::warn!(error = describe(&error), "the lease was not renewed");
                    match self.in_time(self.api.get(&self.name)).await {
                        Ok(lease) if holder(&lease) == Some(&self.identity) => held = lease,
                        Ok(_) => {
                            self.fence.close();
                            return (Lost::Taken, held);
                        }
                        Err(_) => {}
                    }
                }
            }
        }
    }

    /// Gives the lease back, so that nobody has to wait for it to run out. The fence is closed first.
    pub async fn release(&self, held: &Lease) {
        self.fence.close();
        let current = self.in_time(self.api.get(&self.name)).await;
        let held = current.ok().filter(|lease| holder(lease) == Some(&self.identity)).unwrap_or_else(|| held.clone());
        let transitions = held.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or_default();
        let lease = self.lease(Some(&held), None, transitions);
        if let Err(error) = self.in_time(self.api.replace(&self.name, &PostParams::default(), &lease)).await {
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

/// Takes note of a change; whether the lists are complete with it.
fn note(seen: &mut Option<Seen>, event: watcher::Event<Lease>) -> bool {
    match event {
        watcher::Event::Init => false,
        watcher::Event::Apply(lease) | watcher::Event::InitApply(lease) => {
            let version = |lease: &Lease| lease.metadata.resource_version.clone();
            // A list after a broken watch repeats what is known: that is no sign of life.
            if seen.as_ref().map(|seen| version(&seen.lease)) != Some(version(&lease)) {
                *seen = Some(Seen { lease, since: Instant::now() });
            }
            false
        }
        watcher::Event::Delete(_) => {
            *seen = None;
            false
        }
        watcher::Event::InitDone => true,
    }
}

fn holder(lease: &Lease) -> Option<&String> {
    lease.spec.as_ref()?.holder_identity.as_ref().filter(|holder| !holder.is_empty())
}

/// In how long the lease may be taken.
fn abandoned_in(seen: Option<&Seen>) -> Duration {
    let Some(seen) = seen else { return Duration::ZERO };
    if holder(&seen.lease).is_none() {
        return Duration::ZERO;
    }
    let seconds = seen.lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).unwrap_or_default();
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default()).saturating_sub(seen.since.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn waits_for_the_whole_duration_since_the_last_sign_of_life() {
        let mut seen = None;
        assert_eq!(abandoned_in(seen.as_ref()), Duration::ZERO, "there is none");
        note(&mut seen, watcher::Event::Apply(lease("1", "a")));
        assert!(abandoned_in(seen.as_ref()) > Duration::from_secs(14));
        if let Some(seen) = &mut seen {
            seen.since = Instant::now().checked_sub(Duration::from_secs(15)).unwrap();
        }
        note(&mut seen, watcher::Event::InitApply(lease("1", "a")));
        assert_eq!(abandoned_in(seen.as_ref()), Duration::ZERO, "a list that repeats it is no sign of life");
        note(&mut seen, watcher::Event::Apply(lease("2", "a")));
        assert!(abandoned_in(seen.as_ref()) > Duration::from_secs(14));
        note(&mut seen, watcher::Event::Apply(lease("3", "")));
        assert_eq!(abandoned_in(seen.as_ref()), Duration::ZERO, "given back");
    }
}
