//! The watches of one scope: what is kept of objects and Secrets, and which object each change matters to.

use std::collections::HashSet;
use std::sync::Arc;

use futures::channel::mpsc as channel;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use tokio::sync::{mpsc, watch};

use crate::feeding::{Context, Feeds, Gone};
use crate::ownership::{self, Kind};
use crate::store::{MANAGED_BY, strip_secret};
use crate::telemetry::describe_watch;
use crate::writer::MANAGER;

/// Objects listed at a time: a page of ciphertext is held in full before it is stripped.
const PAGE: u32 = 100;
/// The list of Secrets has arrived.
const SECRETS: u8 = 1;
/// The list of stores has arrived.
pub(super) const STORES: u8 = 8;
/// The list of everything that stores and objects name has arrived: of Secrets ...
pub(super) const REFERENCED_SECRETS: u8 = 16;
/// ... and of `ConfigMap`s.
pub(super) const REFERENCED_CONFIG_MAPS: u8 = 32;

/// The list of objects of this kind has arrived.
fn objects(kind: Kind) -> u8 {
    match kind {
        Kind::EncryptedSecret => 2,
        Kind::ExternalSecret => 4,
    }
}

/// What must have arrived before an object of this kind can be looked at: a Secret that is not there before that may well
/// exist, and so may a store.
pub(super) fn complete(kind: Kind) -> u8 {
    let sources = match kind {
        Kind::EncryptedSecret => 0,
        Kind::ExternalSecret => STORES | REFERENCED_SECRETS | REFERENCED_CONFIG_MAPS,
    };
    SECRETS | objects(kind) | sources
}

/// Turns true when all of these lists have arrived, and that of the cluster's stores where they matter.
pub(super) fn once_listed(
    mut listed: watch::Receiver<u8>,
    lists: u8,
    stores: Option<watch::Receiver<bool>>,
) -> watch::Receiver<bool> {
    let (sender, complete) = watch::channel(false);
    tokio::spawn(async move {
        if let Some(mut stores) = stores.filter(|_| lists & STORES != 0) {
            let _ = stores.wait_for(|listed| *listed).await;
        }
        if listed.wait_for(|listed| *listed & lists == lists).await.is_ok() {
            sender.send_replace(true);
        }
    });
    complete
}

/// Tells one kind's controller that lists have arrived.
#[derive(Clone)]
pub(super) struct Lists {
    pub(super) kind: Kind,
    pub(super) listed: Arc<watch::Sender<u8>>,
    pub(super) gone: mpsc::UnboundedSender<Gone>,
    pub(super) again: Arc<watch::Sender<u64>>,
}

impl Lists {
    /// One more list is there; with both, what went unnoticed can be seen.
    fn arrived(&self, which: u8) {
        self.listed.send_modify(|listed| *listed |= which);
        if *self.listed.borrow() & complete(self.kind) == complete(self.kind) {
            // Whoever would receive it has ended.
            let _ = self.gone.send(Gone::Listed);
        }
    }
}

pub(super) fn watch_objects<K: Feeds>(
    shared: &super::Shared,
    namespace: Option<&str>,
    writer: reflector::store::Writer<K>,
    context: Arc<Context<K>>,
    lists: Lists,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send + 'static {
    let class = shared.args.class.as_deref().unwrap_or_default();
    let mut served = crate::clients::watching().page_size(PAGE).fields(&format!("spec.class={class}"));
    if let Some(selector) = &shared.args.selector {
        served = served.labels(selector);
    }
    let (metrics, keys) = (shared.metrics.clone(), shared.keys.clone());
    watcher(crate::clients::api::<K>(&shared.watches, namespace), served)
        .default_backoff()
        .modify(move |object| object.strip(&keys.borrow()))
        .reflect(writer)
        .inspect_ok(move |event| match event {
            watcher::Event::InitDone => {
                keep_listed(&context);
                lists.arrived(objects(K::KIND));
            }
            watcher::Event::Delete(object) => forget(object, &context, &lists),
            watcher::Event::Apply(object) => context.unseen.saw(object.meta()),
            watcher::Event::Init | watcher::Event::InitApply(_) => {}
        })
        .touched_objects()
        .inspect_err(move |error| {
            metrics.watch_failed(K::KIND.name());
            tracing::warn!(kind = K::KIND.name(), error = describe_watch(error), "the watch of objects starts again");
        })
        // Our own status writes change nothing that is decided by.
        .predicate_filter(decided_by, kube::runtime::PredicateConfig::default())
}

