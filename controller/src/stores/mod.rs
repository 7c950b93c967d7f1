//! The stores that values are read through: who may use them, as whom, and one logged-in client for each identity.
//!
//! * [`home`](self) decides in which namespace the things that a store names are looked up, `admission` who may use a
//!   store of the cluster and for which keys, and `spelling` what a key means: pure.
//! * `credentials` and `tokens` get what a login needs; `connect` makes the client, and `connections` keeps it.
//! * [`References`] knows what depends on what, so that a change wakes those that it matters to; `watches` bring the
//!   changes, and `unwatched` looks for those that no watch brings.
//! * `check` looks at the stores themselves and tells in their status whether they can be used.

mod admission;
mod admissions;
mod aws;
mod check;
mod connect;
mod connections;
mod credentials;
mod error;
mod guard;
mod home;
mod kubernetes;
mod references;
mod spelling;
mod tokens;
mod unwatched;
mod watches;

use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Client;
use kube::core::ObjectMeta;
use kube::runtime::reflector::{self, ObjectRef, Store as Kept};
use sealwax_crds::{ClusterSecretStore, SecretStore, Store, StoreKind, StoreRef, StoreSpec};
use sealwax_sources::{Limits, Observer};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

pub use admission::{KeyRules, NamespaceFacts, Refusal};
pub use check::{CheckContext, check, check_policy};
pub use error::StoreError;
pub use references::{Reference, ReferenceKind, References, User};
pub use tokens::ALLOW_STORES;
pub use watches::{watch_cluster_stores, watch_references, watch_stores};

use admissions::Admissions;
use check::Checked;
use connections::Connections;
use home::Home;

/// What people chose.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// The class of stores that are served.
    pub class: Option<String>,
    /// Whether stores of one namespace may act as the controller.
    pub ambient: bool,
    /// Whether stores of the cluster are served.
    pub cluster: bool,
    /// How hard each source may be asked.
    pub limits: Limits,
}

/// Every store, and the clients that read through them.
pub struct Stores {
    client: Client,
    settings: StoreSettings,
    observer: Arc<dyn Observer>,
    /// The stores of the cluster.
    cluster: Kept<ClusterSecretStore>,
    cluster_writer: Mutex<Option<reflector::store::Writer<ClusterSecretStore>>>,
    /// Turns true when they have been listed, at once where they are not served.
    cluster_listed: watch::Sender<bool>,
    /// What depends on what.
    pub references: References,
    connections: Connections,
    admissions: Admissions,
}

/// A store of either kind, as the watch keeps it.
#[derive(Clone)]
pub enum AnyStore {
    /// Of one namespace.
    Local(Arc<SecretStore>),
    /// Of the cluster.
    Cluster(Arc<ClusterSecretStore>),
}

impl AnyStore {
    /// What it says.
    pub fn spec(&self) -> &StoreSpec {
        match self {
            Self::Local(store) => store.spec(),
            Self::Cluster(store) => store.spec(),
        }
    }

    fn kind(&self) -> StoreKind {
        match self {
            Self::Local(_) => StoreKind::SecretStore,
            Self::Cluster(_) => StoreKind::ClusterSecretStore,
        }
    }

    fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Local(store) => &store.metadata,
            Self::Cluster(store) => &store.metadata,
        }
    }

    fn home<'a>(&'a self, user: Option<&'a str>) -> Home<'a> {
        let meta = self.meta();
        Home {
            kind: self.kind(),
            store: meta.name.as_deref().unwrap_or_default(),
            user,
            namespace: match self {
                Self::Local(_) => meta.namespace.as_deref(),
                Self::Cluster(_) => None,
            },
        }
    }

    /// It, as something that is depended on.
    pub fn reference(&self) -> Reference {
        let meta = self.meta();
        let namespace = meta.namespace.clone().unwrap_or_default();
        Reference { kind: self.kind().into(), namespace, name: meta.name.clone().unwrap_or_default() }
    }

    /// Another one whenever its spec is: what is told in its status changes nothing for those that use it.
    fn version(&self) -> String {
        let meta = self.meta();
        format!("{}/{}", meta.uid.as_deref().unwrap_or_default(), meta.generation.unwrap_or_default())
    }

    /// It, as something that depends on others.
    fn user(&self) -> User {
        match self {
            Self::Local(store) => SecretStore::user(&store.metadata),
            Self::Cluster(store) => ClusterSecretStore::user(&store.metadata),
        }
    }
}

