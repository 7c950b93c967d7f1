//! Brings one `EncryptedSecret` to its Secret: observe, plan, apply, and tell in the status how it went.

mod apply;
mod observe;
mod plan;
mod report;
mod sweep;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::Timestamp;
use kube::Client;
use kube::core::ObjectMeta;
use kube::runtime::controller::Action;
use sealwax_crds::{EncryptedSecret, EncryptedSecretStatus};
use tokio::sync::watch;

use crate::cluster_keys::{Keys, Loaded};
use crate::conditions::{self, Outcome, Situation};
use crate::events::Events;
use crate::metrics::Metrics;
use crate::queue::{Backoff, Lanes};
use crate::store::{Contended, request};
use crate::telemetry::describe;
use crate::writer::{WriteError, Writer};

pub use observe::{Unseen, Watched};
pub use plan::target_name;
use plan::{How, Observed, Plan, Write};
use report::{restart_workloads, tell, write_status};
pub use sweep::{Gone, sweep};

/// Looks within one reconcile, each at what changed during the one before.
const LOOKS: usize = 6;
/// Changes that an event names.
const SHOWN: usize = 10;
/// After how long to look again at an object that has changed under our hands.
const BEHIND: Duration = Duration::from_millis(200);
/// The label of metrics.
const KIND: &str = "EncryptedSecret";

/// What every reconcile of one scope shares.
pub struct Context {
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
    pub watched: Watched,
    /// Statuses that the watch has not brought back yet.
    pub unseen: Unseen,
    /// When to look again, by the object's uid.
    pub backoff: Backoff<String>,
    /// Who goes first; shared with the other scopes.
    pub lanes: Arc<Lanes>,
    /// Objects that wait for a Secret that others hold.
    pub contended: Contended,
    /// What people chose.
    pub settings: Settings,
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
    /// A panic, which is this object's failure and no other's.
    #[error("panicked")]
    Panic,
}

impl ReconcileError {
    /// The label of the metric.
    fn reason(&self) -> &'static str {
        match self {
            Self::NoKeys => "NoKeys",
            Self::Status(_) => "StatusFailed",
            Self::Panic => "Panic",
        }
    }
}

/// Reconciles one object.
pub async fn reconcile(object: Arc<EncryptedSecret>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let retry = context.backoff.has_failed(&uid(&object.metadata), object.metadata.generation);
    let Some(_turn) = context.lanes.turn(retry).await else {
        return Ok(Action::requeue(context.lanes.later()));
    };
    let started = Instant::now();
    let guarded = AssertUnwindSafe(look_and_report(&object, &context)).catch_unwind();
    let result = guarded.await.unwrap_or(Err(ReconcileError::Panic));
    context.metrics.took(KIND, started.elapsed());
    result
}

/// After how long to try again what ended in an error.
#[expect(clippy::needless_pass_by_value, reason = "the signature that kube's controller calls")]
pub fn error_policy(object: Arc<EncryptedSecret>, error: &ReconcileError, context: Arc<Context>) -> Action {
    tracing::warn!(
        namespace = object.metadata.namespace,
        name = object.metadata.name,
        error = crate::telemetry::chain(error),
        "trying again"
    );
    context.metrics.reconciled(KIND, error.reason());
    Action::requeue(context.backoff.failed(&uid(&object.metadata), object.metadata.generation))
}

fn uid(meta: &ObjectMeta) -> String {
    meta.uid.clone().unwrap_or_default()
}

async fn look_and_report(object: &EncryptedSecret, context: &Context) -> Result<Action, ReconcileError> {
    let mut keys = context.keys.clone();
    // Without the first list of keys every object would look as if its key were missing.
    let keys = keys.wait_for(Option::is_some).await.map_err(|_| ReconcileError::NoKeys)?.clone();
    let keys = keys.ok_or(ReconcileError::NoKeys)?;
    // A watch that ended does not matter here: then the program does too.
    let _ = context.watched.complete.clone().wait_for(|complete| *complete).await;
    let before = context.unseen.status_of(object);
    let (outcome, drift) = match look(object, &before, &keys, context).await {
        Look::Unchanged => {
            context.metrics.reconciled(KIND, "Unchanged");
            context.backoff.succeeded(&uid(&object.metadata));
            return restart_workloads(object, &before, context).await;
        }
        Look::Later(wait) => return Ok(Action::requeue(wait)),
        Look::Ended { outcome, drift } => (outcome, drift),
    };
    context.metrics.reconciled(KIND, outcome.reason());
    let requested = request(&object.metadata, before.last_handled_reconcile_at.as_deref());
    let situation = Situation {
        generation: object.metadata.generation,
        requested,
        restarts: context.settings.restarts,
        not_ready_after: context.settings.not_ready_after,
        now: Timestamp::now(),
    };
    let after = conditions::status(&before, situation, &outcome);
    if let Some(wait) = write_status(object, &before, &after, context).await? {
        return Ok(Action::requeue(wait));
    }
    tell(object, &before, &outcome, drift.as_deref(), context).await;
    let uid = uid(&object.metadata);
    if let Outcome::Retrying { .. } = outcome {
        return Ok(Action::requeue(context.backoff.failed(&uid, object.metadata.generation)));
    }
    context.backoff.succeeded(&uid);
    if ["NotOwned", "ItemConflict"].contains(&outcome.reason()) {
        context.contended.wait(&object.metadata, target_name(object));
    }
    match apply::look_again(&outcome) {
        Some(wait) => Ok(Action::requeue(wait)),
        None => restart_workloads(object, &after, context).await,
    }
}

/// How looking at an object ended.
enum Look {
    Unchanged,
    Later(Duration),
    Ended { outcome: Outcome, drift: Option<String> },
}

