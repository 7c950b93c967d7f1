//! The namespaces served: one scope each, or one for all, with its watches and its controller.

mod external;
mod watches;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc as channel;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Config as ControllerConfig, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, ResourceExt};
use sealwax_crds::{EncryptedSecret, ExternalSecret};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::args::Args;
use crate::cluster_keys::Keys;
use crate::events::Events;
use crate::feeding::{Context, Feeds, Settings, Unseen, Watched, error_policy, reconcile, sweep};
use crate::metrics::Metrics;
use crate::ownership::Kind;
use crate::queue::{Backoff, KindLanes};
use crate::store::Contended;
use crate::stores::Stores;
use crate::telemetry::describe_watch;
use crate::writer::Writer;
use watches::{Lists, changes, complete, fed_by, hand_on, once_listed, watch_objects, watch_secrets};

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
    /// Where values come from; `None`: `ExternalSecret`s are not served.
    pub stores: Option<Arc<Stores>>,
    /// Turns true when the program ends.
    pub stopped: watch::Receiver<bool>,
}

/// Every scope that runs.
pub struct Scopes {
    shared: Shared,
    lanes: KindLanes,
    running: Mutex<BTreeMap<Option<String>, Scope>>,
}

/// A namespace, or all of them.
struct Scope {
    encrypted: Store<EncryptedSecret>,
    external: Option<Store<ExternalSecret>>,
    /// The lists that it needs, and those that have arrived.
    lists: u8,
    listed: watch::Receiver<u8>,
    /// Ends this scope alone.
    stop: watch::Sender<bool>,
}

impl Scopes {
    /// None yet.
    pub fn new(shared: Shared) -> Self {
        let lanes = KindLanes::new(shared.args.concurrency);
        Self { shared, lanes, running: Mutex::default() }
    }

    /// Serves until the program ends, or a scope ends that should not.
    pub async fn run(&self) {
        let mut tasks = JoinSet::new();
        if let Some(work) = external::cluster_stores(&self.shared) {
            tasks.spawn(work);
        }
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
                while !tasks.is_empty() && *self.shared.stopped.borrow() {
                    tasks.join_next().await;
                }
            }
        }
    }

    /// Starts and ends scopes as namespaces come to match and cease to.
    async fn follow_namespaces(&self, selector: &str, tasks: &mut JoinSet<bool>) {
        let api: Api<PartialObjectMeta<Namespace>> = Api::all(self.shared.watches.clone());
        let matching = crate::clients::watching().labels(selector);
        let mut changes =
            watcher(api, matching).default_backoff().take_until(until_true(self.shared.stopped.clone())).boxed();
        let mut listed = BTreeSet::new();
        loop {
            let change = tokio::select! {
                change = changes.next() => change,
                Some(ended) = tasks.join_next() => match ended {
                    Ok(true) => continue,
                    Ok(false) | Err(_) => return,
                },
            };
            match change {
                None => return,
                Some(Ok(watcher::Event::Init)) => listed.clear(),
                Some(Ok(watcher::Event::InitApply(namespace))) => {
                    listed.insert(namespace.name_any());
                    self.start(Some(namespace.name_any()), tasks);
                }
                Some(Ok(watcher::Event::InitDone)) => self.keep(|name| listed.contains(name)),
                Some(Ok(watcher::Event::Apply(namespace))) => self.start(Some(namespace.name_any()), tasks),
                Some(Ok(watcher::Event::Delete(namespace))) => self.keep(|name| name != namespace.name_any()),
                Some(Err(error)) => {
                    tracing::warn!(error = describe_watch(&error), "the watch of namespaces starts again");
                }
            }
        }
    }

    /// Starts a scope unless it runs.
    fn start(&self, namespace: Option<String>, tasks: &mut JoinSet<bool>) {
        let mut running = self.running();
        if namespace.as_ref() == Some(&self.shared.args.key_namespace) || running.contains_key(&namespace) {
            return;
        }
        tracing::info!(namespace = namespace.as_deref().unwrap_or("*"), "serving");
        let (stop, stopped) = watch::channel(false);
        let told = stop.subscribe();
        let (scope, work) = Scope::new(&self.shared, self.lanes.clone(), namespace.as_deref(), stop, stopped);
        // Whether it was told to end.
        tasks.spawn(async move {
            work.await;
            *told.borrow()
        });
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
        self.running().values().all(|scope| *scope.listed.borrow() & scope.lists == scope.lists)
    }

    /// Every `EncryptedSecret` served.
    pub fn encrypted(&self) -> Vec<Arc<EncryptedSecret>> {
        self.running().values().flat_map(|scope| scope.encrypted.state()).collect()
    }

    /// Every `ExternalSecret` served.
    pub fn external(&self) -> Vec<Arc<ExternalSecret>> {
        self.running().values().flat_map(|scope| &scope.external).flat_map(Store::state).collect()
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Option<String>, Scope>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scope {
    fn new(
        shared: &Shared,
        lanes: KindLanes,
        namespace: Option<&str>,
        stop: watch::Sender<bool>,
        stopped: watch::Receiver<bool>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (secrets, secret_writer) = reflector::store();
        let (arrived, listed) = watch::channel(0);
        let common = Common { shared, lanes, namespace, secrets, arrived: Arc::new(arrived), stopped: stopped.clone() };
        let encrypted = common.serve::<EncryptedSecret>((), stream::pending().boxed());
        let external = shared.stores.as_ref().map(|stores| external::serve(&common, stores));
        let (mut lists, mut told, mut work) =
            (complete(Kind::EncryptedSecret), vec![encrypted.lists], vec![encrypted.work]);
        let mut secrets_to = vec![encrypted.secrets];
        let external = external.map(|(external, stores)| {
            lists |= complete(Kind::ExternalSecret);
            told.push(external.lists);
            secrets_to.push(external.secrets);
            work.extend([external.work, stores]);
            external.objects
        });
        let watch = watch_secrets(shared, namespace, secret_writer, told);
        let watch = watch.take_until(ended(shared.stopped.clone(), stopped));
        let handed_on = hand_on(watch, secrets_to);
        let (program, scope) = (shared.stopped.clone(), stop.subscribe());
        let work = async move {
            // Dropped with this, they end.
            let mut tasks: JoinSet<()> = work.into_iter().collect();
            tasks.spawn(handed_on);
            // The first that ends: all do when the program does, or the scope. What is half done is finished.
            tasks.join_next().await;
            while !tasks.is_empty() && (*program.borrow() || *scope.borrow()) {
                tasks.join_next().await;
            }
        };
        (Self { encrypted: encrypted.objects, external, lists, listed, stop }, work)
    }
}

/// What the controllers of one scope share.
struct Common<'s> {
    shared: &'s Shared,
    lanes: KindLanes,
    namespace: Option<&'s str>,
    secrets: Store<PartialObjectMeta<Secret>>,
    arrived: Arc<watch::Sender<u8>>,
    stopped: watch::Receiver<bool>,
}

