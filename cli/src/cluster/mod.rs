//! The only use of Kubernetes in this program. Nothing here runs, and no kubeconfig is read, before a subcommand asks.

pub(crate) mod bundle;
pub(crate) mod keys;
pub(crate) mod needs;

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::response::Status;
use kube::{Api, Client, Config, ResourceExt as _};
use sealwax_format::keys::cluster::RECIPIENTS_MAP;
use sealwax_format::keys::published::{Published, RECIPIENTS};

use crate::error::{CommandError, chain};

/// Which cluster, and where its controller is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ClusterArgs {
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Namespace of the controller
    #[arg(long, value_name = "NAMESPACE", default_value = NAMESPACE)]
    namespace: String,
}

/// Where controllers are installed.
pub(crate) const NAMESPACE: &str = "sealwax-system";

/// How long an API server may keep silent.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A cluster that can be asked; every question blocks.
pub(crate) struct Cluster {
    runtime: tokio::runtime::Runtime,
    client: Client,
    namespace: String,
}

/// The ConfigMap with the recipients.
#[derive(Default)]
pub(crate) struct Listed {
    pub(crate) published: Published,
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Listed {
    /// The fingerprint of the sealing key.
    pub(crate) fn sealing(&self) -> Option<String> {
        self.published.entries().next().map(|entry| entry.fingerprint().to_string())
    }
}

impl Cluster {
    /// Reads the kubeconfig; no request is sent.
    pub(crate) fn new(args: &ClusterArgs) -> Result<Self, CommandError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| CommandError::refused(format!("no runtime: {error}")))?;
        let client = runtime.block_on(connect(args.context.as_deref()))?;
        Ok(Self { runtime, client, namespace: args.namespace.clone() })
    }

    /// The namespace of the controller.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What the controller publishes, if it has published anything.
    pub(crate) fn listed(&self) -> Result<Option<Listed>, CommandError> {
        let config_maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = self.runtime.block_on(config_maps.get_opt(RECIPIENTS_MAP));
        let found = found.map_err(|error| self.failed(&format!("read ConfigMap {RECIPIENTS_MAP}"), &error))?;
        Ok(found.map(|map| Listed {
            annotations: map.annotations().clone(),
            published: Published::from_items(map.data.unwrap_or_default()),
        }))
    }

    /// The recipients that it publishes, which must be there.
    pub(crate) fn published(&self) -> Result<Published, CommandError> {
        let found = self.listed()?.map(|listed| listed.published);
        found.filter(|published| !published.recipients().is_empty()).ok_or_else(|| {
            let namespace = &self.namespace;
            CommandError::refused(format!("there is no ConfigMap {namespace}/{RECIPIENTS_MAP} with a key {RECIPIENTS}"))
                .hint("Is the controller installed there? Pass its namespace with --namespace.")
        })
    }

    /// A request that failed: what for, and which right is missing, should it be one.
    fn failed(&self, what: &str, error: &kube::Error) -> CommandError {
        let namespace = &self.namespace;
        if let kube::Error::Api(status) = error
            && matches!(status.code, 401 | 403)
        {
            return CommandError::refused(format!("cannot {what} in namespace {namespace}: {}", said(status)))
                .hint("Ask for that right, or use a context of someone who has it (--context).");
        }
        let words = if let kube::Error::Api(status) = error { said(status) } else { chain(error) };
        CommandError::refused(format!("cannot {what} in namespace {namespace}: {words}")).transient(transient(error))
    }
}

/// What an API server says, without the words of policies of the cluster: they may quote the object, which may be a key.
pub(crate) fn said(status: &Status) -> String {
    let message = &status.message;
    let start = ["admission webhook", "AdmissionPolicy"].iter().filter_map(|begin| message.find(begin)).min();
    let Some(start) = start else { return message.clone() };
    match message[start..].find(" denied") {
        Some(length) => format!("{} denied the request", &message[start..start + length]),
        None => format!("a policy of the cluster denied the request ({})", status.code),
    }
}

/// Whether the same request may well succeed later: no answer, or one that says so.
fn transient(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code == 429 || status.code >= 500,
        _ => true,
    }
}

async fn connect(context: Option<&str>) -> Result<Client, CommandError> {
    let failed = |error: &dyn std::error::Error| CommandError::usage(format!("kubeconfig: {}", chain(error)));
    let kubeconfig = Kubeconfig::read().map_err(|error| failed(&error))?;
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| failed(&error))?;
    // By itself the library waits for ever for an API server that is gone or hangs.
    config.read_timeout = Some(TIMEOUT);
    Client::try_from(config).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_are_named_and_not_quoted() {
        let say = |message: &str| {
            said(&serde_json::from_value(json!({"code": 403, "message": message, "reason": "Forbidden"})).unwrap())
        };
        let webhook = "admission webhook \"x.example\" denied the request: AGE-SECRET-KEY-PQ-1";
        assert_eq!(say(webhook), "admission webhook \"x.example\" denied the request");
        let policy =
            "secrets \"k\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: AGE-SECRET";
        assert!(say(policy).ends_with("AdmissionPolicy 'p' with binding 'b' denied the request"), "{}", say(policy));
        assert!(!say("admission webhook: AGE-SECRET").contains("AGE"));
        let right = "secrets is forbidden: User \"x\" cannot create resource \"secrets\"";
        assert_eq!(say(right), right);
    }

    #[test]
    fn what_is_tried_again() {
        let answer = |code: u16| {
            let status = serde_json::from_value(json!({"code": code, "message": "m", "reason": "r"})).unwrap();
            transient(&kube::Error::Api(Box::new(status)))
        };
        assert!(answer(429) && answer(500) && answer(503) && answer(504));
        assert!(!answer(401) && !answer(403) && !answer(404) && !answer(409));
        assert!(transient(&kube::Error::LinesCodecMaxLineLengthExceeded), "no answer");
    }
}
