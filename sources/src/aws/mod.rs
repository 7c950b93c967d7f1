//! AWS: Secrets Manager and Parameter Store, asked through Amazon's own clients.
//!
//! The clients keep what they are given in texts that nobody wipes; it is moved into [`SecretBytes`] as soon as it is
//! there. They do not try again by themselves: the [`crate::Reader`] does, and knows when not to.
//!
//! [`SecretBytes`]: sealwax_format::SecretBytes

mod auth;
mod chain;
mod endpoints;
mod error;
#[cfg(feature = "people")]
mod kms;
mod parameter_store;
mod secrets_manager;
mod sessions;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_sts::config::SharedCredentialsProvider;
use sealwax_format::SecretBytes;

use crate::{Kind, Payload, Source, SourceError, Tokens};

use self::sessions::Renewing;

pub use endpoints::Endpoints;
#[cfg(feature = "people")]
pub use kms::{Kms, KmsSettings};

/// The longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest wait for a connection.
const CONNECTING: Duration = Duration::from_secs(5);

/// Which service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Secrets Manager.
    SecretsManager,
    /// Parameter Store, of Systems Manager.
    ParameterStore,
}

impl Service {
    /// See [`Source::provider`].
    fn name(self) -> &'static str {
        match self {
            Self::SecretsManager => secrets_manager::PROVIDER,
            Self::ParameterStore => parameter_store::PROVIDER,
        }
    }
}

/// What is asked, and in which role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The service.
    pub service: Service,
    /// The region; that of the surroundings if none.
    pub region: Option<String>,
    /// ARNs of roles to assume, one from the other; the last one asks.
    pub roles: Vec<String>,
    /// The external id that the last role wants.
    pub external_id: Option<String>,
    /// Tags of the session in the last role.
    pub session_tags: Vec<(String, String)>,
    /// Which of them stay with sessions that follow.
    pub transitive_tag_keys: Vec<String>,
    /// What keys begin with. A key that begins with it already, or is an ARN, is left as it is.
    pub prefix: String,
    /// Where the services are, if not where AWS says.
    pub endpoints: Endpoints,
}

impl Settings {
    /// This service, with the endpoints that the environment says and nothing else.
    pub fn new(service: Service) -> Self {
        Self {
            service,
            region: None,
            roles: Vec::new(),
            external_id: None,
            session_tags: Vec::new(),
            transitive_tag_keys: Vec::new(),
            prefix: String::new(),
            endpoints: Endpoints::of_environment(),
        }
    }
}

/// As whom AWS is asked before any role is assumed.
pub enum Credentials {
    /// As whom the surroundings say: environment, files, web identity, Pod Identity, the node.
    Ambient,
    /// With these keys.
    Static {
        /// The id of the key.
        access_key_id: String,
        /// The key.
        secret_access_key: SecretBytes,
        /// The token of temporary keys.
        session_token: Option<SecretBytes>,
    },
    /// In this role, which trusts the issuer of these tokens.
    WebIdentity {
        /// The role's ARN.
        role_arn: String,
        /// Gives tokens.
        tokens: Arc<dyn Tokens>,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ambient => "Ambient",
            Self::Static { .. } => "Static(<redacted>)",
            Self::WebIdentity { .. } => "WebIdentity(<redacted>)",
        })
    }
}

/// A client of one store. It logs in when it is first asked, and again before what it got then expires.
pub async fn open(settings: &Settings, credentials: Credentials) -> Result<Arc<dyn Source>, SourceError> {
    let provider = settings.service.name();
    let ambient = matches!(credentials, Credentials::Ambient);
    let base = loader(settings, ambient).load().await;
    if base.region().is_none() {
        return Err(SourceError::invalid(provider, "connect", "no region is given, and the surroundings say none"));
    }
    let sessions = Arc::default();
    let first = auth::first(provider, &base, settings, credentials, &sessions)?;
    let last = chain::roles(provider, &base, settings, first, &sessions);
    let config = base.into_builder().credentials_provider(last.clone()).build();
    let prefix = settings.prefix.clone();
    Ok(match settings.service {
        Service::SecretsManager => {
            let endpoint = settings.endpoints.secrets_manager.as_deref();
            let source = secrets_manager::SecretsManager::new(&config, endpoint, prefix, last);
            Arc::new(Renewing { source, sessions })
        }
        Service::ParameterStore => {
            let endpoint = settings.endpoints.parameter_store.as_deref();
            let source = parameter_store::ParameterStore::new(&config, endpoint, prefix, last);
            Arc::new(Renewing { source, sessions })
        }
    })
}

fn loader(settings: &Settings, ambient: bool) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECTING).operation_timeout(PATIENCE).build();
    // Keys are kept by us, who know when they are refused; the clients' own memory would keep those, too.
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .identity_cache(IdentityCache::no_cache());
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if ambient { loader } else { loader.no_credentials() }
}

/// A client's own settings: those of all, and where it is.
fn at<B>(builder: B, endpoint: Option<&str>, set: impl FnOnce(B, &str) -> B) -> B {
    match endpoint {
        Some(endpoint) => set(builder, endpoint),
        None => builder,
    }
}

/// Whether one can log in.
async fn logs_in(provider: &'static str, credentials: &SharedCredentialsProvider) -> Result<(), SourceError> {
    use aws_sdk_sts::config::ProvideCredentials as _;
    let found = credentials.provide_credentials().await;
    found.map(|_| ()).map_err(|error| error::of_credentials(provider, &error))
}

/// Whether reading many at once is refused while reading each may not be. A login that failed fails for all.
fn is_refused(failure: &SourceError) -> bool {
    failure.operation == "read" && matches!(failure.kind, Kind::Denied | Kind::Invalid(_))
}

/// Whether it is a right that lacks. Dead keys are refused, too, and so is a single key that makes no sense: neither says
/// anything about the next batch.
fn is_forbidden(failure: &SourceError) -> bool {
    failure.kind == Kind::Denied && failure.code.as_deref().is_some_and(|code| code.starts_with("AccessDenied"))
}

/// The name that is asked for: the key behind the prefix.
///
/// What a search found begins with the prefix, and is given as it was found.
fn prefixed(prefix: &str, key: &str) -> String {
    if key.starts_with("arn:") || key.starts_with(prefix) { key.to_owned() } else { format!("{prefix}{key}") }
}

/// A client of STS, with these settings.
fn sts(config: &SdkConfig, endpoints: &Endpoints) -> aws_sdk_sts::Client {
    let builder = aws_sdk_sts::config::Builder::from(config);
    let builder = at(builder, endpoints.sts.as_deref(), |builder, endpoint| builder.endpoint_url(endpoint));
    aws_sdk_sts::Client::from_conf(builder.build())
}

/// What a service keeps about a secret: its tags.
fn metadata(provider: &'static str, tags: &BTreeMap<String, String>) -> Result<Payload, SourceError> {
    let json = serde_json::to_string(tags);
    let json = json.map_err(|_| SourceError::invalid(provider, "read", "the tags cannot be written as JSON"))?;
    Ok(Payload::fields(json))
}
