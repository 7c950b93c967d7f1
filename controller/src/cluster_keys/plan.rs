//! Decides, from what is in the cluster, which key seals, what is published, and what is to be made. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sealwax_format::keys::cluster::{KEY_NAME, State};
use sealwax_format::keys::published::{CLUSTER, Published, RECIPIENTS, SIGNATURE, SIGNING_KEY};
use sealwax_format::keys::{Fingerprint, published};

use super::escrow::Missing;
use super::facts::{KeyFacts, Observed, OwnKey};
use super::notices::Notice;

/// Why a key is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// There has never been one.
    First,
    /// Somebody asked, with this text.
    Requested(String),
    /// The sealing key is old enough.
    Scheduled,
}

/// One thing to do. What one step changes, the next round sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make the controller's own key.
    MakeControllerKey,
    /// Make a key of this name.
    MakeKey(String, Why),
    /// Make the escrow copies that a key lacks.
    Escrow(String, Option<Missing>, Option<Missing>),
    /// Change keys' states, in this order, and no further than to the first that fails: a key that did not step back
    /// must not get a second active one beside it.
    Relabel(Vec<(String, State)>),
    /// State a key's fingerprint in its annotation.
    Annotate(String, Fingerprint),
    /// Publish these items, and that this request was answered.
    Publish(BTreeMap<String, String>, Option<String>),
}

/// What to do, and what to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In this order.
    pub steps: Vec<Step>,
    /// Why there is no key to seal with, if there is none and it is not for us to make one.
    pub waiting: Option<Waiting>,
    /// What people should look at.
    pub notices: BTreeSet<Notice>,
    /// Keys that lack an escrow copy.
    pub escrow_missing: usize,
    /// When the sealing key was made.
    pub sealing_created: Option<Timestamp>,
    /// When the schedule wants another one.
    pub rotation_due: Option<Timestamp>,
}

/// Why nothing seals. A restored cluster must get its old key back, not a rival that opens nothing in Git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waiting {
    /// Recipients are published: there has been a key.
    Published,
    /// Objects exist that were sealed for some key.
    Objects,
    /// There are key Secrets, and none of them seals.
    NoneActive,
    /// Several keys are labelled active, and none of them is published: which one is right is not for us to guess.
    SeveralActive,
    /// There is a key, and its escrow copies do not exist yet.
    Escrow,
}

impl Waiting {
    /// What happened, and what to do about it.
    pub fn message(self, namespace: &str) -> String {
        let what = match self {
            Self::Published => "the ConfigMap sealwax-recipients names a key, and its Secret is gone",
            Self::Objects => "there are EncryptedSecrets, and no key",
            Self::NoneActive => "there are key Secrets, and none is labelled active and readable",
            Self::SeveralActive => {
                return "several keys are labelled active, and none of them is the published one, so none seals; choose \
                        one by `sealwax keys rotate --to NAME`, or label all but one `old`"
                    .to_owned();
            }
            Self::Escrow => {
                return "the key waits for its escrow copies; it seals as soon as they exist".to_owned();
            }
        };
        format!(
            "{what}; no new key is made, because it would open nothing that is in Git. To get the old key back, use \
             `sealwax keys restore`, or apply the backup of its Secret in namespace {namespace}; to let one that is \
             there seal, `sealwax keys rotate --to NAME`; to make a new one on purpose, `sealwax keys rotate --begin-anew`"
        )
    }
}