/// One kind's controller in one scope.
struct Served<K: Feeds> {
    objects: Store<K>,
    /// Takes the changes of Secrets.
    secrets: channel::UnboundedSender<Result<PartialObjectMeta<Secret>, watcher::Error>>,
    /// To be told of lists of Secrets.
    lists: Lists,
    work: BoxFuture<'static, ()>,
}

impl Common<'_> {
    /// The controller of one kind.
    fn serve<K: Feeds>(&self, own: K::Shared, bell: BoxStream<'static, ObjectRef<K>>) -> Served<K> {
        let (objects, object_writer) = reflector::store();
        let (shared, args) = (self.shared, &self.shared.args);
        let stores = shared.stores.as_ref().map(|stores| stores.are_listed());
        let listed = once_listed(self.arrived.subscribe(), complete(K::KIND), stores);
        let context = Arc::new(Context::<K> {
            client: shared.requests.clone(),
            writer: shared.writer.clone(),
            events: Events::new(shared.requests.clone()),
            metrics: shared.metrics.clone(),
            keys: shared.keys.clone(),
            key_namespace: args.key_namespace.clone(),
            watched: Watched { objects: objects.clone(), secrets: self.secrets.clone(), complete: listed },
            unseen: Unseen::default(),
            backoff: Backoff::default(),
            lanes: self.lanes.of(K::KIND),
            contended: Contended::default(),
            settings: Settings { restarts: args.restarts, not_ready_after: args.not_ready_after },
            shared: own,
        });
        let (gone, to_sweep) = mpsc::unbounded_channel();
        let swept_again = gone.downgrade();
        let (again, relisted) = watch::channel(0);
        let lists = Lists { kind: K::KIND, listed: Arc::clone(&self.arrived), gone, again: Arc::new(again) };
        let object_stream = watch_objects(shared, self.namespace, object_writer, Arc::clone(&context), lists.clone());
        let (secrets, secret_stream) = channel::unbounded();
        let controller = Controller::for_stream(object_stream, objects.clone())
            // As many as there are: lanes decide who works, and whoever waits there is not in the way of others.
            .with_config(ControllerConfig::default())
            .watches_stream(secret_stream, fed_by(Arc::clone(&context)))
            .reconcile_on(bell)
            .reconcile_all_on(changes(shared.keys.clone()))
            .reconcile_all_on(changes(relisted))
            .graceful_shutdown_on(ended(shared.stopped.clone(), self.stopped.clone()))
            .run(reconcile, error_policy, Arc::clone(&context))
            .for_each(|_| std::future::ready(()));
        let work = async move {
            tokio::select! {
                () = controller => {}
                () = sweep(context, to_sweep, swept_again) => {}
            }
        };
        Served { objects, secrets, lists, work: work.boxed() }
    }
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
