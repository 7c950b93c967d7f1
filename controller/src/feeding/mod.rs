//! What all objects that feed a Secret have in common: one reconcile from look to status, told apart only by the plan.
//!
//! `look` observes and carries out; what shall be in the Secret is each kind's own [`Planner`]'s to say.

mod apply;
mod left;
mod look;
mod observe;
mod plan;
mod report;
mod sweep;

use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::core::ObjectMeta;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, Resource};
use sealwax_crds::SecretStatus;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::cluster_keys::{Keys, Loaded};
use crate::conditions::{self, Outcome, Situation};
use crate::events::Events;
use crate::metrics::Metrics;
use crate::ownership::{Kind, Origin};
use crate::queue::{Backoff, Lanes};
use crate::store::{Contended, Requests};
use crate::telemetry::describe;
use crate::writer::{WriteError, Writer};

pub use look::Look;
use look::look;
pub use observe::{Unseen, Watched, in_time, live_object, live_secret};
pub use plan::{
    Desired, Former, How, Need, Observed, Plan, TemplateMetadata, Write, check_template, decide_first, decide_how,
    stalled,
};
use report::{restart_workloads, tell, write_status};
pub use sweep::{Gone, sweep};

/// An object that feeds a Secret.
pub trait Feeds:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Default
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Its kind.
    const KIND: Kind;
    /// What the controller tells of it.
    type Status: Clone + Debug + Default + PartialEq + Serialize + Send + Sync;
    /// What its reconciles need besides what all need.
    type Shared: Send + Sync + 'static;

    /// The status, if it has one.
    fn status(&self) -> Option<&Self::Status>;
    /// The part of a status that all kinds have.
    fn common(status: &Self::Status) -> &SecretStatus;
    /// The same, to change it.
    fn common_mut(status: &mut Self::Status) -> &mut SecretStatus;
    /// The name of the Secret that it feeds.
    fn target_name(&self) -> &str;
    /// Whether the Secret is to be left alone for now.
    fn is_suspended(&self) -> bool;
    /// Whether what it fed stays when it goes.
    fn is_retained(&self) -> bool;
    /// Whether it joins Secrets that somebody else makes, and makes none itself.
    fn joins_only(&self) -> bool {
        false
    }
    /// Takes away what need not be kept of it.
    fn strip(&mut self, keys: &Keys);
    /// Begins a reconcile.
    fn planner<'r>(object: &'r Self, keys: &'r Loaded, context: &'r Context<Self>) -> impl Planner<Self> + 'r;

    /// Forgets what is known of it beside the stores; it is gone.
    fn gone(&self, _: &Self::Shared) {}
    /// The status's common part, of an object that may have none.
    fn common_status(&self) -> Option<&SecretStatus> {
        self.status().map(Self::common)
    }
    /// It, as Secrets name it.
    fn origin(&self) -> Origin<'_> {
        Origin::new(Self::KIND, self.meta())
    }
}

/// Decides what shall be in the Secret of one object, within one reconcile.
pub trait Planner<K: Feeds>: Send + Sync {
    /// Decides by what was observed, and provided so far. Pure.
    fn plan(&self, observed: &Observed<'_, K>) -> Plan;
    /// Gets what the plan needs. `Some`: that failed.
    fn provide(&mut self, need: Need) -> impl Future<Output = Option<Look>> + Send;
    /// Called before the Secret is written. `Some`: what has to be there first failed, and nothing is written.
    fn writing(&mut self, write: &Write) -> impl Future<Output = Option<Look>> + Send;
    /// Called when the Secret is gone because nothing is left for it. `Some`: what had to follow failed.
    fn removed(&mut self) -> impl Future<Output = Option<Look>> + Send;
    /// What the status says besides the common part.
    fn tell(&self, outcome: &Outcome, status: &mut K::Status);
    /// Called when the status says how it ended.
    fn told(&self, outcome: &Outcome);
    /// After how long to look again though nothing happens.
    fn again(&self, status: &K::Status, outcome: Option<&Outcome>) -> Option<Duration>;
}

/// What every reconcile of one kind in one scope shares.
pub struct Context<K: Feeds> {
    /// Reads.
    pub client: Client,
    /// Writes.
    pub writer: Writer,
    /// Tells.
    pub events: Events,
    /// Counts.
    pub metrics: Metrics,
    /// What opens.
    pub keys: watch::Receiver<Keys>,
    /// The controller's own namespace.
    pub key_namespace: String,
    /// What the watches have brought.
    pub watched: Watched<K>,
    /// Statuses that the watch has not brought back yet.
    pub unseen: Unseen<K>,
    /// When to look again, by the object's uid.
    pub backoff: Backoff<String>,
    /// Who goes first; shared with the other scopes.
    pub lanes: Arc<Lanes>,
    /// Objects that wait for a Secret that others hold.
    pub contended: Contended,
    /// What people chose.
    pub settings: Settings,
    /// What this kind needs besides.
    pub shared: K::Shared,
}

/// What people chose by flags.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether workloads are restarted on changes.
    pub restarts: bool,
    /// For how long an object may be retried before it counts as not ready.
    pub not_ready_after: Duration,
}

