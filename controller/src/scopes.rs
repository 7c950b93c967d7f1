//! The namespaces served: one scope each, or one for all, with its watches and its controller.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{Stream, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Config as ControllerConfig, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use sealwax_crds::{EncryptedSecret, OnDelete};
use sealwax_format::keys::Fingerprint;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::args::Args;
use crate::cluster_keys::Keys;
use crate::events::Events;
use crate::metrics::Metrics;
use crate::ownership;
use crate::queue::{Backoff, Lanes};
use crate::reconcile::encrypted_secret::{
    Context, Gone, Settings, Unseen, Watched, error_policy, reconcile, sweep, target_name,
};
use crate::store::{Contended, MANAGED_BY, request, strip_object, strip_secret};
use crate::telemetry::describe_watch;
use crate::writer::{MANAGER, Writer};

/// Objects listed at a time: a page of ciphertext is held in full before it is stripped.
const PAGE: u32 = 100;
/// The lists of objects and of Secrets have arrived.
const BOTH: u8 = 3;

/// What every scope shares.
#[derive(Clone)]
pub struct Shared {
    /// What people chose.
    pub args: Args,
    /// Single requests, which end in time.
    pub requests: Client,
    /// Watches, which last.
    pub watches: Client,
    /// Writes.
    pub writer: Writer,
    /// Counts.
    pub metrics: Metrics,
    /// What opens.
    pub keys: watch::Receiver<Keys>,
    /// Turns true when the program ends.
    pub stopped: watch::Receiver<bool>,
}

/// Every scope that runs.
pub struct Scopes {
    shared: Shared,
    lanes: Arc<Lanes>,
    running: Mutex<BTreeMap<Option<String>, Scope>>,
}

/// A namespace, or all of them.
struct Scope {
    objects: Store<EncryptedSecret>,
    listed: Arc<AtomicU8>,
    /// Ends this scope alone.
    stop: watch::Sender<bool>,
}

impl Scopes {
    /// None yet.
    pub fn new(shared: Shared) -> Self {
        let lanes = Arc::new(Lanes::new(shared.args.concurrency));
        Self { shared, lanes, running: Mutex::default() }
    }

    /// Serves until the program ends, or a scope ends that should not.
    pub async fn run(&self) {
        let mut tasks = JoinSet::new();
        match self.shared.args.namespace_selector.clone() {
            None => {
                for scope in self.shared.args.scopes() {
                    self.start(scope, &mut tasks);
                }
                // The first that ends: all do when the program does.
                tasks.join_next().await;
                while !tasks.is_empty() && *self.shared.stopped.borrow() {
                    tasks.join_next().await;
                }
            }
            Some(selector) => {
                self.follow_namespaces(&selector, &mut tasks).await;
                while tasks.join_next().await.is_some() {}
            }
        }
    }

    /// Starts and ends scopes as namespaces come to match and cease to.
    async fn follow_namespaces(&self, selector: &str, tasks: &mut JoinSet<()>) {
        let api: Api<PartialObjectMeta<Namespace>> = Api::all(self.shared.watches.clone());
        let matching = watcher::Config::default().labels(selector);
        let mut changes =
            watcher(api, matching).default_backoff().take_until(until_true(self.shared.stopped.clone())).boxed();
        let mut listed = BTreeSet::new();
        while let Some(change) = changes.next().await {
            match change {
                Ok(watcher::Event::Init) => listed.clear(),
                Ok(watcher::Event::InitApply(namespace)) => {
                    listed.insert(namespace.name_any());
                    self.start(Some(namespace.name_any()), tasks);
                }
                Ok(watcher::Event::InitDone) => self.keep(|name| listed.contains(name)),
                Ok(watcher::Event::Apply(namespace)) => self.start(Some(namespace.name_any()), tasks),
                Ok(watcher::Event::Delete(namespace)) => self.keep(|name| name != namespace.name_any()),
                Err(error) => tracing::warn!(error = describe_watch(&error), "the watch of namespaces starts again"),
            }
        }
    }

    /// Starts a scope unless it runs.
    fn start(&self, namespace: Option<String>, tasks: &mut JoinSet<()>) {
        let mut running = self.running();
        if namespace.as_ref() == Some(&self.shared.args.key_namespace) || running.contains_key(&namespace) {
            return;
        }
        tracing::info!(namespace = namespace.as_deref().unwrap_or("*"), "serving");
        let (stop, stopped) = watch::channel(false);
        let (scope, work) = Scope::new(&self.shared, Arc::clone(&self.lanes), namespace.as_deref(), stop, stopped);
        tasks.spawn(work);
        running.insert(namespace, scope);
    }

    /// Ends the scopes of other namespaces.
    fn keep(&self, keep: impl Fn(&str) -> bool) {
        self.running().retain(|namespace, scope| {
            let kept = namespace.as_deref().is_some_and(&keep);
            if !kept {
                tracing::info!(namespace, "not serving any more");
                scope.stop.send_replace(true);
            }
            kept
        });
    }

    /// Whether every list has arrived.
    ///
    /// Not by waiting for the stores: a store wakes one waiter, and that one is the controller.
    pub fn are_listed(&self) -> bool {
        self.running().values().all(|scope| scope.listed.load(Ordering::Relaxed) == BOTH)
    }

