//! Escrow: every key wrapped for people outside the cluster, as ordinary age files, before it seals anything.
//!
//! The copies of a key are told by an annotation with the key's fingerprint, and each copy by its item, which is named
//! after its recipient's fingerprint. Contents are not compared: age makes another file each time.

use std::collections::{BTreeMap, BTreeSet};

use sealwax_format::keys::{Fingerprint, Recipient, RecipientError, Strength};

use super::facts::KeyFacts;

/// Whom keys are wrapped for, and where the copies go.
#[derive(Debug, Default)]
pub struct Escrow {
    /// Whom for; nobody is no escrow.
    pub recipients: Vec<Recipient>,
    /// Whether the copies stand in a ConfigMap too.
    pub config_map: bool,
}

/// An escrow recipient that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("escrow recipient {position} cannot be used")]
pub struct EscrowError {
    position: usize,
    #[source]
    source: EscrowRecipientError,
}

/// Why not.
#[derive(Debug, thiserror::Error)]
enum EscrowRecipientError {
    #[error("it needs an age plugin, which no controller runs; use an age, post-quantum age or SSH key")]
    Plugin,
    #[error(transparent)]
    Recipient(RecipientError),
}

impl Escrow {
    /// Reads the recipients.
    pub fn new(texts: &[String], config_map: bool) -> Result<Self, EscrowError> {
        let read = |(index, text): (usize, &String)| {
            Recipient::parse("escrow", text).map_err(|error| EscrowError {
                position: index + 1,
                source: match error {
                    RecipientError::Plugin(_) => EscrowRecipientError::Plugin,
                    error => EscrowRecipientError::Recipient(error),
                },
            })
        };
        let recipients = texts.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self { recipients, config_map })
    }

    /// What the plan needs to know.
    pub(super) fn facts(&self) -> EscrowFacts {
        let fingerprint = |recipient: &Recipient| recipient.label().fingerprint().clone();
        let classical = self.recipients.iter().filter(|recipient| recipient.strength() == Strength::Classical);
        EscrowFacts {
            wanted: self.recipients.iter().map(fingerprint).collect(),
            classical: classical.map(fingerprint).collect(),
            ..EscrowFacts::default()
        }
    }
}

/// The copies that one Secret holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// The Secret.
    pub name: String,
    /// The fingerprint of the key that they are of, unless the Secret is none of ours.
    pub of: Option<String>,
    /// Fingerprints of those who can open one.
    pub recipients: BTreeSet<String>,
}

/// What is known about escrow.
#[derive(Clone, Debug, Default)]
pub struct EscrowFacts {
    /// Whom copies are wanted for.
    pub wanted: BTreeSet<Fingerprint>,
    /// Those among them that do not withstand a quantum computer.
    pub classical: BTreeSet<Fingerprint>,
    /// The Secrets with copies.
    pub copies: Vec<Copies>,
    /// The items of the ConfigMap, if copies are wanted there: name, and the content of those that tell of which key.
    pub published: Option<BTreeMap<String, String>>,
}

/// Copies to make in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// The Secret, or in the ConfigMap the beginning of the items.
    pub name: String,
    /// Whether the Secret is there already.
    pub exists: bool,
    /// For whom.
    pub recipients: BTreeSet<Fingerprint>,
}

impl EscrowFacts {
    /// The copies of a key that Secrets lack; `None` if none is lacking.
    pub fn missing_in_secret(&self, key: &KeyFacts) -> Option<Missing> {
        let here = || self.copies.iter().filter(|copies| copies.of.as_deref() == Some(key.fingerprint.as_str()));
        let name = here().map(|copies| copies.name.clone()).next();
        let lacks = |one: &&Fingerprint| !here().any(|copies| copies.recipients.contains(one.as_str()));
        let recipients: BTreeSet<_> = self.wanted.iter().filter(lacks).cloned().collect();
        let exists = name.is_some();
        (!recipients.is_empty()).then(|| Missing {
            name: name.unwrap_or_else(|| self.free_name(key)),
            exists,
            recipients,
        })
    }

    /// The same in the ConfigMap.
    pub fn missing_in_config_map(&self, key: &KeyFacts) -> Option<Missing> {
        let items = self.published.as_ref()?;
        let told = |name: &str| items.get(&told_by(name)).map(String::as_str);
        let own = Some(key.fingerprint.as_str());
        // Copies of nobody knows which key are not ours to write over.
        let taken = |name: &str| items.keys().any(|item| item.starts_with(&format!("{name}.")));
        let name = Some(key.name.clone()).filter(|name| told(name) == own || !taken(name));
        let name = name.unwrap_or_else(|| beside(&key.name, key));
        let lacks = |one: &&Fingerprint| told(&name) != own || !items.contains_key(&format!("{name}.{one}.age"));
        let recipients: BTreeSet<_> = self.wanted.iter().filter(lacks).cloned().collect();
        (!recipients.is_empty()).then_some(Missing { name, exists: false, recipients })
    }