/// Decides.
pub fn plan(observed: &Observed) -> Plan {
    let mut plan = Plan { notices: lasting(observed), ..Plan::default() };
    let listed = Published::from_items(observed.listed.as_ref().map(|listed| listed.items.clone()).unwrap_or_default());
    let current = listed.entries().next().map(|entry| entry.recipient.to_owned());
    let sealing = sealing_key(observed, current.as_deref());
    let made = newest(observed, State::Made);

    escrow(observed, &mut plan);
    let changes = made.map(|made| activate(observed, made)).unwrap_or_default();
    annotate(observed, &changes, &mut plan);
    if !changes.is_empty() {
        plan.steps.push(Step::Relabel(changes));
    }
    plan.sealing_created = sealing.and_then(|key| key.created);
    let due = due(observed, sealing);
    plan.rotation_due = due;
    if let Some(key) = sealing.filter(|key| observed.rotate_every.is_some() && key.created > Some(observed.now)) {
        plan.notices.insert(Notice::ClockBehind(key.name.clone()));
    }

    let why = request(observed).map(Why::Requested).or_else(|| {
        let first = sealing.is_none() && blank(observed) == Ok(());
        let scheduled = due.is_some_and(|due| due <= observed.now);
        if first { Some(Why::First) } else { scheduled.then_some(Why::Scheduled) }
    });
    // One at a time: a second key while one waits for its escrow copies would only wait too.
    let why = why.filter(|_| made.is_none());
    if sealing.is_none() && why.is_none() {
        plan.waiting = waiting(observed, made);
        plan.notices.extend(plan.waiting.map(Notice::NoKey));
    }
    if sealing.is_some() || why.is_some() {
        own_key(observed, &listed, why == Some(Why::First), &mut plan);
    }
    plan.steps.extend(why.map(|why| Step::MakeKey(next_name(observed), why)));
    // The first list is endorsed: whoever fetched it without would have pinned nothing.
    let unendorsed = current.is_none() && observed.controller_key.found().is_none();
    if let Some(sealing) = sealing.filter(|_| !unendorsed) {
        publish(observed, &listed, sealing, &mut plan);
    }
    plan
}

/// What lasts, whatever is done in this round.
fn lasting(observed: &Observed) -> BTreeSet<Notice> {
    let mut notices = BTreeSet::new();
    for broken in &observed.malformed {
        notices.insert(Notice::Malformed(broken.name.clone(), broken.why.clone()));
    }
    for key in observed.keys.iter().filter(|key| !key.known_state) {
        notices.insert(Notice::UnknownState(key.name.clone()));
    }
    for key in observed.keys.iter().filter(|key| key.unasked) {
        notices.insert(Notice::Unasked(key.name.clone()));
    }
    let mut active: Vec<_> = in_state(observed, State::Active).map(|key| key.name.clone()).collect();
    active.sort();
    if active.len() > 1 {
        notices.insert(Notice::SeveralActive(active));
    }
    let classical: Vec<_> = observed.escrow.classical.iter().map(ToString::to_string).collect();
    if !classical.is_empty() && observed.keys.iter().any(|key| key.recipient.starts_with("age1pq1")) {
        notices.insert(Notice::ClassicalEscrow(classical));
    }
    if matches!(observed.controller_key, OwnKey::Malformed) {
        notices.insert(Notice::ControllerKeyMalformed);
    }
    notices
}

/// Not those that change their state in this round: the first write would leave the second one an old resourceVersion.
fn annotate(observed: &Observed, changes: &[(String, State)], plan: &mut Plan) {
    let changes = |key: &KeyFacts| changes.iter().any(|(name, _)| *name == key.name);
    let bare = observed.keys.iter().filter(|key| !key.annotated && !changes(key));
    plan.steps.extend(bare.map(|key| Step::Annotate(key.name.clone(), key.fingerprint.clone())));
}

fn escrow(observed: &Observed, plan: &mut Plan) {
    for key in observed.keys.iter().filter(|key| key.state != State::Retired) {
        let secret = observed.escrow.missing_in_secret(key);
        let config_map = observed.escrow.missing_in_config_map(key);
        if secret.is_some() || config_map.is_some() {
            plan.escrow_missing += 1;
            plan.steps.push(Step::Escrow(key.name.clone(), secret, config_map));
        }
    }
}

/// The newest key that was made becomes the sealing one once its copies exist. The others step back first, so that a
/// program that is killed in between leaves no two active keys, of which the wrong one would go on sealing.
fn activate(observed: &Observed, made: &KeyFacts) -> Vec<(String, State)> {
    let others = in_state(observed, State::Made).filter(|key| key.name != made.name);
    let mut changes: Vec<_> = others.map(|key| (key.name.clone(), State::Waiting)).collect();
    if observed.escrow.is_complete(made) {
        let active = in_state(observed, State::Active);
        changes.extend(active.map(|key| (key.name.clone(), State::Old)));
        changes.push((made.name.clone(), State::Active));
    }
    changes
}

