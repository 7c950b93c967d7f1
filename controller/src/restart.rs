//! Restarts the workloads that asked for it, when a Secret's content changed.
//!
//! A `Deployment`, `StatefulSet` or `DaemonSet` asks by an annotation of its own: `sealwax.dev/restart-on: db,tls`. It is
//! restarted by an annotation of its pods, whose value is the content's keyed hash; the same on the workload itself says
//! that it has been done, so that there is one patch a change, however often this has to start again.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use kube::api::ListParams;
use kube::core::ObjectMeta;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::ownership::{Kind, Origin};
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
    /// The object that it came from: several may feed the Secret, each with a hash of its own.
    pub object: Origin<'a>,
}

/// Restarts every workload that asks for it and has not been restarted for this content; how many.
pub async fn restart(client: &Client, writer: &Writer, content: Content<'_>) -> Result<usize, RestartError> {
    let (deployments, stateful_sets, daemon_sets) = tokio::join!(
        restart_kind::<Deployment>(client, writer, content),
        restart_kind::<StatefulSet>(client, writer, content),
        restart_kind::<DaemonSet>(client, writer, content),
    );
    Ok(deployments? + stateful_sets? + daemon_sets?)
}

async fn restart_kind<K>(client: &Client, writer: &Writer, content: Content<'_>) -> Result<usize, RestartError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + std::fmt::Debug,
{
    let kind = K::kind(&()).into_owned();
    let api: Api<K> = Api::namespaced(client.clone(), content.namespace);
    let mut parameters = ListParams::default().limit(PAGE);
    let (mut restarted, mut failed) = (0, None);
    loop {
        let list = api.list_metadata(&parameters).await;
        let list = list.map_err(|error| RestartError::List { kind: kind.clone(), message: describe(&error) })?;
        for workload in list.items.iter().filter(|workload| wants(&workload.metadata, content)) {
            let name = workload.metadata.name.clone().unwrap_or_default();
            match writer.restart_workload::<K>(&workload.metadata, &content.annotation(), content.hash).await {
                Ok(_) => restarted += 1,
                // One that cannot be restarted keeps no other from it.
                Err(source) => failed = failed.or(Some(RestartError::Patch { kind: kind.clone(), name, source })),
            }
        }
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return failed.map_or(Ok(restarted), Err),
        }
    }
}

/// Whether a workload asks for restarts on this Secret, and has not had this one.
fn wants(workload: &ObjectMeta, content: Content<'_>) -> bool {
    let Some(annotations) = &workload.annotations else { return false };
    let listed = annotations.get(RESTART_ON).map(String::as_str).unwrap_or_default();
    listed.split(',').any(|name| name.trim() == content.secret)
        && annotations.get(&content.annotation()).map(String::as_str) != Some(content.hash)
        && workload.deletion_timestamp.is_none()
}

impl Content<'_> {
    /// The key of the annotation that tells of this content. One too long for a key is cut, and a hash added.
    fn annotation(&self) -> String {
        let name = match self.object.kind {
            Kind::EncryptedSecret if self.object.name == self.secret => self.secret.to_owned(),
            Kind::EncryptedSecret => format!("{}.{}", self.secret, self.object.name),
            // No name of an object has a capital letter.
            Kind::ExternalSecret => format!("{}.External.{}", self.secret, self.object.name),
        };
        if name.len() <= 63 {
            return format!("{RESTARTED_FOR}{name}");
        }
        let hash = data_encoding::BASE32_NOPAD.encode(&Sha256::digest(&name)[..10]).to_ascii_lowercase();
        format!("{RESTARTED_FOR}{}-{hash}", &name[..46])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encrypted(name: &str) -> Origin<'_> {
        Origin { kind: Kind::EncryptedSecret, name }
    }

    #[test]
    fn only_who_asks_and_only_once() {
        let content = Content { namespace: "prod", secret: "db", hash: "k:2", object: encrypted("db") };
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
    fn keys_fit_and_differ() {
        fn of(secret: &str, object: Origin<'_>) -> String {
            Content { namespace: "prod", secret, hash: "", object }.annotation()
        }
        let key = |secret: &str, object: &str| of(secret, encrypted(object));
        let (one, other) = ("a".repeat(253), "a".repeat(252));
        assert!(key(&one, &one).split('/').nth(1).unwrap().len() <= 63);
        assert_ne!(key(&one, &one), key(&other, &other));
        assert_ne!(key("db", "db"), key("db", "web"));
        let external = of("db", Origin { kind: Kind::ExternalSecret, name: "db" });
        assert_ne!(key("db", "db"), external);
    }
}
