//! The flags, each with a twin in the environment.

mod external;

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use sealwax_format::keys::{Fingerprint, Label, LabelError};

pub use external::ExternalArgs;

/// Keeps native Kubernetes Secrets equal to what Git holds encrypted.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Args {
    /// Namespace to serve; repeat it for several. None: all of them, the key namespace excepted.
    #[arg(long = "namespace", env = "SEALWAX_NAMESPACE", value_name = "NAME", value_delimiter = ',')]
    pub namespaces: Vec<String>,

    /// Serve the namespaces whose labels match, as they come and go, instead of a fixed list.
    #[arg(long, env = "SEALWAX_NAMESPACE_SELECTOR", value_name = "SELECTOR", conflicts_with = "namespaces")]
    pub namespace_selector: Option<String>,

    /// Serve only the objects whose labels match.
    #[arg(long, env = "SEALWAX_SELECTOR", value_name = "SELECTOR")]
    pub selector: Option<String>,

    /// Serve only the objects whose spec.class is this; without it, those that state no class.
    #[arg(long, env = "SEALWAX_CLASS", value_name = "NAME")]
    pub class: Option<String>,

    /// The controller's own namespace, which holds its keys. Nothing in it is ever served.
    #[arg(long, env = "SEALWAX_KEY_NAMESPACE", value_name = "NAME", default_value = "sealwax-system")]
    pub key_namespace: String,

    /// Where to serve /healthz, /readyz and /metrics; nothing else is served.
    #[arg(long, env = "SEALWAX_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// What people call this cluster: published with its recipients, and the name in their policies.
    #[arg(long, env = "SEALWAX_CLUSTER_NAME", value_name = "NAME", default_value = "cluster")]
    pub cluster_name: ClusterName,

    /// The Lease, in the key namespace, by which replicas agree who leads.
    #[arg(long, env = "SEALWAX_LEASE_NAME", value_name = "NAME", default_value = "sealwax-controller")]
    pub lease_name: String,

    /// For how long a leader that is not heard of is waited for; at least 2s.
    #[arg(long, env = "SEALWAX_LEASE_DURATION", value_name = "DURATION", default_value = "15s", value_parser = duration)]
    pub lease_duration: Duration,

    /// Objects reconciled at the same time.
    #[arg(long, env = "SEALWAX_CONCURRENCY", value_name = "N", default_value = "16", value_parser = clap::value_parser!(u16).range(2..=256))]
    pub concurrency: u16,

    /// What concerns values that come from elsewhere.
    #[command(flatten)]
    pub external: ExternalArgs,

    /// Restart the workloads that ask for it by annotation when a Secret's content changed.
    #[arg(long, env = "SEALWAX_RESTARTS")]
    pub restarts: bool,

    /// For how long an object may be retried before its Ready condition turns False.
    #[arg(long, env = "SEALWAX_NOT_READY_AFTER", value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub not_ready_after: Duration,

    /// Make a new cluster key when the sealing one is this old, such as 90d; never if absent.
    #[arg(long, env = "SEALWAX_ROTATE_KEYS_EVERY", value_name = "DURATION", value_parser = duration)]
    pub rotate_keys_every: Option<Duration>,

    /// Wrap every cluster key to this public key (age) before it seals; repeat it for several.
    #[arg(
        long = "escrow-recipient",
        env = "SEALWAX_ESCROW_RECIPIENT",
        value_name = "RECIPIENT",
        value_delimiter = ','
    )]
    pub escrow_recipients: Vec<String>,

    /// Publish the escrow copies also in the ConfigMap sealwax-escrow, fit for committing to Git.
    #[arg(long, env = "SEALWAX_ESCROW_CONFIG_MAP")]
    pub escrow_config_map: bool,

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
    /// An empty name would stand for something else than what was meant.
    #[error("--namespace needs a name; leave it out to serve all namespaces")]
    EmptyNamespace,
    /// Renewals need time to fail in.
    #[error("--lease-duration is at least 2s")]
    ShortLease,
    /// A key a minute would be a denial of service on whoever backs them up.
    #[error("--rotate-keys-every is at least 1h")]
    RotatesTooOften,
    /// Copies of nothing.
    #[error("--escrow-config-map publishes escrow copies: name at least one --escrow-recipient")]
    NoEscrowRecipients,
}

impl Args {
    /// Checks what single flags cannot.
    pub fn validate(&self) -> Result<(), ArgsError> {
        if self.namespaces.contains(&self.key_namespace) {
            return Err(ArgsError::ServesKeyNamespace(self.key_namespace.clone()));
        }
        if self.namespaces.iter().any(String::is_empty) {
            return Err(ArgsError::EmptyNamespace);
        }
        if self.lease_duration < Duration::from_secs(2) {
            return Err(ArgsError::ShortLease);
        }
        if self.rotate_keys_every.is_some_and(|every| every < Duration::from_hours(1)) {
            return Err(ArgsError::RotatesTooOften);
        }
        if self.escrow_config_map && self.escrow_recipients.is_empty() {
            return Err(ArgsError::NoEscrowRecipients);
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

/// A duration such as `15s`, `10m`, `24h` or `90d`.
fn duration(text: &str) -> Result<Duration, &'static str> {
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err("a whole number with a unit: 15s, 10m, 24h or 90d"),
    };
    let number: u64 = number.parse().map_err(|_| "a whole number with a unit: 15s, 10m, 24h or 90d")?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or("too long")
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
    fn durations_have_units() {
        assert_eq!(duration("90d"), Ok(Duration::from_hours(2160)));
        assert_eq!(duration("15s"), Ok(Duration::from_secs(15)));
        for wrong in ["", "5", "s", "1w", "-1s", "1.5h", "99999999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused_at_start() {
        let check = |flags: &[&str]| Args::parse_from([&["x"], flags].concat()).validate();
        assert_eq!(check(&["--namespace", ""]), Err(ArgsError::EmptyNamespace));
        assert_eq!(check(&["--lease-duration", "1s"]), Err(ArgsError::ShortLease));
        assert_eq!(check(&["--rotate-keys-every", "59m"]), Err(ArgsError::RotatesTooOften));
        assert_eq!(check(&["--escrow-config-map"]), Err(ArgsError::NoEscrowRecipients));
        assert_eq!(
            check(&["--rotate-keys-every", "90d", "--escrow-recipient", "age1x", "--escrow-config-map"]),
            Ok(())
        );
        assert!(Args::try_parse_from(["x", "--namespace", "a", "--namespace-selector", "b=c"]).is_err());
    }

    #[test]
    fn cluster_names_fit_labels() {
        assert!("prod-2".parse::<ClusterName>().is_ok());
        assert!("Prod".parse::<ClusterName>().is_err());
    }
}
