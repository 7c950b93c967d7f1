//! What `/metrics` tells. Labels are few and bounded: never a name, never a message.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The label of a reconcile: how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResultLabel {
    /// The reason of the conditions, `Unchanged`, or `Panic`.
    pub result: &'static str,
}

/// The label of an object: its `Ready` condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReadyLabel {
    /// `True`, `False` or `Unknown`.
    pub ready: &'static str,
}

/// The label of a key: what its Secret says it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StateLabel {
    /// `made`, `waiting`, `active`, `old`, `retired` or `malformed`.
    pub state: &'static str,
}

/// Every metric.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Reconciles by how they ended.
    pub reconciles: Family<ResultLabel, Counter>,
    /// Objects by their `Ready` condition; counted when somebody asks.
    pub objects: Family<ReadyLabel, Gauge>,
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
    /// Secrets put right after somebody changed or deleted them.
    pub repairs: Counter<u64, AtomicU64>,
}

impl Metrics {
    /// A registry that holds all of them.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("sealwax");
        registry.register("reconciles", "Reconciles by how they ended", self.reconciles.clone());
        registry.register("objects", "EncryptedSecrets by their Ready condition", self.objects.clone());
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
        registry.register("repairs", "Secrets put right after somebody changed or deleted them", self.repairs.clone());
        registry
    }

    /// Counts a reconcile.
    pub fn reconciled(&self, result: &'static str) {
        self.reconciles.get_or_create(&ResultLabel { result }).inc();
    }
}
