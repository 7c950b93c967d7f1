//! Writes of Secrets that objects feed. Each names the uid and resourceVersion that was looked at.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::Resource;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions, Request};
use kube::core::{ObjectMeta, PartialObjectMeta};
use serde_json::{Map, Value, json};

use super::{MANAGER, WriteError, Writer, Written};
use crate::drift;
use crate::ownership::{self, Feeder};

/// A Secret, and the field manager under which it is written: who owns the items.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Namespace.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
    /// Field manager.
    pub manager: &'a str,
}

impl Writer {
    /// Creates a Secret, or says that one is there. Apply has no such guard: it would merge into a Secret that somebody
    /// made in this very moment.
    pub async fn create_secret(&self, namespace: &str, manager: &str, body: Vec<u8>) -> Result<Written, WriteError> {
        let parameters = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
        let url = Secret::url_path(&(), Some(namespace));
        let request = Request::new(url).create(&parameters, body).map_err(kube::Error::BuildRequest)?;
        self.send(request).await
    }

    /// Applies a Secret; the body must name the uid and resourceVersion that were looked at.
    pub async fn apply_secret(&self, target: Target<'_>, body: &Value, force: bool) -> Result<Written, WriteError> {
        let parameters = PatchParams { force, ..PatchParams::apply(target.manager) };
        let request = Request::new(Secret::url_path(&(), Some(target.namespace)))
            .patch(target.name, &parameters, &Patch::Apply(body))
            .map_err(kube::Error::BuildRequest)?;
        self.send(request).await
    }

    /// Turns the ownership that creating left ("Update") into that of applying ("Apply"), so that an item which is no
    /// longer wanted goes away with the next apply. `kubectl apply --server-side` does the same to its own old objects.
    pub async fn own_by_apply(&self, target: Target<'_>, live: &ObjectMeta) -> Result<Written, WriteError> {
        let mut entries = live.managed_fields.clone().unwrap_or_default();
        for entry in entries.iter_mut().filter(|entry| is_from_create(entry, target.manager)) {
            entry.operation = Some("Apply".to_owned());
        }
        let body =
            json!({"metadata": {"uid": live.uid, "resourceVersion": live.resource_version, "managedFields": entries}});
        let request = Request::new(Secret::url_path(&(), Some(target.namespace)))
            .patch(target.name, &PatchParams::default(), &Patch::Merge(body))
            .map_err(kube::Error::BuildRequest)?;
        self.send(request).await
    }

    /// Takes the items that only this manager owns out of the Secret, and the annotation that tells of them.
    ///
    /// Not by applying nothing: that would also take back a type or immutability that the manager stated, which
    /// Kubernetes never changes.
    pub async fn release_secret(
        &self,
        target: Target<'_>,
        annotation: &str,
        live: &ObjectMeta,
    ) -> Result<(), WriteError> {
        let entries = live.managed_fields.as_deref().unwrap_or_default();
        let items: Map<String, Value> =
            drift::own_items(entries, target.manager).into_iter().map(|item| (item, Value::Null)).collect();
        let mut body = json!({
            "metadata": {"uid": live.uid, "resourceVersion": live.resource_version, "annotations": {annotation: null}},
            "data": items,
        });
        if let Some(owners) = ownership::without_ours(live) {
            body["metadata"]["ownerReferences"] = json!(owners);
        }
        self.patch_secret(target, &body).await
    }

    /// Lets the Secret outlive the objects that feed it: none of them owns it any more, and this one says that it stays.
    pub async fn disown_secret(
        &self,
        target: Target<'_>,
        feeder: &Feeder,
        seen: &ObjectMeta,
    ) -> Result<(), WriteError> {
        let owners = ownership::without_ours(seen).unwrap_or_default();
        let (key, value) = feeder.annotation();
        let mut body = json!({
            "metadata": {"uid": seen.uid, "resourceVersion": seen.resource_version, "ownerReferences": owners},
        });
        if feeder.retained {
            body["metadata"]["annotations"] = json!({key: value});
        }
        self.patch_secret(target, &body).await
    }

    async fn patch_secret(&self, target: Target<'_>, body: &Value) -> Result<(), WriteError> {
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let request = Request::new(Secret::url_path(&(), Some(target.namespace)))
            .patch(target.name, &parameters, &Patch::Merge(body))
            .map_err(kube::Error::BuildRequest)?;
        self.send(request).await.map(drop)
    }

    /// Deletes a Secret if it is still the one that was looked at.
    pub async fn delete_secret(&self, namespace: &str, name: &str, seen: &Written) -> Result<(), WriteError> {
        let preconditions =
            Preconditions { uid: Some(seen.uid.clone()), resource_version: Some(seen.resource_version.clone()) };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(self.client()?.clone(), namespace);
        self.in_time(api.delete(name, &parameters)).await?;
        Ok(())
    }
}

/// Whether this is the ownership that [`Writer::create_secret`] left to the manager.
pub fn is_from_create(entry: &ManagedFieldsEntry, manager: &str) -> bool {
    entry.manager.as_deref() == Some(manager)
        && entry.operation.as_deref() == Some("Update")
        && entry.subresource.is_none()
}