    /// Every object served.
    pub fn objects(&self) -> Vec<Arc<EncryptedSecret>> {
        self.running().values().flat_map(|scope| scope.objects.state()).collect()
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Option<String>, Scope>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scope {
    fn new(
        shared: &Shared,
        lanes: Arc<Lanes>,
        namespace: Option<&str>,
        stop: watch::Sender<bool>,
        stopped: watch::Receiver<bool>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (objects, object_writer) = reflector::store();
        let (secrets, secret_writer) = reflector::store();
        let args = &shared.args;
        let context = Arc::new(Context {
            client: shared.requests.clone(),
            writer: shared.writer.clone(),
            events: Events::new(shared.requests.clone()),
            metrics: shared.metrics.clone(),
            keys: shared.keys.clone(),
            key_namespace: args.key_namespace.clone(),
            watched: Watched { objects: objects.clone(), secrets },
            unseen: Unseen::default(),
            backoff: Backoff::default(),
            lanes,
            contended: Contended::default(),
            settings: Settings { restarts: args.restarts, not_ready_after: args.not_ready_after },
        });
        let listed = Arc::new(AtomicU8::new(0));
        let (gone, to_sweep) = mpsc::unbounded_channel();
        let again = gone.downgrade();
        let lists = Lists { listed: Arc::clone(&listed), gone };
        let object_stream = watch_objects(shared, namespace, object_writer, Arc::clone(&context), lists.clone());
        let secret_stream = watch_secrets(shared, namespace, secret_writer, lists);
        let ended = ended(shared.stopped.clone(), stopped);
        let controller = Controller::for_stream(object_stream, objects.clone())
            .with_config(ControllerConfig::default().concurrency(args.concurrency))
            .watches_stream(secret_stream, fed_by(Arc::clone(&context)))
            .reconcile_all_on(key_changes(shared.keys.clone()))
            .graceful_shutdown_on(ended)
            .run(reconcile, error_policy, Arc::clone(&context))
            .for_each(|_| std::future::ready(()));
        let work = async move {
            tokio::select! {
                () = controller => {}
                () = sweep(context, to_sweep, again) => {}
            }
        };
        (Self { objects, listed, stop }, work)
    }
}

/// Tells that lists have arrived.
#[derive(Clone)]
struct Lists {
    listed: Arc<AtomicU8>,
    gone: mpsc::UnboundedSender<Gone>,
}

impl Lists {
    /// One more list is there; with both, what went unnoticed can be seen.
    fn arrived(&self, which: u8) {
        if self.listed.fetch_or(which, Ordering::Relaxed) | which == BOTH {
            // Whoever would receive it has ended.
            let _ = self.gone.send(Gone::Listed);
        }
    }
}

fn watch_objects(
    shared: &Shared,
    namespace: Option<&str>,
    writer: reflector::store::Writer<EncryptedSecret>,
    context: Arc<Context>,
    lists: Lists,
) -> impl Stream<Item = Result<EncryptedSecret, watcher::Error>> + Send + 'static {
    let class = shared.args.class.as_deref().unwrap_or_default();
    let mut served = watcher::Config::default().page_size(PAGE).fields(&format!("spec.class={class}"));
    if let Some(selector) = &shared.args.selector {
        served = served.labels(selector);
    }
    let (metrics, keys) = (shared.metrics.clone(), shared.keys.clone());
    let arrived = lists.clone();
    watcher(crate::reconcile::api(&shared.watches, namespace), served)
        .default_backoff()
        .modify(move |object| strip_object(object, |fingerprint| is_own(&keys, fingerprint)))
        .reflect(writer)
        .inspect_ok(move |event| {
            if matches!(event, watcher::Event::InitDone) {
                arrived.arrived(1);
            }
        })
        .touched_objects()
        .inspect_ok(move |object| forget(object, &context, &lists))
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

/// Keeps nothing of an object that is gone, and has its items taken out of Secrets that others feed too.
fn forget(object: &EncryptedSecret, context: &Context, lists: &Lists) {
    context.unseen.saw(&object.metadata);
    if context.watched.objects.get(&ObjectRef::from_obj(object)).is_some() {
        return;
    }
    if let Some(uid) = &object.metadata.uid {
        context.unseen.retain(|kept| kept != uid);
        context.backoff.retain(|kept| kept != uid);
    }
    let target = object.spec.target.as_ref();
    if target.and_then(|target| target.on_delete) != Some(OnDelete::Retain) {
        // Whoever would receive it has ended.
        let _ = lists.gone.send(Gone::Object {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            secret: target_name(object).to_owned(),
        });
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of a predicate")]
fn decided_by(object: &EncryptedSecret) -> Option<u64> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    let meta = &object.metadata;
    (&meta.uid, meta.generation, meta.deletion_timestamp.is_some(), request(meta, None)).hash(&mut hasher);
    Some(hasher.finish())
}

fn watch_secrets(
    shared: &Shared,
    namespace: Option<&str>,
    writer: reflector::store::Writer<PartialObjectMeta<Secret>>,
    lists: Lists,
) -> impl Stream<Item = Result<PartialObjectMeta<Secret>, watcher::Error>> + Send + 'static {
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY}={MANAGER}")).page_size(5 * PAGE);
    let metrics = shared.metrics.clone();
    watcher(crate::reconcile::api(&shared.watches, namespace), ours)
        .default_backoff()
        .modify(strip_secret)
        .reflect(writer)
        .inspect_ok(move |event| {
            if matches!(event, watcher::Event::InitDone) {
                lists.arrived(2);
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
fn fed_by(
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

/// An element for every change of the keys: objects may be waiting for one.
fn key_changes(keys: watch::Receiver<Keys>) -> impl Stream<Item = ()> + Send + 'static {
    stream::unfold(keys, |mut keys| async move { keys.changed().await.ok().map(|()| ((), keys)) })
}

/// Resolves when the program or this scope ends.
async fn ended(program: watch::Receiver<bool>, scope: watch::Receiver<bool>) {
    tokio::select! {
        () = until_true(program) => {}
        () = until_true(scope) => {}
    }
}

/// Resolves when it turns true, or nobody is left who could turn it.
pub async fn until_true(mut told: watch::Receiver<bool>) {
    let _ = told.wait_for(|told| *told).await;
}
