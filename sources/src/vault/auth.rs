//! Logging in: once for all calls, renewed while there is time, and anew only when the token is really dead.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustify::Endpoint;
use sealwax_format::SecretBytes;
use tokio::runtime::Handle;
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use vaultrs::api::token::requests::{LookupTokenSelfRequest, RevokeTokenSelfRequest};

use super::client::{Body, Caller};
use super::login::{Grant, user_token};
use super::transport::Transport;
use super::{Login, PROVIDER};
use crate::{Kind, SourceError};

/// At most so often a refusal makes us ask whether the token lives: a policy that forbids one path is the usual reason.
/// Seldom enough to cost nothing, and often enough that a token which dies just then is soon replaced.
const SUSPICION_EVERY: Duration = Duration::from_secs(5);
/// A login that was refused is not tried again before this. Whoever has new credentials makes a new client.
const REFUSED_FOR: Duration = Duration::from_secs(30);
/// Those who waited for a login that failed do not try one each.
const FAILED_FOR: Duration = Duration::from_secs(1);

/// One identity at one server.
pub(super) struct Session {
    pub(super) transport: Transport,
    pub(super) login: Login,
    /// Where the login is, and the token's own calls.
    pub(super) namespace: Option<String>,
    token: Mutex<Option<Arc<Token>>>,
    /// Held while logging in: whoever waits finds the new token, or the failure and until when it stands.
    logging_in: AsyncMutex<Option<(Instant, SourceError)>>,
    /// Held while finding out whether a token lives: when that was last asked, and whether the token in use was dead.
    suspicion: AsyncMutex<Option<(Instant, bool)>>,
    keeper: Mutex<Option<AbortHandle>>,
    /// Told when there is another token.
    pub(super) changed: Arc<Notify>,
}

/// A token that was good once.
pub(super) struct Token {
    pub(super) secret: SecretBytes,
    pub(super) grant: Grant,
    /// Whether a login got it: then it is given back, and replaced by another.
    pub(super) ours: bool,
}

impl Session {
    pub(super) fn new(transport: Transport, login: Login, namespace: Option<String>) -> Arc<Self> {
        Arc::new(Self {
            transport,
            login,
            namespace,
            token: Mutex::default(),
            logging_in: AsyncMutex::default(),
            suspicion: AsyncMutex::default(),
            keeper: Mutex::default(),
            changed: Arc::default(),
        })
    }

    /// One call as this identity.
    pub(super) async fn call(
        self: &Arc<Self>,
        endpoint: &impl Endpoint,
        operation: &'static str,
        namespace: Option<&str>,
    ) -> Result<Body, SourceError> {
        let token = self.token().await?;
        let caller = Caller { operation, namespace, token: Some(&token.secret) };
        match self.transport.send(endpoint, caller).await {
            Err(refused) if refused.kind == Kind::Denied => {
                let Some(token) = self.replaced(&token, refused.clone()).await? else { return Err(refused) };
                self.transport.send(endpoint, Caller { token: Some(&token.secret), ..caller }).await
            }
            result => result,
        }
    }

    /// Whether one can log in, and the token lives.
    pub(super) async fn check(self: &Arc<Self>) -> Result<(), SourceError> {
        let token = self.token().await?;
        match self.look_up(&token).await {
            Err(refused) if refused.kind == Kind::Denied => self.replaced(&token, refused).await.map(drop),
            result => result,
        }
    }

    /// The token, got by a login if there is none that is still good.
    pub(super) async fn token(self: &Arc<Self>) -> Result<Arc<Token>, SourceError> {
        match self.current() {
            Some(token) if !token.grant.is_over() => Ok(token),
            stale => self.log_in(stale.as_ref()).await,
        }
    }

