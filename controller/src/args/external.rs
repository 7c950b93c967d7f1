//! The flags of what comes from elsewhere: `ExternalSecret`s and their stores.

use clap::Args;

/// What concerns values that come from elsewhere.
#[derive(Clone, Debug, Args)]
pub struct ExternalArgs {
    /// Serve ExternalSecrets and the stores that they read through, besides EncryptedSecrets.
    #[arg(long, env = "SEALWAX_EXTERNAL")]
    pub external: bool,

    /// Serve ClusterSecretStores too, which are read in the whole cluster.
    #[arg(long, env = "SEALWAX_CLUSTER_STORES", requires = "external")]
    pub cluster_stores: bool,

    /// Let SecretStores without credentials act as the controller itself, as ClusterSecretStores may.
    #[arg(long, env = "SEALWAX_ALLOW_AMBIENT_CREDENTIALS", requires = "external")]
    pub allow_ambient_credentials: bool,

    /// Calls through one store at the same time.
    #[arg(long, env = "SEALWAX_SOURCE_CONCURRENCY", value_name = "N", default_value = "8", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub source_concurrency: u16,

    /// Calls through one store per second on average; 0: no limit.
    #[arg(long, env = "SEALWAX_SOURCE_RATE", value_name = "N", default_value = "50")]
    pub source_rate: u16,
}
