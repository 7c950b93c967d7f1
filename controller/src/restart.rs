//! Restarts the workloads that asked for it, when a Secret's content changed.
//!
//! A `Deployment`, `StatefulSet` or `DaemonSet` asks by an annotation of its own: `sealwax.dev/restart-on: db,tls`. It is
//! restarted by an annotation of its pods, whose value is the content's keyed hash; the same on the workload itself says
//! that it has been done, so that there is one patch a change, however often this has to start again.

use futures::future::try_join_all;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use kube::api::ListParams;
use kube::core::ObjectMeta;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use crate::telemetry::describe;
use crate::writer::{WriteError, Writer};

/// Annotation of a workload: the Secrets on whose change it is restarted, separated by commas.
pub const RESTART_ON: &str = "sealwax.dev/restart-on";
/// Annotations of a workload and its pods begin so; the name of the Secret follows.
pub const RESTARTED_FOR: &str = "restart.sealwax.dev/";
/// Workloads asked for at a time.
const PAGE: u32 = 200;

/// Why not all workloads were restarted. Those that were are not restarted again.
#[derive(Debug, thiserror::Error)]
pub enum RestartError {
    /// They could not be listed.
    #[error("cannot list {kind}s: {message}")]
    List {
        /// The kind of workload.
        kind: String,
        /// The API server's words.
        message: String,
    },
    /// One could not be patched.
    #[error("cannot restart {kind} {name}")]
    Patch {
        /// The kind of workload.
        kind: String,
        /// Its name.
        name: String,
        /// Why not.
        source: WriteError,
    },
}

/// The content for which to restart.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// Namespace of Secret and workloads.
    pub namespace: &'a str,
    /// Name of the Secret.
    pub secret: &'a str,
    /// The content's keyed hash.
    pub hash: &'a str,
}

/// Restarts every workload that asks for it and has not been restarted for this content; how many.
pub async fn restart(client: &Client, writer: &Writer, content: Content<'_>) -> Result<usize, RestartError> {
    let kinds = [
        Box::pin(restart_kind::<Deployment>(client, writer, content)) as futures::future::BoxFuture<'_, _>,
        Box::pin(restart_kind::<StatefulSet>(client, writer, content)),
        Box::pin(restart_kind::<DaemonSet>(client, writer, content)),
    ];
    Ok(try_join_all(kinds).await?.into_iter().sum())
}

async fn restart_kind<K>(client: &Client, writer: &Writer, content: Content<'_>) -> Result<usize, RestartError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + std::fmt::Debug,
{
    let kind = K::kind(&()).into_owned();
    let api: Api<K> = Api::namespaced(client.clone(), content.namespace);
    let mut parameters = ListParams::default().limit(PAGE);
    let mut restarted = 0;
    loop {
        let list = api.list_metadata(&parameters).await;
        let list = list.map_err(|error| RestartError::List { kind: kind.clone(), message: describe(&error) })?;
        for workload in list.items.iter().filter(|workload| wants(&workload.metadata, content)) {
            let name = workload.metadata.name.clone().unwrap_or_default();
            let (key, hash) = (annotation(content.secret), content.hash);
            let written = writer.restart_workload::<K>(&workload.metadata, &key, hash).await;
            written.map_err(|source| RestartError::Patch { kind: kind.clone(), name, source })?;
            restarted += 1;
        }
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(restarted),
        }
    }
}

/// Whether a workload asks for restarts on this Secret, and has not had this one.
fn wants(workload: &ObjectMeta, content: Content<'_>) -> bool {
    let Some(annotations) = &workload.annotations else { return false };
    let listed = annotations.get(RESTART_ON).map(String::as_str).unwrap_or_default();
    listed.split(',').any(|name| name.trim() == content.secret)
        && annotations.get(&annotation(content.secret)).map(String::as_str) != Some(content.hash)
        && workload.deletion_timestamp.is_none()
}

/// The key of the annotation that tells of a Secret. A name too long for a key is cut, and its hash added.
fn annotation(secret: &str) -> String {
    use sha2::{Digest, Sha256};
    if secret.len() <= 63 {
        return format!("{RESTARTED_FOR}{secret}");
    }
    let hash = data_encoding::BASE32_NOPAD.encode(&Sha256::digest(secret)[..10]).to_ascii_lowercase();
    format!("{RESTARTED_FOR}{}-{hash}", &secret[..46])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_and_only_once() {
        let content = Content { namespace: "prod", secret: "db", hash: "k:2" };
        let workload = |annotations: &[(&str, &str)]| ObjectMeta {
            annotations: Some(
                annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ),
            ..ObjectMeta::default()
        };
        assert!(wants(&workload(&[(RESTART_ON, "tls, db")]), content));
        assert!(wants(&workload(&[(RESTART_ON, "db"), ("restart.sealwax.dev/db", "k:1")]), content));
        assert!(!wants(&workload(&[(RESTART_ON, "db"), ("restart.sealwax.dev/db", "k:2")]), content));
        assert!(!wants(&workload(&[(RESTART_ON, "db2")]), content));
        assert!(!wants(&ObjectMeta::default(), content));
    }

    #[test]
    fn keys_fit() {
        let (one, other) = ("a".repeat(253), "a".repeat(252));
        assert!(annotation(&one).split('/').nth(1).unwrap().len() <= 63);
        assert_ne!(annotation(&one), annotation(&other));
    }
}