    /// A new token instead of this one. Logins are one at a time, and one is enough for all who wait.
    pub(super) async fn log_in(self: &Arc<Self>, instead_of: Option<&Arc<Token>>) -> Result<Arc<Token>, SourceError> {
        let mut failed = self.logging_in.lock().await;
        if let Some(token) = self.current().filter(|token| !instead_of.is_some_and(|old| Arc::ptr_eq(old, token))) {
            return Ok(token);
        }
        if let Some((_, error)) = failed.as_ref().filter(|(until, _)| Instant::now() < *until) {
            return Err(error.clone());
        }
        match self.ask_for_token().await {
            Ok(token) => {
                *failed = None;
                Ok(self.set(token))
            }
            Err(error) => {
                let wait = if error.is_transient() { FAILED_FOR } else { REFUSED_FOR };
                *failed = Some((Instant::now() + wait, error.clone()));
                Err(error)
            }
        }
    }

    async fn ask_for_token(&self) -> Result<Token, SourceError> {
        let token = match &self.login {
            Login::Token(secret) => user_token(self, secret).await,
            login => super::login::log_in(self, login).await,
        };
        token.map_err(SourceError::of_login)
    }

    /// After a refusal: a token that works instead of a dead one; `None` if it was not for the token.
    async fn replaced(
        self: &Arc<Self>,
        token: &Arc<Token>,
        refused: SourceError,
    ) -> Result<Option<Arc<Token>>, SourceError> {
        let mut suspicion = self.suspicion.lock().await;
        if let Some(newer) = self.current().filter(|current| !Arc::ptr_eq(current, token)) {
            return Ok(Some(newer));
        }
        let known = suspicion.filter(|(asked, _)| asked.elapsed() < SUSPICION_EVERY);
        let (asked, dead) = if let Some(known) = known {
            known
        } else {
            let asked = Instant::now();
            *suspicion = Some((asked, false));
            match self.look_up(token).await {
                Ok(()) => (asked, false),
                Err(error) if error.kind == Kind::Denied => (asked, true),
                Err(error) => return Err(error),
            }
        };
        // As long as nobody asks anew, every refusal has the same cause.
        *suspicion = Some((asked, dead));
        if !dead {
            return Ok(None);
        }
        if !token.ours {
            return Err(SourceError { detail: Some("the token is not accepted: has it expired?"), ..refused });
        }
        let newer = self.log_in(Some(token)).await?;
        *suspicion = Some((asked, false));
        Ok(Some(newer))
    }

    async fn look_up(&self, token: &Token) -> Result<(), SourceError> {
        self.own_call(&LookupTokenSelfRequest {}, "login", token).await.map(drop)
    }

    /// A call about the token itself.
    pub(super) async fn own_call(
        &self,
        endpoint: &impl Endpoint,
        operation: &'static str,
        token: &Token,
    ) -> Result<Body, SourceError> {
        let namespace = self.namespace.as_deref();
        self.transport.send(endpoint, Caller { operation, namespace, token: Some(&token.secret) }).await
    }

    pub(super) fn current(&self) -> Option<Arc<Token>> {
        lock(&self.token).clone()
    }

    /// Has everybody use this token, and it kept alive.
    pub(super) fn set(self: &Arc<Self>, token: Token) -> Arc<Token> {
        let token = Arc::new(token);
        *lock(&self.token) = Some(token.clone());
        let mut keeper = lock(&self.keeper);
        if keeper.is_none() && token.grant.ends().is_some() {
            *keeper = Some(tokio::spawn(super::renewal::keep(Arc::downgrade(self))).abort_handle());
        }
        drop(keeper);
        self.changed.notify_one();
        token
    }

    fn stop_keeping(&self) {
        if let Some(keeper) = lock(&self.keeper).take() {
            keeper.abort();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stop_keeping();
        let token = lock(&self.token).take().filter(|token| token.ours && !token.grant.is_over());
        let (Some(token), Ok(runtime)) = (token, Handle::try_current()) else { return };
        let (transport, namespace) = (self.transport.clone(), self.namespace.take());
        runtime.spawn(async move {
            let caller = Caller { operation: "logout", namespace: namespace.as_deref(), token: Some(&token.secret) };
            // Best effort: it expires anyway.
            let _ = transport.send(&RevokeTokenSelfRequest {}, caller).await;
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind them is replaced as a whole: a panic leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PROVIDER} at {} as {:?}", self.transport.base, self.login)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(<redacted>, {:?})", self.grant)
    }
}
