//! The only use of Kubernetes in this program. Nothing here runs, and no kubeconfig is read, before a subcommand asks.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use crate::error::{CommandError, chain};

/// The ConfigMap in which a controller publishes its public keys.
const CONFIG_MAP: &str = "sealwax-recipients";
/// Its only entry that matters here: comments, and one recipient a line, the sealing one first.
const ENTRY: &str = "recipients";

/// What a controller publishes, as text.
pub(crate) fn published_recipients(context: Option<&str>, namespace: &str) -> Result<String, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::refused(format!("no runtime: {error}")))?;
    runtime.block_on(async {
        let client = connect(context).await?;
        let config_maps: Api<ConfigMap> = Api::namespaced(client, namespace);
        let found = config_maps
            .get_opt(CONFIG_MAP)
            .await
            .map_err(|error| CommandError::refused(format!("ConfigMap {namespace}/{CONFIG_MAP}: {}", chain(&error))))?;
        found.and_then(|map| map.data?.remove(ENTRY)).ok_or_else(|| {
            CommandError::refused(format!("there is no ConfigMap {namespace}/{CONFIG_MAP} with a key {ENTRY}"))
                .hint("Is the controller installed there? Pass its namespace with --namespace.")
        })
    })
}

async fn connect(context: Option<&str>) -> Result<Client, CommandError> {
    let failed = |error: &dyn std::error::Error| CommandError::usage(format!("kubeconfig: {}", chain(error)));
    let kubeconfig = Kubeconfig::read().map_err(|error| failed(&error))?;
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| failed(&error))?;
    Client::try_from(config).map_err(|error| failed(&error))
}
