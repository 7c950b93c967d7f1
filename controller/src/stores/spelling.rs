//! How a store reads keys. Rules are held against what is read, not against how somebody writes it. Pure.

use std::borrow::Cow;

use sealwax_crds::{KvVersion, OneProvider, StoreSpec};

/// What a source does with a key before it reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Nothing.
    Literal,
    /// Vault: a key may repeat the mount, and have `data/` after it; both are cut off, once, and slashes before it.
    Vault {
        /// The mount, without empty parts; empty if the key begins with it.
        mount: String,
        /// Whether `data/` is.
        versioned: bool,
    },
    /// AWS: a key may repeat the store's prefix, or be an ARN, before which nothing is put.
    Aws {
        /// The prefix.
        prefix: String,
    },
}

impl Spelling {
    /// That of a store.
    pub(super) fn of(spec: &StoreSpec) -> Self {
        match spec.provider.one() {
            Some(OneProvider::Vault(vault)) => {
                let parts = vault.path.iter().flat_map(|path| path.split('/')).filter(|part| !part.is_empty());
                let versioned = vault.version.unwrap_or_default() == KvVersion::V2;
                Self::Vault { mount: parts.collect::<Vec<_>>().join("/"), versioned }
            }
            Some(OneProvider::Aws(aws)) => Self::Aws { prefix: aws.prefix.clone().unwrap_or_default() },
            Some(OneProvider::Kubernetes(_) | OneProvider::Fake(_)) | None => Self::Literal,
        }
    }

    /// Whether what is read for a key begins with a prefix, both within what the store itself puts before keys.
    pub(super) fn is_below(&self, key: &str, prefix: &str) -> bool {
        match self {
            Self::Literal => key.starts_with(prefix),
            Self::Vault { mount, versioned } => {
                let key = key.trim_start_matches('/');
                within(key, mount, *versioned).starts_with(prefix.trim_start_matches('/'))
            }
            // The name within an ARN is anybody's: a rule has to mean ARNs.
            Self::Aws { .. } if key.starts_with("arn:") => prefix.starts_with("arn:") && key.starts_with(prefix),
            Self::Aws { prefix: own } => key.strip_prefix(own.as_str()).unwrap_or(key).starts_with(prefix),
        }
    }
}

/// The path within the mount; or, where keys begin with theirs, the mount and the path within it.
fn within<'k>(key: &'k str, mount: &str, versioned: bool) -> Cow<'k, str> {
    if mount.is_empty() {
        let split = if versioned { key.split_once("/data/") } else { None };
        return split.map_or(Cow::Borrowed(key), |(mount, path)| Cow::Owned(format!("{mount}/{path}")));
    }
    let Some(rest) = key.strip_prefix(mount).and_then(|rest| rest.strip_prefix('/')) else { return key.into() };
    if versioned { rest.strip_prefix("data/").unwrap_or(rest).into() } else { rest.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(provider: &serde_json::Value) -> Spelling {
        Spelling::of(&serde_json::from_value(json!({ "provider": provider })).unwrap())
    }

    #[test]
    fn prefixes_are_of_what_is_read() {
        let vault = |path: &str, version: &str| {
            of(&json!({"vault": {"server": "https://v", "path": path, "version": version, "auth": {}}}))
        };
        let (v2, v1) = (vault("/secret/", "v2"), vault("secret", "v1"));
        let deep = vault("kv//team", "v2");
        let everywhere = of(&json!({"vault": {"server": "https://v", "auth": {}}}));
        let aws = of(&json!({"aws": {"service": "SecretsManager", "prefix": "prod/"}}));
        let plain = of(&json!({"aws": {"service": "ParameterStore"}}));
        for (spelling, key, prefix, is_below) in [
            // A namespace that is named as the mount is.
            (&v2, "secret/team-b/db", "secret/", false),
            (&v2, "/secret/team-b/db", "secret/", false),
            (&v2, "secret/data/team-b/db", "secret/", false),
            (&v2, "secret/secret/db", "secret/", true),
            (&v2, "secret/data/secret/db", "secret/", true),
            (&v2, "secret/team-a/db", "team-a/", true),
            (&v2, "team-a/db", "team-a/", true),
            (&v2, "/team-a/db", "/team-a/", true),
            (&v2, "data/db", "data/", true),
            (&v2, "secret/data/team-b/db", "data/", false),
            (&v2, "secrets/db", "secrets/", true),
            // The whole mount, where somebody looks for names.
            (&v2, "secret/", "secret/", false),
            (&v2, "secret/data/", "data/", false),
            (&v1, "secret/data/db", "data/", true),
            (&v1, "secret/team-b/db", "secret/", false),
            (&deep, "kv/team/team-b/db", "kv/", false),
            (&everywhere, "kv/team-a/db", "kv/team-a/", true),
            (&everywhere, "kv/data/team-a/db", "kv/team-a/", true),
            (&everywhere, "kv/data/team-b/db", "kv/team-a/", false),
            (&everywhere, "kv/data/team-b/db", "kv/data/", false),
            (&everywhere, "kv/data/", "kv/data/", false),
            (&everywhere, "kv/data/data/db", "kv/data/", true),
            // A namespace that is named as the prefix is.
            (&aws, "prod/team-b", "prod/", false),
            (&aws, "prod/prod/db", "prod/", true),
            (&aws, "team-a/db", "team-a/", true),
            // As a search finds it.
            (&aws, "prod/team-a/db", "team-a/", true),
            (&aws, "arn:aws:secretsmanager:eu-central-1:1:secret:prod/b", "a", false),
            (&plain, "arn:aws:ssm:eu-central-1:1:parameter/a", "arn:aws:ssm:", true),
            (&plain, "/team-a/db", "/team-a/", true),
            (&Spelling::Literal, "team-b/db", "team-a/", false),
        ] {
            assert_eq!(spelling.is_below(key, prefix), is_below, "{spelling:?} {key} {prefix}");
        }
    }
}
