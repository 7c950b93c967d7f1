//! Tells how a reconcile went: in the status, the log, events and metrics, and to the workloads that asked to know.

use std::time::Duration;

use sealwax_crds::{STALLED, SecretStatus};

use super::{Context, Feeds, ReconcileError, observe, uid};
use crate::conditions::{self, Outcome};
use crate::restart::{self, Content};
use crate::writer::WriteError;

/// Writes the status if it is another one. `Some`: the object has changed since, look again after that.
pub(super) async fn write_status<K: Feeds>(
    object: &K,
    before: &K::Status,
    after: &K::Status,
    context: &Context<K>,
) -> Result<Option<Duration>, ReconcileError> {
    if after == before {
        return Ok(None);
    }
    let body = serde_json::to_value(after).unwrap_or_default();
    let (uid, generation) = (uid(object.meta()), object.meta().generation);
    let mut seen = context.unseen.version_of(object);
    for _ in 0..2 {
        match context.writer.write_status::<K>(object.meta(), &seen, &body).await {
            Ok(resource_version) => {
                context.unseen.wrote(&uid, resource_version, after.clone());
                return Ok(None);
            }
            Err(WriteError::Changed) => {}
            Err(error) => return Err(ReconcileError::Status(error)),
        }
        // Changed, deleted, or deleted and made anew. What changed may be nothing that we act on.
        let live = observe::live_meta::<K>(&context.client, object.meta()).await.map_err(ReconcileError::Read)?;
        match live.filter(|live| live.uid.as_ref() == Some(&uid) && live.generation == generation) {
            Some(live) => seen = live.resource_version.unwrap_or_default(),
            // The watch tells of that.
            None => return Ok(Some(context.backoff.failed(&uid, generation))),
        }
    }
    Ok(Some(context.backoff.failed(&uid, generation)))
}

/// Restarts what asked to be restarted for this content, if that is outstanding, and says so in the status. `Some`: look
/// again after that.
pub(super) async fn restart_workloads<K: Feeds>(
    object: &K,
    before: &K::Status,
    context: &Context<K>,
) -> Result<Option<Duration>, ReconcileError> {
    let status = K::common(before);
    if status.restarts_pending != Some(true) || object.is_suspended() {
        return Ok(None);
    }
    let (uid, generation) = (uid(object.meta()), object.meta().generation);
    if context.settings.restarts {
        let content = Content {
            namespace: object.meta().namespace.as_deref().unwrap_or_default(),
            secret: status.secret_name.as_deref().unwrap_or_default(),
            hash: status.content_hash.as_deref().unwrap_or_default(),
            object: object.origin(),
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
                return Ok(Some(context.backoff.failed(&uid, generation)));
            }
        }
    }
    context.backoff.succeeded(&uid);
    let mut after = before.clone();
    *K::common_mut(&mut after) = conditions::restarted(status);
    write_status(object, before, &after, context).await
}

/// Logs, and publishes an event when the object stalls, recovers, or its Secret was put right.
pub(super) async fn tell<K: Feeds>(
    object: &K,
    before: &SecretStatus,
    outcome: &Outcome,
    drift: Option<&str>,
    context: &Context<K>,
) {
    let (namespace, name) = (object.meta().namespace.as_deref(), object.meta().name.as_deref());
    let reference = object.object_ref(&());
    if let Some(note) = drift {
        context.metrics.healed(K::KIND.name());
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
        Outcome::Settled { reason, .. } => tracing::info!(namespace, name, reason, "settled"),
        Outcome::Stalled { .. } | Outcome::Suspended => {}
    }
}
