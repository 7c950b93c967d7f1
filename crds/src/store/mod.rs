//! `SecretStore` and `ClusterSecretStore`: where values are read, and as whom.
//!
//! Both say the same things, in [`StoreSpec`]; they differ in whose they are, which is what [`Store`] hides.

mod aws;
mod fake;
mod kubernetes;
mod vault;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use aws::{AwsAuth, AwsJwt, AwsKeys, AwsProvider, AwsService, SessionTag, SessionTagsPolicy};
pub use fake::{FakeProvider, FakeSecret};
pub use kubernetes::{ClientCert, KubernetesAuth, KubernetesProvider, KubernetesServer, KubernetesToken};
pub use vault::{
    AppRole, KvVersion, ServiceAccountToken, VaultAuth, VaultJwt, VaultKubernetes, VaultProvider, VaultTls,
};

use crate::{StoreKind, rules, schema};

/// Where the values of one namespace are read, and as whom.
#[expect(clippy::duplicated_attributes, reason = "the columns share a type, which clippy takes for a mistake")]
#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[kube(
    group = "sealwax.dev",
    version = "v1alpha1",
    kind = "SecretStore",
    doc = "Where ExternalSecrets of the same namespace read their values, and as whom.",
    namespaced,
    category = "sealwax",
    shortname = "sstore",
    selectable = ".spec.controller",
    status = "StoreStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[schemars(extend("x-kubernetes-validations" = rules::secret_store()))]
pub struct SecretStoreSpec {
    /// What both kinds say.
    #[serde(flatten)]
    pub store: StoreSpec,
}

/// Where the values of several namespaces are read, and as whom.
#[expect(clippy::duplicated_attributes, reason = "the columns share a type, which clippy takes for a mistake")]
#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[kube(
    group = "sealwax.dev",
    version = "v1alpha1",
    kind = "ClusterSecretStore",
    doc = "Where ExternalSecrets of the namespaces that it admits read their values, and as whom.",
    category = "sealwax",
    shortname = "csstore",
    selectable = ".spec.controller",
    status = "StoreStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[schemars(extend("x-kubernetes-validations" = rules::cluster_secret_store()))]
pub struct ClusterSecretStoreSpec {
    /// What both kinds say.
    #[serde(flatten)]
    pub store: StoreSpec,
}

/// What both kinds of store say.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct StoreSpec {
    /// Where values are read: exactly one of these.
    pub provider: Provider,
    /// Which controller serves this store, where several share a cluster: the one whose `--class` is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub controller: Option<String>,
    /// How often the store is looked at, as seconds or like `5m`; `5m` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::int_or_duration")]
    pub refresh_interval: Option<IntOrString>,
    /// How often one read is tried. Failed reads are in any case tried again later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_settings: Option<RetrySettings>,
    /// Of a ClusterSecretStore: which namespaces may use it, and for what. None: every namespace, for everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub conditions: Vec<StoreCondition>,
}

/// Where values are read: exactly one of these.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    /// A key-value engine of HashiCorp Vault or OpenBao.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultProvider>,
    /// AWS Secrets Manager or Parameter Store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsProvider>,
    /// Secrets of this cluster or another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesProvider>,
    /// Values that stand in the store, in the clear: to try things out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fake: Option<FakeProvider>,
}

/// The one provider of a store.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OneProvider<'a> {
    /// HashiCorp Vault or OpenBao.
    Vault(&'a VaultProvider),
    /// AWS.
    Aws(&'a AwsProvider),
    /// Kubernetes.
    Kubernetes(&'a KubernetesProvider),
    /// Values that stand in the store.
    Fake(&'a FakeProvider),
}

impl Provider {
    /// The one that is given; nothing if it is not exactly one, as where an old definition let the store through.
    pub fn one(&self) -> Option<OneProvider<'_>> {
        let mut given = [
            self.vault.as_ref().map(OneProvider::Vault),
            self.aws.as_ref().map(OneProvider::Aws),
            self.kubernetes.as_ref().map(OneProvider::Kubernetes),
            self.fake.as_ref().map(OneProvider::Fake),
        ]
        .into_iter()
        .flatten();
        given.next().filter(|_| given.next().is_none())
    }
}

/// How often one read is tried.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RetrySettings {
    /// How often it is tried again at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub max_retries: Option<i32>,
    /// How long to wait before, like `5s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub retry_interval: Option<String>,
}

/// Namespaces that may use a ClusterSecretStore: those that any part of any condition matches.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct StoreCondition {
    /// Namespaces with these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub namespace_selector: Option<LabelSelector>,
    /// Namespaces of these names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 63)))]
    pub namespaces: Vec<String>,
    /// Namespaces whose whole name matches one of these regular expressions: `prod` matches `prod` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub namespace_regexes: Vec<String>,
    /// The namespaces that this condition matches may read only keys that begin with one of these; `{namespace}`
    /// stands for the name of the namespace. None: any key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 2048)))]
    pub key_prefixes: Vec<String>,
}

/// An item of a Secret.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct SecretSelector {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub key: Option<String>,
    /// Of a ClusterSecretStore: its namespace; that of the ExternalSecret if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
}

/// A service account that logs in.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct ServiceAccountSelector {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Of a ClusterSecretStore: its namespace; that of the ExternalSecret if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
    /// For whom its tokens are made, besides whom the source wants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 512)))]
    pub audiences: Vec<String>,
}

/// Certificates of authorities, in a Secret or ConfigMap.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct CaProvider {
    /// What holds them.
    #[serde(rename = "type")]
    pub type_: CaProviderType,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The item that holds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub key: Option<String>,
    /// Of a ClusterSecretStore: its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
}

/// What holds certificates.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum CaProviderType {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

/// What the controller saw.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = schema::unseen()))]
pub struct StoreStatus {
    /// The generation of the spec that the conditions speak of; -1 before the controller saw the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: the store can be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// What the store can be used for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
}

/// What a store can be used for.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum Capabilities {
    /// Reading.
    ReadOnly,
}

/// Either kind of store.
pub trait Store: kube::Resource<DynamicType = ()> {
    /// Which kind.
    const KIND: StoreKind;
    /// What it says.
    fn spec(&self) -> &StoreSpec;
    /// What the controller saw.
    fn status(&self) -> Option<&StoreStatus>;
}

impl Store for SecretStore {
    const KIND: StoreKind = StoreKind::SecretStore;

    fn spec(&self) -> &StoreSpec {
        &self.spec.store
    }

    fn status(&self) -> Option<&StoreStatus> {
        self.status.as_ref()
    }
}

impl Store for ClusterSecretStore {
    const KIND: StoreKind = StoreKind::ClusterSecretStore;

    fn spec(&self) -> &StoreSpec {
        &self.spec.store
    }

    fn status(&self) -> Option<&StoreStatus> {
        self.status.as_ref()
    }
}

/// Names to values that are no secrets.
type Texts = BTreeMap<String, String>;
