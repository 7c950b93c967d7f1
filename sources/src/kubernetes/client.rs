//! Clients that are logged in: made when needed, and anew when their token is about to end.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use futures::future::BoxFuture;
use http_body_util::{LengthLimitError, Limited};
use kube::client::ClientBuilder;
use kube::config::AuthInfo;
use kube::core::Status;
use kube::{Client, Config};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sealwax_format::SecretBytes;
use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tower::util::MapResponseLayer;
use zeroize::Zeroize as _;

use super::{Login, PROVIDER, Settings};
use crate::{Kind, SourceError, wire};

const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(15);
/// More than any Secret may have, and than a page of names should.
const MOST_BYTES: usize = 16 << 20;
/// A token of a service account lives for ten minutes at least.
const TOKEN_FOR: Duration = Duration::from_mins(5);

/// How one identity is reached.
pub(super) struct Clients {
    settings: Settings,
    login: Login,
    /// With when it was made. Held while the next one is.
    current: Mutex<Option<(Client, Instant)>>,
}

impl Clients {
    pub(super) fn new(settings: Settings, login: Login) -> Result<Self, SourceError> {
        if let Some(server) = &settings.server {
            uri(server)?;
        }
        roots(settings.ca.as_deref())?;
        Ok(Self { settings, login, current: Mutex::default() })
    }

    /// One call. A token of a service account that is refused is replaced once: its cluster may have new keys.
    pub(super) async fn call<'c, T>(
        &self,
        operation: &'static str,
        call: impl Fn(Client) -> BoxFuture<'c, kube::Result<T>> + Send + Sync,
    ) -> Result<T, SourceError> {
        let late = || unavailable(operation).with_detail("there was no answer in time");
        let (client, made) = self.client(None).await?;
        let result = timeout(TOTAL, call(client)).await.map_err(|_| late())?;
        let unauthorized = |error: &kube::Error| matches!(error, kube::Error::Api(status) if status.code == 401);
        if result.as_ref().is_err_and(unauthorized) && matches!(self.login, Login::ServiceAccount(_)) {
            let (client, _) = self.client(Some(made)).await?;
            let result = timeout(TOTAL, call(client)).await.map_err(|_| late())?;
            return result.map_err(|error| failed(&error, operation));
        }
        result.map_err(|error| failed(&error, operation))
    }

    /// A client that was not made when this one was.
    async fn client(&self, refused: Option<Instant>) -> Result<(Client, Instant), SourceError> {
        let mut current = self.current.lock().await;
        let ends = matches!(self.login, Login::ServiceAccount(_));
        if let Some((client, made)) = current.as_ref()
            && refused != Some(*made)
            && !(ends && made.elapsed() > TOKEN_FOR)
        {
            return Ok((client.clone(), *made));
        }
        let made = Instant::now();
        let client = timeout(TOTAL, self.make()).await.unwrap_or_else(|_| {
            Err(unavailable("login").with_detail("no token of the service account was made in time"))
        })?;
        *current = Some((client.clone(), made));
        Ok((client, made))
    }

    async fn make(&self) -> Result<Client, SourceError> {
        let auth_info = match &self.login {
            Login::Client(client) => {
                let (client, namespace) = (client.clone(), client.default_namespace().to_owned());
                let service = tower::service_fn(move |request| {
                    let client = client.clone();
                    async move { client.send(request).await }
                });
                return Ok(ClientBuilder::new(service, namespace).with_layer(&bounded()).build());
            }
            Login::Token(token) => with_token(token)?,
            Login::ServiceAccount(tokens) => with_token(&tokens.token().await.map_err(SourceError::of_login)?)?,
            Login::ClientCertificate { certificate, key } => with_certificate(certificate, key),
        };
        let mut config = match &self.settings.server {
            Some(server) => Config::new(uri(server)?),
            None => Config::incluster()
                .map_err(|_| invalid("the store names no server, and this program does not run in a cluster"))?,
        };
        if let Some(roots) = roots(self.settings.ca.as_deref())? {
            config.root_cert = Some(roots);
            config.root_cert_file = None;
        }
        config.auth_info = auth_info;
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(TOTAL);
        // Whoever reads through a reader is told to wait.
        config.default_retry = false;
        let builder = ClientBuilder::try_from(config)
            .map_err(|_| invalid("the client certificate, or the CA bundle, cannot be used"))?;
        Ok(builder.with_layer(&bounded()).build())
    }
}

