//! Writes of workloads: the annotation that restarts their pods.

use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::api::{Patch, PatchParams, Request};
use kube::core::ObjectMeta;
use serde_json::json;

use super::{MANAGER, WriteError, Writer, Written};

impl Writer {
    /// Annotates a workload and its pods, which restarts them. It must still be the one that was looked at.
    pub async fn restart_workload<K>(&self, workload: &ObjectMeta, key: &str, hash: &str) -> Result<Written, WriteError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let body = json!({
            "metadata": {
                "uid": workload.uid,
                "resourceVersion": workload.resource_version,
                "annotations": {key: hash},
            },
            "spec": {"template": {"metadata": {"annotations": {key: hash}}}},
        });
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let url = K::url_path(&(), workload.namespace.as_deref());
        let request = Request::new(url)
            .patch(workload.name.as_deref().unwrap_or_default(), &parameters, &Patch::Merge(body))
            .map_err(kube::Error::BuildRequest)?;
        self.send(request).await
    }
}
