//! What a failure of AWS means for whoever asked. What the server wrote is looked at, and never repeated.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};

use crate::{Kind, SourceError};

/// A call that failed.
pub(super) fn of_call<E>(
    provider: &'static str,
    operation: &'static str,
    key: Option<&str>,
    error: &SdkError<E, HttpResponse>,
) -> SourceError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let found = match error {
        SdkError::ServiceError(answer) if answer.raw().status().as_u16() >= 400 => {
            let inner = answer.err();
            let raw = answer.raw();
            let status = raw.status().as_u16();
            let after = raw.headers().get("retry-after").and_then(|text| text.trim().parse().ok());
            of_answer(provider, operation, Some(status), inner.code(), inner.message(), after.map(Duration::from_secs))
        }
        // An error that the server does not call one is an answer that the client could not read.
        SdkError::ServiceError(_) | SdkError::ResponseError(_) => {
            let unreadable = SourceError::new(provider, operation, Kind::Unavailable { after: None });
            unreadable.with_detail("the answer cannot be read")
        }
        other => of_chain(provider, operation, other),
    };
    match key {
        Some(key) => found.with_key(key),
        None => found,
    }
}

/// What the server says went wrong.
pub(super) fn of_answer(
    provider: &'static str,
    operation: &'static str,
    status: Option<u16>,
    code: Option<&str>,
    message: Option<&str>,
    after: Option<Duration>,
) -> SourceError {
    let name = code.unwrap_or_default();
    let deleted = name == "InvalidRequestException"
        && message.is_some_and(|text| text.contains("marked for deletion") || text.contains("marked deleted"));
    let (kind, detail) = match (name, status.unwrap_or_default()) {
        _ if deleted => (Kind::Missing, Some("the secret is marked for deletion")),
        _ if is_throttling(name) => (Kind::Throttled { after }, None),
        (_, 429) => (Kind::Throttled { after }, None),
        _ if is_missing(name) => (Kind::Missing, None),
        ("DecryptionFailure" | "InvalidKeyId", _) => {
            (Kind::Denied, Some("the key that it is encrypted with cannot be used"))
        }
        _ if is_denied(name) => (Kind::Denied, None),
        _ if is_unavailable(name) || status.is_some_and(|status| status >= 500) => (Kind::Unavailable { after }, None),
        (_, 401 | 403) => (Kind::Denied, None),
        _ => (Kind::Invalid("the service refuses the request".to_owned()), None),
    };
    let error = SourceError::new(provider, operation, kind);
    let error = if let Some(detail) = detail { error.with_detail(detail) } else { error };
    let error = match (plain(name), status) {
        (Some(name), _) => error.with_code(name),
        (None, Some(status)) => error.with_code(status.to_string()),
        (None, None) => error,
    };
    if operation == "login" { error.of_login() } else { error }
}

/// A login that failed.
pub(super) fn of_credentials(provider: &'static str, error: &CredentialsError) -> SourceError {
    of_chain(provider, "login", error)
}

/// A failure before there was any answer: somewhere below it stands what it was.
fn of_chain(provider: &'static str, operation: &'static str, error: &(dyn Error + 'static)) -> SourceError {
    let mut next = Some(error);
    let mut credentials = None;
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref::<SourceError>() {
            // Only a login has errors of ours below it.
            return ours.clone().of_login();
        }
        if let Some(refused) = error.downcast_ref::<WebIdentityError>() {
            return of_answer(provider, "login", None, refused.code(), refused.message(), None);
        }
        if let Some(refused) = error.downcast_ref::<RoleError>() {
            return of_answer(provider, "login", None, refused.code(), refused.message(), None);
        }
        credentials = credentials.or_else(|| error.downcast_ref::<CredentialsError>());
        next = error.source();
    }
    match credentials {
        Some(CredentialsError::CredentialsNotLoaded(_)) => {
            SourceError::new(provider, "login", Kind::Denied).with_detail("the surroundings give no credentials")
        }
        Some(CredentialsError::InvalidConfiguration(_)) => {
            SourceError::invalid(provider, "login", "the settings of the surroundings cannot be used")
        }
        Some(_) => SourceError::new(provider, "login", Kind::Unavailable { after: None }),
        None => SourceError::new(provider, operation, Kind::Unavailable { after: None }),
    }
}

type WebIdentityError = aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
type RoleError = aws_sdk_sts::operation::assume_role::AssumeRoleError;

fn is_throttling(name: &str) -> bool {
    matches!(
        name,
        "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "ProvisionedThroughputExceededException"
            | "SlowDown"
    )
}

fn is_missing(name: &str) -> bool {
    matches!(name, "ResourceNotFoundException" | "ParameterNotFound" | "ParameterVersionNotFound" | "InvalidResourceId")
}

fn is_unavailable(name: &str) -> bool {
    matches!(
        name,
        "InternalServiceError"
            | "InternalServerError"
            | "InternalFailure"
            | "ServiceUnavailable"
            | "IDPCommunicationError"
    )
}

fn is_denied(name: &str) -> bool {
    name.starts_with("AccessDenied")
        || name.starts_with("ExpiredToken")
        || matches!(
            name,
            "UnrecognizedClientException"
                | "InvalidClientTokenId"
                | "InvalidIdentityToken"
                | "IDPRejectedClaim"
                | "InvalidSignatureException"
                | "SignatureDoesNotMatch"
                | "IncompleteSignature"
                | "MissingAuthenticationToken"
                | "MissingAuthenticationTokenException"
                | "NotAuthorized"
                | "OptInRequired"
        )
}

/// The server's name of the error, if it is one.
fn plain(name: &str) -> Option<&str> {
    let short = (1..=64).contains(&name.len());
    (short && name.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(name)
}