type Bounded<B> = MapResponseLayer<fn(http::Response<B>) -> http::Response<Limited<B>>>;

/// Whoever answers must not fill the memory: what is longer than [`MOST_BYTES`] is not read to its end.
fn bounded<B: http_body::Body>() -> Bounded<B> {
    MapResponseLayer::new(|response: http::Response<B>| response.map(|body| Limited::new(body, MOST_BYTES)))
}

fn with_token(token: &SecretBytes) -> Result<AuthInfo, SourceError> {
    let text = token.expose_str().map(str::trim).filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| invalid("the token is not text"))?;
    Ok(AuthInfo { token: Some(SecretString::from(text)), ..AuthInfo::default() })
}

fn with_certificate(certificate: &[u8], key: &Arc<SecretBytes>) -> AuthInfo {
    let mut encoded = BASE64.encode(key.expose());
    let client_key_data = Some(SecretString::from(encoded.as_str()));
    encoded.zeroize();
    AuthInfo { client_certificate_data: Some(BASE64.encode(certificate)), client_key_data, ..AuthInfo::default() }
}

fn uri(server: &str) -> Result<http::Uri, SourceError> {
    let uri = server.parse::<http::Uri>().ok();
    uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
        .filter(|uri| uri.authority().is_none_or(|authority| !authority.as_str().contains('@')))
        .ok_or_else(|| invalid("the server is not the URL of an API server: https://api.example:6443"))
}

fn roots(pem: Option<&[u8]>) -> Result<Option<Vec<Vec<u8>>>, SourceError> {
    let Some(pem) = pem else { return Ok(None) };
    let roots: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem).map(|root| root.map(|root| root.to_vec())).collect();
    let roots = roots.unwrap_or_default();
    if roots.is_empty() { Err(invalid("the CA bundle holds no certificate in PEM")) } else { Ok(Some(roots)) }
}

fn invalid(why: &str) -> SourceError {
    SourceError::invalid(PROVIDER, "connect", why)
}

fn unavailable(operation: &'static str) -> SourceError {
    SourceError::new(PROVIDER, operation, Kind::Unavailable { after: None })
}

/// What a failure means. What a server writes is not passed on.
pub(super) fn failed(error: &kube::Error, operation: &'static str) -> SourceError {
    let strange = "the answer is not as an API server gives it";
    match error {
        _ if is_too_large(error) => SourceError::invalid(PROVIDER, operation, "the answer is too large"),
        kube::Error::Api(status) => answered(status, operation),
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => SourceError::invalid(PROVIDER, operation, strange),
        kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => {
            SourceError::invalid(PROVIDER, operation, "the request cannot be made")
        }
        kube::Error::Auth(_) => SourceError::new(PROVIDER, "login", Kind::Denied),
        other => unavailable(operation).with_detail(wire::known(other).unwrap_or("the server cannot be reached")),
    }
}

fn is_too_large(error: &kube::Error) -> bool {
    wire::causes(error).any(<dyn std::error::Error>::is::<LengthLimitError>)
}

fn answered(status: &Status, operation: &'static str) -> SourceError {
    let seconds = status.details.as_ref().map(|details| details.retry_after_seconds).filter(|seconds| *seconds > 0);
    let after = seconds.map(|seconds| Duration::from_secs(u64::from(seconds)));
    let kind = match status.code {
        404 if status.reason == "NotFound" && operation != "login" => Kind::Missing,
        404 => Kind::Invalid("the server is no API server".to_owned()),
        401 | 403 => Kind::Denied,
        429 => Kind::Throttled { after },
        500..=599 => Kind::Unavailable { after },
        _ => Kind::Invalid("the server does not accept the request".to_owned()),
    };
    SourceError::new(PROVIDER, operation, kind).with_code(status.code.to_string())
}