impl Stores {
    /// None connected yet.
    pub fn new(client: Client, settings: StoreSettings, observer: Arc<dyn Observer>) -> Self {
        let (cluster, writer) = reflector::store();
        let (cluster_listed, _) = watch::channel(!settings.cluster);
        Self {
            client,
            settings,
            observer,
            cluster,
            cluster_writer: Mutex::new(Some(writer)),
            cluster_listed,
            references: References::default(),
            connections: Connections::default(),
            admissions: Admissions::default(),
        }
    }

    /// Turns true when the stores of the cluster are known: one that is not there before that may well exist.
    pub fn are_listed(&self) -> watch::Receiver<bool> {
        self.cluster_listed.subscribe()
    }

    /// They are.
    pub fn listed(&self) {
        self.cluster_listed.send_replace(true);
    }

    /// The stores of the cluster and what fills them, once; nothing where they are not served.
    pub fn cluster(&self) -> Option<(Kept<ClusterSecretStore>, reflector::store::Writer<ClusterSecretStore>)> {
        let writer = self.cluster_writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        Some((self.cluster.clone(), writer.filter(|_| self.settings.cluster)?))
    }

    /// The store that an object of this namespace names. `Ok(None)`: it is another controller's.
    pub fn find(
        &self,
        named: &StoreRef,
        namespace: &str,
        local: &Kept<SecretStore>,
    ) -> Result<Option<AnyStore>, StoreError> {
        let kind = named.kind.unwrap_or_default();
        let found = match kind {
            StoreKind::SecretStore => {
                local.get(&ObjectRef::<SecretStore>::new(&named.name).within(namespace)).map(AnyStore::Local)
            }
            StoreKind::ClusterSecretStore if !self.settings.cluster => return Err(StoreError::NoClusterStores),
            StoreKind::ClusterSecretStore => self.cluster.get(&ObjectRef::new(&named.name)).map(AnyStore::Cluster),
        };
        let found = found.ok_or_else(|| StoreError::NoStore { kind, name: named.name.clone() })?;
        Ok(self.serves(found.spec()).then_some(found))
    }

    /// Whether a store is this controller's to serve.
    pub fn serves(&self, spec: &StoreSpec) -> bool {
        let class = spec.controller.as_deref().filter(|class| !class.is_empty());
        class.is_none_or(|class| Some(class) == self.settings.class.as_deref())
    }

    /// What reading through this store for this namespace depends on.
    pub fn depends(&self, store: &AnyStore, user: &str) -> Result<Vec<Reference>, StoreError> {
        let mut references = store.home(Some(user)).references(store.spec())?;
        references.push(store.reference());
        Ok(references)
    }

    /// A short hash of things as they were last seen: another one says that one of them has changed.
    pub fn versions<'r>(&self, references: impl Iterator<Item = &'r Reference>) -> String {
        let mut hash = Sha256::new();
        for reference in references {
            hash.update(format!("{reference} {}\n", self.references.version(reference)));
        }
        data_encoding::BASE32_NOPAD.encode(&hash.finalize()[..10]).to_ascii_lowercase()
    }

    /// A Secret of templates.
    pub async fn template_secret(&self, reference: &Reference) -> Result<Secret, StoreError> {
        credentials::secret(&self.client, reference).await
    }

    /// A ConfigMap of templates.
    pub async fn template_config_map(&self, reference: &Reference) -> Result<ConfigMap, StoreError> {
        credentials::config_map(&self.client, reference).await
    }
}
