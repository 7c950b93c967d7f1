//! Wiring only: clients, the election, tasks and servers, one function each.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use sealwax_sources::Limits;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::admin::{self, Admin};
use crate::args::Args;
use crate::census::take_census;
use crate::clients::{Clients, ClientsError};
use crate::cluster_keys::escrow::Escrow;
use crate::cluster_keys::{ClusterKeys, Keys};
use crate::events::Events;
use crate::fence::Fence;
use crate::leader::{Election, Lost};
use crate::metrics::Metrics;
use crate::queue::random_name;
use crate::scopes::{Scopes, Shared, until_true};
use crate::stores::{StoreSettings, Stores};
use crate::telemetry;
use crate::writer::Writer;

/// How long running reconciles may take to end after a signal.
const GRACE: Duration = Duration::from_secs(10);
/// How long the server for probes and metrics may take to end.
const GOODBYE: Duration = Duration::from_secs(2);
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
    /// The API server cannot be reached.
    #[error(transparent)]
    Clients(#[from] ClientsError),
    /// The address is taken or not ours.
    #[error("cannot listen on {0}")]
    Listen(std::net::SocketAddr, #[source] std::io::Error),
    /// Signals cannot be received.
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
    /// The server for probes and metrics ended.
    #[error("the server for probes and metrics ended")]
    Admin(#[source] std::io::Error),
    /// This replica led and does not any more; started again, it waits for its turn.
    #[error("this replica does not lead any more")]
    Lost(#[source] Lost),
    /// A task ended that should never end.
    #[error("the task {0} ended")]
    Ended(&'static str),
}

/// Runs until a signal, or until another replica leads in its place.
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
    let mut signal = stop_signal().map_err(StartError::Signals)?;
    let Clients { requests, watches } = Clients::infer().await?;
    let (stop, stopped) = watch::channel(false);
    let (keys_sender, keys) = watch::channel::<Keys>(None);
    let fence = Arc::new(Fence::closed());
    let writer = Writer::new(requests.clone(), Arc::clone(&fence));
    let metrics = Metrics::default();
    let leads = Arc::new(AtomicBool::new(false));
    let shared = Shared {
        args: args.clone(),
        requests: requests.clone(),
        watches: watches.clone(),
        writer: writer.clone(),
        metrics: metrics.clone(),
        keys: keys.clone(),
        stores: args.external.external.then(|| stores(&args, &requests, &metrics)),
        stopped: stopped.clone(),
    };
    let scopes = Arc::new(Scopes::new(shared));
    let server = serve(&args, &metrics, &scopes, &keys, &leads, &stopped).await?;

    let identity = format!("{}_{}", std::env::var("HOSTNAME").unwrap_or_default(), random_name());
    let lease = (args.key_namespace.as_str(), args.lease_name.as_str());
    let election = Election::new(&requests, &watches, lease, identity, args.lease_duration, Arc::clone(&fence));
    tracing::info!(lease = args.lease_name, "waiting to lead");
    let held = tokio::select! {
        held = election.win() => held,
        () = &mut signal => {
            stop.send_replace(true);
            return finish(server, Ok(())).await;
        }
    };
    tracing::info!("leading");
    leads.store(true, Ordering::Relaxed);
    metrics.leader.set(1);
    let cluster_keys = cluster_keys(&args, (&requests, &watches), &metrics, writer, escrow).run(keys_sender);
    let ended = lead(cluster_keys, scopes, keys, &election, held, signal, &stop).await;
    metrics.leader.set(0);
    if !matches!(ended, Err(StartError::Lost(_))) {
        election.release().await;
    }
    finish(server, ended).await
}

/// Does the work of the leader until a signal or the loss of the lease.
async fn lead(
    cluster_keys: impl Future<Output = ()> + Send + 'static,
    scopes: Arc<Scopes>,
    keys: watch::Receiver<Keys>,
    election: &Election,
    held: Lease,
    signal: BoxFuture<'static, ()>,
    stop: &watch::Sender<bool>,
) -> Result<(), StartError> {
    let mut key_task = tokio::spawn(cluster_keys);
    let mut work = tokio::spawn(async move {
        // What is kept of an object depends on the keys at hand.
        let mut keys = keys;
        if keys.wait_for(Option::is_some).await.is_ok() {
            scopes.run().await;
        }
    });
    let mut holding = Box::pin(election.hold(held));
    let ended = tokio::select! {
        () = signal => Ok(()),
        lost = &mut holding => Err(StartError::Lost(lost)),
        _ = &mut key_task => Err(StartError::Ended("keys")),
        _ = &mut work => Err(StartError::Ended("controller")),
    };
    tracing::info!("stopping");
    stop.send_replace(true);
    key_task.abort();
    if !matches!(ended, Err(StartError::Lost(_))) {
        // What is half done is finished, while the lease goes on being renewed: nothing of it is kept for the next start.
        tokio::select! {
            _ = tokio::time::timeout(GRACE, &mut work) => {}
            _ = &mut holding => {}
        }
    }
    work.abort();
    ended
}

async fn finish(
    server: tokio::task::JoinHandle<Result<(), std::io::Error>>,
    ended: Result<(), StartError>,
) -> Result<(), StartError> {
    // Who holds a connection open does not hold up the next leader.
    match tokio::time::timeout(GOODBYE, server).await {
        Ok(Ok(Err(error))) => Err(StartError::Admin(error)),
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

/// Starts the server for probes and metrics.
async fn serve(
    args: &Args,
    metrics: &Metrics,
    scopes: &Arc<Scopes>,
    keys: &watch::Receiver<Keys>,
    leads: &Arc<AtomicBool>,
    stopped: &watch::Receiver<bool>,
) -> Result<tokio::task::JoinHandle<Result<(), std::io::Error>>, StartError> {
    let cannot_listen = |error| StartError::Listen(args.listen, error);
    let listener = TcpListener::bind(args.listen).await.map_err(cannot_listen)?;
    // The port that was given, should any have been asked for.
    let listen = listener.local_addr().map_err(cannot_listen)?;
    let (ready_scopes, keys, leads) = (Arc::clone(scopes), keys.clone(), Arc::clone(leads));
    let (metrics, counted) = (metrics.clone(), Arc::clone(scopes));
    let admin = Arc::new(Admin {
        registry: metrics.registry(),
        // Who waits for the lease is ready to take it.
        ready: Box::new(move || !leads.load(Ordering::Relaxed) || keys.borrow().is_some() && ready_scopes.are_listed()),
        refresh: Box::new(move || take_census(&metrics, &counted.encrypted(), &counted.external())),
    });
    let server = tokio::spawn(admin::serve(listener, admin, until_true(stopped.clone())));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), %listen, "started");
    Ok(server)
}

fn stores(args: &Args, requests: &Client, metrics: &Metrics) -> Arc<Stores> {
    let external = &args.external;
    let settings = StoreSettings {
        class: args.class.clone(),
        ambient: external.allow_ambient_credentials,
        cluster: external.cluster_stores,
        limits: Limits {
            concurrency: external.source_concurrency.into(),
            per_second: external.source_rate.into(),
            burst: u32::from(external.source_rate) * 2,
        },
    };
    Arc::new(Stores::new(requests.clone(), settings, Arc::new(metrics.clone())))
}

fn cluster_keys(
    args: &Args,
    (requests, watches): (&Client, &Client),
    metrics: &Metrics,
    writer: Writer,
    escrow: Escrow,
) -> ClusterKeys {
    ClusterKeys {
        client: watches.clone(),
        writer,
        events: Events::new(requests.clone()),
        metrics: metrics.clone(),
        namespace: args.key_namespace.clone(),
        scopes: args.scopes(),
        namespace_selector: args.namespace_selector.clone(),
        cluster_name: args.cluster_name.as_str().to_owned(),
        rotate_every: args.rotate_keys_every,
        escrow,
    }
}