/// Keeps nothing of objects that went while nobody watched. Their items are found in the Secrets.
fn keep_listed<K: Feeds>(context: &Context<K>) {
    let listed = context.watched.objects.state();
    let listed: HashSet<_> = listed.iter().filter_map(|object| object.meta().uid.as_deref()).collect();
    context.unseen.retain(|kept| listed.contains(kept));
    context.backoff.retain(|kept| listed.contains(kept.as_str()));
}

/// Keeps nothing of an object that is gone, and has its items taken out of Secrets that others feed too.
fn forget<K: Feeds>(object: &K, context: &Context<K>, lists: &Lists) {
    if let Some(uid) = &object.meta().uid {
        context.unseen.forget(uid);
        context.backoff.forget(uid);
    }
    context.contended.forget(object.meta(), object.target_name());
    object.gone(&context.shared);
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let secret = context.watched.secret(&namespace, object.target_name());
    // One that it fed alone is the garbage collector's.
    let alone = secret.is_some_and(|secret| ownership::is_sole(&secret.metadata, object.origin()));
    if !alone && !object.is_retained() {
        // Whoever would receive it has ended.
        let _ = lists.gone.send(Gone::Object { namespace, name, secret: object.target_name().to_owned() });
    }
}

/// What of an object is decided by. Stripped, it has no annotations but those that ask for something.
#[expect(clippy::unnecessary_wraps, reason = "the signature of a predicate")]
fn decided_by<K: Feeds>(object: &K) -> Option<u64> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    let meta = object.meta();
    (&meta.uid, meta.generation, meta.deletion_timestamp.is_some(), &meta.annotations).hash(&mut hasher);
    Some(hasher.finish())
}

/// Watches the Secrets that carry our label, once for all kinds of objects.
pub(super) fn watch_secrets(
    shared: &super::Shared,
    namespace: Option<&str>,
    writer: reflector::store::Writer<PartialObjectMeta<Secret>>,
    lists: Vec<Lists>,
) -> impl Stream<Item = Result<PartialObjectMeta<Secret>, watcher::Error>> + Send + 'static {
    let ours = crate::clients::watching().labels(&format!("{MANAGED_BY}={MANAGER}")).page_size(5 * PAGE);
    let metrics = shared.metrics.clone();
    watcher(crate::clients::api(&shared.watches, namespace), ours)
        .default_backoff()
        .modify(strip_secret)
        .reflect(writer)
        .inspect_ok(move |event| {
            if matches!(event, watcher::Event::InitDone) {
                for lists in &lists {
                    lists.arrived(SECRETS);
                    // What went while nobody watched is told by no event: everything is looked at, which costs no request.
                    lists.again.send_modify(|times| *times += 1);
                }
            }
        })
        .touched_objects()
        .inspect_err(move |error| {
            metrics.watch_failed("Secret");
            tracing::warn!(error = describe_watch(error), "the watch of Secrets starts again");
        })
}

type Secrets = channel::UnboundedSender<Result<PartialObjectMeta<Secret>, watcher::Error>>;

/// Hands every change of a Secret on to each kind's controller, until the watch ends.
pub(super) async fn hand_on(
    secrets: impl Stream<Item = Result<PartialObjectMeta<Secret>, watcher::Error>>,
    to: Vec<Secrets>,
) {
    let mut secrets = std::pin::pin!(secrets);
    while let Some(change) = secrets.next().await {
        // What went wrong has been told, and the watch goes on.
        let Ok(secret) = change else { continue };
        for kind in &to {
            // Whoever would receive it has ended.
            let _ = kind.unbounded_send(Ok(secret.clone()));
        }
    }
}

/// The objects that a Secret matters to: those that its annotations and owner references name, those that wait for it,
/// and, should somebody have removed all that, the one whose status says that it made it.
pub(super) fn fed_by<K: Feeds>(
    context: Arc<Context<K>>,
) -> impl Fn(PartialObjectMeta<Secret>) -> Vec<ObjectRef<K>> + Send + Sync + 'static {
    move |secret| {
        let (namespace, name) = (secret.namespace().unwrap_or_default(), secret.name_any());
        let mut names = context.contended.take(&namespace, &name);
        let waiting = names.len();
        let feeders = ownership::feeders(&secret.metadata).filter(|feeder| feeder.kind == K::KIND);
        names.extend(feeders.map(|feeder| feeder.name));
        let owners = ownership::owners(&secret.metadata).filter(|owner| owner.kind == K::KIND);
        names.extend(owners.map(|owner| owner.name.to_owned()));
        if names.len() == waiting {
            let made = |object: &K| {
                object.meta().namespace.as_ref() == Some(&namespace)
                    && object.common_status().is_some_and(|status| status.secret_name.as_ref() == Some(&name))
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
