//! Decides, from what is in the cluster, which key seals, what is published, and whether a key is to be made. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sealwax_format::keys::Fingerprint;

/// What is public about one usable key Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// Its recipient.
    pub recipient: String,
    /// The recipient's fingerprint.
    pub fingerprint: Fingerprint,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Whether its Secret says that it seals.
    pub active: bool,
}

/// What is in the cluster.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The usable keys.
    pub keys: Vec<KeyFacts>,
    /// Key Secrets that cannot be used. A broken key is no reason to make a rival.
    pub malformed: usize,
    /// The data of the ConfigMap, if it exists.
    pub published: Option<BTreeMap<String, String>>,
    /// Whether any `EncryptedSecret` exists in the namespaces served.
    pub encrypted_secrets: bool,
    /// What people call this cluster.
    pub cluster_name: String,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Publish this as the ConfigMap's data.
    Publish(BTreeMap<String, String>),
    /// Everything is as it should be.
    Nothing,
    /// Make the first key.
    Create,
    /// There is no key to seal with, and making one is somebody's decision.
    Wait(Waiting),
}

/// Why no key is made. A restored cluster must get its old key back, not a rival that opens nothing in Git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Recipients are published: there has been a key.
    Published,
    /// Objects exist that were sealed for some key.
    Objects,
    /// There are key Secrets, and none of them seals.
    NoneActive,
}

impl Waiting {
    /// What happened, and what to do about it.
    pub fn message(self, namespace: &str) -> String {
        let what = match self {
            Self::Published => "the ConfigMap sealwax-recipients names a key, and its Secret is gone",
            Self::Objects => "there are EncryptedSecrets, and no key",
            Self::NoneActive => {
                "there are key Secrets, and none is labelled sealwax.dev/cluster-key=active and readable"
            }
        };
        format!(
            "{what}; no new key is made, because it would open nothing that is in Git. To restore the old key, apply \
             the backup of its Secret in namespace {namespace}. To make a new one on purpose, put an identity file of \
             `sealwax keygen --pq` into a Secret of type sealwax.dev/cluster-key, item identity, labelled \
             sealwax.dev/cluster-key=active"
        )
    }
}

/// The item of the ConfigMap that lists recipients.
pub const RECIPIENTS: &str = "recipients";
/// The item of the ConfigMap that holds the cluster's name.
pub const CLUSTER: &str = "cluster";

/// Decides.
pub fn plan(observed: &Observed) -> Plan {
    let listed = observed.published.as_ref().and_then(|data| data.get(RECIPIENTS)).map(String::as_str);
    let published: Vec<&str> = listed.into_iter().flat_map(recipients).collect();
    let Some(sealing) = sealing_key(&observed.keys, published.first().copied()) else {
        return Plan::without_key(observed, !published.is_empty());
    };
    let mut others: Vec<&KeyFacts> = observed.keys.iter().filter(|key| key.recipient != sealing.recipient).collect();
    others.sort_by(|a, b| newest_first(a, b));
    others.dedup_by(|a, b| a.recipient == b.recipient);
    let mut text = entry("sealing key", sealing);
    for key in others {
        text.push_str(&entry("opens only", key));
    }
    let data = BTreeMap::from([(RECIPIENTS.to_owned(), text), (CLUSTER.to_owned(), observed.cluster_name.clone())]);
    if observed.published.as_ref() == Some(&data) { Plan::Nothing } else { Plan::Publish(data) }
}

impl Plan {
    fn without_key(observed: &Observed, published: bool) -> Self {
        match observed {
            _ if !observed.keys.is_empty() || observed.malformed > 0 => Self::Wait(Waiting::NoneActive),
            _ if published => Self::Wait(Waiting::Published),
            _ if observed.encrypted_secrets => Self::Wait(Waiting::Objects),
            _ => Self::Create,
        }
    }
}

/// The key that people seal to. It stays the same one for as long as its Secret says `active`, so that a key restored
/// or added beside it does not take over by being there.
fn sealing_key<'k>(keys: &'k [KeyFacts], current: Option<&str>) -> Option<&'k KeyFacts> {
    let active = || keys.iter().filter(|key| key.active);
    active().find(|key| Some(key.recipient.as_str()) == current).or_else(|| active().min_by(|a, b| newest_first(a, b)))
}

fn newest_first(a: &KeyFacts, b: &KeyFacts) -> std::cmp::Ordering {
    b.created.cmp(&a.created).then_with(|| a.fingerprint.cmp(&b.fingerprint))
}

fn entry(role: &str, key: &KeyFacts) -> String {
    let created = key.created.map_or_else(|| "at an unknown time".to_owned(), |time| time.to_string());
    format!("# {role}, fingerprint {}, created {created}\n{}\n", key.fingerprint, key.recipient)
}

/// The recipients that a published list names; the first one is the sealing key.
fn recipients(list: &str) -> impl Iterator<Item = &str> {
    list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(recipient: &str, day: u8, active: bool) -> KeyFacts {
        let created = Some(format!("2026-01-{day:02}T00:00:00Z").parse().unwrap());
        KeyFacts { recipient: recipient.to_owned(), fingerprint: Fingerprint::of(recipient), created, active }
    }

    fn published(recipient: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(RECIPIENTS.to_owned(), format!("# c\n{recipient}\n"))])
    }

    fn order(plan: Plan) -> Vec<String> {
        let Plan::Publish(data) = plan else { panic!("{plan:?}") };
        recipients(&data[RECIPIENTS]).map(str::to_owned).collect()
    }

    #[test]
    fn makes_a_key_only_in_an_empty_cluster() {
        let cases = [
            (Observed::default(), Plan::Create),
            (Observed { encrypted_secrets: true, ..Observed::default() }, Plan::Wait(Waiting::Objects)),
            (Observed { published: Some(published("age1x")), ..Observed::default() }, Plan::Wait(Waiting::Published)),
            (Observed { published: Some(BTreeMap::new()), ..Observed::default() }, Plan::Create),
            (Observed { malformed: 1, ..Observed::default() }, Plan::Wait(Waiting::NoneActive)),
            (Observed { keys: vec![key("age1x", 1, false)], ..Observed::default() }, Plan::Wait(Waiting::NoneActive)),
        ];
        for (observed, expected) in cases {
            assert_eq!(plan(&observed), expected, "{observed:?}");
        }
    }

    #[test]
    fn the_sealing_key_comes_first_and_stays() {
        let keys = vec![key("age1old", 1, true), key("age1new", 2, true), key("age1waiting", 3, false)];
        let fresh = Observed { keys, ..Observed::default() };
        assert_eq!(order(plan(&fresh)), ["age1new", "age1waiting", "age1old"]);
        let running = Observed { published: Some(published("age1old")), ..fresh.clone() };
        assert_eq!(order(plan(&running)), ["age1old", "age1waiting", "age1new"]);
        let gone = Observed { published: Some(published("age1lost")), ..fresh };
        assert_eq!(order(plan(&gone)), ["age1new", "age1waiting", "age1old"]);
    }

    #[test]
    fn publishes_once() {
        let mut observed = Observed { keys: vec![key("age1x", 1, true)], ..Observed::default() };
        let Plan::Publish(data) = plan(&observed) else { panic!() };
        let fingerprint = Fingerprint::of("age1x");
        let expected = format!("# sealing key, fingerprint {fingerprint}, created 2026-01-01T00:00:00Z\nage1x\n");
        assert_eq!(data[RECIPIENTS], expected);
        observed.published = Some(data);
        assert_eq!(plan(&observed), Plan::Nothing);
    }
}
