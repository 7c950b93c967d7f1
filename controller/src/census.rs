//! Counts objects by state when somebody asks for the metrics, and not before.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use sealwax_crds::{EncryptedSecret, ExternalSecret, FRESH, READY, STALLED, SecretStatus};

use crate::conditions::find;
use crate::feeding::Feeds;
use crate::metrics::{KindLabel, Metrics, ReadyLabel, ReasonLabel};

/// What the metrics say of all objects together.
#[derive(Debug, Default, PartialEq, Eq)]
struct Census {
    ready: [(&'static str, i64); 3],
    stalled: BTreeMap<String, i64>,
    unseen: i64,
    oldest_unready: i64,
    stale: i64,
    restarts_pending: i64,
}

/// Counts, and sets the metrics.
pub fn take_census(metrics: &Metrics, encrypted: &[Arc<EncryptedSecret>], external: &[Arc<ExternalSecret>]) {
    // Reasons that are over are gone.
    metrics.stalled.clear();
    let now = Timestamp::now();
    let pending = tell(metrics, encrypted, now) + tell(metrics, external, now);
    metrics.restarts_pending.set(pending);
}

/// Sets what is told of each kind; how many wait for restarts.
fn tell<K: Feeds>(metrics: &Metrics, objects: &[Arc<K>], now: Timestamp) -> i64 {
    let (census, kind) = (count(objects, now), K::KIND.name());
    for (ready, count) in census.ready {
        metrics.objects.get_or_create(&ReadyLabel { kind, ready }).set(count);
    }
    for (reason, count) in census.stalled {
        metrics.stalled.get_or_create(&ReasonLabel { kind, reason }).set(count);
    }
    metrics.queue_depth.get_or_create(&KindLabel { kind }).set(census.unseen);
    metrics.oldest_unready.get_or_create(&KindLabel { kind }).set(census.oldest_unready);
    metrics.stale.get_or_create(&KindLabel { kind }).set(census.stale);
    census.restarts_pending
}

fn count<K: Feeds>(objects: &[Arc<K>], now: Timestamp) -> Census {
    let mut census = Census { ready: [("True", 0), ("False", 0), ("Unknown", 0)], ..Census::default() };
    let never = SecretStatus::default();
    for object in objects {
        let status = object.common_status().unwrap_or(&never);
        let ready = find(status, READY);
        let state = ready.map_or("Unknown", |ready| ready.status.as_str());
        census.ready.iter_mut().filter(|(name, _)| *name == state).for_each(|(_, count)| *count += 1);
        if let Some(stalled) = find(status, STALLED) {
            *census.stalled.entry(stalled.reason.clone()).or_default() += 1;
        }
        census.unseen += i64::from(status.observed_generation != object.meta().generation);
        census.stale += i64::from(find(status, FRESH).is_some());
        census.restarts_pending += i64::from(status.restarts_pending == Some(true));
        if state != "True" && !object.is_suspended() {
            let created = object.meta().creation_timestamp.as_ref().map(|time| time.0);
            let since = ready.map(|ready| ready.last_transition_time.0).or(created);
            let waited = since.map_or(0, |since| now.duration_since(since).as_secs());
            census.oldest_unready = census.oldest_unready.max(waited);
        }
    }
    census
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(ready: Option<(&str, &str)>, observed: i64) -> Arc<EncryptedSecret> {
        let condition = |type_: &str, (status, reason): (&str, &str)| {
            serde_json::json!({"type": type_, "status": status, "reason": reason, "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z"})
        };
        let mut conditions: Vec<_> = ready.iter().map(|state| condition("Ready", *state)).collect();
        conditions.extend(
            ready.filter(|(status, _)| *status == "False").map(|(_, reason)| condition("Stalled", ("True", reason))),
        );
        let object = serde_json::json!({
            "apiVersion": "sealwax.dev/v1alpha1", "kind": "EncryptedSecret",
            "metadata": {"name": "db", "generation": 2, "creationTimestamp": "2026-01-01T00:00:10Z"},
            "spec": {"data": {}, "sealedFor": {"namespace": "n", "name": "db"}},
            "status": {"observedGeneration": observed, "conditions": conditions},
        });
        Arc::new(serde_json::from_value(object).unwrap())
    }

    #[test]
    fn counts_what_the_metrics_tell() {
        let objects = [object(Some(("True", "Synced")), 2), object(Some(("False", "Altered")), 2), object(None, -1)];
        let census = count(&objects, "2026-01-01T00:01:00Z".parse().unwrap());
        assert_eq!(census.ready, [("True", 1), ("False", 1), ("Unknown", 1)]);
        assert_eq!(census.stalled, [("Altered".to_owned(), 1)].into());
        assert_eq!((census.unseen, census.oldest_unready), (1, 60));
    }
}
