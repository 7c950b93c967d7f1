//! The watches of one scope: what is kept of objects and Secrets, and which object each change matters to.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{Stream, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Resource, ResourceExt};
use sealwax_crds::{EncryptedSecret, OnDelete};
use sealwax_format::keys::Fingerprint;
use tokio::sync::{mpsc, watch};

use crate::cluster_keys::Keys;
use crate::ownership;
use crate::reconcile::encrypted_secret::{Context, Gone, target_name};
use crate::store::{MANAGED_BY, Requests, strip_object, strip_secret};
use crate::telemetry::describe_watch;
use crate::writer::MANAGER;

/// Objects listed at a time: a page of ciphertext is held in full before it is stripped.
const PAGE: u32 = 100;
/// The list of objects has arrived.
const OBJECTS: u8 = 1;
/// The list of Secrets has arrived.
const SECRETS: u8 = 2;
/// Both have.
pub(super) const BOTH: u8 = OBJECTS | SECRETS;

/// Turns true when both lists have arrived: a Secret that is not there before that may well exist.
pub(super) fn complete(mut listed: watch::Receiver<u8>) -> watch::Receiver<bool> {
    let (sender, complete) = watch::channel(false);
    tokio::spawn(async move {
        if listed.wait_for(|listed| *listed == BOTH).await.is_ok() {
            sender.send_replace(true);
        }
    });
    complete
}

/// Tells that lists have arrived.
#[derive(Clone)]
pub(super) struct Lists {
    pub(super) listed: Arc<watch::Sender<u8>>,
    pub(super) gone: mpsc::UnboundedSender<Gone>,
    pub(super) again: Arc<watch::Sender<u64>>,
}

impl Lists {
    /// One more list is there; with both, what went unnoticed can be seen.
    fn arrived(&self, which: u8) {
        self.listed.send_modify(|listed| *listed |= which);
        if *self.listed.borrow() == BOTH {
            // Whoever would receive it has ended.
            let _ = self.gone.send(Gone::Listed);
        }
    }
}

pub(super) fn watch_objects(
    shared: &super::Shared,
    namespace: Option<&str>,
    writer: reflector::store::Writer<EncryptedSecret>,
    context: Arc<Context>,
    lists: Lists,
) -> impl Stream<Item = Result<EncryptedSecret, watcher::Error>> + Send + 'static {
    let class = shared.args.class.as_deref().unwrap_or_default();
    let mut served = crate::clients::watching().page_size(PAGE).fields(&format!("spec.class={class}"));
    if let Some(selector) = &shared.args.selector {
        served = served.labels(selector);
    }
    let (metrics, keys) = (shared.metrics.clone(), shared.keys.clone());
    watcher(crate::clients::api(&shared.watches, namespace), served)
        .default_backoff()
        .modify(move |object| strip_object(object, |fingerprint| is_own(&keys, fingerprint)))
        .reflect(writer)
        .inspect_ok(move |event| match event {
            watcher::Event::InitDone => {
                keep_listed(&context);
                lists.arrived(OBJECTS);
            }
            watcher::Event::Delete(object) => forget(object, &context, &lists),
            watcher::Event::Apply(object) => context.unseen.saw(&object.metadata),
            watcher::Event::Init | watcher::Event::InitApply(_) => {}
        })
        .touched_objects()
        .inspect_err(move |error| {
            metrics.watch_failed("EncryptedSecret");
            tracing::warn!(error = describe_watch(error), "the watch of objects starts again");
        })
        // Our own status writes change nothing that is decided by.
        .predicate_filter(decided_by, kube::runtime::PredicateConfig::default())
}

fn is_own(keys: &watch::Receiver<Keys>, fingerprint: &Fingerprint) -> bool {
    keys.borrow().iter().flat_map(|loaded| loaded.keyring.fingerprints()).any(|own| own == fingerprint)
}