impl Look {
    fn ended(outcome: Outcome) -> Self {
        Self::Ended { outcome, drift: None }
    }

    fn retrying(error: &kube::Error) -> Self {
        Self::ended(apply::outcome(&describe_read(error), ""))
    }
}

/// A failed read, as the failed write that it amounts to.
fn describe_read(error: &kube::Error) -> WriteError {
    match error {
        kube::Error::Api(status) if status.code == 403 => WriteError::Forbidden(status.message.clone()),
        other => WriteError::Api(describe(other)),
    }
}

/// Plans and applies until a plan holds: first by what the watches brought, then by what the API server says.
async fn look(object: &EncryptedSecret, before: &EncryptedSecretStatus, keys: &Loaded, context: &Context) -> Look {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let watched = context.watched.secret(namespace, target_name(object));
    let mut secret = watched.map(|secret| secret.metadata.clone());
    let mut live = false;
    let mut full: Option<EncryptedSecret> = None;
    let former = context.watched.former(object, before);
    for _ in 0..LOOKS {
        let observed = Observed {
            object: full.as_ref().unwrap_or(object),
            status: before,
            secret: secret.as_ref(),
            former: former.as_ref(),
            key_namespace: &context.key_namespace,
        };
        let write = match guarded(|| plan::plan(&observed, &keys.keyring)) {
            Plan::Nothing => return Look::Unchanged,
            Plan::Report(outcome) => return Look::ended(outcome),
            Plan::Write(write) => write,
            Plan::Reread => {
                match observe::live_object(&context.client, &object.metadata).await {
                    Ok(Some(live)) => full = Some(live),
                    Ok(None) => return Look::Unchanged,
                    Err(error) => return Look::retrying(&error),
                }
                continue;
            }
        };
        // Field managers are not kept: they tell who changed what, and what creating left.
        if live || !write.needs_managers() {
            let managers = secret.as_ref().filter(|_| live);
            if let Some(look) = carry_out(object, &write, managers, keys, context).await {
                return look;
            }
        }
        match observe::live_secret(&context.client, namespace, &write.secret.name).await {
            Ok(found) => (secret, live) = (found, true),
            Err(error) => return Look::retrying(&error),
        }
    }
    Look::ended(apply::outcome(&WriteError::Changed, target_name(object)))
}

/// A panic becomes this object's failure. Its message is not kept: it may quote what was being opened.
fn guarded(plan: impl FnOnce() -> Plan) -> Plan {
    catch_unwind(AssertUnwindSafe(plan)).unwrap_or_else(|_| {
        let message = "the controller failed on this object; its log says where".to_owned();
        Plan::Report(Outcome::Retrying { reason: "Panic", message })
    })
}

/// Writes the Secret. `None`: the Secret is not as it was seen, look again.
async fn carry_out(
    object: &EncryptedSecret,
    write: &Write,
    live: Option<&ObjectMeta>,
    keys: &Loaded,
    context: &Context,
) -> Option<Look> {
    if write.repair
        && let Err(wait) = context.backoff.repair(&uid(&object.metadata), Instant::now())
    {
        return Some(Look::Later(wait));
    }
    let name = write.secret.name.clone();
    match apply::apply(&context.writer, &object.metadata, write, live).await {
        Ok(applied) => {
            if let Some(look) = leave_former(object, write, context).await {
                return Some(look);
            }
            let drift = (write.repair && applied.changed).then(|| drift_note(write, &applied));
            let (namespace, own) = (object.metadata.namespace.as_deref(), object.metadata.name.as_deref());
            let content = keys
                .content
                .as_ref()
                .map(|key| key.hash(namespace.unwrap_or_default(), own.unwrap_or_default(), &write.secret.items));
            Some(Look::Ended { outcome: Outcome::Synced { name, written: applied.written, content }, drift })
        }
        Err(WriteError::Exists | WriteError::Changed) => None,
        Err(error) if apply::is_immutable(&error) && write.may_recreate() => {
            let How::Update { seen, .. } = &write.how else { return Some(Look::ended(apply::outcome(&error, &name))) };
            let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
            match context.writer.delete_secret(namespace, &name, seen).await {
                Ok(()) | Err(WriteError::Changed) => None,
                Err(error) => Some(Look::ended(apply::outcome(&error, &name))),
            }
        }
        Err(error) => Some(Look::ended(apply::outcome(&error, &name))),
    }
}

/// Takes the object's items out of the Secret of its former name, where others feed that too. `Some` if that failed.
async fn leave_former(object: &EncryptedSecret, write: &Write, context: &Context) -> Option<Look> {
    let former = write.former.as_ref().filter(|former| !former.sole)?;
    let (namespace, name) = (object.metadata.namespace.as_deref()?, object.metadata.name.as_deref()?);
    let error = sweep::take_out(context, namespace, name, &former.name).await.err()?;
    Some(Look::ended(Outcome::Retrying { reason: "FormerSecret", message: crate::telemetry::chain(&error) }))
}

fn drift_note(write: &Write, applied: &apply::Applied) -> String {
    let name = &write.secret.name;
    if write.how == How::Create {
        return format!("Secret {name} had been deleted and was made again");
    }
    if applied.drift.is_empty() {
        return format!("labels, annotations or owners of Secret {name} had been changed and were put right");
    }
    let changes: Vec<_> = applied.drift.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = applied.drift.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("Secret {name} was put right: {}{more}", changes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_the_objects_own_failure_and_says_nothing() {
        let plan = guarded(|| panic!("hunter2"));
        let Plan::Report(Outcome::Retrying { reason, message }) = plan else { panic!("{plan:?}") };
        assert_eq!(reason, "Panic");
        assert!(!message.contains("hunter2"));
    }
}
