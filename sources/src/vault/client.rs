//! One call: a request type of vaultrs, sent by our own hands, and the answer judged.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use rustify::Endpoint;
use sealwax_format::SecretBytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use super::PROVIDER;
use super::transport::{Transport, failed, invalid};
use crate::{Kind, SourceError};

/// More than any secret may have, and than any list of names should.
const MOST_BYTES: usize = 16 << 20;
/// Of a failure enough is read to recognise it. That of a deleted version brings the secret's custom metadata along.
const MOST_FAILURE_BYTES: usize = 512 << 10;

/// The body of an answer that was good.
pub(super) type Body = Zeroizing<Vec<u8>>;

/// With what a call is made.
#[derive(Clone, Copy)]
pub(super) struct Caller<'c> {
    pub(super) operation: &'static str,
    pub(super) namespace: Option<&'c str>,
    pub(super) token: Option<&'c SecretBytes>,
}

impl Transport {
    pub(super) async fn send(&self, endpoint: &impl Endpoint, caller: Caller<'_>) -> Result<Body, SourceError> {
        // The base only makes the path whole; the server's own comes before it, with the version of the interface.
        let request = endpoint.request("http://server").map_err(|_| invalid("the path cannot be part of a URL"))?;
        let url = self.url(request.uri().path(), request.uri().query());
        let headers = self.headers_for(caller)?;
        let (method, body) = (request.method().clone(), request.into_body());
        let mut sent = self.http.request(method, url).headers(headers);
        if !body.is_empty() {
            sent = sent.body(body);
        }
        let response = sent.send().await.map_err(|error| failed(&error, caller.operation))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_success() {
            return body_of(response, MOST_BYTES, caller.operation).await;
        }
        let body = body_of(response, MOST_FAILURE_BYTES, caller.operation).await.unwrap_or_default();
        Err(judge(status, &headers, &body, caller.operation))
    }

    fn url(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/v1{path}", self.base.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }

    fn headers_for(&self, caller: Caller<'_>) -> Result<HeaderMap, SourceError> {
        let mut headers = self.headers.clone();
        if let Some(namespace) = caller.namespace.filter(|namespace| !namespace.is_empty()) {
            let value = HeaderValue::from_str(namespace).map_err(|_| invalid("the namespace is not one of Vault's"))?;
            headers.insert("x-vault-namespace", value);
        }
        if let Some(token) = caller.token {
            let value = HeaderValue::from_bytes(token.expose().trim_ascii());
            let mut value = value.map_err(|_| invalid("the token is not one of Vault's"))?;
            value.set_sensitive(true);
            headers.insert("x-vault-token", value);
        }
        Ok(headers)
    }
}

async fn body_of(mut response: Response, most: usize, operation: &'static str) -> Result<Body, SourceError> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error, operation))? {
        if body.len() + chunk.len() > most {
            return Err(SourceError::invalid(PROVIDER, operation, "the answer is too large"));
        }
        if body.capacity() < body.len() + chunk.len() {
            // Growing in place would leave the old copy unwiped.
            let mut larger = Zeroizing::new(Vec::with_capacity((body.len() + chunk.len()) * 2));
            larger.extend_from_slice(&body);
            body = larger;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What a failure means. Of its body only phrases that we know are looked for; none is passed on.
fn judge(status: StatusCode, headers: &HeaderMap, body: &[u8], operation: &'static str) -> SourceError {
    let after = headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, SystemTime::now()));
    let says = |phrase: &str| body.windows(phrase.len()).any(|window| window.eq_ignore_ascii_case(phrase.as_bytes()));
    let unavailable = Kind::Unavailable { after };
    let (kind, detail) = match status.as_u16() {
        404 if says("no handler for route") || says("unsupported path") => {
            // Not a secret that is missing: nothing may be deleted because a store is wrong.
            (Kind::Invalid("nothing is mounted there: is the mount's path right?".to_owned()), None)
        }
        404 if says("invalid path for a versioned k/v") => {
            (Kind::Invalid("the mount is a KV store of version 2, and the store says version 1".to_owned()), None)
        }
        404 if says("namespace not found") => (Kind::Invalid("there is no such namespace".to_owned()), None),
        404 if matches!(operation, "read" | "find") && is_absence(body) => (Kind::Missing, None),
        // Of a proxy, say. Who takes it for an absent secret may delete what was made from it.
        404 => (
            unavailable,
            Some("it was not Vault that found nothing: is the address right, and the server behind it up?"),
        ),
        400 if operation == "login" => (Kind::Denied, None),
        401 | 403 => (Kind::Denied, None),
        429 => (Kind::Throttled { after }, None),
        300..=399 => (unavailable, Some("the server sends us to another one, which is not followed")),
        412 | 472 | 473 => (unavailable, Some("this node of the server cannot answer yet")),
        503 if says("sealed") => (unavailable, Some("the server is sealed")),
        503 if says("not initialized") => (unavailable, Some("the server is not initialized")),
        500..=599 => (unavailable, None),
        _ => (Kind::Invalid("the server does not accept the request".to_owned()), None),
    };
    let error = SourceError::new(PROVIDER, operation, kind).with_code(status.as_str());
    SourceError { detail, ..error }
}

/// Whether this is how Vault says that a path holds nothing, or that its version is deleted.
fn is_absence(body: &[u8]) -> bool {
    let Ok(answer) = serde_json::from_slice::<Nothing>(body) else { return false };
    match (answer.errors, answer.data) {
        (Some(errors), None) => errors.is_empty(),
        (None, Some(_)) => true,
        _ => false,
    }
}

/// The body of a failure that says that there is nothing.
#[derive(Deserialize)]
struct Nothing {
    errors: Option<Vec<IgnoredAny>>,
    data: Option<Deleted>,
}

#[derive(Deserialize)]
struct Deleted {
    #[serde(rename = "metadata")]
    _metadata: DeletedVersion,
}

#[derive(Deserialize)]
struct DeletedVersion {
    #[serde(rename = "version")]
    _version: u64,
}

/// The wait that a server asks for: seconds, or a date.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let seconds = value.parse().map(Duration::from_secs).ok();
    seconds.or_else(|| Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str, operation: &'static str) -> SourceError {
        judge(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes(), operation)
    }