/// The request that no key answers yet.
fn request(observed: &Observed) -> Option<String> {
    let listed = observed.listed.as_ref()?;
    let request = listed.request.as_ref().filter(|request| listed.answered.as_ref() != Some(request))?;
    (!is_answered(observed, request)).then(|| request.clone())
}

fn is_answered(observed: &Observed, request: &String) -> bool {
    observed.keys.iter().any(|key| key.request.as_ref() == Some(request))
        || observed.malformed.iter().any(|key| key.request.as_ref() == Some(request))
}

/// When the schedule wants a new key: one period after the newest one that seals, has sealed or shall seal. A key from
/// the future is a wrong clock's, and a wrong clock makes no keys; so is a broken one that is younger than a period.
fn due(observed: &Observed, sealing: Option<&KeyFacts>) -> Option<Timestamp> {
    let (every, sealing) = (observed.rotate_every?, sealing?);
    sealing.created?;
    let ours = observed.keys.iter().filter(|key| matches!(key.state, State::Active | State::Made | State::Old));
    // One that sealed under a wrong clock, and was replaced for that, rules no more.
    let ours = ours.filter(|key| key.state != State::Old || key.created <= Some(observed.now));
    let broken = observed.malformed.iter().filter_map(|key| key.created);
    let newest = ours.filter_map(|key| key.created).chain(broken).max()?;
    // Later than any clock, should the sum be.
    Some(newest.checked_add(every).unwrap_or(Timestamp::MAX))
}

/// Whether it matters if there are `EncryptedSecrets`: nothing else decides whether a first key is made.
pub fn asks_for_objects(observed: &Observed) -> bool {
    request(observed).is_none() && blank(&Observed { encrypted_secrets: false, ..observed.clone() }) == Ok(())
}

/// Whether nothing speaks against making the first key, or what does.
fn blank(observed: &Observed) -> Result<(), Waiting> {
    let listed = observed.listed.as_ref().map(|listed| Published::from_items(listed.items.clone()));
    match observed {
        _ if !observed.keys.is_empty() || !observed.malformed.is_empty() => Err(Waiting::NoneActive),
        _ if listed.is_some_and(|listed| listed.entries().next().is_some()) => Err(Waiting::Published),
        _ if observed.encrypted_secrets => Err(Waiting::Objects),
        _ => Ok(()),
    }
}

fn waiting(observed: &Observed, made: Option<&KeyFacts>) -> Option<Waiting> {
    if let Some(made) = made {
        // About to become active, or not yet.
        return (!observed.escrow.is_complete(made)).then_some(Waiting::Escrow);
    }
    if let Some(active) = in_state(observed, State::Active).next() {
        let rivals = in_state(observed, State::Active).any(|key| key.recipient != active.recipient);
        return Some(if rivals { Waiting::SeveralActive } else { Waiting::Escrow });
    }
    blank(observed).err()
}

/// The controller's own key is made with the first key, or where a ConfigMap names none: an earlier version's, or one
/// that somebody made so. Where keys are and the ConfigMap is gone too, it was there, and people have pinned it.
fn own_key(observed: &Observed, listed: &Published, first: bool, plan: &mut Plan) {
    let published = listed.signing_key();
    let none_named = matches!(published, Err(published::PublishedError::NoSigningKey));
    let wanted = first || observed.listed.is_some() && none_named;
    match &observed.controller_key {
        OwnKey::Missing if wanted => plan.steps.push(Step::MakeControllerKey),
        OwnKey::Missing => {
            plan.notices.insert(Notice::ControllerKeyMissing);
        }
        OwnKey::Found(key) if published.is_ok_and(|published| published != key.signing_key().public()) => {
            plan.notices.insert(Notice::SigningKeyChanged);
        }
        OwnKey::Malformed | OwnKey::Found(_) => {}
    }
}

