//! The flags, each with a twin in the environment.

use std::net::SocketAddr;
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use sealwax_format::keys::{Fingerprint, Label, LabelError};

/// Keeps native Kubernetes Secrets equal to what Git holds encrypted.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Args {
    /// Namespace to serve; repeat it for several. None: all of them, the key namespace excepted.
    #[arg(long = "namespace", env = "SEALWAX_NAMESPACE", value_name = "NAME", value_delimiter = ',')]
    pub namespaces: Vec<String>,

    /// The controller's own namespace, which holds its keys. Nothing in it is ever served.
    #[arg(long, env = "SEALWAX_KEY_NAMESPACE", value_name = "NAME", default_value = "sealwax-system")]
    pub key_namespace: String,

    /// Where to serve /healthz, /readyz and /metrics; nothing else is served.
    #[arg(long, env = "SEALWAX_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// What people call this cluster: published with its recipients, and the name in their policies.
    #[arg(long, env = "SEALWAX_CLUSTER_NAME", value_name = "NAME", default_value = "cluster")]
    pub cluster_name: ClusterName,

    /// The form of the log, which goes to standard error.
    #[arg(long, env = "SEALWAX_LOG_FORMAT", default_value = "json")]
    pub log_format: LogFormat,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// A name that can stand before the `@` of a reader's label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterName(String);

impl ClusterName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterName {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        Label::new(text, Fingerprint::of("")).map(|_| Self(text.to_owned()))
    }
}

/// What a combination of flags can have wrong.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ArgsError {
    /// Whoever may create objects beside the keys could have them opened there.
    #[error("--namespace {0} is the key namespace, and nothing is served there")]
    ServesKeyNamespace(String),
}

impl Args {
    /// Checks what single flags cannot.
    pub fn validate(&self) -> Result<(), ArgsError> {
        if self.namespaces.contains(&self.key_namespace) {
            return Err(ArgsError::ServesKeyNamespace(self.key_namespace.clone()));
        }
        Ok(())
    }

    /// The namespaces to serve, each once; `None` stands for all.
    pub fn scopes(&self) -> Vec<Option<String>> {
        if self.namespaces.is_empty() {
            return vec![None];
        }
        let distinct: std::collections::BTreeSet<_> = self.namespaces.iter().cloned().collect();
        distinct.into_iter().map(Some).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn flags_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_key_namespace_is_not_served() {
        let args = Args::parse_from(["x", "--namespace", "a,keys", "--key-namespace", "keys"]);
        assert_eq!(args.validate(), Err(ArgsError::ServesKeyNamespace("keys".into())));
        let args = Args::parse_from(["x", "--namespace", "b", "--namespace", "a", "--namespace", "b"]);
        assert_eq!(args.validate(), Ok(()));
        assert_eq!(args.scopes(), [Some("a".to_owned()), Some("b".to_owned())]);
        assert_eq!(Args::parse_from(["x"]).scopes(), [None]);
    }

    #[test]
    fn cluster_names_fit_labels() {
        assert!("prod-2".parse::<ClusterName>().is_ok());
        assert!("Prod".parse::<ClusterName>().is_err());
    }
}