    /// Whether every copy of a key exists.
    pub fn is_complete(&self, key: &KeyFacts) -> bool {
        self.missing_in_secret(key).is_none() && self.missing_in_config_map(key).is_none()
    }

    /// Never that of another key's copies: a key of the same name may have been lost, and they are all that is left.
    fn free_name(&self, key: &KeyFacts) -> String {
        let name = format!("{}-escrow", key.name);
        if self.copies.iter().any(|copies| copies.name == name) { beside(&name, key) } else { name }
    }
}

fn beside(name: &str, key: &KeyFacts) -> String {
    let short: String = key.fingerprint.as_str().chars().take(8).collect();
    format!("{name}-{short}")
}

/// The item of the ConfigMap that says of which key the copies with this beginning are.
pub(super) fn told_by(name: &str) -> String {
    format!("{name}.fingerprint")
}

#[cfg(test)]
mod tests {
    use sealwax_format::keys::cluster::State;

    use super::*;

    fn key(name: &str, recipient: &str) -> KeyFacts {
        KeyFacts { name: name.to_owned(), ..KeyFacts::of(recipient, State::Made) }
    }

    fn facts(wanted: &[&str], copies: &[(&str, &KeyFacts, &[&str])]) -> EscrowFacts {
        let copies = copies.iter().map(|(name, key, recipients)| Copies {
            name: (*name).to_owned(),
            of: Some(key.fingerprint.to_string()),
            recipients: recipients.iter().map(|one| Fingerprint::of(one).to_string()).collect(),
        });
        let wanted = wanted.iter().map(|one| Fingerprint::of(one)).collect();
        EscrowFacts { wanted, copies: copies.collect(), ..EscrowFacts::default() }
    }

    #[test]
    fn lacks_what_is_not_there_and_spares_what_belongs_to_another_key() {
        let (one, rival) = (key("key-1", "age1one"), key("key-1", "age1rival"));
        let missing = |wanted: &[&str], copies: &[(&str, &KeyFacts, &[&str])]| {
            let missing = facts(wanted, copies).missing_in_secret(&one);
            missing.map(|missing| (missing.name, missing.exists, missing.recipients.len()))
        };
        let beside = format!("key-1-escrow-{}", &one.fingerprint.as_str()[..8]);
        assert_eq!(missing(&[], &[]), None);
        assert_eq!(missing(&["a", "b"], &[]), Some(("key-1-escrow".into(), false, 2)));
        assert_eq!(missing(&["a", "b"], &[("mine", &one, &["a", "x"])]), Some(("mine".into(), true, 1)));
        assert_eq!(missing(&["a"], &[("mine", &one, &["a"])]), None);
        assert_eq!(missing(&["a"], &[("key-1-escrow", &rival, &["a"])]), Some((beside, false, 1)));
        // In two Secrets together.
        assert_eq!(missing(&["a", "b"], &[("mine", &one, &["a"]), ("more", &one, &["b"])]), None);
    }

    #[test]
    fn the_config_map_is_told_apart_likewise() {
        let one = key("key-1", "age1one");
        let item = |name: &str| format!("{name}.{}.age", Fingerprint::of("a"));
        let missing = |items: &[(String, &str)]| {
            let published = items.iter().map(|(item, of)| (item.clone(), (*of).to_owned())).collect();
            let facts = EscrowFacts { published: Some(published), ..facts(&["a"], &[]) };
            facts.missing_in_config_map(&one).map(|missing| missing.name)
        };
        let beside = format!("key-1-{}", &one.fingerprint.as_str()[..8]);
        assert_eq!(missing(&[]), Some("key-1".into()));
        assert_eq!(missing(&[(item("key-1"), ""), (told_by("key-1"), one.fingerprint.as_str())]), None);
        assert_eq!(missing(&[(item("key-1"), ""), (told_by("key-1"), "another")]), Some(beside.clone()));
        assert_eq!(missing(&[(item("key-1"), "")]), Some(beside.clone()), "nothing tells of which key it is");
        assert_eq!(missing(&[(item("key-1"), ""), (item(&beside), "")]), Some(beside));
        assert_eq!(facts(&["a"], &[]).missing_in_config_map(&one), None, "not wanted there");
    }

    #[test]
    fn plugins_are_refused_at_start() {
        let plugin = "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t".to_owned();
        let error = Escrow::new(&[plugin], false).unwrap_err();
        assert!(crate::telemetry::chain(&error).contains("age plugin"));
        assert!(Escrow::new(&["AGE-SECRET-KEY-1HUNTER2".to_owned()], false).is_err());
        assert!(Escrow::new(&[], false).unwrap().recipients.is_empty());
    }
}