/// A reconcile whose result could not even be written into the status.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The keys are no longer followed: the program is about to end.
    #[error("the keys are no longer followed")]
    NoKeys,
    /// The status was not written.
    #[error("cannot write the status")]
    Status(#[source] WriteError),
    /// The object could not be read again.
    #[error("cannot read the object: {}", describe(.0))]
    Read(kube::Error),
    /// A panic, which is this object's failure and no other's.
    #[error("panicked")]
    Panic,
}

impl ReconcileError {
    /// The label of the metric.
    fn reason(&self) -> &'static str {
        match self {
            Self::NoKeys => "NoKeys",
            Self::Status(_) | Self::Read(_) => "StatusFailed",
            Self::Panic => "Panic",
        }
    }
}

/// Reconciles one object, when its turn comes.
pub async fn reconcile<K: Feeds>(object: Arc<K>, context: Arc<Context<K>>) -> Result<Action, ReconcileError> {
    let retry = context.backoff.has_failed(&uid(object.meta()), object.meta().generation);
    // The lanes end with the program.
    let Some(_turn) = context.lanes.turn(retry).await else { return Ok(Action::await_change()) };
    // It may have waited long: what counts is how the object is now.
    let Some(object) = context.watched.objects.get(&ObjectRef::from_obj(&*object)) else {
        return Ok(Action::await_change());
    };
    let started = Instant::now();
    // In memory of its own, which thousands who wait for their turn do not take.
    let work = Box::pin(AssertUnwindSafe(look_and_report(&*object, &context)).catch_unwind());
    let result = work.await.unwrap_or(Err(ReconcileError::Panic));
    context.metrics.took(K::KIND.name(), started.elapsed());
    result
}

/// After how long to try again what ended in an error.
#[expect(clippy::needless_pass_by_value, reason = "the signature that kube's controller calls")]
pub fn error_policy<K: Feeds>(object: Arc<K>, error: &ReconcileError, context: Arc<Context<K>>) -> Action {
    let meta = object.meta();
    let error_text = crate::telemetry::chain(error);
    tracing::warn!(namespace = meta.namespace, name = meta.name, error = error_text, "trying again");
    context.metrics.reconciled(K::KIND.name(), error.reason());
    Action::requeue(context.backoff.failed(&uid(meta), meta.generation))
}

fn uid(meta: &ObjectMeta) -> String {
    meta.uid.clone().unwrap_or_default()
}

async fn look_and_report<K: Feeds>(object: &K, context: &Context<K>) -> Result<Action, ReconcileError> {
    let mut keys = context.keys.clone();
    // Without the first list of keys every object would look as if its key were missing.
    let keys = keys.wait_for(Option::is_some).await.map_err(|_| ReconcileError::NoKeys)?.clone();
    let keys = keys.ok_or(ReconcileError::NoKeys)?;
    // A watch that ended does not matter here: then the program does too.
    let _ = context.watched.complete.clone().wait_for(|complete| *complete).await;
    let before = context.unseen.status_of(object);
    let (uid, generation) = (uid(object.meta()), object.meta().generation);
    let mut planner = K::planner(object, &keys, context);
    let (outcome, drift, repairing) = match look(object, &before, &mut planner, &keys, context).await {
        Look::Unchanged => {
            context.metrics.reconciled(K::KIND.name(), "Unchanged");
            if K::common(&before).restarts_pending != Some(true) {
                context.backoff.succeeded(&uid);
            }
            let wait = restart_workloads(object, &before, context).await?;
            return Ok(action([wait, planner.again(&before, None)]));
        }
        Look::Later(wait) => return Ok(Action::requeue(wait)),
        Look::Ended { outcome, drift, repairing } => (outcome, drift, repairing),
    };
    context.metrics.reconciled(K::KIND.name(), outcome.reason());
    let situation = Situation {
        generation,
        requests: Requests::of(object.meta()),
        repairing,
        restarts: context.settings.restarts,
        not_ready_after: context.settings.not_ready_after,
        now: Timestamp::now(),
    };
    let mut after = before.clone();
    *K::common_mut(&mut after) = conditions::status(K::common(&before), situation, &outcome);
    planner.tell(&outcome, &mut after);
    if let Some(wait) = write_status(object, &before, &after, context).await? {
        return Ok(Action::requeue(wait));
    }
    tell(object, K::common(&before), &outcome, drift.as_deref(), context).await;
    planner.told(&outcome);
    let again = planner.again(&after, Some(&outcome));
    if let Outcome::Retrying { .. } = outcome {
        let wait = context.backoff.failed(&uid, generation);
        // Whoever knows when it makes sense to try again knows better.
        return Ok(Action::requeue(again.unwrap_or(wait)));
    }
    context.backoff.succeeded(&uid);
    if ["NotOwned", "ItemConflict"].contains(&outcome.reason()) {
        context.contended.wait(object.meta(), object.target_name());
    }
    match apply::look_again(&outcome) {
        Some(wait) => Ok(action([Some(wait), again])),
        None => Ok(action([restart_workloads(object, &after, context).await?, again])),
    }
}

/// Looks again after the shortest of these, or when something happens.
fn action(waits: [Option<Duration>; 2]) -> Action {
    waits.into_iter().flatten().min().map_or_else(Action::await_change, Action::requeue)
}
