//! `sealedFor`: the place where a value opens, and the associated data that binds it there.

use std::fmt;

use crate::path::{Path, put};
use crate::primitives::KeyId;
use crate::select::glob_matches;

/// Where a document's values open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A Kubernetes object.
    Object {
        /// API group, empty for the core group.
        group: String,
        /// Kind.
        kind: String,
        /// Namespace, exact or with `*`.
        namespace: String,
        /// Name, exact or with `*`.
        name: String,
    },
    /// Any other file: a string of the policy, possibly empty, that keeps tokens from moving between files.
    Context(String),
}

/// How far from its own namespace and name an object may be opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Namespace and name both exact.
    #[default]
    Strict,
    /// Any name in the namespace.
    Namespace,
    /// Anywhere in the cluster.
    Cluster,
}

impl Scope {
    /// The patterns for an object of this scope.
    pub fn patterns(self, namespace: &str, name: &str) -> (String, String) {
        let any = || "*".to_owned();
        match self {
            Self::Strict => (namespace.to_owned(), name.to_owned()),
            Self::Namespace => (namespace.to_owned(), any()),
            Self::Cluster => (any(), any()),
        }
    }
}

/// What a live Kubernetes object is, for [`Place::admits`].
#[derive(Clone, Copy, Debug)]
pub struct LiveObject<'a> {
    /// API group, empty for the core group.
    pub group: &'a str,
    /// Kind.
    pub kind: &'a str,
    /// Namespace.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
}

impl Place {
    /// Whether values sealed for this place may open in that object.
    pub fn admits(&self, live: &LiveObject<'_>) -> bool {
        match self {
            Self::Context(_) => false,
            Self::Object { group, kind, namespace, name } => {
                group == live.group
                    && kind == live.kind
                    && glob_matches(namespace, live.namespace)
                    && glob_matches(name, live.name)
            }
        }
    }

    /// The associated data of the value at `path` under the data key `id`.
    pub fn associated_data(&self, id: &KeyId, path: &Path) -> Vec<u8> {
        let (object, context) = match self {
            Self::Object { group, kind, namespace, name } => ([group.as_str(), kind, namespace, name], ""),
            Self::Context(context) => ([""; 4], context.as_str()),
        };
        let mut bytes = Vec::with_capacity(256);
        put(&mut bytes, b"sealwax/1");
        put(&mut bytes, id.as_str().as_bytes());
        for part in object {
            put(&mut bytes, part.as_bytes());
        }
        put(&mut bytes, context.as_bytes());
        bytes.extend_from_slice(&path.encode());
        bytes
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object { kind, namespace, name, .. } => {
                // A manifest's names reach terminals through this.
                write!(f, "{} {}/{}", kind.escape_debug(), namespace.escape_debug(), name.escape_debug())
            }
            Self::Context(context) if context.is_empty() => f.write_str("files without a context"),
            Self::Context(context) => write!(f, "context \"{}\"", context.escape_debug()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitives::{DataKey, tests::Counter};

    fn place(namespace: &str, name: &str) -> Place {
        Place::Object { group: String::new(), kind: "Secret".into(), namespace: namespace.into(), name: name.into() }
    }

    #[test]
    fn admits_only_what_the_patterns_match() {
        let live = LiveObject { group: "", kind: "Secret", namespace: "preview-7", name: "db" };
        assert!(place("preview-*", "db").admits(&live));
        assert!(place("*", "*").admits(&live));
        assert!(!place("preview", "db").admits(&live));
        assert!(!place("preview-*", "d").admits(&live));
        assert!(!place("*", "*").admits(&LiveObject { group: "sealwax.dev", ..live }));
        assert!(!Place::Context("x".into()).admits(&live));
    }

    #[test]
    fn every_part_changes_the_associated_data() {
        let id = DataKey::mint(&mut Counter(0)).unwrap().id();
        let path = Path::of_keys(&["data", "password"]);
        let base = place("prod", "db").associated_data(&id, &path);
        let other_id = DataKey::mint(&mut Counter(1)).unwrap().id();
        assert_ne!(base, place("prod", "db").associated_data(&other_id, &path));
        assert_ne!(base, place("pro", "ddb").associated_data(&id, &path));
        assert_ne!(base, place("prod", "db").associated_data(&id, &Path::of_keys(&["datapassword"])));
        assert_ne!(base, Place::Context(String::new()).associated_data(&id, &path));
    }
}
