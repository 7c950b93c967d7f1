//! How the API server is reached: one client for single requests, one for watches, and for how long each waits.

use std::time::Duration;

use kube::core::NamespaceResourceScope;
use kube::runtime::watcher;
use kube::{Api, Client, Config, Resource};

/// A single request whose answer pauses for so long is given up. Writes have a limit of their own, the fence.
const PATIENCE: Duration = Duration::from_secs(20);
/// The API server ends every watch after so many seconds, and it begins anew where it was.
const WATCH_SECONDS: u32 = 120;
/// So a watch that is silent for longer is dead, though nobody has closed it.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 20);

/// Neither tries again by itself: whoever asks decides that, with the fence before every write.
pub struct Clients {
    /// For single requests.
    pub requests: Client,
    /// For watches, and the lists that they begin with.
    pub watches: Client,
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// No kubeconfig and no service account.
    #[error("cannot find out how to reach the API server")]
    Config(#[source] kube::config::InferConfigError),
    /// What was found cannot be used.
    #[error("cannot use what says how to reach the API server")]
    Client(#[source] kube::Error),
}

impl Clients {
    /// From the kubeconfig, or the Pod's service account.
    pub async fn infer() -> Result<Self, ClientsError> {
        let mut config = Config::infer().await.map_err(ClientsError::Config)?;
        config.default_retry = false;
        config.read_timeout = Some(PATIENCE);
        let requests = Client::try_from(config.clone()).map_err(ClientsError::Client)?;
        config.read_timeout = Some(SILENCE);
        let watches = Client::try_from(config).map_err(ClientsError::Client)?;
        Ok(Self { requests, watches })
    }
}

/// What every watch has in common.
pub fn watching() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_SECONDS)
}

/// One namespace, or all of them.
pub fn api<K>(client: &Client, scope: Option<&str>) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope>,
    K::DynamicType: Default,
{
    match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}
