//! Takes the items of objects that are gone out of Secrets that others still feed.
//!
//! A Secret that nobody else feeds is the garbage collector's, by its owner reference. There is no finalizer: objects go at
//! once, also while no controller runs, and whatever was missed then is found in the annotations of the Secrets after the
//! next list.

use std::sync::Arc;

use kube::core::ObjectMeta;
use kube::{Api, ResourceExt};
use tokio::sync::mpsc;

use super::{Context, Feeds, observe};
use crate::ownership::{Origin, annotation_key, feeder, feeders, field_manager, is_sole};
use crate::telemetry::{chain, describe};
use crate::writer::{Target, WriteError};

/// What may have to be swept.
#[derive(Clone, Debug)]
pub enum Gone {
    /// This object is gone, and fed this Secret.
    Object {
        /// Namespace of both.
        namespace: String,
        /// Name of the object.
        name: String,
        /// Name of the Secret.
        secret: String,
    },
    /// Everything was listed: objects may have gone while nobody watched.
    Listed,
}

/// Why an object's items are still there.
#[derive(Debug, thiserror::Error)]
pub(super) enum SweepError {
    #[error("cannot read: {0}")]
    Read(String),
    #[error("cannot take the items out")]
    Write(#[source] WriteError),
}

/// Sweeps for ever.
pub async fn sweep<K: Feeds>(
    context: Arc<Context<K>>,
    mut gone: mpsc::UnboundedReceiver<Gone>,
    again: mpsc::WeakUnboundedSender<Gone>,
) {
    while let Some(next) = gone.recv().await {
        let found = match next {
            Gone::Listed => missed(&context),
            object @ Gone::Object { .. } => vec![object],
        };
        for gone in found {
            let Gone::Object { namespace, name, secret } = &gone else { continue };
            let key = format!("{namespace}/{name}");
            match release(&context, namespace, name, secret).await {
                Ok(()) => context.backoff.succeeded(&key),
                Err(error) => {
                    tracing::warn!(
                        namespace,
                        name,
                        secret,
                        error = chain(&error),
                        "items that are not fed any more: trying again"
                    );
                    let (wait, again) = (context.backoff.failed(&key, None), again.clone());
                    tokio::spawn(async move {
                        tokio::time::sleep(wait).await;
                        again.upgrade().map(|again| again.send(gone))
                    });
                }
            }
        }
    }
}

/// The feeders of Secrets whose objects are not there, or feed another one now, where the garbage collector would not take the Secret.
fn missed<K: Feeds>(context: &Context<K>) -> Vec<Gone> {
    let mut found = Vec::new();
    for secret in context.watched.secrets.state() {
        let namespace = secret.namespace().unwrap_or_default();
        let all: Vec<_> = feeders(&secret.metadata).collect();
        let feeds = |name: &str| {
            let object = context.watched.object(&namespace, name);
            object.is_some_and(|object| object.target_name() == secret.name_any())
        };
        let ours = all.iter().filter(|feeder| feeder.kind == K::KIND);
        let gone = ours.filter(|feeder| !feeder.retained && !feeds(&feeder.name));
        if all.len() > 1 || all.iter().any(|feeder| feeder.adopted) {
            found.extend(gone.map(|feeder| Gone::Object {
                namespace: namespace.clone(),
                name: feeder.name.clone(),
                secret: secret.name_any(),
            }));
        }
    }
    found
}

async fn release<K: Feeds>(context: &Context<K>, namespace: &str, name: &str, secret: &str) -> Result<(), SweepError> {
    let read = |error: kube::Error| SweepError::Read(describe(&error));
    // The Secret first: should the object be made anew meanwhile, the Secret is not the one that was read any more.
    let live = observe::live_secret(&context.client, namespace, secret).await.map_err(read)?;
    let Some(live) = live.filter(|live| is_left_to_us(live, Origin { kind: K::KIND, name })) else { return Ok(()) };
    let objects: Api<K> = Api::namespaced(context.client.clone(), namespace);
    // Not in our store may also mean: another controller's, by its class or its labels.
    let object = objects.get_opt(name).await.map_err(read)?;
    if object.is_some_and(|object| object.target_name() == secret) {
        return Ok(());
    }
    take_out(context, namespace, name, secret, &live).await
}

/// Takes the items that this object fed into the Secret out of it, if anything else is in there.
pub(super) async fn leave<K: Feeds>(
    context: &Context<K>,
    namespace: &str,
    name: &str,
    secret: &str,
) -> Result<(), SweepError> {
    let live = observe::live_secret(&context.client, namespace, secret).await;
    let live = live.map_err(|error| SweepError::Read(describe(&error)))?;
    match live.filter(|live| is_left_to_us(live, Origin { kind: K::KIND, name })) {
        Some(live) => take_out(context, namespace, name, secret, &live).await,
        None => Ok(()),
    }
}

async fn take_out<K: Feeds>(
    context: &Context<K>,
    namespace: &str,
    name: &str,
    secret: &str,
    live: &ObjectMeta,
) -> Result<(), SweepError> {
    let object = Origin { kind: K::KIND, name };
    let manager = field_manager(object);
    let target = Target { namespace, name: secret, manager: &manager };
    match context.writer.release_secret(target, &annotation_key(object), live).await {
        Ok(()) => tracing::info!(namespace, name, secret, "items that are not fed any more were taken out"),
        // Nothing will ever change that.
        Err(WriteError::Immutable(_)) => {
            tracing::warn!(namespace, name, secret, "the Secret is immutable: items that are not fed any more stay");
        }
        Err(error) => return Err(SweepError::Write(error)),
    }
    Ok(())
}

/// Whether the object's items are to go, and the garbage collector will not see to it.
fn is_left_to_us(secret: &ObjectMeta, object: Origin<'_>) -> bool {
    feeder(secret, object).is_some_and(|feeder| !feeder.retained) && !is_sole(secret, object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ownership::{Feeder, Kind};

    #[test]
    fn only_shared_and_not_retained_items_are_ours_to_take() {
        let secret = |feeders: &[(&str, bool)]| ObjectMeta {
            annotations: Some(
                feeders
                    .iter()
                    .map(|(name, retained)| {
                        Feeder { name: (*name).to_owned(), retained: *retained, ..Feeder::default() }.annotation()
                    })
                    .collect(),
            ),
            ..ObjectMeta::default()
        };
        let is_left_to_us =
            |secret: &ObjectMeta, name: &str| is_left_to_us(secret, Origin { kind: Kind::EncryptedSecret, name });
        assert!(!is_left_to_us(&secret(&[("a", false)]), "a"), "the garbage collector's");
        assert!(is_left_to_us(&secret(&[("a", false), ("b", false)]), "a"));
        assert!(is_left_to_us(&secret(&[("a", false), ("b", true)]), "a"));
        assert!(!is_left_to_us(&secret(&[("a", true), ("b", false)]), "a"));
        assert!(!is_left_to_us(&secret(&[("b", false), ("c", false)]), "a"), "done already");
    }
}
