//! The custom resources of sealwax, group `sealwax.dev`; the YAML beside this package is generated from these types.
//!
//! The YAML in `*.yaml` is what people install. `cargo test -p sealwax-crds` compares it with the types, and
//! `UPDATE_CRDS=1 cargo test -p sealwax-crds` writes it anew.

mod condition;
mod encrypted_secret;
mod external_secret;
mod rules;
mod schema;
mod status;
mod store;

pub use condition::{FRESH, READY, RECONCILING, STALLED};
pub use encrypted_secret::{
    EncryptedSecret, EncryptedSecretSpec, EncryptedSecretStatus, MergePolicy, OnDelete, SealedFor, Target, Template,
    TemplateMetadata,
};
pub use external_secret::{
    ConversionStrategy, CreationPolicy, DataEntry, DataFromEntry, DecodingStrategy, DeletionPolicy, EngineVersion,
    ExternalSecret, ExternalSecretSpec, ExternalTarget, ExternalTemplate, Find, FindName, MetadataPolicy,
    NullBytePolicy, RefreshPolicy, RemoteRef, Rewrite, RewriteRegexp, SourceRef, StoreKind, StoreRef, TemplateAs,
    TemplateFrom, TemplateItem, TemplateRef, TemplateTarget,
};
pub use rules::{FORBIDDEN_TYPES, OWN_PREFIX};
pub use schema::all;
pub use status::{Binding, EntryState, EntryStatus, ExternalSecretStatus, LastGood, SecretStatus};
pub use store::{
    AppRole, AwsAuth, AwsJwt, AwsKeys, AwsProvider, AwsService, CaProvider, CaProviderType, Capabilities, ClientCert,
    ClusterSecretStore, ClusterSecretStoreSpec, FakeProvider, FakeSecret, KubernetesAuth, KubernetesProvider,
    KubernetesServer, KubernetesToken, KvVersion, OneProvider, Provider, RetrySettings, SecretSelector, SecretStore,
    SecretStoreSpec, ServiceAccountSelector, ServiceAccountToken, SessionTag, SessionTagsPolicy, Store, StoreCondition,
    StoreSpec, StoreStatus, VaultAuth, VaultJwt, VaultKubernetes, VaultProvider, VaultTls,
};
