//! What serving `ExternalSecret`s adds to a scope: its stores, and the watches of what they and objects name.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::channel::mpsc as channel;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::runtime::controller::Controller;
use kube::runtime::reflector;
use sealwax_crds::ExternalSecret;
use tokio::task::JoinSet;

use super::watches::{REFERENCED_CONFIG_MAPS, REFERENCED_SECRETS, STORES};
use super::{Common, Served, Shared, ended, until_true};
use crate::queue::Backoff;
use crate::reconcile::external_secret::Sources;
use crate::stores::{
    CheckContext, ReferenceKind, Stores, check, check_policy, watch_cluster_stores, watch_references, watch_stores,
};

/// How often clients that nobody uses are let go.
const TIDY: Duration = Duration::from_mins(1);

/// The controller of `ExternalSecret`s in one scope, and the work that its stores need.
pub(super) fn serve(common: &Common<'_>, stores: &Arc<Stores>) -> (Served<ExternalSecret>, BoxFuture<'static, ()>) {
    let (shared, scope) = (common.shared, common.namespace.map(str::to_owned));
    let arrived = |list: u8| {
        let listed = Arc::clone(&common.arrived);
        move || listed.send_modify(|listed| *listed |= list)
    };
    let (local, writer) = reflector::store();
    let (bell, rung) = channel::unbounded();
    stores.references.ring_objects(scope.clone(), bell);
    let sources = Sources { stores: Arc::clone(stores), local: local.clone(), due: Mutex::default() };
    let served = common.serve::<ExternalSecret>(sources, rung.boxed());

    let (bell, rung) = channel::unbounded();
    stores.references.ring_stores(scope.clone(), bell);
    let metrics = || shared.metrics.clone();
    let watch = watch_stores(&shared.watches, common.namespace, writer, Arc::clone(stores), metrics(), arrived(STORES));
    let checks = Controller::for_stream(watch, local)
        .reconcile_on(rung)
        .graceful_shutdown_on(ended(shared.stopped.clone(), common.stopped.clone()))
        .run(check, check_policy, context(shared, stores))
        .for_each(|_| std::future::ready(()));
    let follow = |kind| (shared.watches.clone(), kind, scope.clone(), Arc::clone(stores), metrics());
    let (client, kind, namespace, of, counted) = follow(ReferenceKind::Secret);
    let secrets = watch_references::<Secret>(client, kind, namespace, of, counted, arrived(REFERENCED_SECRETS));
    let (client, kind, namespace, of, counted) = follow(ReferenceKind::ConfigMap);
    let maps = watch_references::<ConfigMap>(client, kind, namespace, of, counted, arrived(REFERENCED_CONFIG_MAPS));
    let ended = ended(shared.stopped.clone(), common.stopped.clone());
    let work = async move {
        // Dropped with this, they end.
        let mut follows = JoinSet::new();
        follows.spawn(secrets);
        follows.spawn(maps);
        tokio::join!(checks, ended);
    };
    (served, work.boxed())
}

/// The work that the stores of the cluster need, whatever namespaces are served. Resolves with false: it should not end.
pub(super) fn cluster_stores(shared: &Shared) -> Option<BoxFuture<'static, bool>> {
    let stores = Arc::clone(shared.stores.as_ref()?);
    let stopped = shared.stopped.clone();
    let checks = stores.cluster().map(|(kept, writer)| {
        let (bell, rung) = channel::unbounded();
        stores.references.ring_cluster_stores(bell);
        let watch = watch_cluster_stores(&shared.watches, writer, Arc::clone(&stores), shared.metrics.clone());
        Controller::for_stream(watch, kept)
            .reconcile_on(rung)
            .graceful_shutdown_on(until_true(stopped.clone()))
            .run(check, check_policy, context(shared, &stores))
            .for_each(|_| std::future::ready(()))
            .boxed()
    });
    let work = async move {
        let tidy = async {
            loop {
                tokio::time::sleep(TIDY).await;
                stores.tidy();
            }
        };
        let checks = checks.unwrap_or_else(|| until_true(stopped).boxed());
        tokio::select! {
            () = checks => false,
            () = tidy => false,
        }
    };
    Some(work.boxed())
}

fn context(shared: &Shared, stores: &Arc<Stores>) -> Arc<CheckContext> {
    Arc::new(CheckContext {
        stores: Arc::clone(stores),
        writer: shared.writer.clone(),
        metrics: shared.metrics.clone(),
        backoff: Backoff::default(),
    })
}
