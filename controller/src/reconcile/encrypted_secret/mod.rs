//! Brings one `EncryptedSecret` to its Secret: observe, plan, apply, and tell in the status how it went.

mod apply;
mod observe;
mod plan;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::Timestamp;
use kube::core::ObjectMeta;
use kube::runtime::controller::Action;
use kube::{Client, Resource};
use sealwax_crds::{EncryptedSecret, EncryptedSecretStatus, STALLED};
use tokio::sync::watch;

use crate::cluster_keys::{Keys, Loaded};
use crate::conditions::{self, Outcome};
use crate::events::Events;
use crate::metrics::Metrics;
use crate::queue::Backoff;
use crate::telemetry::describe;
use crate::writer::{WriteError, Writer};

pub use observe::{Unseen, Watched};
use plan::{Observed, Plan, Write, target_name};

/// Looks within one reconcile, each at what changed during the one before.
const LOOKS: usize = 4;

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

/// Reconciles one object.
pub async fn reconcile(object: Arc<EncryptedSecret>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let guarded = AssertUnwindSafe(look_and_report(&object, &context)).catch_unwind();
    guarded.await.unwrap_or(Err(ReconcileError::Panic))
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
    context.metrics.reconciled(if matches!(error, ReconcileError::Panic) { "Panic" } else { "StatusFailed" });
    Action::requeue(context.backoff.failed(&uid(&object.metadata)))
}

fn uid(meta: &ObjectMeta) -> String {
    meta.uid.clone().unwrap_or_default()
}

async fn look_and_report(object: &EncryptedSecret, context: &Context) -> Result<Action, ReconcileError> {
    let mut keys = context.keys.clone();
    // Without the first list of keys every object would look as if its key were missing.
    let keys = keys.wait_for(Option::is_some).await.map_err(|_| ReconcileError::NoKeys)?.clone();
    let keys = keys.ok_or(ReconcileError::NoKeys)?;
    let before = context.unseen.status_of(object);
    let (outcome, repaired) = match look(object, &before, &keys, context).await {
        Look::Unchanged => {
            context.metrics.reconciled("Unchanged");
            context.backoff.succeeded(&uid(&object.metadata));
            return Ok(Action::await_change());
        }
        Look::Later(wait) => return Ok(Action::requeue(wait)),
        Look::Ended { outcome, repaired } => (outcome, repaired),
    };
    context.metrics.reconciled(outcome.reason());
    write_status(object, &before, &outcome, context).await?;
    tell(object, &before, &outcome, repaired.as_deref(), context).await;
    let uid = uid(&object.metadata);
    if matches!(outcome, Outcome::Retrying { .. }) {
        return Ok(Action::requeue(context.backoff.failed(&uid)));
    }
    context.backoff.succeeded(&uid);
    Ok(apply::look_again(&outcome).map_or_else(Action::await_change, Action::requeue))
}

/// How looking at an object ended.
enum Look {
    Unchanged,
    Later(Duration),
    Ended { outcome: Outcome, repaired: Option<String> },
}

impl Look {
    fn ended(outcome: Outcome) -> Self {
        Self::Ended { outcome, repaired: None }
    }

    fn retrying(error: &kube::Error) -> Self {
        Self::ended(Outcome::Retrying { reason: "ApiServer", message: describe(error) })
    }
}

/// Plans and applies until a plan holds: first by what the watches brought, then by what the API server says.
async fn look(object: &EncryptedSecret, before: &EncryptedSecretStatus, keys: &Loaded, context: &Context) -> Look {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let watched = context.watched.secret(namespace, target_name(object));
    let mut secret = watched.map(|secret| secret.metadata.clone());
    let mut full: Option<EncryptedSecret> = None;
    let former = context.watched.former(object, before);
    for _ in 0..LOOKS {
        let observed = Observed {
            object: full.as_ref().unwrap_or(object),
            status: before,
            secret: secret.as_ref(),
            former: former.as_ref().map(|(name, written)| (name.as_str(), written.clone())),
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
        if let Some(look) = carry_out(object, &write, context).await {
            return look;
        }
        match observe::live_secret(&context.client, namespace, &write.secret.name).await {
            Ok(live) => secret = live,
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
async fn carry_out(object: &EncryptedSecret, write: &Write, context: &Context) -> Option<Look> {
    if write.repair
        && let Err(wait) = context.backoff.repair(&uid(&object.metadata), Instant::now())
    {
        return Some(Look::Later(wait));
    }
    let name = write.secret.name.clone();
    match apply::apply(&context.writer, &object.metadata, write).await {
        Ok(applied) => {
            let repaired = (write.repair && applied.changed).then(|| repair_note(write, &applied));
            Some(Look::Ended { outcome: Outcome::Synced { name, written: applied.written }, repaired })
        }
        Err(WriteError::Exists | WriteError::Changed) => None,
        Err(error) => Some(Look::ended(apply::outcome(&error, &name))),
    }
}

fn repair_note(write: &Write, applied: &apply::Applied) -> String {
    let name = &write.secret.name;
    if write.how == plan::How::Create {
        return format!("Secret {name} had been deleted and was made again");
    }
    if applied.taken_back.is_empty() {
        return format!("Secret {name} had been changed and was put right");
    }
    let claims = applied.taken_back.iter().map(|claim| format!("{} by {}", claim.field, claim.manager));
    format!("Secret {name} had been changed and was put right: {}", claims.collect::<Vec<_>>().join(", "))
}

async fn write_status(
    object: &EncryptedSecret,
    before: &EncryptedSecretStatus,
    outcome: &Outcome,
    context: &Context,
) -> Result<(), ReconcileError> {
    let after = conditions::status(before, object.metadata.generation, outcome, Timestamp::now());
    if after == *before {
        return Ok(());
    }
    let body = serde_json::to_value(&after).unwrap_or_default();
    match context.writer.write_status(&object.metadata, &body).await {
        Ok(resource_version) => {
            context.unseen.wrote(&uid(&object.metadata), resource_version, after);
            Ok(())
        }
        // Deleted, or deleted and made anew: nobody is left to tell.
        Err(WriteError::Changed) => Ok(()),
        Err(error) => Err(ReconcileError::Status(error)),
    }
}

/// Logs, and publishes an event when the object stalls, recovers, or its Secret was put right.
async fn tell(
    object: &EncryptedSecret,
    before: &EncryptedSecretStatus,
    outcome: &Outcome,
    repaired: Option<&str>,
    context: &Context,
) {
    let (namespace, name) = (object.metadata.namespace.as_deref(), object.metadata.name.as_deref());
    let reference = object.object_ref(&());
    if let Some(note) = repaired {
        context.metrics.repairs.inc();
        tracing::info!(namespace, name, note, "repaired");
        context.events.warn(&reference, "Repaired", note).await;
    }
    let stalled = conditions::find(before, STALLED);
    match outcome {
        Outcome::Stalled { reason, message } if stalled.is_none_or(|was| was.reason != *reason) => {
            tracing::warn!(namespace, name, reason, message, "stalled");
            context.events.warn(&reference, reason, message).await;
        }
        Outcome::Synced { .. } if stalled.is_some() => {
            tracing::info!(namespace, name, "recovered");
            context.events.tell(&reference, "Synced", "the Secret is what the spec says").await;
        }
        Outcome::Synced { .. } => tracing::info!(namespace, name, "synced"),
        Outcome::Retrying { reason, message } => tracing::warn!(namespace, name, reason, message, "trying again"),
        Outcome::Stalled { .. } | Outcome::Suspended => {}
    }
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
