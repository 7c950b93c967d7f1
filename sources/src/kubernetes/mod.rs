//! Secrets of another namespace or another cluster.
//!
//! A key is the name of a Secret; its items are the fields of what is read, each of any bytes.

mod client;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ListParams, PostParams};
use sealwax_format::SecretBytes;

use self::client::Clients;
use crate::names::{name_pattern, within_bounds};
use crate::{Address, Payload, Query, Source, SourceError, Tokens};

pub(crate) const PROVIDER: &str = "Kubernetes";

/// Names that one call lists.
const PAGE: u32 = 500;

/// Where the Secrets are.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `https://api.example:6443`; without it, the cluster that this program runs in.
    pub server: Option<String>,
    /// The one namespace that is read from.
    pub namespace: String,
    /// Certificates in PEM that the server's is checked against, and no others. Without them: those of the system, or the
    /// cluster's own.
    pub ca: Option<Vec<u8>>,
}

/// As whom.
#[derive(Clone)]
pub enum Login {
    /// With a token that somebody made.
    Token(Arc<SecretBytes>),
    /// With tokens of a service account.
    ServiceAccount(Arc<dyn Tokens>),
    /// With a certificate and its key, in PEM.
    ClientCertificate {
        /// The certificate.
        certificate: Vec<u8>,
        /// Its key.
        key: Arc<SecretBytes>,
    },
    /// With a client that is logged in already; server and CA are its own.
    Client(kube::Client),
}

/// One logged-in client of one namespace.
pub struct Kubernetes {
    clients: Clients,
    namespace: String,
}

impl Kubernetes {
    /// A client that connects when it is first used.
    pub fn new(settings: Settings, login: Login) -> Result<Self, SourceError> {
        let namespace = settings.namespace.clone();
        if !is_name(&namespace) {
            return Err(SourceError::invalid(PROVIDER, "connect", "the store names no namespace"));
        }
        Ok(Self { clients: Clients::new(settings, login)?, namespace })
    }

    async fn read_one(&self, address: &Address) -> Result<Payload, SourceError> {
        let invalid = |why: &str| Err(SourceError::invalid(PROVIDER, "read", why));
        let read = async {
            if !is_name(&address.key) {
                return invalid("the key is not the name of a Secret");
            }
            if address.version.is_some() {
                return invalid("a Secret keeps no versions");
            }
            if address.metadata { self.read_metadata(&address.key).await } else { self.read_items(&address.key).await }
        };
        read.await.map_err(|error: SourceError| error.with_key(&address.key))
    }

    async fn read_items(&self, name: &str) -> Result<Payload, SourceError> {
        let secret = self.call("read", |secrets| async move { secrets.get(name).await }.boxed()).await?;
        let items = secret.data.unwrap_or_default();
        let items = items.into_iter().map(|(name, value)| (name, SecretBytes::from(value.0))).collect();
        Ok(Payload { version: secret.metadata.resource_version, ..Payload::items(items) })
    }

    /// Labels and annotations. The values are not even fetched.
    async fn read_metadata(&self, name: &str) -> Result<Payload, SourceError> {
        let metadata =
            self.call("read", |secrets| async move { secrets.get_metadata(name).await }.boxed()).await?.metadata;
        let (labels, annotations) = (metadata.labels.unwrap_or_default(), metadata.annotations.unwrap_or_default());
        let json = serde_json::to_vec(&BTreeMap::from([("annotations", annotations), ("labels", labels)]));
        let json = json.map_err(|_| SourceError::invalid(PROVIDER, "read", "the metadata is not text"))?;
        Ok(Payload { version: metadata.resource_version, ..Payload::fields(json) })
    }

    async fn search(&self, query: &Query) -> Result<Vec<String>, SourceError> {
        if query.path.as_deref().is_some_and(|path| !path.is_empty()) {
            return Err(SourceError::invalid(PROVIDER, "find", "Secrets have no paths"));
        }
        let name = name_pattern(PROVIDER, query)?;
        let labels = query.tags.iter().map(|(label, value)| format!("{label}={value}")).collect::<Vec<_>>().join(",");
        let (mut names, mut page) = (Vec::new(), ListParams::default().limit(PAGE).labels(&labels));
        loop {
            let params = &page;
            let list = self.call("find", |secrets| async move { secrets.list_metadata(params).await }.boxed()).await?;
            names.extend(list.items.into_iter().filter_map(|secret| secret.metadata.name));
            within_bounds(PROVIDER, names.len())?;
            match list.metadata.continue_.filter(|next| !next.is_empty()) {
                Some(next) => page = page.continue_token(&next),
                None => break,
            }
        }
        names.retain(|found| name.as_ref().is_none_or(|name| name.is_match(found)));
        names.sort();
        Ok(names)
    }

    /// Every identity may ask what it may do, and nobody who is none.
    async fn log_in(&self) -> Result<(), SourceError> {
        let attributes = ResourceAttributes {
            namespace: Some(self.namespace.clone()),
            resource: Some("secrets".to_owned()),
            verb: Some("get".to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..Default::default() };
        let review = &review;
        let ask = |client| {
            let reviews = Api::<SelfSubjectAccessReview>::all(client);
            async move { reviews.create(&PostParams::default(), review).await }.boxed()
        };
        // What the answer says does not matter: one that may read a single Secret by its name is told "no".
        self.clients.call("login", ask).await.map(drop)
    }

    async fn call<'c, T>(
        &self,
        operation: &'static str,
        call: impl Fn(Api<Secret>) -> BoxFuture<'c, kube::Result<T>> + Send + Sync,
    ) -> Result<T, SourceError> {
        self.clients.call(operation, |client| call(Api::namespaced(client, &self.namespace))).await
    }
}

/// The name of an object: it becomes part of a path.
fn is_name(name: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = name.as_bytes().first().is_some_and(alphanumeric) && name.as_bytes().last().is_some_and(alphanumeric);
    ends && name.len() <= 253 && name.bytes().all(|byte| alphanumeric(&byte) || matches!(byte, b'-' | b'.'))
}

impl Source for Kubernetes {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn batch(&self) -> usize {
        1
    }

    fn read<'s>(&'s self, addresses: &'s [Address]) -> BoxFuture<'s, Vec<Result<Payload, SourceError>>> {
        join_all(addresses.iter().map(|address| self.read_one(address))).boxed()
    }

    fn find<'s>(&'s self, query: &'s Query) -> BoxFuture<'s, Result<Vec<String>, SourceError>> {
        self.search(query).boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), SourceError>> {
        self.log_in().boxed()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Login(token)",
            Self::ServiceAccount(_) => "Login(service account)",
            Self::ClientCertificate { .. } => "Login(client certificate)",
            Self::Client(_) => "Login(client)",
        })
    }
}

impl fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kubernetes({})", self.namespace)
    }
}
