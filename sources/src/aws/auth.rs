//! As whom AWS is asked at first, and how long that is kept.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future;
use aws_sdk_sts::config::{Credentials as Keys, ProvideCredentials, SharedCredentialsProvider};
use futures::future::BoxFuture;
use sealwax_format::SecretBytes;
use tokio::sync::Mutex;

use super::{Credentials, Settings, error, sts};
use crate::{SourceError, Tokens};

/// The name of every session, as the logs of AWS show it.
pub(super) const SESSION: &str = "sealwax";
/// How long before they expire credentials are replaced.
const EARLY: Duration = Duration::from_mins(5);

/// Keys before any role is assumed.
pub(super) fn first(
    provider: &'static str,
    base: &SdkConfig,
    settings: &Settings,
    credentials: Credentials,
) -> Result<SharedCredentialsProvider, SourceError> {
    match credentials {
        Credentials::Ambient => {
            let none = || SourceError::invalid(provider, "login", "the surroundings give no credentials");
            base.credentials_provider().map(|ambient| cached(Ambient(ambient))).ok_or_else(none)
        }
        Credentials::Static { access_key_id, secret_access_key, session_token } => {
            let text = |bytes: &SecretBytes| {
                let text = bytes.expose_str().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
                text.ok_or_else(|| SourceError::invalid(provider, "login", "an access key is empty or not text"))
            };
            let token = session_token.as_ref().map(text).transpose()?;
            let keys = Keys::new(access_key_id.trim(), text(&secret_access_key)?, token, None, SESSION);
            Ok(SharedCredentialsProvider::new(keys))
        }
        Credentials::WebIdentity { role_arn, tokens } => {
            let client = sts(base, &settings.endpoints);
            Ok(cached(WebIdentity { provider, client, role_arn, tokens }))
        }
    }
}

/// Where keys come from.
pub(super) trait Login: Send + Sync + 'static {
    /// Gets keys. An error of ours tells what it means; any other is looked through.
    fn log_in(&self) -> BoxFuture<'_, Result<Keys, CredentialsError>>;
}

/// Keeps what a login gave until shortly before it expires. Whoever asks meanwhile waits for one login.
pub(super) fn cached(login: impl Login) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Cached { login: Box::new(login), kept: Mutex::default() })
}

struct Cached {
    login: Box<dyn Login>,
    kept: Mutex<Option<Keys>>,
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cached(<redacted>)")
    }
}

impl Cached {
    async fn get(&self) -> Result<Keys, CredentialsError> {
        let mut kept = self.kept.lock().await;
        let soon = SystemTime::now() + EARLY;
        if let Some(keys) = kept.as_ref().filter(|keys| keys.expiry().is_none_or(|expiry| expiry > soon)) {
            return Ok(keys.clone());
        }
        let keys = self.login.log_in().await?;
        *kept = Some(keys.clone());
        Ok(keys)
    }
}

impl ProvideCredentials for Cached {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.get())
    }
}

/// Whatever the surroundings say.
struct Ambient(SharedCredentialsProvider);

impl Login for Ambient {
    fn log_in(&self) -> BoxFuture<'_, Result<Keys, CredentialsError>> {
        Box::pin(async { self.0.provide_credentials().await })
    }
}

/// A role that trusts the issuer of tokens.
struct WebIdentity {
    provider: &'static str,
    client: aws_sdk_sts::Client,
    role_arn: String,
    tokens: Arc<dyn Tokens>,
}

impl Login for WebIdentity {
    fn log_in(&self) -> BoxFuture<'_, Result<Keys, CredentialsError>> {
        Box::pin(async {
            let token = self.tokens.token().await.map_err(CredentialsError::provider_error)?;
            let unusable = || SourceError::invalid(self.provider, "login", "the service account's token is not text");
            let token = token.expose_str().ok_or_else(|| CredentialsError::provider_error(unusable()))?;
            let call = self.client.assume_role_with_web_identity().role_arn(&self.role_arn);
            let answer = call.role_session_name(SESSION).web_identity_token(token).send().await;
            let failed = |error| CredentialsError::provider_error(error::of_call(self.provider, "login", None, &error));
            keys(self.provider, answer.map_err(failed)?.credentials)
        })
    }
}

/// Keys as STS gives them.
pub(super) fn keys(
    provider: &'static str,
    given: Option<aws_sdk_sts::types::Credentials>,
) -> Result<Keys, CredentialsError> {
    let none = || CredentialsError::provider_error(SourceError::invalid(provider, "login", "STS gave no credentials"));
    let given = given.ok_or_else(none)?;
    let expiry = SystemTime::try_from(given.expiration).ok();
    Ok(Keys::new(given.access_key_id, given.secret_access_key, Some(given.session_token), expiry, SESSION))
}
