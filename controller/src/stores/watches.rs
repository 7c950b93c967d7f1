//! The watches of stores, and of what stores and objects depend on.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;

use futures::{Stream, StreamExt, TryStreamExt};
use kube::core::{NamespaceResourceScope, ObjectMeta, PartialObjectMeta};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use sealwax_crds::{ClusterSecretStore, SecretStore};
use serde::de::DeserializeOwned;

use super::check::Checked;
use super::references::{Reference, ReferenceKind};
use super::{AnyStore, Stores};
use crate::metrics::Metrics;
use crate::telemetry::describe_watch;

/// Objects listed at a time.
const PAGE: u32 = 500;

/// The stores of one namespace, or of all.
pub fn watch_stores(
    client: &Client,
    namespace: Option<&str>,
    writer: reflector::store::Writer<SecretStore>,
    stores: Arc<Stores>,
    metrics: Metrics,
    listed: impl Fn() + Send + 'static,
) -> impl Stream<Item = Result<SecretStore, watcher::Error>> + Send + 'static {
    watch(crate::clients::api(client, namespace), writer, stores, namespace.map(str::to_owned), metrics, listed)
}

/// The stores of the cluster.
pub fn watch_cluster_stores(
    client: &Client,
    writer: reflector::store::Writer<ClusterSecretStore>,
    stores: Arc<Stores>,
    metrics: Metrics,
) -> impl Stream<Item = Result<ClusterSecretStore, watcher::Error>> + Send + 'static {
    let told = Arc::clone(&stores);
    watch(Api::all(client.clone()), writer, stores, None, metrics, move || told.listed())
}

fn watch<S>(
    api: Api<S>,
    writer: reflector::store::Writer<S>,
    stores: Arc<Stores>,
    namespace: Option<String>,
    metrics: Metrics,
    complete: impl Fn() + Send + 'static,
) -> impl Stream<Item = Result<S, watcher::Error>> + Send + 'static
where
    S: Checked + Clone + Debug + DeserializeOwned,
{
    let mut listed = HashSet::new();
    watcher(api, crate::clients::watching().page_size(PAGE))
        .default_backoff()
        .modify(|store| store.meta_mut().managed_fields = None)
        .reflect(writer)
        .inspect_ok(move |event| match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(store) => {
                listed.insert(saw(store, &stores));
            }
            watcher::Event::InitDone => {
                relisted::<S>(&stores, namespace.as_deref(), &std::mem::take(&mut listed));
                complete();
            }
            watcher::Event::Apply(store) => {
                saw(store, &stores);
            }
            watcher::Event::Delete(store) => {
                let reference = S::any(&Arc::new(store.clone())).reference();
                stores.references.saw(&reference, None);
                gone::<S>(&stores, &reference);
            }
        })
        .touched_objects()
        .inspect_err(move |error| {
            metrics.watch_failed(S::NAME);
            tracing::warn!(kind = S::NAME, error = describe_watch(error), "the watch of stores starts again");
        })
        // Our own status writes change nothing that is decided by.
        .predicate_filter(decided_by, kube::runtime::PredicateConfig::default())
}

fn saw<S: Checked + Clone>(store: &S, stores: &Stores) -> Reference {
    let any: AnyStore = S::any(&Arc::new(store.clone()));
    stores.references.saw(&any.reference(), Some(&any.version()));
    any.reference()
}

/// All that there are have been listed: others went while nobody watched.
fn relisted<S: Checked>(stores: &Stores, namespace: Option<&str>, listed: &HashSet<Reference>) {
    for reference in stores.references.listed(ReferenceKind::from(S::KIND), namespace, listed) {
        gone::<S>(stores, &reference);
    }
}

/// A store is not there any more: it depends on nothing, and nobody stays logged in by it.
fn gone<S: Checked>(stores: &Stores, reference: &Reference) {
    let (name, namespace) = (Some(reference.name.clone()), Some(reference.namespace.clone()));
    stores.references.forget(&S::user(&ObjectMeta { name, namespace, ..ObjectMeta::default() }));
    stores.drop_store(reference);
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of a predicate")]
fn decided_by<S: Resource>(store: &S) -> Option<u64> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    let meta = store.meta();
    (&meta.uid, meta.generation, meta.deletion_timestamp.is_some()).hash(&mut hasher);
    Some(hasher.finish())
}

/// Follows the metadata of all Secrets or ConfigMaps of one namespace, or of all, keeping nothing but their versions.
pub async fn watch_references<K>(
    client: Client,
    kind: ReferenceKind,
    namespace: Option<String>,
    stores: Arc<Stores>,
    metrics: Metrics,
    complete: impl Fn() + Send,
) where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let api: Api<PartialObjectMeta<K>> = crate::clients::api(&client, namespace.as_deref());
    let mut events = std::pin::pin!(watcher(api, crate::clients::watching().page_size(PAGE)).default_backoff());
    let mut listed = HashSet::new();
    let of = |found: &PartialObjectMeta<K>| Reference {
        kind,
        namespace: found.namespace().unwrap_or_default(),
        name: found.name_any(),
    };
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::InitApply(found)) => {
                let reference = of(&found);
                stores.references.saw(&reference, found.metadata.resource_version.as_deref());
                listed.insert(reference);
            }
            Ok(watcher::Event::InitDone) => {
                stores.references.listed(kind, namespace.as_deref(), &std::mem::take(&mut listed));
                complete();
            }
            Ok(watcher::Event::Apply(found)) => {
                stores.references.saw(&of(&found), found.metadata.resource_version.as_deref());
            }
            Ok(watcher::Event::Delete(found)) => stores.references.saw(&of(&found), None),
            Err(error) => {
                metrics.watch_failed(if kind == ReferenceKind::Secret { "Secret" } else { "ConfigMap" });
                tracing::warn!(error = describe_watch(&error), "a watch starts again");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::connections::tests::{fake, stores};
    use super::*;

    #[tokio::test]
    async fn a_store_that_went_while_nobody_watched_leaves_no_client_behind() {
        let (stores, store) = (stores(), fake(1, "x"));
        stores.references.saw(&store.reference(), Some(&store.version()));
        let reader = Arc::downgrade(&stores.reader(&store, Some("prod")).await.unwrap());
        relisted::<SecretStore>(&stores, Some("other"), &HashSet::new());
        relisted::<ClusterSecretStore>(&stores, None, &HashSet::new());
        relisted::<SecretStore>(&stores, None, &[store.reference()].into());
        assert!(reader.upgrade().is_some());
        relisted::<SecretStore>(&stores, Some("prod"), &HashSet::new());
        assert!(reader.upgrade().is_none());
    }
}
