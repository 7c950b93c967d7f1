//! What `/metrics` tells. Labels are few and bounded: never a name, never a message.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use sealwax_sources::Observer;

/// The label of what concerns one kind of object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabel {
    /// The kind.
    pub kind: &'static str,
}

/// The labels of a reconcile.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResultLabel {
    /// The kind of object.
    pub kind: &'static str,
    /// How it ended: the reason of the conditions, `Unchanged`, `StatusFailed`, `NoKeys` or `Panic`.
    pub result: &'static str,
}

/// The labels of failures and of stalled objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// The kind of object.
    pub kind: &'static str,
    /// The reason of the conditions.
    pub reason: String,
}

/// The labels of an object: its `Ready` condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReadyLabel {
    /// The kind of object.
    pub kind: &'static str,
    /// `True`, `False` or `Unknown`.
    pub ready: &'static str,
}

/// The label of a key: what its Secret says it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StateLabel {
    /// `made`, `waiting`, `active`, `old`, `retired` or `malformed`.
    pub state: &'static str,
}

/// The labels of a call of a source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SourceLabel {
    /// `Vault`, `SecretsManager`, `ParameterStore`, `Kubernetes` or `Fake`.
    pub provider: &'static str,
    /// `read`, `find` or `check`.
    pub operation: &'static str,
    /// `ok`, or the reason of the conditions.
    pub result: &'static str,
}

/// Every metric.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Whether this replica leads.
    pub leader: Gauge,
    /// Reconciles by how they ended.
    pub reconciles: Family<ResultLabel, Counter>,
    /// How long they took.
    pub durations: Family<KindLabel, Histogram>,
    /// Reconciles that ended in a failure.
    pub failures: Family<ReasonLabel, Counter>,
    /// Objects by their `Ready` condition; counted when somebody asks, like all that follows up to drift.
    pub objects: Family<ReadyLabel, Gauge>,
    /// Stalled objects by reason.
    pub stalled: Family<ReasonLabel, Gauge>,
    /// Objects whose last change has not been looked at.
    pub queue_depth: Family<KindLabel, Gauge>,
    /// For how many seconds the object that waits longest has not been ready.
    pub oldest_unready: Family<KindLabel, Gauge>,
    /// Objects whose Secret is good, and that could not be looked after of late.
    pub stale: Family<KindLabel, Gauge>,
    /// Objects whose workloads are still to be restarted.
    pub restarts_pending: Gauge,
    /// Workloads restarted.
    pub restarts: Counter<u64, AtomicU64>,
    /// Secrets put right after somebody changed or deleted them.
    pub drift_healed: Family<KindLabel, Counter>,
    /// Calls of sources.
    pub source_calls: Family<SourceLabel, Counter>,
    /// Watches that failed and began again.
    pub watch_errors: Family<KindLabel, Counter>,
    /// Key Secrets by state.
    pub cluster_keys: Family<StateLabel, Gauge>,
    /// Whether the cluster lacks a key to seal with.
    pub key_missing: Gauge,
    /// When the sealing key was made; 0 if there is none.
    pub sealing_key_created: Gauge,
    /// When the schedule wants another one; 0 without a schedule.
    pub sealing_key_due: Gauge,
    /// Keys without a copy for every escrow recipient.
    pub escrow_missing: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram = || Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0]);
        Self {
            leader: Gauge::default(),
            reconciles: Family::default(),
            durations: Family::new_with_constructor(histogram),
            failures: Family::default(),
            objects: Family::default(),
            stalled: Family::default(),
            queue_depth: Family::default(),
            oldest_unready: Family::default(),
            stale: Family::default(),
            restarts_pending: Gauge::default(),
            restarts: Counter::default(),
            drift_healed: Family::default(),
            source_calls: Family::default(),
            watch_errors: Family::default(),
            cluster_keys: Family::default(),
            key_missing: Gauge::default(),
            sealing_key_created: Gauge::default(),
            sealing_key_due: Gauge::default(),
            escrow_missing: Gauge::default(),
        }
    }
}

impl Metrics {
    /// A registry that holds all of them.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("sealwax");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Which program this is", build);
        registry.register("leader", "1 while this replica leads", self.leader.clone());
        registry.register("reconciles", "Reconciles by how they ended", self.reconciles.clone());
        registry.register("reconcile_duration_seconds", "How long reconciles took", self.durations.clone());
        registry.register("reconcile_failures", "Reconciles that failed, by reason", self.failures.clone());
        registry.register("objects", "Objects by their Ready condition", self.objects.clone());
        registry.register("objects_stalled", "Objects that somebody must act on, by reason", self.stalled.clone());
        registry.register("queue_depth", "Objects whose last change was not looked at yet", self.queue_depth.clone());
        registry.register(
            "oldest_unready_seconds",
            "For how long the object that waits longest has not been Ready",
            self.oldest_unready.clone(),
        );
        registry.register(
            "objects_stale",
            "Objects whose Secret is good, and that could not be looked after of late",
            self.stale.clone(),
        );
        registry.register(
            "restarts_pending",
            "Objects whose workloads are still to be restarted",
            self.restarts_pending.clone(),
        );
        registry.register("restarts", "Workloads restarted because a Secret changed", self.restarts.clone());
        registry.register(
            "drift_healed",
            "Secrets put right after somebody changed or deleted them",
            self.drift_healed.clone(),
        );
        registry.register("source_calls", "Calls of sources by how they ended", self.source_calls.clone());
        registry.register("watch_errors", "Watches that failed and began again", self.watch_errors.clone());
        registry.register("cluster_keys", "Key Secrets by state", self.cluster_keys.clone());
        registry.register(
            "cluster_key_missing",
            "1 while there is no key to seal with and making one is somebody's decision",
            self.key_missing.clone(),
        );
        registry.register(
            "sealing_key_created_timestamp_seconds",
            "When the sealing key was made; 0 if there is none",
            self.sealing_key_created.clone(),
        );
        registry.register(
            "sealing_key_rotation_due_timestamp_seconds",
            "When the schedule wants another sealing key; 0 without a schedule",
            self.sealing_key_due.clone(),
        );
        registry.register(
            "escrow_missing",
            "Keys without a copy for every escrow recipient",
            self.escrow_missing.clone(),
        );
        registry
    }

    /// Counts a reconcile that ended well, or with nothing to do.
    pub fn reconciled(&self, kind: &'static str, result: &'static str) {
        self.reconciles.get_or_create(&ResultLabel { kind, result }).inc();
        if !["Synced", "Unchanged", "Suspended", "SecretDeleted", "NotWritten"].contains(&result) {
            self.failures.get_or_create(&ReasonLabel { kind, reason: result.to_owned() }).inc();
        }
    }

    /// Counts the time of a reconcile.
    pub fn took(&self, kind: &'static str, time: Duration) {
        self.durations.get_or_create(&KindLabel { kind }).observe(time.as_secs_f64());
    }

    /// Counts a Secret put right.
    pub fn healed(&self, kind: &'static str) {
        self.drift_healed.get_or_create(&KindLabel { kind }).inc();
    }

    /// Counts a call of a source.
    pub fn source_called(&self, provider: &'static str, operation: &'static str, result: &'static str) {
        self.source_calls.get_or_create(&SourceLabel { provider, operation, result }).inc();
    }

    /// Counts a watch that failed.
    pub fn watch_failed(&self, kind: &'static str) {
        self.watch_errors.get_or_create(&KindLabel { kind }).inc();
    }
}

impl Observer for Metrics {
    fn called(&self, provider: &'static str, operation: &'static str, result: &'static str) {
        self.source_called(provider, operation, result);
    }
}
