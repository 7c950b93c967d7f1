//! The ways to a token.

use std::time::Duration;

use sealwax_format::SecretBytes;
use serde::Deserialize;
use tokio::time::{Instant, timeout};
use vaultrs::api::auth::approle::requests::LoginWithApproleRequest;
use vaultrs::api::auth::kubernetes::requests::LoginWithKubernetesRequest;
use vaultrs::api::auth::oidc::requests::JWTLoginRequest;
use vaultrs::api::token::requests::LookupTokenSelfRequest;
use zeroize::Zeroizing;

use super::auth::{Session, Token};
use super::client::{Body, Caller};
use super::kv::{Enclosed, build, parse};
use super::transport::invalid;
use super::{Login, PROVIDER};
use crate::{Kind, SourceError, Tokens};

/// The API server takes no longer to make a token.
const MADE_WITHIN: Duration = Duration::from_secs(15);

/// For how long a token is good, and whether it can be made good for longer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant {
    /// When it was asked for: it cannot end later than counted from here.
    pub(super) since: Instant,
    /// `None`: for ever.
    pub(super) lasts: Option<Duration>,
    pub(super) renewable: bool,
}

impl Grant {
    fn new(since: Instant, seconds: u64, renewable: bool) -> Self {
        Self { since, lasts: Some(seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs), renewable }
    }

    pub(super) fn ends(&self) -> Option<Instant> {
        self.since.checked_add(self.lasts?)
    }

    /// Whether it ends before a call could be answered.
    pub(super) fn is_over(&self) -> bool {
        let margin = self.lasts.unwrap_or_default().div_f64(20.0).min(Duration::from_secs(10));
        self.ends().is_some_and(|ends| Instant::now() + margin >= ends)
    }
}

/// What a login and a renewal answer.
#[derive(Deserialize)]
struct Authenticated {
    auth: Option<Auth>,
}

#[derive(Deserialize)]
struct Auth {
    client_token: Zeroizing<String>,
    lease_duration: u64,
    renewable: bool,
}

#[derive(Deserialize)]
struct Looked {
    ttl: u64,
    #[serde(default)]
    renewable: Option<bool>,
}

/// A token that somebody made: what is known of it.
pub(super) async fn user_token(session: &Session, secret: &SecretBytes) -> Result<Token, SourceError> {
    let since = Instant::now();
    let mut token = Token { secret: secret.duplicate(), grant: Grant::new(since, 0, false), ours: false };
    match session.own_call(&LookupTokenSelfRequest {}, "login", &token).await {
        Ok(body) => {
            let looked: Looked = parse::<Enclosed<Looked>>(&body, "login")?.data.ok_or_else(strange)?;
            token.grant = Grant::new(since, looked.ttl, looked.renewable.unwrap_or(false));
            Ok(token)
        }
        // It may still read what it was made for; and if it is dead, every read says so.
        Err(error) if error.kind == Kind::Denied => Ok(token),
        Err(error) => Err(error),
    }
}

/// Logs in.
pub(super) async fn log_in(session: &Session, login: &Login) -> Result<Token, SourceError> {
    let text = |secret: &SecretBytes| {
        let text = secret.expose_str().map(str::trim);
        text.map(str::to_owned).ok_or_else(|| invalid("the credentials are not text"))
    };
    let since = Instant::now();
    let caller = Caller { operation: "login", namespace: session.namespace.as_deref(), token: None };
    let body = match login {
        Login::Token(_) => return Err(invalid("there is nothing to log in with")),
        Login::AppRole { mount, role_id, secret_id } => {
            let mut request = LoginWithApproleRequest::builder();
            let request = request.mount(mount_of(mount)).role_id(role_id.clone()).secret_id(text(secret_id)?);
            session.transport.send(&build(request.build())?, caller).await?
        }
        Login::Kubernetes { mount, role, jwt } => {
            let mut request = LoginWithKubernetesRequest::builder();
            let request = request.mount(mount_of(mount)).role(role.clone()).jwt(text(&made(jwt.as_ref()).await?)?);
            session.transport.send(&build(request.build())?, caller).await?
        }
        Login::Jwt { mount, role, jwt } => {
            let mut request = JWTLoginRequest::builder();
            request.mount(mount_of(mount)).jwt(text(&made(jwt.as_ref()).await?)?);
            if let Some(role) = role {
                request.role(role.clone());
            }
            session.transport.send(&build(request.build())?, caller).await?
        }
    };
    let mut auth = authenticated(&body)?;
    let grant = Grant::new(since, auth.lease_duration, auth.renewable);
    Ok(Token { secret: SecretBytes::from(std::mem::take(&mut *auth.client_token)), grant, ours: true })
}

/// What a renewal made of a token's time.
pub(super) fn renewed(body: &Body, since: Instant) -> Result<Grant, SourceError> {
    let auth = authenticated(body)?;
    Ok(Grant::new(since, auth.lease_duration, auth.renewable))
}

fn authenticated(body: &Body) -> Result<Auth, SourceError> {
    parse::<Authenticated>(body, "login")?.auth.ok_or_else(strange)
}

async fn made(tokens: &dyn Tokens) -> Result<SecretBytes, SourceError> {
    let late = || {
        let kind = Kind::Unavailable { after: None };
        SourceError::new(PROVIDER, "login", kind).with_detail("no token of the service account was made in time")
    };
    timeout(MADE_WITHIN, tokens.token()).await.unwrap_or_else(|_| Err(late()))
}

fn mount_of(mount: &str) -> String {
    mount.trim_matches('/').to_owned()
}

fn strange() -> SourceError {
    SourceError::invalid(PROVIDER, "login", "the answer is not as Vault gives it")
}
