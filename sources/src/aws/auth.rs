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
use tokio::time::Instant;

use super::sessions::Sessions;
use super::{Credentials, Settings, error, sts};
use crate::{SourceError, Tokens};

/// The name of every session, as the logs of AWS show it.
pub(super) const SESSION: &str = "sealwax";
/// How long before they expire credentials are replaced.
const EARLY: Duration = Duration::from_mins(5);
/// A call takes no longer to arrive: keys that expire sooner are not used.
const LAST: Duration = Duration::from_secs(5);
/// A login that failed while there were keys is not tried again before this.
const AGAIN: Duration = Duration::from_secs(10);

/// Keys before any role is assumed.
pub(super) fn first(
    provider: &'static str,
    base: &SdkConfig,
    settings: &Settings,
    credentials: Credentials,
    sessions: &Arc<Sessions>,
) -> Result<SharedCredentialsProvider, SourceError> {
    match credentials {
        Credentials::Ambient => {
            let none = || SourceError::invalid(provider, "login", "the surroundings give no credentials");
            base.credentials_provider().map(|ambient| cached(Ambient(ambient), sessions)).ok_or_else(none)
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
            Ok(cached(WebIdentity { provider, client, role_arn, tokens }, sessions))
        }
    }
}

/// Where keys come from.
pub(super) trait Login: Send + Sync + 'static {
    /// Gets keys. An error of ours tells what it means; any other is looked through.
    fn log_in(&self) -> BoxFuture<'_, Result<Keys, CredentialsError>>;
}

/// Keeps what a login gave until shortly before it expires. Whoever asks meanwhile waits for one login.
pub(super) fn cached(login: impl Login, sessions: &Arc<Sessions>) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Cached::new(login, sessions))
}

struct Cached {
    login: Box<dyn Login>,
    sessions: Arc<Sessions>,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    keys: Keys,
    generation: u64,
    /// When a login failed that was to replace them.
    failed: Option<Instant>,
}

impl Kept {
    fn lives(&self, until: SystemTime) -> bool {
        self.keys.expiry().is_none_or(|expiry| expiry > until)
    }
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cached(<redacted>)")
    }
}

impl Cached {
    fn new(login: impl Login, sessions: &Arc<Sessions>) -> Self {
        Self { login: Box::new(login), sessions: sessions.clone(), kept: Mutex::default() }
    }

    async fn get(&self) -> Result<Keys, CredentialsError> {
        let mut kept = self.kept.lock().await;
        let (now, generation) = (SystemTime::now(), self.sessions.generation());
        if let Some(kept) = kept.as_ref() {
            let fresh = kept.generation == generation && kept.lives(now + EARLY);
            let just_failed = kept.failed.is_some_and(|failed| failed.elapsed() < AGAIN);
            if fresh || just_failed && self.is_usable(kept, now) {
                return Ok(kept.keys.clone());
            }
        }
        match self.login.log_in().await {
            Ok(keys) => {
                *kept = Some(Kept { keys: keys.clone(), generation, failed: None });
                Ok(keys)
            }
            // It was early: what is kept is good for a while yet.
            Err(error) => match kept.as_mut().filter(|kept| self.is_usable(kept, SystemTime::now())) {
                Some(kept) => {
                    kept.failed = Some(Instant::now());
                    Ok(kept.keys.clone())
                }
                None => Err(error),
            },
        }
    }

    fn is_usable(&self, kept: &Kept, now: SystemTime) -> bool {
        kept.lives(now + LAST) && self.sessions.is_alive(kept.generation)
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Gives keys that live this long, and none from this login on.
    struct Failing {
        lives: Duration,
        from: usize,
        logins: Arc<AtomicUsize>,
    }

    impl Login for Failing {
        fn log_in(&self) -> BoxFuture<'_, Result<Keys, CredentialsError>> {
            Box::pin(async {
                let login = self.logins.fetch_add(1, Ordering::SeqCst);
                if login >= self.from {
                    return Err(CredentialsError::provider_error("STS is down"));
                }
                let expiry = SystemTime::now() + self.lives;
                Ok(Keys::new(format!("key-{login}"), "secret", None, Some(expiry), SESSION))
            })
        }
    }

    fn failing(lives: Duration, from: usize) -> (Cached, Arc<Sessions>, Arc<AtomicUsize>) {
        let (sessions, logins) = (Arc::<Sessions>::default(), Arc::<AtomicUsize>::default());
        (Cached::new(Failing { lives, from, logins: logins.clone() }, &sessions), sessions, logins)
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_used_to_their_end_if_there_are_no_others() {
        let (cached, _, logins) = failing(EARLY / 2, 1);
        for _ in 0..5 {
            assert_eq!(cached.get().await.unwrap().access_key_id(), "key-0");
        }
        assert_eq!(logins.load(Ordering::SeqCst), 2, "not one try for each call");
        tokio::time::advance(AGAIN).await;
        assert_eq!(cached.get().await.unwrap().access_key_id(), "key-0");
        assert_eq!(logins.load(Ordering::SeqCst), 3);
        let (over, ..) = failing(LAST / 2, 1);
        over.get().await.unwrap();
        over.get().await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn refused_keys_are_replaced_and_not_at_every_refusal() {
        let (cached, sessions, logins) = failing(EARLY * 2, usize::MAX);
        for code in ["ExpiredTokenException", "InvalidClientTokenId", "AccessDeniedException"] {
            tokio::time::advance(Duration::from_mins(2)).await;
            let before = cached.get().await.unwrap();
            assert!(sessions.refuse(code) && !sessions.refuse(code), "{code}");
            assert_ne!(cached.get().await.unwrap().access_key_id(), before.access_key_id(), "{code}");
        }
        assert!(!sessions.refuse("DecryptionFailure"));
        assert_eq!(logins.load(Ordering::SeqCst), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn only_keys_that_may_work_yet_stand_in_for_new_ones() {
        let (cached, sessions, _) = failing(EARLY * 2, 1);
        cached.get().await.unwrap();
        assert!(sessions.refuse("AccessDeniedException"));
        cached.get().await.unwrap();
        tokio::time::advance(Duration::from_mins(2)).await;
        assert!(sessions.refuse("ExpiredTokenException"));
        cached.get().await.unwrap_err();
    }
}
