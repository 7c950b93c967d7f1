//! The policy's TOML, strictly: an unknown key is an error with its line.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A policy file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parsed {
    version: u32,
    #[serde(default)]
    pub(super) post_quantum: PostQuantum,
    #[serde(default)]
    pub(super) include: Vec<String>,
    #[serde(default)]
    pub(super) recipients: BTreeMap<String, RecipientSource>,
    #[serde(default)]
    pub(super) rule: Vec<Rule>,
}

/// Whether every reader must withstand a quantum computer.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum PostQuantum {
    /// Classical readers are allowed.
    #[default]
    Mixed,
    /// One classical reader is an error.
    Require,
}

/// Where a recipient's public key is.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a recipient is a text in quotes, { file = \"keys/NAME.pub\" } or { team = \"keys/NAME\" }"
)]
pub(super) enum RecipientSource {
    Text(String),
    File(FileSource),
    Team(TeamSource),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSource {
    pub(super) file: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TeamSource {
    pub(super) team: String,
}

impl RecipientSource {
    /// The file that holds the public key, relative to the policy; `None` where the policy states the key itself.
    pub(super) fn file(&self) -> Option<String> {
        match self {
            Self::Text(_) => None,
            Self::File(FileSource { file }) => Some(file.clone()),
            Self::Team(TeamSource { team }) => Some(format!("{team}.pub")),
        }
    }
}

/// A rule as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) path: String,
    pub(super) kinds: Option<Vec<String>>,
    #[serde(default)]
    pub(super) encrypt: Vec<String>,
    pub(super) recipients: Vec<String>,
    pub(super) scope: Option<ScopeName>,
    #[serde(rename = "for")]
    pub(super) target: Option<String>,
    pub(super) context: Option<String>,
}

/// The scopes that have names.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum ScopeName {
    Strict,
    Namespace,
    Cluster,
}

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct PolicyError {
    pub(super) line: Option<usize>,
    pub(super) reason: String,
}

/// Reads a policy file.
pub(super) fn parse(text: &str) -> Result<Parsed, PolicyError> {
    let parsed: Parsed = toml::from_str(text).map_err(|error| PolicyError {
        line: error.span().map(|span| text[..span.start].matches('\n').count() + 1),
        reason: error.message().to_owned(),
    })?;
    let wrong = |reason: String| Err(PolicyError { line: None, reason });
    if parsed.version != 1 {
        return wrong(format!("version = {} is not known; this program reads version 1", parsed.version));
    }
    for rule in &parsed.rule {
        for pattern in &rule.encrypt {
            if let Err(error) = sealwax_format::Pattern::parse(pattern) {
                return wrong(format!("encrypt = [\"{pattern}\"]: {error}"));
            }
        }
        if rule.recipients.is_empty() {
            return wrong(format!("the rule for {} names no recipients", rule.path));
        }
        if let Some(target) = rule.target.as_deref().filter(|target| parts(target).is_none()) {
            let path = &rule.path;
            return wrong(format!(
                "the rule for {path}: for = \"{target}\": write NAMESPACE/NAME, such as preview-*/db"
            ));
        }
        if rule.scope.is_some() && rule.target.is_some() {
            return wrong(format!("the rule for {} has both scope and for; keep one", rule.path));
        }
    }
    Ok(parsed)
}

/// The namespace and name of a place as people write it.
pub(crate) fn parts(target: &str) -> Option<(&str, &str)> {
    target.split_once('/').filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty() && !name.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_errors_with_their_line() {
        let error =
            parse("version = 1\n\n[[rule]]\npath = \"*\"\nencrypt = []\nrecipients = [\"a\"]\nscop = \"strict\"\n");
        let error = error.unwrap_err();
        assert_eq!(error.line, Some(7));
        assert!(error.reason.contains("scop"));
    }

    #[test]
    fn refuses_what_would_protect_nothing() {
        let rule = |body: &str| parse(&format!("version = 1\n[[rule]]\npath = \"*\"\n{body}\n")).unwrap_err().reason;
        assert!(rule("encrypt = [\"a..b\"]\nrecipients = [\"a\"]").contains("a..b"));
        assert!(rule("encrypt = [\"a\"]\nrecipients = []").contains("no recipients"));
        assert!(rule("encrypt = [\"a\"]\nrecipients = [\"a\"]\nfor = \"prod\"").contains("NAMESPACE/NAME"));
        assert!(parse("version = 2").unwrap_err().reason.contains("version"));
    }
}
