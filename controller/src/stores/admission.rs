//! Who may use a ClusterSecretStore, and for which keys. Pure.

use std::collections::BTreeMap;

use kube::core::{Selector, SelectorExt};
use regex::Regex;
use sealwax_crds::StoreCondition;

use super::spelling::Spelling;

/// A namespace, as conditions see it.
#[derive(Clone, Debug, Default)]
pub struct NamespaceFacts {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// The keys that a namespace may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRules {
    /// Any.
    Any,
    /// Those that are read below one of these.
    Prefixes(Below),
}

/// Where keys have to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Below {
    prefixes: Vec<String>,
    spelling: Spelling,
}

/// Why a store must not be used, or cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No condition matches the namespace.
    #[error("its conditions do not admit this namespace; whoever owns the store can add it to spec.conditions")]
    Namespace,
    /// A condition cannot be understood. Nobody is admitted by the others: they may have been meant as exceptions.
    #[error("spec.conditions[{0}] cannot be understood; correct it")]
    Condition(usize),
    /// The namespace may not read this key.
    #[error(
        "this namespace may not read the key {key} through it: keys begin with {prefixes} here, after what the store \
         itself puts before them"
    )]
    Key {
        /// The key.
        key: String,
        /// What it would have to begin with.
        prefixes: String,
    },
    /// A key with an empty part, which some sources leave out.
    #[error("the key {0} has an empty part, which no rule can be held against; write it without")]
    Empty(String),
    /// A key that says something else than it seems to.
    #[error("the key {0} has a part that is '.' or '..', which no rule can be held against; write it without")]
    Dots(String),
}

/// Whether conditions need a namespace's labels.
pub(super) fn needs_labels(conditions: &[StoreCondition]) -> bool {
    conditions.iter().any(|condition| condition.namespace_selector.is_some())
}

/// Whether a namespace may use a store with these conditions, and for which keys. None: every namespace, for every key.
///
/// Of several conditions that match, each adds its keys.
pub(super) fn admit(
    conditions: &[StoreCondition],
    spelling: Spelling,
    namespace: &NamespaceFacts,
) -> Result<KeyRules, Refusal> {
    if conditions.is_empty() {
        return Ok(KeyRules::Any);
    }
    // `None`: no condition has matched yet.
    let mut all: Option<Vec<String>> = None;
    // Whether one has that states no prefixes.
    let mut any = false;
    for (index, condition) in conditions.iter().enumerate() {
        if !matches(condition, namespace).ok_or(Refusal::Condition(index))? {
            continue;
        }
        any |= condition.key_prefixes.is_empty();
        let prefixes = condition.key_prefixes.iter().map(|prefix| prefix.replace("{namespace}", &namespace.name));
        all.get_or_insert_default().extend(prefixes);
    }
    let prefixes = all.ok_or(Refusal::Namespace)?;
    Ok(if any { KeyRules::Any } else { KeyRules::Prefixes(Below { prefixes, spelling }) })
}

/// `None`: the condition cannot be understood. One that says nothing matches nothing.
fn matches(condition: &StoreCondition, namespace: &NamespaceFacts) -> Option<bool> {
    let mut matched = condition.namespaces.contains(&namespace.name);
    for pattern in &condition.namespace_regexes {
        // The whole name: `prod` is not meant to admit `non-prod`.
        let pattern = Regex::new(&format!("^(?:{pattern})$")).ok()?;
        matched |= pattern.is_match(&namespace.name);
    }
    if let Some(selector) = &condition.namespace_selector {
        let selector = Selector::try_from(selector.clone()).ok()?;
        matched |= selector.matches(&namespace.labels);
    }
    Some(matched)
}

