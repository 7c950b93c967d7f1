//! The only changes that this program makes to the cluster, each guarded so that it cannot hit another object than the
//! one that was looked at.
//!
//! Answers are asked for as metadata only: what was written does not travel back.

mod error;
mod keys;
mod secrets;
mod status;
mod workloads;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use kube::core::{ObjectMeta, PartialObjectMeta};
use serde_json::Value;

pub use error::{Claim, WriteError};
pub use secrets::{Target, is_from_create};

use crate::fence::Fence;

/// The field manager of everything that is not fed by an object. Must never change: it is who owns the fields.
pub const MANAGER: &str = "sealwax-controller";

/// For how long an answer is waited for.
const LONGEST: Duration = Duration::from_secs(15);

const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// Where a write went: what tells this Secret from any other, before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The object's uid.
    pub uid: String,
    /// Its resourceVersion after the write.
    pub resource_version: String,
}

impl From<&ObjectMeta> for Written {
    fn from(meta: &ObjectMeta) -> Self {
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            resource_version: meta.resource_version.clone().unwrap_or_default(),
        }
    }
}

/// Makes the writes; see the module.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    fence: Arc<Fence>,
}

impl Writer {
    /// Writes through this client while the fence is open.
    pub fn new(client: Client, fence: Arc<Fence>) -> Self {
        Self { client, fence }
    }

    /// Whether a write would be sent now.
    pub fn leads(&self) -> bool {
        self.fence.is_open()
    }

    /// The one way to the client: every write passes here, right before it is sent.
    fn client(&self) -> Result<&Client, WriteError> {
        if self.fence.is_open() { Ok(&self.client) } else { Err(WriteError::NotLeading) }
    }

    /// Applies a ConfigMap of ours.
    pub async fn apply_config_map(&self, namespace: &str, name: &str, body: &Value) -> Result<(), WriteError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client()?.clone(), namespace);
        self.in_time(api.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(body))).await?;
        Ok(())
    }

    /// Waits for an answer for as long as it may count: no longer than a request takes, and never beyond the fence.
    async fn in_time<T>(&self, request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, WriteError> {
        let limit = self.fence.remaining().min(LONGEST);
        match tokio::time::timeout(limit, request).await {
            Ok(answer) => Ok(answer?),
            Err(_) if self.fence.is_open() => Err(WriteError::Api("the API server did not answer in time".to_owned())),
            Err(_) => Err(WriteError::NotLeading),
        }
    }

    async fn send(&self, mut request: http::Request<Vec<u8>>) -> Result<Written, WriteError> {
        let accept = http::HeaderValue::from_static(METADATA_ONLY);
        request.headers_mut().insert(http::header::ACCEPT, accept);
        let answer: PartialObjectMeta = self.in_time(self.client()?.request(request)).await?;
        Ok(Written::from(&answer.metadata))
    }
}
