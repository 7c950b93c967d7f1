//! The only changes that this program makes to the cluster, each guarded so that it cannot hit another object than the
//! one that was looked at.
//!
//! Answers are asked for as metadata only: what was written does not travel back.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions, Request};
use kube::core::response::Status;
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::watcher;
use kube::{Client, Resource};
use sealwax_crds::EncryptedSecret;
use serde_json::{Value, json};

/// The field manager of everything written here. Must never change: it is who owns the items.
pub const MANAGER: &str = "sealwax-controller";

const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// Somebody else's claim on a field that we wanted to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The other field manager, as the API server names it.
    pub manager: String,
    /// The field, such as `.data.password`.
    pub field: String,
}

/// Why a write did not happen. No message holds anything that was to be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// An object of that name is there already.
    #[error("it exists already")]
    Exists,
    /// The object is not the one that was looked at: changed, gone, or another one.
    #[error("it changed meanwhile")]
    Changed,
    /// Other managers own fields that we wanted to write.
    #[error("other managers own fields of it")]
    Claimed(Vec<Claim>),
    /// The object as wanted is not valid; the fields that the API server named.
    #[error("the API server refuses it ({})", .0.join(", "))]
    Invalid(Vec<String>),
    /// A right is missing, or the namespace is being deleted; the API server's words.
    #[error("{0}")]
    Forbidden(String),
    /// Anything else: worth another try.
    #[error("{0}")]
    Api(String),
}

/// Says what a client error is without the body that caused it.
pub fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} (HTTP {})", status.message, status.code),
        kube::Error::SerdeError(_) => "the API server's answer cannot be read".to_owned(),
        other => crate::telemetry::chain(other),
    }
}

/// The same for a watch.
pub fn describe_watch(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(e) | watcher::Error::WatchStartFailed(e) | watcher::Error::WatchFailed(e) => {
            describe(e)
        }
        watcher::Error::WatchError(status) => status.message.clone(),
        watcher::Error::NoResourceVersion => "the API server gave no resourceVersion".to_owned(),
    }
}

impl From<kube::Error> for WriteError {
    fn from(error: kube::Error) -> Self {
        let kube::Error::Api(status) = &error else {
            return Self::Api(describe(&error));
        };
        match (status.code, status.reason.as_str()) {
            (409, "AlreadyExists") => Self::Exists,
            (409, _) => claims(status).map_or(Self::Changed, Self::Claimed),
            (404, _) if causes(status).next().is_none() => Self::Changed,
            (422, _) => Self::Invalid(causes(status).map(|(_, field, _)| field.to_owned()).collect()),
            (403, _) => Self::Forbidden(status.message.clone()),
            _ => Self::Api(describe(&error)),
        }
    }
}

fn causes(status: &Status) -> impl Iterator<Item = (&str, &str, &str)> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.map(|cause| (cause.reason.as_str(), cause.field.as_str(), cause.message.as_str()))
}

/// `conflict with "kubectl-edit" using v1` for each field.
fn claims(status: &Status) -> Option<Vec<Claim>> {
    let claims: Vec<_> = causes(status)
        .filter(|(reason, ..)| *reason == "FieldManagerConflict")
        .map(|(_, field, message)| Claim {
            manager: message.split('"').nth(1).unwrap_or("another manager").to_owned(),
            field: field.to_owned(),
        })
        .collect();
    (!claims.is_empty()).then_some(claims)
}

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

/// See the module.
#[derive(Clone)]
pub struct Writer {
    client: Client,
}

impl Writer {
    /// Writes through this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

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
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
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
        let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(self.client.clone(), namespace);
        api.delete(name, &parameters).await?;
        Ok(())
    }

    /// Replaces the status of the object with this uid; the answer's resourceVersion.
    pub async fn write_status(&self, object: &ObjectMeta, status: &Value) -> Result<String, WriteError> {
        let (namespace, name) = (object.namespace.as_deref().unwrap_or_default(), object.name.as_deref());
        let body = json!({
            "apiVersion": EncryptedSecret::api_version(&()),
            "kind": EncryptedSecret::kind(&()),
            // The uid is a precondition: an object deleted and made anew gets no status of its predecessor.
            "metadata": {"uid": object.uid},
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

    /// Applies a ConfigMap of ours.
    pub async fn apply_config_map(&self, namespace: &str, name: &str, body: &Value) -> Result<(), WriteError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        api.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(body)).await?;
        Ok(())
    }

    async fn send(&self, mut request: http::Request<Vec<u8>>) -> Result<Written, WriteError> {
        let accept = http::HeaderValue::from_static(METADATA_ONLY);
        request.headers_mut().insert(http::header::ACCEPT, accept);
        let answer: PartialObjectMeta = self.client.request(request).await?;
        Ok(Written::from(&answer.metadata))
    }
}

/// Whether this is the ownership that [`Writer::create_secret`] left.
pub fn is_from_create(entry: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(MANAGER)
        && entry.operation.as_deref() == Some("Update")
        && entry.subresource.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: Value) -> WriteError {
        let status: Status = serde_json::from_value(status).unwrap();
        kube::Error::Api(Box::new(status)).into()
    }

    #[test]
    fn reads_who_claims_which_field() {
        let error = answer(json!({"code": 409, "reason": "Conflict", "details": {"causes": [
            {"reason": "FieldManagerConflict", "field": ".data.password", "message": "conflict with \"kubectl-edit\" using v1"},
        ]}}));
        let WriteError::Claimed(claims) = error else { panic!("{error:?}") };
        assert_eq!(claims, [Claim { manager: "kubectl-edit".into(), field: ".data.password".into() }]);
    }

    #[test]
    fn tells_failed_preconditions_from_claims() {
        assert!(matches!(answer(json!({"code": 409, "reason": "Conflict"})), WriteError::Changed));
        assert!(matches!(answer(json!({"code": 409, "reason": "AlreadyExists"})), WriteError::Exists));
    }

    #[test]
    fn quotes_no_value_of_an_invalid_object() {
        let error = answer(json!({"code": 422, "message": "data: Invalid value: hunter2", "details": {"causes": [
            {"field": "type", "message": "Invalid value: \"hunter2\": field is immutable"},
        ]}}));
        assert_eq!(error.to_string(), "the API server refuses it (type)");
    }
}
