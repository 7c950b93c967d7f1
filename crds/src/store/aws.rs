//! AWS: the service, the region, and as whom it is asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SecretSelector, ServiceAccountSelector, Texts};
use crate::schema;

/// AWS Secrets Manager or Parameter Store.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AwsProvider {
    /// Which of the two.
    pub service: AwsService,
    /// The region; that of the controller's surroundings if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub region: Option<String>,
    /// The ARN of the role to assume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub role: Option<String>,
    /// ARNs of roles to assume on the way to `role`, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 2048)))]
    pub additional_roles: Vec<String>,
    /// The external id that the last role wants.
    #[serde(default, rename = "externalID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1224))]
    pub external_id: Option<String>,
    /// Tags of the session in the last role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub session_tags: Vec<SessionTag>,
    /// Whether the session is tagged with who reads; `None`, which is no, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_tags_policy: Option<SessionTagsPolicy>,
    /// More tags, under the policy `Custom`.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    #[schemars(schema_with = "schema::tags")]
    pub custom_session_tags: Texts,
    /// Tags that stay with sessions that follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 128)))]
    pub transitive_tag_keys: Vec<String>,
    /// What every key begins with, so that it need not be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub prefix: Option<String>,
    /// As whom AWS is asked: at most one way. None: as the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<AwsAuth>,
}

/// A service of AWS.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum AwsService {
    /// Secrets Manager.
    SecretsManager,
    /// Parameter Store, of Systems Manager.
    ParameterStore,
}

/// A tag of a session.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct SessionTag {
    /// Its key.
    #[schemars(length(min = 1, max = 128))]
    pub key: String,
    /// Its value.
    #[schemars(length(max = 256))]
    pub value: String,
}

/// Whether sessions are tagged with who reads, so that policies of AWS can tell namespaces apart.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum SessionTagsPolicy {
    /// They are not.
    #[default]
    None,
    /// With `esoNamespace`, `esoStoreName` and `esoStoreKind`.
    Simple,
    /// With the same and `customSessionTags`.
    Custom,
}

/// As whom AWS is asked: at most one way.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AwsAuth {
    /// With access keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<AwsKeys>,
    /// As a service account that carries the annotation `eks.amazonaws.com/role-arn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<AwsJwt>,
}

/// Access keys, in Secrets.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct AwsKeys {
    /// The id.
    #[serde(rename = "accessKeyIDSecretRef")]
    pub access_key_id_secret_ref: SecretSelector,
    /// The key.
    #[serde(rename = "secretAccessKeySecretRef")]
    pub secret_access_key_secret_ref: SecretSelector,
    /// The token of temporary keys.
    #[serde(default, rename = "sessionTokenSecretRef", skip_serializing_if = "Option::is_none")]
    pub session_token_secret_ref: Option<SecretSelector>,
}

/// A service account with a role.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AwsJwt {
    /// The service account.
    pub service_account_ref: ServiceAccountSelector,
}