/// Keeps nothing of objects that went while nobody watched. Their items are found in the Secrets.
fn keep_listed(context: &Context) {
    let listed = context.watched.objects.state();
    let listed: HashSet<_> = listed.iter().filter_map(|object| object.metadata.uid.as_deref()).collect();
    context.unseen.retain(|kept| listed.contains(kept));
    context.backoff.retain(|kept| listed.contains(kept.as_str()));
}

/// Keeps nothing of an object that is gone, and has its items taken out of Secrets that others feed too.
fn forget(object: &EncryptedSecret, context: &Context, lists: &Lists) {
    if let Some(uid) = &object.metadata.uid {
        context.unseen.forget(uid);
        context.backoff.forget(uid);
    }
    context.contended.forget(&object.metadata, target_name(object));
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let secret = context.watched.secret(&namespace, target_name(object));
    // One that it fed alone is the garbage collector's.
    let alone = secret.is_some_and(|secret| ownership::is_sole(&secret.metadata, &name));
    let target = object.spec.target.as_ref();
    if !alone && target.and_then(|target| target.on_delete) != Some(OnDelete::Retain) {
        // Whoever would receive it has ended.
        let _ = lists.gone.send(Gone::Object { namespace, name, secret: target_name(object).to_owned() });
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of a predicate")]
fn decided_by(object: &EncryptedSecret) -> Option<u64> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    let meta = &object.metadata;
    (&meta.uid, meta.generation, meta.deletion_timestamp.is_some(), Requests::of(meta)).hash(&mut hasher);
    Some(hasher.finish())
}

pub(super) fn watch_secrets(
    shared: &super::Shared,
    namespace: Option<&str>,
    writer: reflector::store::Writer<PartialObjectMeta<Secret>>,
    lists: Lists,
) -> impl Stream<Item = Result<PartialObjectMeta<Secret>, watcher::Error>> + Send + 'static {
    let ours = crate::clients::watching().labels(&format!("{MANAGED_BY}={MANAGER}")).page_size(5 * PAGE);
    let metrics = shared.metrics.clone();
    watcher(crate::clients::api(&shared.watches, namespace), ours)
        .default_backoff()
        .modify(strip_secret)
        .reflect(writer)
        .inspect_ok(move |event| {
            if matches!(event, watcher::Event::InitDone) {
                lists.arrived(SECRETS);
                // What went while nobody watched is told by no event: everything is looked at, which costs no request.
                lists.again.send_modify(|times| *times += 1);
            }
        })
        .touched_objects()
        .inspect_err(move |error| {
            metrics.watch_failed("Secret");
            tracing::warn!(error = describe_watch(error), "the watch of Secrets starts again");
        })
}

/// The objects that a Secret matters to: those that its annotations and owner references name, those that wait for it,
/// and, should somebody have removed all that, the one whose status says that it made it.
pub(super) fn fed_by(
    context: Arc<Context>,
) -> impl Fn(PartialObjectMeta<Secret>) -> Vec<ObjectRef<EncryptedSecret>> + Send + Sync + 'static {
    move |secret| {
        let (namespace, name) = (secret.namespace().unwrap_or_default(), secret.name_any());
        let mut names = context.contended.take(&namespace, &name);
        let waiting = names.len();
        names.extend(ownership::feeders(&secret.metadata).map(|feeder| feeder.name));
        names.extend(ownership::owner_names(&secret).map(str::to_owned));
        if names.len() == waiting {
            let made = |object: &EncryptedSecret| {
                let status = object.status.as_ref();
                object.metadata.namespace.as_ref() == Some(&namespace)
                    && status.is_some_and(|status| status.secret_name.as_ref() == Some(&name))
            };
            names.extend(context.watched.objects.find(made).and_then(|object| object.meta().name.clone()));
        }
        names.iter().map(|name| ObjectRef::new(name).within(&namespace)).collect()
    }
}

/// An element for every change of what all objects depend on: the keys, or the Secrets as a whole.
pub(super) fn changes<T: Send + Sync + 'static>(of: watch::Receiver<T>) -> impl Stream<Item = ()> + Send + 'static {
    stream::unfold(of, |mut of| async move { of.changed().await.ok().map(|()| ((), of)) })
}
