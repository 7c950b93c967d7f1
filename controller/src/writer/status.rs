//! Writes of an object's status.

use kube::Resource;
use kube::api::{Patch, PatchParams, Request};
use kube::core::ObjectMeta;
use sealwax_crds::EncryptedSecret;
use serde_json::{Value, json};

use super::{MANAGER, WriteError, Writer};

impl Writer {
    /// Replaces the status of the object with this uid, as of `seen`; the answer's resourceVersion.
    pub async fn write_status(&self, object: &ObjectMeta, seen: &str, status: &Value) -> Result<String, WriteError> {
        let (namespace, name) = (object.namespace.as_deref().unwrap_or_default(), object.name.as_deref());
        let body = json!({
            "apiVersion": EncryptedSecret::api_version(&()),
            "kind": EncryptedSecret::kind(&()),
            // Preconditions: an object deleted and made anew gets no status of its predecessor, and none is replaced
            // that another replica has written since.
            "metadata": {"uid": object.uid, "resourceVersion": seen},
            "status": status,
        });
        let request = Request::new(EncryptedSecret::url_path(&(), Some(namespace)))
            .patch_subresource(
                "status",
                name.unwrap_or_default(),
                &PatchParams::apply(MANAGER).force(),
                &Patch::Apply(body),
            )
            .map_err(kube::Error::BuildRequest)?;
        Ok(self.send(request).await?.resource_version)
    }
}
