//! Writes of Secrets.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions, Request};
use kube::{Resource, core::PartialObjectMeta};
use serde_json::{Value, json};

use super::{MANAGER, WriteError, Writer, Written};

impl Writer {
    /// Creates a Secret, or says that one is there. Apply has no such guard: it would merge into a Secret that somebody
    /// made in this very moment.
    pub async fn create_secret(&self, namespace: &str, body: Vec<u8>) -> Result<Written, WriteError> {
        let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let url = Secret::url_path(&(), Some(namespace));
        let request = Request::new(url).create(&parameters, body).map_err(kube::Error::BuildRequest)?;
        self.send(request).await
    }

    /// Applies a Secret; the body must name the uid and resourceVersion that were looked at.
    pub async fn apply_secret(
        &self,
        namespace: &str,
        name: &str,
        body: &Value,
        force: bool,
    ) -> Result<Written, WriteError> {
        let parameters = PatchParams { force, ..PatchParams::apply(MANAGER) };
        let request = Request::new(Secret::url_path(&(), Some(namespace)))
            .patch(name, &parameters, &Patch::Apply(body))
            .map_err(kube::Error::BuildRequest)?;
        self.send(request).await
    }

    /// Turns the ownership that creating left ("Update") into that of applying ("Apply"), so that an item which is no
    /// longer wanted goes away with the next apply. `kubectl apply --server-side` does the same to its own old objects.
    pub async fn own_by_apply(&self, namespace: &str, name: &str, uid: &str) -> Result<Written, WriteError> {
        let api: Api<Secret> = Api::namespaced(self.client()?.clone(), namespace);
        let live = api.get_metadata(name).await?.metadata;
        if live.uid.as_deref() != Some(uid) {
            return Err(WriteError::Changed);
        }
        let mut entries = live.managed_fields.clone().unwrap_or_default();
        for entry in &mut entries {
            if is_from_create(entry) {
                entry.operation = Some("Apply".to_owned());
            }
        }
        let body = json!({"metadata": {"resourceVersion": live.resource_version, "managedFields": entries}});
        let answer = api.patch_metadata(name, &PatchParams::default(), &Patch::Merge(body)).await?;
        Ok(Written::from(&answer.metadata))
    }

    /// Deletes a Secret if it is still the one that was looked at.
    pub async fn delete_secret(&self, namespace: &str, name: &str, seen: &Written) -> Result<(), WriteError> {
        let preconditions =
            Preconditions { uid: Some(seen.uid.clone()), resource_version: Some(seen.resource_version.clone()) };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(self.client()?.clone(), namespace);
        api.delete(name, &parameters).await?;
        Ok(())
    }
}

/// Whether this is the ownership that [`Writer::create_secret`] left.
pub fn is_from_create(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(MANAGER)
        && entry.operation.as_deref() == Some("Update")
        && entry.subresource.is_none()
}