    #[test]
    fn an_answer_says_what_to_do_next() {
        for (status, body, operation, text) in [
            (404, r#"{"errors":[]}"#, "read", "Vault read: there is no such secret (404)"),
            (403, "", "read", "Vault read: permission denied (403)"),
            (400, "invalid role or secret ID", "login", "Vault login: the credentials are not accepted (400)"),
            (503, r#"{"errors":["Vault is sealed"]}"#, "read", "Vault read: the server is sealed (503)"),
            (429, "", "read", "Vault read: too many calls; it is asked again later (429)"),
            (
                404,
                r#"no handler for route "x/""#,
                "read",
                "Vault read: nothing is mounted there: is the mount's path right? (404)",
            ),
        ] {
            assert_eq!(judged(status, body, operation).to_string(), text);
        }
    }

    #[test]
    fn only_what_vault_says_is_absence() {
        let deleted =
            r#"{"request_id":"r","data":{"data":null,"metadata":{"version":2,"destroyed":false}},"warnings":null}"#;
        for body in [r#"{"errors":[]}"#, "{\"errors\":[]}\n", deleted] {
            for (operation, absent) in
                [("read", true), ("find", true), ("login", false), ("renew", false), ("logout", false)]
            {
                assert_eq!(judged(404, body, operation).is_absence(), absent, "{operation} {body}");
            }
        }
        let wrong_version = r#"{"data":null,"warnings":["Invalid path for a versioned K/V secrets engine."]}"#;
        assert_eq!(judged(404, wrong_version, "read").reason(), "SourceInvalid");
        let others = [
            "",
            "{}",
            "[]",
            "404 page not found\n",
            "<html><body>404 Not Found</body></html>",
            r#"{"errors":["something else"]}"#,
            r#"{"error":"not found"}"#,
            r#"{"message":"no Route matched with those values"}"#,
            r#"{"data":null}"#,
            r#"{"data":{}}"#,
        ];
        for body in others {
            assert_eq!(judged(404, body, "read").reason(), "SourceUnavailable", "{body}");
        }
    }

    #[test]
    fn no_body_gets_into_an_error() {
        for status in [300, 400, 403, 404, 412, 418, 429, 500, 503] {
            for operation in ["read", "login"] {
                assert!(!format!("{:?}", judged(status, "hunter2 sealed", operation)).contains("hunter2"));
            }
        }
    }

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2026 07:28:00 GMT").unwrap();
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_mins(2)));
        assert_eq!(retry_after("Wed, 21 Oct 2026 07:29:00 GMT", now), Some(Duration::from_mins(1)));
        assert_eq!(retry_after("Wed, 21 Oct 2026 07:27:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
