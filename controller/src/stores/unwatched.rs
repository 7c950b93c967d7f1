//! What no watch tells of: looked at whenever a store is.
//!
//! Where some namespaces are served, only those are watched; a store of the cluster may name a Secret of any.

use std::fmt::Debug;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::{AnyStore, Reference, ReferenceKind, Stores};
use crate::feeding::in_time;
use crate::telemetry::describe;

impl Stores {
    /// Makes the versions known of what has not been seen yet: where no watch brings it, or has not yet. A client that were
    /// made before that would soon be made again.
    pub(super) async fn learn(&self, references: &[Reference]) {
        for reference in references.iter().filter(|reference| !self.references.is_known(reference)) {
            if let Some(Some(version)) = self.look_at(reference).await {
                self.references.saw_first(reference, &version);
            }
        }
    }

    /// Looks at everything that this store and those who read through it depend on and that no watch brings. Whoever it
    /// matters to is woken by what has changed.
    pub(super) async fn look_around(&self, store: &AnyStore) {
        for reference in self.references.unwatched(&store.reference(), &store.user()) {
            if let Some(version) = self.look_at(&reference).await {
                self.references.saw(&reference, version.as_deref());
            }
        }
        self.drop_changed(store).await;
        self.admit_again(store).await;
    }

    /// Its version, if it is there; `None`: that cannot be told.
    async fn look_at(&self, reference: &Reference) -> Option<Option<String>> {
        let found = match reference.kind {
            ReferenceKind::Secret => version::<Secret>(&self.client, reference).await,
            ReferenceKind::ConfigMap => version::<ConfigMap>(&self.client, reference).await,
            ReferenceKind::SecretStore | ReferenceKind::ClusterSecretStore => return None,
        };
        // It is as it was seen last; whoever needs it reads it, and tells.
        let failed = |error: &kube::Error| {
            tracing::debug!(%reference, error = describe(error), "cannot look at what a store names");
        };
        found.inspect_err(failed).ok()
    }
}

/// Its resourceVersion, if it is there.
async fn version<K>(client: &Client, reference: &Reference) -> Result<Option<String>, kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), &reference.namespace);
    let found: Option<PartialObjectMeta<K>> = in_time(api.get_metadata_opt(&reference.name)).await?;
    Ok(found.and_then(|found| found.metadata.resource_version))
}