impl KeyRules {
    /// Whether a key may be read.
    pub fn check(&self, key: &str) -> Result<(), Refusal> {
        if key.split('/').any(|part| part == "." || part == "..") {
            return Err(Refusal::Dots(key.to_owned()));
        }
        let Self::Prefixes(below) = self else { return Ok(()) };
        if key.contains("//") {
            return Err(Refusal::Empty(key.to_owned()));
        }
        if below.prefixes.iter().any(|prefix| below.spelling.is_below(key, prefix)) {
            return Ok(());
        }
        Err(Refusal::Key { key: key.to_owned(), prefixes: below.prefixes.join(" or ") })
    }

    /// Whether what was found may be read: what may not is as if it were not there.
    pub fn hides(&self, key: &str) -> bool {
        self.check(key).is_err()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn conditions(conditions: serde_json::Value) -> Vec<StoreCondition> {
        serde_json::from_value(conditions).unwrap()
    }

    fn namespace(name: &str) -> NamespaceFacts {
        NamespaceFacts { name: name.into(), labels: [("team".to_owned(), "a".to_owned())].into() }
    }

    fn below(prefixes: &[&str], spelling: Spelling) -> KeyRules {
        let prefixes = prefixes.iter().map(|&prefix| prefix.to_owned()).collect();
        KeyRules::Prefixes(Below { prefixes, spelling })
    }

    #[test]
    fn admits_whom_a_condition_matches() {
        let refused = || Err(Refusal::Namespace);
        let prefixes = |all: &[&str]| Ok(below(all, Spelling::Literal));
        let cases = [
            (json!([]), "x", Ok(KeyRules::Any)),
            (json!([{}]), "x", refused()),
            (json!([{"namespaces": ["prod"]}]), "prod", Ok(KeyRules::Any)),
            (json!([{"namespaces": ["prod"]}]), "non-prod", refused()),
            (json!([{"namespaceRegexes": ["prod"]}]), "prod", Ok(KeyRules::Any)),
            (json!([{"namespaceRegexes": ["prod"]}]), "non-prod", refused()),
            (json!([{"namespaceRegexes": ["prod|test"]}]), "test-2", refused()),
            (json!([{"namespaceRegexes": ["team-.*"]}]), "team-a", Ok(KeyRules::Any)),
            (json!([{"namespaceSelector": {"matchLabels": {"team": "a"}}}]), "x", Ok(KeyRules::Any)),
            (json!([{"namespaceSelector": {"matchLabels": {"team": "b"}}}]), "x", refused()),
            (
                json!([{"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}}]),
                "x",
                refused(),
            ),
            (
                json!([{"namespaceRegexes": [".*"], "keyPrefixes": ["teams/{namespace}/"]}]),
                "a",
                prefixes(&["teams/a/"]),
            ),
            (
                json!([{"namespaces": ["a"], "keyPrefixes": ["x/"]}, {"namespaces": ["a"], "keyPrefixes": ["y/"]}]),
                "a",
                prefixes(&["x/", "y/"]),
            ),
            (json!([{"namespaces": ["a"], "keyPrefixes": ["x/"]}, {"namespaces": ["a"]}]), "a", Ok(KeyRules::Any)),
            (json!([{"namespaces": ["a"]}, {"namespaceRegexes": ["("]}]), "a", Err(Refusal::Condition(1))),
        ];
        for (given, name, expected) in cases {
            assert_eq!(
                admit(&conditions(given.clone()), Spelling::Literal, &namespace(name)),
                expected,
                "{given} {name}"
            );
        }
    }

    #[test]
    fn keys_stay_below_their_prefixes() {
        let rules = below(&["teams/a/"], Spelling::Literal);
        assert_eq!(rules.check("teams/a/db"), Ok(()));
        for refused in [
            "teams/a//db",
            "teams//a/db",
            "//",
            "teams/b/db",
            "teams/a",
            "secret/teams/a/db",
            "teams/a/../b/db",
            "teams/a/./db",
            "",
        ] {
            assert!(rules.check(refused).is_err(), "{refused}");
        }
        assert!(KeyRules::Any.check("a/../b").is_err());
        assert_eq!(KeyRules::Any.check("a/..b/c"), Ok(()));
    }
}
