//! Writes in the key namespace: keys, their states and escrow copies.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use sealwax_format::SecretBytes;
use sealwax_format::keys::Fingerprint;
use sealwax_format::keys::cluster::{
    ACTIVATE, CONTROLLER_KEY, CONTROLLER_KEY_NAME, CONTROLLER_KEY_STATE, ControllerKey, ESCROW, ESCROW_MAP,
    FINGERPRINT, IDENTITY, KEY, ROTATE, SIGNING, SYMMETRIC, State,
};
use serde_json::{Map, Value, json};
use zeroize::{Zeroize, Zeroizing};

use super::{MANAGER, WriteError, Writer, Written};

impl Writer {
    /// Makes a key Secret in its first state, or says that the name is taken.
    pub async fn create_key(
        &self,
        namespace: &str,
        name: &str,
        fingerprint: &Fingerprint,
        request: Option<&str>,
        file: &SecretBytes,
    ) -> Result<Written, WriteError> {
        let request = request.map(|text| (ROTATE.to_owned(), text.to_owned()));
        let activate = (ACTIVATE.to_owned(), "true".to_owned());
        let annotations =
            [(FINGERPRINT.to_owned(), fingerprint.to_string()), activate].into_iter().chain(request).collect();
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some([(KEY.to_owned(), State::Made.to_string())].into()),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        };
        self.create_immutable(namespace, metadata, KEY, &[(IDENTITY, file.expose())]).await
    }

    /// Makes the Secret with the controller's own keys, or says that there is one.
    pub async fn create_controller_key(&self, namespace: &str, key: &ControllerKey) -> Result<Written, WriteError> {
        let metadata = ObjectMeta {
            name: Some(CONTROLLER_KEY_NAME.to_owned()),
            labels: Some([(CONTROLLER_KEY.to_owned(), CONTROLLER_KEY_STATE.to_owned())].into()),
            ..ObjectMeta::default()
        };
        let items: [(&str, &[u8]); 2] = [(SIGNING, &*key.signing), (SYMMETRIC, &*key.symmetric)];
        self.create_immutable(namespace, metadata, CONTROLLER_KEY, &items).await
    }

    /// Nothing but a deletion can lose such a Secret; its label can still change.
    async fn create_immutable(
        &self,
        namespace: &str,
        metadata: ObjectMeta,
        type_: &str,
        items: &[(&str, &[u8])],
    ) -> Result<Written, WriteError> {
        let data = items.iter().map(|(item, bytes)| ((*item).to_owned(), ByteString(bytes.to_vec())));
        let mut secret = Secret {
            metadata,
            type_: Some(type_.to_owned()),
            immutable: Some(true),
            data: Some(data.collect()),
            ..Secret::default()
        };
        let body = serde_json::to_vec(&secret).map(Zeroizing::new);
        secret.data.iter_mut().flat_map(|data| data.values_mut()).for_each(|value| value.0.zeroize());
        let mut body = body.map_err(|_| WriteError::Api("cannot write it as JSON".to_owned()))?;
        self.create_secret(namespace, MANAGER, std::mem::take(&mut *body)).await
    }

    /// Changes labels or annotations of a key Secret; the metadata must name the resourceVersion that was looked at.
    pub async fn patch_key(&self, namespace: &str, name: &str, metadata: Value) -> Result<(), WriteError> {
        let api: Api<Secret> = Api::namespaced(self.client()?.clone(), namespace);
        let body = Patch::Merge(json!({"metadata": metadata}));
        self.in_time(api.patch_metadata(name, &by_us(), &body)).await?;
        Ok(())
    }

    /// Adds escrow copies to the Secret that had this resourceVersion, or makes the Secret.
    pub async fn write_escrow(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
        of: &Fingerprint,
        version: Option<String>,
        items: Map<String, Value>,
    ) -> Result<(), WriteError> {
        let mut metadata = json!({
            "name": name, "labels": {ESCROW: key}, "annotations": {FINGERPRINT: of.as_str()},
        });
        let exists = version.is_some();
        metadata["resourceVersion"] = version.into();
        let body = json!({
            "apiVersion": "v1", "kind": "Secret", "type": ESCROW, "metadata": metadata, "stringData": items,
        });
        if exists {
            let api: Api<Secret> = Api::namespaced(self.client()?.clone(), namespace);
            // The answer's contents are ciphertext.
            self.in_time(api.patch(name, &by_us(), &Patch::Merge(body))).await?;
            return Ok(());
        }
        let body = serde_json::to_vec(&body).map_err(|_| WriteError::Api("cannot write it as JSON".to_owned()))?;
        self.create_secret(namespace, MANAGER, body).await.map(|_| ())
    }

    /// Adds escrow copies to the ConfigMap, or makes it.
    pub async fn write_escrow_map(
        &self,
        namespace: &str,
        exists: bool,
        items: Map<String, Value>,
    ) -> Result<(), WriteError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client()?.clone(), namespace);
        let body = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ESCROW_MAP}, "data": items,
        });
        if exists {
            // Items are only added, and nobody else writes ours: no version has to be named.
            self.in_time(api.patch(ESCROW_MAP, &by_us(), &Patch::Merge(body))).await?;
            return Ok(());
        }
        let made = serde_json::from_value(body).map_err(|_| WriteError::Api("cannot write it as JSON".to_owned()))?;
        let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        self.in_time(api.create(&parameters, &made)).await?;
        Ok(())
    }
}

fn by_us() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}
