//! Vault, and `OpenBao`: values of KV stores, versions 1 and 2.
//!
//! How the package vaultrs is used, and why not more of it: `docs/decisions/0007`.

mod auth;
mod client;
mod find;
mod kv;
mod login;
mod paths;
mod renewal;
mod transit;
mod transport;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use sealwax_format::SecretBytes;

use self::auth::Session;
use self::paths::Paths;
pub use self::transit::{Transit, TransitKey};
use crate::{Address, Payload, Query, Source, SourceError, Tokens};

pub(crate) const PROVIDER: &str = "Vault";

/// Where the server is and how it is spoken to.
#[derive(Clone, Default)]
pub struct Settings {
    /// `https://vault.example:8200`, or `http://…`; a path in it comes before `/v1`.
    pub server: String,
    /// Where the KV store is mounted. Without it, keys begin with their mount.
    pub mount: Option<String>,
    /// Which kind of KV store it is.
    pub version: Version,
    /// Where the secrets are.
    pub namespace: Option<String>,
    /// Where to log in, if elsewhere.
    pub auth_namespace: Option<String>,
    /// Certificates in PEM that the server's is checked against, and no others. Without them: those of the system.
    pub ca: Option<Vec<u8>>,
    /// Certificate and key in PEM that this client shows.
    pub client_certificate: Option<(Vec<u8>, Arc<SecretBytes>)>,
    /// Sent with every request.
    pub headers: BTreeMap<String, String>,
    /// Asks a standby to forward a read that it could not yet answer to the active node.
    pub forward_inconsistent: bool,
}

/// The kind of a KV store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// Keeps the newest value only.
    V1,
    /// Keeps versions and metadata.
    #[default]
    V2,
}

/// As whom.
#[derive(Clone)]
pub enum Login {
    /// With a token that somebody made. It is renewed if it can be; nobody can replace it.
    Token(Arc<SecretBytes>),
    /// With a role and its secret.
    AppRole {
        /// Where the method is mounted: `approle`.
        mount: String,
        /// The role's id.
        role_id: String,
        /// Its secret.
        secret_id: Arc<SecretBytes>,
    },
    /// With a token of a service account that the server has reviewed by its cluster.
    Kubernetes {
        /// Where the method is mounted: `kubernetes`.
        mount: String,
        /// The role.
        role: String,
        /// Makes the tokens.
        jwt: Arc<dyn Tokens>,
    },
    /// With a signed token that the server checks by itself.
    Jwt {
        /// Where the method is mounted: `jwt`.
        mount: String,
        /// The role; without it, the method's default role.
        role: Option<String>,
        /// Makes the tokens.
        jwt: Arc<dyn Tokens>,
    },
}

/// One logged-in client of one server, for one KV store or for all that the login may read. Dropped, it gives back the
/// token that a login got, in the background.
pub struct Vault {
    session: Arc<Session>,
    paths: Paths,
    namespace: Option<String>,
}

impl Vault {
    /// A client that logs in when it is first used.
    pub fn new(settings: Settings, login: Login) -> Result<Self, SourceError> {
        let transport = transport::Transport::new(&settings)?;
        let auth_namespace = settings.auth_namespace.or_else(|| settings.namespace.clone());
        Ok(Self {
            session: Session::new(transport, login, auth_namespace),
            paths: Paths::new(settings.mount.as_deref(), settings.version)?,
            namespace: settings.namespace,
        })
    }
}

impl Source for Vault {
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
        self.session.check().boxed()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may carry credentials of a proxy.
        f.debug_struct("Settings")
            .field("server", &self.server)
            .field("mount", &self.mount)
            .field("version", &self.version)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Login(token)",
            Self::AppRole { .. } => "Login(approle)",
            Self::Kubernetes { .. } => "Login(kubernetes)",
            Self::Jwt { .. } => "Login(jwt)",
        })
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({:?})", self.session)
    }
}