fn publish(observed: &Observed, listed: &Published, sealing: &KeyFacts, plan: &mut Plan) {
    let opens = |key: &&KeyFacts| key.state != State::Retired && key.recipient != sealing.recipient;
    let mut others: Vec<&KeyFacts> = observed.keys.iter().filter(opens).collect();
    others.sort_by(|a, b| newest_first(a, b));
    let mut named = BTreeSet::new();
    others.retain(|key| named.insert(key.recipient.as_str()));
    let mut text = entry(published::SEALS, sealing);
    for key in others {
        text.push_str(&entry(published::OPENS, key));
    }
    let mut items = BTreeMap::from([(CLUSTER.to_owned(), observed.cluster_name.clone())]);
    let before = observed.listed.as_ref().map(|listed| &listed.items);
    if let Some(key) = observed.controller_key.found() {
        let key = key.signing_key();
        items.insert(SIGNING_KEY.to_owned(), key.public().to_string());
        items.insert(SIGNATURE.to_owned(), key.endorse(&observed.cluster_name, &text));
    } else if let Some(before) = before {
        // Named for as long as it is pinned; endorsed only as far as it was.
        let same = listed.recipients() == text && listed.cluster() == observed.cluster_name;
        let kept = [SIGNING_KEY, SIGNATURE].into_iter().take(if same { 2 } else { 1 });
        items.extend(kept.filter_map(|item| Some((item.to_owned(), before.get(item)?.clone()))));
    }
    items.insert(RECIPIENTS.to_owned(), text);
    let state = observed.listed.as_ref();
    let answered = state.and_then(|listed| listed.request.clone().filter(|request| is_answered(observed, request)));
    let answered = answered.or_else(|| state.and_then(|listed| listed.answered.clone()));
    // Only what is ours: items that others added stay, and are no reason to write.
    let stated = |item: &str| before.and_then(|before| before.get(item)) == items.get(item);
    let same = [CLUSTER, RECIPIENTS, SIGNING_KEY, SIGNATURE].into_iter().all(stated);
    if !same || state.and_then(|listed| listed.answered.clone()) != answered {
        plan.steps.push(Step::Publish(items, answered));
    }
}

/// The key that people seal to. It stays the same one for as long as its Secret says `active`, so that a key restored
/// or added beside it does not take over by being there; any other begins only once its escrow copies exist, and only
/// if it is the only one: of several, nothing tells the one that people trust from one that somebody put there.
fn sealing_key<'k>(observed: &'k Observed, current: Option<&str>) -> Option<&'k KeyFacts> {
    let active = || in_state(observed, State::Active);
    active().find(|key| Some(key.recipient.as_str()) == current).or_else(|| {
        let first = newest(observed, State::Active)?;
        let alone = active().all(|key| key.recipient == first.recipient);
        (alone && observed.escrow.is_complete(first)).then_some(first)
    })
}

fn in_state(observed: &Observed, state: State) -> impl Iterator<Item = &KeyFacts> {
    observed.keys.iter().filter(move |key| key.state == state)
}

fn newest(observed: &Observed, state: State) -> Option<&KeyFacts> {
    in_state(observed, state).min_by(|a, b| newest_first(a, b))
}

fn newest_first(a: &KeyFacts, b: &KeyFacts) -> std::cmp::Ordering {
    b.created.cmp(&a.created).then_with(|| a.fingerprint.cmp(&b.fingerprint))
}

/// The next number, so that of two programs that make the same key one finds the name taken.
fn next_name(observed: &Observed) -> String {
    let names = observed.keys.iter().map(|key| &key.name).chain(observed.malformed.iter().map(|key| &key.name));
    let numbers = names.filter_map(|name| name.strip_prefix(KEY_NAME)?.parse::<u64>().ok());
    format!("{KEY_NAME}{}", numbers.max().unwrap_or(0).saturating_add(1))
}

fn entry(role: &str, key: &KeyFacts) -> String {
    published::entry(role, &key.recipient, key.created.map(|time| time.to_string()).as_deref())
}

#[cfg(test)]
mod tests;
