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
use kube::runtime::reflector::ObjectRef;
use sealwax_crds::{EncryptedSecret, EncryptedSecretStatus, STALLED};
use tokio::sync::watch;

use crate::cluster_keys::{Keys, Loaded};
use crate::conditions::{self, Outcome, Situation};
use crate::drift;
use crate::events::Events;
use crate::metrics::Metrics;
use crate::ownership::Feeder;
use crate::queue::{Backoff, Lanes};
use crate::store::{Contended, Requests};
use crate::telemetry::describe;
use crate::writer::{MANAGER, Target, WriteError, Writer, Written};

pub use observe::{Unseen, Watched};
pub use plan::target_name;
use plan::{How, Observed, Plan, Write};
use report::{restart_workloads, tell, write_status};
pub use sweep::{Gone, sweep};

/// Looks within one reconcile, each at what changed during the one before.
const LOOKS: usize = 6;
/// Changes that an event names.
const SHOWN: usize = 10;
/// For how long an object waits for another one to make their Secret again.
const RIVAL: Duration = Duration::from_secs(2);
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
pub async fn reconcile(object: Arc<EncryptedSecret>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let retry = context.backoff.has_failed(&uid(&object.metadata), object.metadata.generation);
    // The lanes end with the program.
    let Some(_turn) = context.lanes.turn(retry).await else { return Ok(Action::await_change()) };
    // It may have waited long: what counts is how the object is now.
    let Some(object) = context.watched.objects.get(&ObjectRef::from_obj(&*object)) else {
        return Ok(Action::await_change());
    };
    let started = Instant::now();
    // In memory of its own, which thousands who wait for their turn do not take.
    let work = Box::pin(AssertUnwindSafe(look_and_report(&object, &context)).catch_unwind());
    let result = work.await.unwrap_or(Err(ReconcileError::Panic));
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
    let (outcome, drift, repairing) = match look(object, &before, &keys, context).await {
        Look::Unchanged => {
            context.metrics.reconciled(KIND, "Unchanged");
            if before.restarts_pending != Some(true) {
                context.backoff.succeeded(&uid(&object.metadata));
            }
            return restart_workloads(object, &before, context).await;
        }
        Look::Later(wait) => return Ok(Action::requeue(wait)),
        Look::Ended { outcome, drift, repairing } => (outcome, drift, repairing),
    };
    context.metrics.reconciled(KIND, outcome.reason());
    let situation = Situation {
        generation: object.metadata.generation,
        requests: Requests::of(&object.metadata),
        repairing,
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
    Ended { outcome: Outcome, drift: Option<String>, repairing: bool },
}

impl Look {
    fn ended(outcome: Outcome) -> Self {
        Self::Ended { outcome, drift: None, repairing: false }
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
    let former = match observe::former(&context.client, object, before).await {
        Ok(former) => former,
        Err(error) => return Look::retrying(&error),
    };
    let mut seen = match Seen::first(object, before, context).await {
        Ok(seen) => seen,
        Err(error) => return Look::retrying(&error),
    };
    let mut full: Option<EncryptedSecret> = None;
    let mut braked = false;
    for _ in 0..LOOKS {
        let observed = Observed {
            object: full.as_ref().unwrap_or(object),
            status: before,
            secret: seen.secret.as_ref(),
            former: former.as_ref(),
            key_namespace: &context.key_namespace,
        };
        let plan = guarded(|| plan::plan(&observed, &keys.keyring));
        if plan.is_repair() && !std::mem::replace(&mut braked, true) {
            // Before anything is read or opened for it: whoever undoes us at full speed costs no more than this.
            if let Err(wait) = context.backoff.repair(&uid(&object.metadata), Instant::now()) {
                return Look::Later(wait);
            }
        }
        let failed = match plan {
            Plan::Nothing => return Look::Unchanged,
            Plan::Report(outcome) => return Look::ended(outcome),
            Plan::Reread { .. } => {
                match observe::live_object(&context.client, &object.metadata).await {
                    Ok(Some(live)) => full = Some(live),
                    Ok(None) => return Look::Unchanged,
                    Err(error) => return Look::retrying(&error),
                }
                continue;
            }
            Plan::Disown(feeder) => disown(object, &feeder, seen.secret.as_ref(), context).await,
            // Field managers are not kept: they tell who changed what, and what creating left.
            Plan::Write(write) if !seen.live && write.needs_managers() => None,
            Plan::Write(write) => carry_out(object, &write, &seen, keys, context).await,
        };
        if let Some(look) = failed {
            return look;
        }
        match observe::live_secret(&context.client, namespace, target_name(object)).await {
            Ok(secret) => seen = Seen { secret, live: true },
            Err(error) => return Look::retrying(&error),
        }
    }
    Look::ended(apply::outcome(&WriteError::Changed, target_name(object)))
}

/// The Secret as it was last seen.
struct Seen {
    secret: Option<ObjectMeta>,
    /// From the API server just now, with all its metadata.
    live: bool,
}

impl Seen {
    /// As the watch has it. It has none without our label: those are asked for while an object waits for one.
    async fn first(
        object: &EncryptedSecret,
        before: &EncryptedSecretStatus,
        context: &Context,
    ) -> Result<Self, kube::Error> {
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        let watched = context.watched.secret(namespace, target_name(object));
        let waits = conditions::find(before, STALLED).is_some_and(|stalled| stalled.reason == "NotOwned");
        if watched.is_none() && waits {
            let secret = observe::live_secret(&context.client, namespace, target_name(object)).await?;
            return Ok(Self { secret, live: true });
        }
        Ok(Self { secret: watched.map(|secret| secret.metadata.clone()), live: false })
    }
}

/// Removes the owner references. `None`: look again.
async fn disown(
    object: &EncryptedSecret,
    feeder: &Feeder,
    secret: Option<&ObjectMeta>,
    context: &Context,
) -> Option<Look> {
    let (namespace, name) = (object.metadata.namespace.as_deref()?, target_name(object));
    let target = Target { namespace, name, manager: MANAGER };
    match context.writer.disown_secret(target, feeder, secret?).await {
        Ok(()) | Err(WriteError::Changed) => None,
        Err(error) => Some(Look::ended(apply::outcome(&error, name))),
    }
}

/// A panic becomes this object's failure. Its message is not kept: it may quote what was being opened.
fn guarded(plan: impl FnOnce() -> Plan) -> Plan {
    // Opening and templates take their time; elsewhere, so that the lease and the watches go on meanwhile.
    let plan = || tokio::task::block_in_place(plan);
    catch_unwind(AssertUnwindSafe(plan)).unwrap_or_else(|_| {
        let message = "the controller failed on this object; its log says where".to_owned();
        Plan::Report(Outcome::Retrying { reason: "Panic", message })
    })
}

/// Writes the Secret. `None`: the Secret is not as it was seen, look again.
async fn carry_out(
    object: &EncryptedSecret,
    write: &Write,
    seen: &Seen,
    keys: &Loaded,
    context: &Context,
) -> Option<Look> {
    if write.how == How::Create && write.contended && has_rival(object, context) {
        // Whoever held the Secret so far makes it again.
        return Some(Look::Later(RIVAL));
    }
    let name = write.secret.name.clone();
    let managers = seen.secret.as_ref().filter(|_| seen.live);
    match apply::apply(&context.writer, &object.metadata, write, managers).await {
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
            let outcome = Outcome::Synced { name, written: applied.written, content };
            Some(Look::Ended { outcome, drift, repairing: false })
        }
        Err(WriteError::Exists | WriteError::Changed) => None,
        Err(error @ WriteError::Immutable(_)) if write.may_recreate() => {
            make_way(object, write, error, context).await.map(Look::ended)
        }
        Err(error) => {
            Some(Look::Ended { outcome: apply::outcome(&error, &name), drift: None, repairing: write.repair })
        }
    }
}

/// Whether another object that is not stalled feeds the same Secret.
fn has_rival(object: &EncryptedSecret, context: &Context) -> bool {
    let target = target_name(object);
    let rival = |other: &EncryptedSecret| {
        other.metadata.namespace == object.metadata.namespace
            && other.metadata.name != object.metadata.name
            && target_name(other) == target
            && other.status.as_ref().is_none_or(|status| conditions::find(status, STALLED).is_none())
    };
    context.watched.objects.find(rival).is_some()
}

/// Deletes a Secret that cannot become what it shall be, if it holds nobody else's items and its successor would be taken.
/// `None`: it is gone.
async fn make_way(object: &EncryptedSecret, write: &Write, error: WriteError, context: &Context) -> Option<Outcome> {
    let (namespace, name) = (object.metadata.namespace.as_deref()?, write.secret.name.as_str());
    let live = match observe::live_secret(&context.client, namespace, name).await {
        Ok(live) => live?,
        Err(error) => return Some(apply::outcome(&describe_read(&error), name)),
    };
    if drift::has_foreign_items(live.managed_fields.as_deref().unwrap_or_default()) {
        return Some(apply::outcome(&error, name));
    }
    // The API server and its policies look at what is to be created before they say that it exists.
    match apply::try_create(&context.writer, &object.metadata, &write.secret).await {
        Ok(_) => return None,
        Err(WriteError::Exists) => {}
        Err(error) => return Some(apply::outcome(&error, name)),
    }
    match context.writer.delete_secret(namespace, name, &Written::from(&live)).await {
        Ok(()) | Err(WriteError::Changed) => None,
        Err(error) => Some(apply::outcome(&error, name)),
    }
}

/// Takes the object's items out of the Secret of its former name, where others feed that too. `Some` if that failed.
async fn leave_former(object: &EncryptedSecret, write: &Write, context: &Context) -> Option<Look> {
    let former = write.former.as_ref().filter(|former| !former.sole)?;
    let (namespace, name) = (object.metadata.namespace.as_deref()?, object.metadata.name.as_deref()?);
    let error = sweep::leave(context, namespace, name, &former.name).await.err()?;
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

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_is_the_objects_own_failure_and_says_nothing() {
        let plan = guarded(|| panic!("hunter2"));
        let Plan::Report(Outcome::Retrying { reason, message }) = plan else { panic!("{plan:?}") };
        assert_eq!(reason, "Panic");
        assert!(!message.contains("hunter2"));
    }
}
