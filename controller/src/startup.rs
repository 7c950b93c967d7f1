//! Wiring only: client, watches, tasks and servers, one function each.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, try_join_all};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Config as ControllerConfig, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client};
use sealwax_crds::{EncryptedSecret, READY};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::admin::{self, Admin};
use crate::args::Args;
use crate::cluster_keys::escrow::Escrow;
use crate::cluster_keys::{ClusterKeys, Keys};
use crate::events::Events;
use crate::fence::Fence;
use crate::metrics::{Metrics, ReadyLabel};
use crate::queue::Backoff;
use crate::reconcile::encrypted_secret::{Context, Unseen, Watched, error_policy, reconcile};
use crate::store::{MANAGED_BY, strip_object, strip_secret};
use crate::telemetry::describe_watch;
use crate::writer::{MANAGER, Writer};
use crate::{ownership, telemetry};

/// Objects reconciled at the same time.
const CONCURRENCY: u16 = 16;
/// Objects listed at a time: a page of ciphertext is held in full before it is stripped.
const PAGE: u32 = 100;
/// How long running reconciles may take to end after a signal.
const GRACE: Duration = Duration::from_secs(10);

/// Why the program ends other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Flags that do not go together.
    #[error(transparent)]
    Args(#[from] crate::args::ArgsError),
    /// Escrow recipients that cannot be used.
    #[error(transparent)]
    Escrow(#[from] crate::cluster_keys::escrow::EscrowError),
    /// The runtime did not start.
    #[error("cannot start the runtime")]
    Runtime(#[source] std::io::Error),
    /// No kubeconfig and no service account.
    #[error("cannot find out how to reach the API server")]
    Config(#[source] kube::Error),
    /// The address is taken or not ours.
    #[error("cannot listen on {0}")]
    Listen(std::net::SocketAddr, #[source] std::io::Error),
    /// Signals cannot be received.
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
    /// The server for probes and metrics ended.
    #[error("the server for probes and metrics ended")]
    Admin(#[source] std::io::Error),
    /// A task ended that should never end.
    #[error("the task {0} ended")]
    Ended(&'static str),
}

/// Runs until a signal.
pub fn main(args: Args) -> ExitCode {
    telemetry::start(args.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(StartError::Runtime);
    match runtime.and_then(|runtime| runtime.block_on(run(args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = telemetry::chain(&error), "stopped");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), StartError> {
    args.validate()?;
    let escrow = Escrow::new(&args.escrow_recipients, args.escrow_config_map)?;
    let (stop, stopped) = watch::channel(false);
    let signal = stop_signal().map_err(StartError::Signals)?;
    let client = Client::try_default().await.map_err(StartError::Config)?;
    let fence = Arc::new(Fence::closed());
    // One replica: it leads from the start and for ever.
    fence.open_until(Instant::now() + Duration::from_secs(u64::from(u32::MAX)));
    let writer = Writer::new(client.clone(), fence);
    let metrics = Metrics::default();
    let (keys_sender, keys) = watch::channel::<Keys>(None);
    let scopes: Vec<_> = args
        .scopes()
        .iter()
        .map(|scope| Scope::start(&args, &client, &writer, &metrics, &keys, scope.as_deref(), &stopped))
        .collect();
    let objects = scopes.iter().map(|scope| scope.objects.clone()).collect();
    let listed = scopes.iter().map(|scope| Arc::clone(&scope.listed)).collect();
    let admin = Arc::new(Admin {
        registry: metrics.registry(),
        ready: readiness(listed, keys),
        refresh: count_objects(metrics.clone(), objects),
    });
    let cannot_listen = |error| StartError::Listen(args.listen, error);
    let listener = TcpListener::bind(args.listen).await.map_err(cannot_listen)?;
    // The port that was given, should any have been asked for.
    let listen = listener.local_addr().map_err(cannot_listen)?;
    let server = tokio::spawn(admin::serve(listener, admin, until_stopped(&stopped)));
    let mut key_task = tokio::spawn(cluster_keys(&args, &client, &metrics, writer.clone(), escrow).run(keys_sender));
    let mut controllers = tokio::spawn(try_join_all(scopes.into_iter().map(|scope| tokio::spawn(scope.controller))));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), %listen, "started");
    let ended = tokio::select! {
        () = signal => Ok(()),
        _ = &mut key_task => Err(StartError::Ended("keys")),
        _ = &mut controllers => Err(StartError::Ended("controller")),
    };
    tracing::info!("stopping");
    stop.send_replace(true);
    key_task.abort();
    // What is half done is finished: nothing of it is kept for the next start.
    let _ = tokio::time::timeout(GRACE, &mut controllers).await;
    match server.await {
        Ok(Err(error)) => Err(StartError::Admin(error)),
        _ => ended,
    }
}

fn stop_signal() -> Result<BoxFuture<'static, ()>, std::io::Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    .boxed())
}

fn until_stopped(stopped: &watch::Receiver<bool>) -> impl Future<Output = ()> + Send + Sync + 'static {
    let mut stopped = stopped.clone();
    async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }
}

fn cluster_keys(args: &Args, client: &Client, metrics: &Metrics, writer: Writer, escrow: Escrow) -> ClusterKeys {
    ClusterKeys {
        client: client.clone(),
        writer,
        events: Events::new(client.clone()),
        metrics: metrics.clone(),
        namespace: args.key_namespace.clone(),
        scopes: args.scopes(),
        cluster_name: args.cluster_name.as_str().to_owned(),
        rotate_every: args.rotate_keys_every,
        escrow,
    }
}

/// The watches and the controller of one namespace, or of all.
struct Scope {
    objects: Store<EncryptedSecret>,
    listed: Arc<AtomicBool>,
    controller: BoxFuture<'static, ()>,
}

impl Scope {
    fn start(
        args: &Args,
        client: &Client,
        writer: &Writer,
        metrics: &Metrics,
        keys: &watch::Receiver<Keys>,
        scope: Option<&str>,
        stopped: &watch::Receiver<bool>,
    ) -> Self {
        let (objects, object_writer) = reflector::store();
        let (secrets, secret_writer) = reflector::store();
        let context = Arc::new(Context {
            client: client.clone(),
            writer: writer.clone(),
            events: Events::new(client.clone()),
            metrics: metrics.clone(),
            keys: keys.clone(),
            key_namespace: args.key_namespace.clone(),
            watched: Watched { objects: objects.clone(), secrets },
            unseen: Unseen::default(),
            backoff: Backoff::default(),
        });
        let listed = Arc::new(AtomicBool::new(false));
        let api = crate::reconcile::api(client, scope);
        let object_stream = watch_objects(api, object_writer, Arc::clone(&context), Arc::clone(&listed));
        let secret_stream = watch_secrets(crate::reconcile::api(client, scope), secret_writer);
        let controller = Controller::for_stream(object_stream, objects.clone())
            .with_config(ControllerConfig::default().concurrency(CONCURRENCY))
            .watches_stream(secret_stream, owner_of(objects.clone()))
            .reconcile_all_on(key_changes(keys.clone()))
            .graceful_shutdown_on(until_stopped(stopped))
            .run(reconcile, error_policy, context)
            .for_each(|_| std::future::ready(()))
            .boxed();
        Self { objects, listed, controller }
    }
}

fn watch_objects(
    api: Api<EncryptedSecret>,
    writer: reflector::store::Writer<EncryptedSecret>,
    context: Arc<Context>,
    listed: Arc<AtomicBool>,
) -> impl Stream<Item = Result<EncryptedSecret, watcher::Error>> + Send + 'static {
    watcher(api, watcher::Config::default().page_size(PAGE))
        .default_backoff()
        .inspect_ok(move |event| {
            if matches!(event, watcher::Event::InitDone) {
                listed.store(true, Ordering::Relaxed);
            }
        })
        .modify(strip_object)
        .reflect(writer)
        .touched_objects()
        .inspect_ok(move |object| forget(object, &context))
        .inspect_err(|error| tracing::warn!(error = describe_watch(error), "the watch of objects starts again"))
        // Our own status writes change nothing that is decided by.
        .predicate_filter(decided_by, kube::runtime::PredicateConfig::default())
}

/// Keeps nothing of an object that is gone.
fn forget(object: &EncryptedSecret, context: &Context) {
    context.unseen.saw(&object.metadata);
    let gone = context.watched.objects.get(&ObjectRef::from_obj(object)).is_none();
    if let (true, Some(uid)) = (gone, &object.metadata.uid) {
        context.unseen.retain(|kept| kept != uid);
        context.backoff.retain(|kept| kept != uid);
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of a predicate")]
fn decided_by(object: &EncryptedSecret) -> Option<u64> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    let meta = &object.metadata;
    (&meta.uid, meta.generation, meta.deletion_timestamp.is_some()).hash(&mut hasher);
    Some(hasher.finish())
}

fn watch_secrets(
    api: Api<PartialObjectMeta<Secret>>,
    writer: reflector::store::Writer<PartialObjectMeta<Secret>>,
) -> impl Stream<Item = Result<PartialObjectMeta<Secret>, watcher::Error>> + Send + 'static {
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY}={MANAGER}"));
    watcher(api, ours)
        .default_backoff()
        .modify(strip_secret)
        .reflect(writer)
        .touched_objects()
        .inspect_err(|error| tracing::warn!(error = describe_watch(error), "the watch of Secrets starts again"))
}

/// The object that a Secret belongs to: by its owner reference, or, should that have been removed, by the name that the
/// object's status gives.
fn owner_of(
    objects: Store<EncryptedSecret>,
) -> impl Fn(PartialObjectMeta<Secret>) -> Option<ObjectRef<EncryptedSecret>> + Send + Sync + 'static {
    move |secret| {
        let namespace = secret.metadata.namespace.as_deref()?;
        if let Some(owner) = ownership::owner_name(&secret) {
            return Some(ObjectRef::new(owner).within(namespace));
        }
        let made = |object: &EncryptedSecret| {
            let status = object.status.as_ref();
            object.metadata.namespace.as_deref() == Some(namespace)
                && status.is_some_and(|status| status.secret_name == secret.metadata.name)
        };
        objects.find(made).map(|object| ObjectRef::from_obj(&*object))
    }
}

/// An element for every change of the keys: objects may be waiting for one.
fn key_changes(keys: watch::Receiver<Keys>) -> impl Stream<Item = ()> + Send + 'static {
    stream::unfold(keys, |mut keys| async move { keys.changed().await.ok().map(|()| ((), keys)) })
}

/// Whether every list has arrived and the keys are loaded.
///
/// Not by waiting for the stores: a store wakes one waiter, and that one is the controller.
fn readiness(listed: Vec<Arc<AtomicBool>>, keys: watch::Receiver<Keys>) -> Box<dyn Fn() -> bool + Send + Sync> {
    Box::new(move || keys.borrow().is_some() && listed.iter().all(|listed| listed.load(Ordering::Relaxed)))
}

fn count_objects(metrics: Metrics, stores: Vec<Store<EncryptedSecret>>) -> Box<dyn Fn() + Send + Sync> {
    Box::new(move || {
        let mut counts = [("True", 0), ("False", 0), ("Unknown", 0)];
        for object in stores.iter().flat_map(Store::state) {
            let conditions = object.status.iter().flat_map(|status| &status.conditions);
            let ready = conditions.filter(|c| c.type_ == READY).map(|c| c.status.as_str()).next().unwrap_or("Unknown");
            counts.iter_mut().filter(|(name, _)| *name == ready).for_each(|(_, count)| *count += 1);
        }
        for (ready, count) in counts {
            metrics.objects.get_or_create(&ReadyLabel { ready }).set(count);
        }
    })
}
