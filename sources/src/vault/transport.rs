//! The way to the server: TLS, time-outs, redirects; and what went wrong on it, in our own words.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity, Url};
use rustls::{AlertDescription, CertificateError};
use zeroize::Zeroizing;

use super::{PROVIDER, Settings};
use crate::{Kind, SourceError};

const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(15);
const REDIRECTS: usize = 5;

/// Connections to one server.
#[derive(Clone)]
pub(super) struct Transport {
    pub(super) http: Client,
    pub(super) base: Url,
    /// Sent with every request.
    pub(super) headers: HeaderMap,
}

impl Transport {
    pub(super) fn new(settings: &Settings) -> Result<Self, SourceError> {
        let base = Url::parse(&settings.server)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .filter(|url| url.username().is_empty() && url.password().is_none())
            .ok_or_else(|| invalid("the server is not the URL of an HTTP server: https://vault.example:8200"))?;
        let builder = Client::builder().connect_timeout(CONNECT).timeout(TOTAL).redirect(same_host());
        let http = with_tls(builder, settings, base.scheme() == "http")?.build();
        Ok(Self {
            http: http.map_err(|_| invalid("the CA bundle or the client certificate cannot be used"))?,
            base,
            headers: headers(&settings.headers, settings.forward_inconsistent)?,
        })
    }
}

fn with_tls(
    mut builder: reqwest::ClientBuilder,
    settings: &Settings,
    plain: bool,
) -> Result<reqwest::ClientBuilder, SourceError> {
    if plain {
        // Nothing is checked, so the system's certificates need not be there.
        return Ok(builder.tls_certs_only(Vec::new()));
    }
    if let Some(pem) = &settings.ca {
        let certificates = Certificate::from_pem_bundle(pem).unwrap_or_default();
        if certificates.is_empty() {
            return Err(invalid("the CA bundle holds no certificate in PEM"));
        }
        builder = builder.tls_certs_only(certificates);
    }
    if let Some((certificate, key)) = &settings.client_certificate {
        let mut pem = Zeroizing::new(Vec::with_capacity(certificate.len() + key.len() + 1));
        pem.extend_from_slice(certificate);
        pem.push(b'\n');
        pem.extend_from_slice(key.expose());
        let identity = Identity::from_pem(&pem)
            .map_err(|_| invalid("the client certificate is not a certificate and its key in PEM"))?;
        builder = builder.identity(identity);
    }
    Ok(builder)
}

/// Another host would be sent the token.
fn same_host() -> Policy {
    Policy::custom(|attempt| {
        let (to, from) = (attempt.url(), attempt.previous().last());
        let same = from.is_some_and(|from| {
            let same_port = from.port_or_known_default() == to.port_or_known_default();
            from.host_str() == to.host_str() && (to.scheme() == "https" || from.scheme() == "http" && same_port)
        });
        if same && attempt.previous().len() <= REDIRECTS { attempt.follow() } else { attempt.stop() }
    })
}

fn headers(given: &BTreeMap<String, String>, forward_inconsistent: bool) -> Result<HeaderMap, SourceError> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let name = HeaderName::from_bytes(name.as_bytes()).ok();
        let value = HeaderValue::from_str(value).ok();
        let (name, mut value) = name.zip(value).ok_or_else(|| invalid("one of the headers is not a header of HTTP"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    headers.insert("x-vault-request", HeaderValue::from_static("true"));
    if forward_inconsistent {
        headers.insert("x-vault-inconsistent", HeaderValue::from_static("forward-active-node"));
    }
    Ok(headers)
}

/// Settings that somebody has to change.
pub(super) fn invalid(why: &str) -> SourceError {
    SourceError::invalid(PROVIDER, "connect", why)
}

/// What happened on the way, from the types of the error's causes: their texts are not ours.
pub(super) fn failed(error: &reqwest::Error, operation: &'static str) -> SourceError {
    let detail = causes(error).find_map(known).unwrap_or({
        if error.is_timeout() {
            "there was no answer in time"
        } else if error.is_connect() {
            "the server cannot be reached"
        } else {
            "the connection broke"
        }
    });
    SourceError::new(PROVIDER, operation, Kind::Unavailable { after: None }).with_detail(detail)
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'e (dyn Error + 'static) = *error;
        // An `io::Error` hides the error that it wraps from the chain of sources.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

fn known(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(tls(error));
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return match error.kind() {
            io::ErrorKind::ConnectionRefused => Some("the connection was refused"),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Some("the connection was reset"),
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some("there is no way to the server"),
            io::ErrorKind::TimedOut => Some("there was no answer in time"),
            _ => None,
        };
    }
    // The one cause that has no type of its own; compared, never shown.
    (error.to_string() == "dns error").then_some("the server's name cannot be resolved")
}

fn tls(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another name"
            }
            _ => "the server's certificate is not trusted: is the CA bundle right?",
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::AccessDenied,
        ) => "the server does not accept this client's certificate",
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS: is it http://?",
        _ => "the TLS connection failed",
    }
}
