//! Reads what a store names: tokens, keys and certificates, from the API server when a connection is made.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};
use sealwax_crds::{CaProvider, OWN_PREFIX, SecretSelector};
use sealwax_format::SecretBytes;

use super::StoreError;
use super::home::Home;
use super::references::{Reference, ReferenceKind};
use crate::feeding::in_time;
use crate::telemetry::describe;

/// Reads for one store.
pub(super) struct Credentials<'a> {
    pub client: &'a Client,
    pub home: Home<'a>,
}

impl Credentials<'_> {
    /// The item of a Secret that a selector names.
    pub(super) async fn secret(&self, selector: &SecretSelector, default: &str) -> Result<SecretBytes, StoreError> {
        let reference = Home::secret(&self.home, selector)?;
        secret_item(self.client, &reference, selector.key.as_deref().unwrap_or(default)).await
    }

    /// The same as text, without the line end that editors leave.
    pub(super) async fn text(&self, selector: &SecretSelector, default: &str) -> Result<SecretBytes, StoreError> {
        let value = self.secret(selector, default).await?;
        let trimmed = value.expose().trim_ascii_end();
        Ok(SecretBytes::from(trimmed.to_vec()))
    }

    /// Certificates that vouch for a server: stated, or named.
    pub(super) async fn authorities(
        &self,
        bundle: Option<&str>,
        provider: Option<&CaProvider>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(bundle) = bundle.filter(|bundle| !bundle.is_empty()) {
            let bytes = data_encoding::BASE64.decode(bundle.trim().as_bytes());
            return bytes.map(Some).map_err(|_| StoreError::Invalid("caBundle is not base64".to_owned()));
        }
        let Some(provider) = provider else { return Ok(None) };
        let reference = Home::ca(&self.home, provider)?;
        let key = provider.key.as_deref().unwrap_or("ca.crt");
        match reference.kind {
            ReferenceKind::ConfigMap => {
                let found = config_map(self.client, &reference).await?;
                let text = found.data.and_then(|mut data| data.remove(key)).map(String::into_bytes);
                let bytes =
                    text.or_else(|| found.binary_data.and_then(|mut data| data.remove(key)).map(|found| found.0));
                bytes.map(Some).ok_or_else(|| StoreError::NoItem { reference, key: key.to_owned() })
            }
            _ => secret_item(self.client, &reference, key).await.map(|found| Some(found.expose().to_vec())),
        }
    }
}

/// A Secret, unless it is one of the controller's own: a store must not send those anywhere.
pub(super) async fn secret(client: &Client, reference: &Reference) -> Result<Secret, StoreError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), &reference.namespace);
    let found = in_time(api.get_opt(&reference.name)).await.map_err(|error| read(&error, reference))?;
    let found = found.ok_or_else(|| StoreError::NoReference(reference.clone()))?;
    if found.type_.as_deref().is_some_and(|type_| type_.starts_with(OWN_PREFIX)) {
        return Err(StoreError::NotForStores(reference.clone()));
    }
    Ok(found)
}

/// A ConfigMap.
pub(super) async fn config_map(client: &Client, reference: &Reference) -> Result<ConfigMap, StoreError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &reference.namespace);
    let found = in_time(api.get_opt(&reference.name)).await.map_err(|error| read(&error, reference))?;
    found.ok_or_else(|| StoreError::NoReference(reference.clone()))
}

async fn secret_item(client: &Client, reference: &Reference, key: &str) -> Result<SecretBytes, StoreError> {
    let found = secret(client, reference).await?;
    let value = found.data.and_then(|mut data| data.remove(key)).map(|ByteString(value)| SecretBytes::from(value));
    value.ok_or_else(|| StoreError::NoItem { reference: reference.clone(), key: key.to_owned() })
}

fn read(error: &kube::Error, reference: &Reference) -> StoreError {
    StoreError::Read { reference: reference.clone(), message: describe(error) }
}
