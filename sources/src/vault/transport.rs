//! The way to the server: TLS, time-outs, redirects; and what went wrong on it, in our own words.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity, Url};
use zeroize::Zeroizing;

use super::{PROVIDER, Settings};
use crate::{Kind, SourceError, wire};

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
        let builder = Client::builder().connect_timeout(CONNECT).timeout(TOTAL).redirect(same_server());
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

/// Whoever is followed is sent the token: the same server under another path, and no other.
fn same_server() -> Policy {
    Policy::custom(|attempt| {
        let same = attempt.previous().last().is_some_and(|from| is_same(from, attempt.url()));
        if same && attempt.previous().len() <= REDIRECTS { attempt.follow() } else { attempt.stop() }
    })
}

/// Another port of the host is another program, perhaps of another owner. The one way that leads to another port is the
/// usual one from HTTP to HTTPS, both at their own ports; never back.
fn is_same(from: &Url, to: &Url) -> bool {
    let port = |url: &Url| (url.scheme() == "https", url.port_or_known_default());
    let upgrade = port(from) == (false, Some(80)) && port(to) == (true, Some(443));
    from.host_str() == to.host_str() && (port(from) == port(to) || upgrade)
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
    let detail = wire::known(error).unwrap_or({
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_server_is_followed() {
        for (from, to, followed) in [
            ("http://vault:8200", "http://vault:8200/v1/x", true),
            ("https://vault", "https://vault:443/v1/x", true),
            ("http://vault", "https://vault", true),
            ("http://vault:80", "https://vault:443", true),
            ("https://vault", "http://vault", false),
            ("https://vault:8200", "http://vault:8200", false),
            ("https://vault:8200", "https://vault:8201", false),
            ("https://vault:8200", "https://vault", false),
            ("http://vault:8200", "https://vault:8443", false),
            ("http://vault:8200", "https://vault", false),
            ("http://vault", "https://vault:8443", false),
            ("https://vault", "https://vault.evil", false),
        ] {
            assert_eq!(is_same(&from.parse().unwrap(), &to.parse().unwrap()), followed, "{from} {to}");
        }
    }
}
