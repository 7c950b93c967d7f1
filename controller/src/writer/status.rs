//! Writes of an object's status.

use kube::Resource;
use kube::api::{Patch, PatchParams, Request};
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::{MANAGER, WriteError, Writer};

impl Writer {
    /// Replaces the status of the object with this uid, as of `seen`; the answer's resourceVersion.
    pub async fn write_status<K>(&self, object: &ObjectMeta, seen: &str, status: &Value) -> Result<String, WriteError>
    where
        K: Resource<DynamicType = ()>,
    {
        let body = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            // Preconditions: an object deleted and made anew gets no status of its predecessor, and none is replaced
            // that another replica has written since.
            "metadata": {"uid": object.uid, "resourceVersion": seen},
            "status": status,
        });
        let request = Request::new(K::url_path(&(), object.namespace.as_deref()))
            .patch_subresource(
                "status",
                object.name.as_deref().unwrap_or_default(),
                &PatchParams::apply(MANAGER).force(),
                &Patch::Apply(body),
            )
            .map_err(kube::Error::BuildRequest)?;
        Ok(self.send(request).await?.resource_version)
    }
}
