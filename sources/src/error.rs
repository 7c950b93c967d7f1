//! Failures, typed by what to do next.

use std::fmt;
use std::time::Duration;

/// Why a source did not do what was asked. It holds our own words only: never a value, and never what a server wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SourceError {
    /// What it means for whoever asked.
    pub kind: Kind,
    /// See [`crate::Source::provider`].
    pub provider: &'static str,
    /// What was tried: `read`, `find`, `login`, `renew`, `connect`.
    pub operation: &'static str,
    /// An HTTP status, or the provider's own name of the error.
    pub code: Option<String>,
    /// The key that was asked for.
    pub key: Option<String>,
    /// What is known more closely than the kind says: `the server is sealed`.
    pub detail: Option<&'static str>,
}

/// What a failure means for whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is no such secret, or not in this version. Everything else works.
    Missing,
    /// The source refuses this identity. It goes on to do so until somebody grants it.
    Denied,
    /// Too many calls: later, and if the source said when, not before.
    Throttled {
        /// The wait that the source asks for.
        after: Option<Duration>,
    },
    /// The source cannot be reached, or does not work now.
    Unavailable {
        /// The wait that the source asks for.
        after: Option<Duration>,
    },
    /// What was asked makes no sense, or the answer does not: somebody has to change something. Why, in our own words.
    Invalid(String),
}

impl SourceError {
    /// With nothing said yet but what happened.
    pub fn new(provider: &'static str, operation: &'static str, kind: Kind) -> Self {
        Self { kind, provider, operation, code: None, key: None, detail: None }
    }

    /// Something that has to be changed, in our own words.
    pub fn invalid(provider: &'static str, operation: &'static str, why: impl Into<String>) -> Self {
        Self::new(provider, operation, Kind::Invalid(why.into()))
    }

    /// The same, answered by this code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same, about this key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same, known more closely.
    #[must_use]
    pub fn with_detail(mut self, detail: &'static str) -> Self {
        self.detail = Some(detail);
        self
    }

    /// One word for conditions and metrics.
    pub fn reason(&self) -> &'static str {
        match self.kind {
            Kind::Missing => "SourceMissing",
            Kind::Denied => "SourceDenied",
            Kind::Throttled { .. } => "SourceThrottled",
            Kind::Unavailable { .. } => "SourceUnavailable",
            Kind::Invalid(_) => "SourceInvalid",
        }
    }

    /// Whether time alone may heal it.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, Kind::Throttled { .. } | Kind::Unavailable { .. })
    }

    /// Whether it says that what was asked for is not there. A login that misses something says nothing about secrets, and
    /// Secrets may be deleted for what is taken as absent.
    pub fn is_absence(&self) -> bool {
        self.kind == Kind::Missing && matches!(self.operation, "read" | "find")
    }

    /// The same, as what a login ended in: what is missing there is no secret.
    pub(crate) fn of_login(self) -> Self {
        let operation = if matches!(self.operation, "read" | "find") { "login" } else { self.operation };
        match self.kind {
            Kind::Missing => {
                let detail = self.detail.or(Some("what is needed to log in is not there"));
                Self { kind: Kind::Denied, operation, detail, ..self }
            }
            _ => Self { operation, ..self },
        }
    }

    /// The wait that the source asks for.
    pub fn after(&self) -> Option<Duration> {
        match self.kind {
            Kind::Throttled { after } | Kind::Unavailable { after } => after,
            _ => None,
        }
    }

    fn what(&self) -> &str {
        match (&self.kind, self.detail) {
            (Kind::Invalid(why), None) => why,
            (_, Some(detail)) => detail,
            (Kind::Missing, None) => "there is no such secret",
            (Kind::Denied, None) if self.operation == "login" => "the credentials are not accepted",
            (Kind::Denied, None) => "permission denied",
            (Kind::Throttled { .. }, None) => "too many calls; it is asked again later",
            (Kind::Unavailable { .. }, None) => "the server does not answer as it should; it is asked again later",
        }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.provider, self.operation)?;
        if let Some(key) = &self.key {
            // A key comes from a manifest: nothing in it may forge a line of a log.
            write!(f, " of {}", key.escape_debug())?;
        }
        write!(f, ": {}", self.what())?;
        self.code.as_ref().map_or(Ok(()), |code| write!(f, " ({code})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_tried_and_how_it_was_answered() {
        let denied = SourceError::new("Vault", "read", Kind::Denied).with_key("team/db").with_code("403");
        assert_eq!(denied.to_string(), "Vault read of team/db: permission denied (403)");
        assert_eq!(denied.reason(), "SourceDenied");
        let sealed = SourceError::new("Vault", "read", Kind::Unavailable { after: None })
            .with_detail("the server is sealed")
            .with_code("503");
        assert_eq!(sealed.to_string(), "Vault read: the server is sealed (503)");
        let invalid = SourceError::invalid("Vault", "read", "a version is a number");
        assert_eq!(invalid.to_string(), "Vault read: a version is a number");
    }

    #[test]
    fn only_reading_and_finding_tell_of_absence() {
        for (operation, absent) in
            [("read", true), ("find", true), ("login", false), ("renew", false), ("connect", false)]
        {
            let error = SourceError::new("Vault", operation, Kind::Missing);
            assert_eq!(error.is_absence(), absent, "{operation}");
            let of_login = error.of_login();
            assert_eq!(of_login.kind, Kind::Denied);
            assert!(!of_login.is_absence() && !matches!(of_login.operation, "read" | "find"), "{of_login:?}");
        }
        assert!(!SourceError::new("Vault", "read", Kind::Denied).is_absence());
    }

    #[test]
    fn a_key_cannot_forge_a_line() {
        let error = SourceError::new("Vault", "read", Kind::Missing).with_key("a\nERROR all is lost");
        assert!(!error.to_string().contains('\n'));
    }
}
