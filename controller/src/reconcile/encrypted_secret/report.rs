//! Tells how a reconcile went: in the status, the log, events and metrics, and to the workloads that asked to know.

use std::time::Duration;

use kube::Resource;
use kube::runtime::controller::Action;
use sealwax_crds::{EncryptedSecret, EncryptedSecretStatus, STALLED};

use super::{Context, KIND, ReconcileError, observe, uid};
use crate::conditions::{self, Outcome};
use crate::restart::{self, Content};
use crate::writer::WriteError;

/// Writes the status if it is another one. `Some`: the object has changed since, look again after that.
pub(super) async fn write_status(
    object: &EncryptedSecret,
    before: &EncryptedSecretStatus,
    after: &EncryptedSecretStatus,
    context: &Context,
) -> Result<Option<Duration>, ReconcileError> {
    if after == before {
        return Ok(None);
    }
    let body = serde_json::to_value(after).unwrap_or_default();
    let (uid, generation) = (uid(&object.metadata), object.metadata.generation);
    let mut seen = context.unseen.version_of(object);
    for _ in 0..2 {
        match context.writer.write_status(&object.metadata, &seen, &body).await {
            Ok(resource_version) => {
                context.unseen.wrote(&uid, resource_version, after.clone());
                return Ok(None);
            }
            Err(WriteError::Changed) => {}
            Err(error) => return Err(ReconcileError::Status(error)),
        }
        // Changed, deleted, or deleted and made anew. What changed may be nothing that we act on.
        let live = observe::live_meta(&context.client, &object.metadata).await.map_err(ReconcileError::Read)?;
        match live.filter(|live| live.uid.as_ref() == Some(&uid) && live.generation == generation) {
            Some(live) => seen = live.resource_version.unwrap_or_default(),
            // The watch tells of that.
            None => return Ok(Some(context.backoff.failed(&uid, generation))),
        }
    }
    Ok(Some(context.backoff.failed(&uid, generation)))
}

/// Restarts what asked to be restarted for this content, if that is outstanding, and says so in the status.
pub(super) async fn restart_workloads(
    object: &EncryptedSecret,
    status: &EncryptedSecretStatus,
    context: &Context,
) -> Result<Action, ReconcileError> {
    if status.restarts_pending != Some(true) || object.spec.suspend == Some(true) {
        return Ok(Action::await_change());
    }
    let (uid, generation) = (uid(&object.metadata), object.metadata.generation);
    if context.settings.restarts {
        let content = Content {
            namespace: object.metadata.namespace.as_deref().unwrap_or_default(),
            secret: status.secret_name.as_deref().unwrap_or_default(),
            hash: status.content_hash.as_deref().unwrap_or_default(),
            object: object.metadata.name.as_deref().unwrap_or_default(),
        };
        match restart::restart(&context.client, &context.writer, content).await {
            Ok(count) => {
                context.metrics.restarts.inc_by(u64::try_from(count).unwrap_or_default());
                tracing::info!(namespace = content.namespace, secret = content.secret, count, "workloads restarted");
            }
            Err(error) => {
                let note = format!("restarts wait: {}", crate::telemetry::chain(&error));
                tracing::warn!(namespace = content.namespace, secret = content.secret, note, "trying again");
                if !context.backoff.has_failed(&uid, generation) {
                    context.events.warn(&object.object_ref(&()), "RestartsWait", &note).await;
                }
                return Ok(Action::requeue(context.backoff.failed(&uid, generation)));
            }
        }
    }
    context.backoff.succeeded(&uid);
    let wait = write_status(object, status, &conditions::restarted(status), context).await?;
    Ok(wait.map_or_else(Action::await_change, Action::requeue))
}

/// Logs, and publishes an event when the object stalls, recovers, or its Secret was put right.
pub(super) async fn tell(
    object: &EncryptedSecret,
    before: &EncryptedSecretStatus,
    outcome: &Outcome,
    drift: Option<&str>,
    context: &Context,
) {
    let (namespace, name) = (object.metadata.namespace.as_deref(), object.metadata.name.as_deref());
    let reference = object.object_ref(&());
    if let Some(note) = drift {
        context.metrics.healed(KIND);
        tracing::info!(namespace, name, note, "drift healed");
        context.events.warn(&reference, "DriftHealed", note).await;
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
