//! Secrets of this cluster or another one: which API server, which namespace, and as whom.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CaProvider, SecretSelector, ServiceAccountSelector};

/// Secrets of this cluster or another one.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesProvider {
    /// The namespace that is read; `default` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub remote_namespace: Option<String>,
    /// The API server; that of this cluster if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<KubernetesServer>,
    /// How the controller logs in: exactly one way.
    pub auth: KubernetesAuth,
}

/// An API server.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesServer {
    /// Its address; that of this cluster if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub url: Option<String>,
    /// Certificates of the authorities that vouch for it: PEM, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 131_072))]
    pub ca_bundle: Option<String>,
    /// The same, in a Secret or ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_provider: Option<CaProvider>,
}

/// How the controller logs in to an API server: exactly one way.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesAuth {
    /// With a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<KubernetesToken>,
    /// As a service account of this cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<ServiceAccountSelector>,
    /// With a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<ClientCert>,
}

/// A token, in a Secret.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesToken {
    /// The token.
    pub bearer_token: SecretSelector,
}

/// A certificate and its key, in Secrets.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClientCert {
    /// The certificate.
    pub client_cert: SecretSelector,
    /// Its key.
    pub client_key: SecretSelector,
}
