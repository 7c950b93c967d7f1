//! Tables: which key seals, what is made, and what is published.

use std::sync::Arc;
use std::time::Duration;

use sealwax_format::OsRandom;
use sealwax_format::keys::cluster::ControllerKey;

use super::*;
use crate::cluster_keys::escrow::{Copies, EscrowFacts};
use crate::cluster_keys::facts::{Listed, Malformed};

impl KeyFacts {
    /// A key of this recipient, made at the beginning of time.
    pub(in crate::cluster_keys) fn of(recipient: &str, state: State) -> Self {
        Self {
            name: recipient.to_owned(),
            recipient: recipient.to_owned(),
            fingerprint: Fingerprint::of(recipient),
            created: None,
            state,
            known_state: true,
            unasked: false,
            annotated: true,
            request: None,
        }
    }
}

fn day(day: i64) -> Timestamp {
    Timestamp::from_second(day * 24 * 3600).unwrap()
}

fn key(recipient: &str, made: i64, state: State) -> KeyFacts {
    KeyFacts { created: Some(day(made)), ..KeyFacts::of(recipient, state) }
}

fn own() -> OwnKey {
    OwnKey::Found(Arc::new(ControllerKey::generate(&mut OsRandom).unwrap()))
}

fn listed(recipient: &str) -> Option<Listed> {
    let items = BTreeMap::from([(RECIPIENTS.to_owned(), format!("# c\n{recipient}\n"))]);
    Some(Listed { items, ..Listed::default() })
}

fn cluster(keys: &[KeyFacts]) -> Observed {
    Observed { keys: keys.to_vec(), controller_key: own(), cluster_name: "prod".to_owned(), ..Observed::default() }
}

/// What is published next, in order.
fn order(observed: &Observed) -> Vec<String> {
    let steps = plan(observed).steps;
    let items = steps.into_iter().find_map(|step| if let Step::Publish(items, _) = step { Some(items) } else { None });
    let published = Published::from_items(items.expect("a publication"));
    published.entries().map(|entry| entry.recipient.to_owned()).collect()
}

/// The steps but the publication.
fn steps(observed: &Observed) -> Vec<Step> {
    plan(observed).steps.into_iter().filter(|step| !matches!(step, Step::Publish(..))).collect()
}

fn makes(observed: &Observed) -> Option<(String, Why)> {
    steps(observed)
        .into_iter()
        .find_map(|step| if let Step::MakeKey(name, why) = step { Some((name, why)) } else { None })
}

#[test]
fn makes_a_first_key_only_in_an_empty_cluster() {
    let broken = Malformed { name: "x".into(), why: String::new(), created: None, request: None };
    let empty = Observed::default;
    let cases = [
        (empty(), None),
        (Observed { listed: Some(Listed::default()), ..empty() }, None),
        (Observed { encrypted_secrets: true, ..empty() }, Some(Waiting::Objects)),
        (Observed { listed: listed("age1x"), ..empty() }, Some(Waiting::Published)),
        (Observed { malformed: vec![broken], ..empty() }, Some(Waiting::NoneActive)),
        (cluster(&[key("age1x", 1, State::Waiting)]), Some(Waiting::NoneActive)),
        (cluster(&[key("age1x", 1, State::Old)]), Some(Waiting::NoneActive)),
        (cluster(&[key("age1x", 1, State::Retired)]), Some(Waiting::NoneActive)),
    ];
    for (observed, waiting) in cases {
        assert_eq!(plan(&observed).waiting, waiting, "{observed:?}");
        let first = waiting.is_none().then(|| ("sealwax-cluster-key-1".to_owned(), Why::First));
        assert_eq!(makes(&observed), first, "{observed:?}");
        let own = steps(&observed).contains(&Step::MakeControllerKey);
        assert_eq!(own, first.is_some(), "with the first key, and not while an old one is awaited");
    }
}

#[test]
fn the_sealing_key_comes_first_and_stays() {
    let keys = [
        key("age1old", 1, State::Active),
        key("age1new", 2, State::Active),
        key("age1waiting", 3, State::Waiting),
        key("age1gone", 4, State::Retired),
    ];
    let fresh = cluster(&keys);
    let running = Observed { listed: listed("age1old"), ..fresh.clone() };
    assert_eq!(order(&running), ["age1old", "age1waiting", "age1new"]);
    // Whose word it was is gone: no guess, whatever the dates say.
    for listed in [None, Some(Listed::default()), listed("age1lost")] {
        let lost = plan(&Observed { listed, ..fresh.clone() });
        assert_eq!((&lost.steps[..], lost.waiting), (&[][..], Some(Waiting::SeveralActive)));
        assert!(lost.notices.contains(&Notice::NoKey(Waiting::SeveralActive)));
        assert!(lost.notices.contains(&Notice::SeveralActive(vec!["age1new".into(), "age1old".into()])));
    }
    // The same key twice is no rival of itself.
    let copy = KeyFacts { name: "copy".into(), ..keys[0].clone() };
    assert_eq!(order(&cluster(&[keys[0].clone(), copy])), ["age1old"]);
}

#[test]
fn a_key_that_was_made_takes_over_and_nothing_is_active_twice() {
    let keys = [key("age1a", 1, State::Active), key("age1b", 2, State::Made), key("age1c", 3, State::Made)];
    let relabel = |changes: &[(&str, State)]| {
        Step::Relabel(changes.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect())
    };
    // One step, which ends where it fails.
    let all = [("age1b", State::Waiting), ("age1a", State::Old), ("age1c", State::Active)];
    assert_eq!(steps(&cluster(&keys)), [relabel(&all)]);
    // A note on the same Secret would leave the change an old resourceVersion.
    let bare = keys.clone().map(|key| KeyFacts { annotated: false, ..key });
    assert_eq!(steps(&cluster(&bare)), [relabel(&all)]);
    // Killed in between.
    let keys = [key("age1a", 1, State::Old), key("age1c", 3, State::Made)];
    assert_eq!(steps(&cluster(&keys)), [relabel(&[("age1c", State::Active)])]);
    assert_eq!(plan(&cluster(&keys)).waiting, None);
}

#[test]
fn nothing_begins_to_seal_before_its_escrow_copies_exist() {
    let wanted = BTreeSet::from([Fingerprint::of("ops"), Fingerprint::of("boss")]);
    let escrow = |copies: &[(&str, &[&str])]| {
        let copies = copies.iter().map(|(recipient, whom)| Copies {
            name: format!("{recipient}-escrow"),
            of: Some(Fingerprint::of(recipient).to_string()),
            recipients: whom.iter().map(|one| Fingerprint::of(one).to_string()).collect(),
        });
        EscrowFacts { wanted: wanted.clone(), copies: copies.collect(), ..EscrowFacts::default() }
    };
    let both: &[&str] = &["ops", "boss"];
    for (keys, copies, waiting, active) in [
        (vec![key("age1a", 1, State::Made)], vec![], Some(Waiting::Escrow), false),
        (vec![key("age1a", 1, State::Made)], vec![("age1a", &["ops"][..])], Some(Waiting::Escrow), false),
        (vec![key("age1a", 1, State::Made)], vec![("age1a", both)], None, true),
        (vec![key("age1a", 1, State::Active)], vec![], Some(Waiting::Escrow), false),
        (vec![key("age1a", 1, State::Active)], vec![("age1a", both)], None, false),
    ] {
        let observed = Observed { escrow: escrow(&copies), ..cluster(&keys) };
        let plan = plan(&observed);
        assert_eq!(plan.waiting, waiting, "{keys:?} {copies:?}");
        assert_eq!(plan.escrow_missing, usize::from(waiting.is_some()));
        let activates = plan.steps.contains(&Step::Relabel(vec![("age1a".into(), State::Active)]));
        let publishes = plan.steps.iter().any(|step| matches!(step, Step::Publish(..)));
        assert_eq!(activates, active, "{keys:?} {copies:?}");
        assert_eq!(publishes, keys[0].state == State::Active && waiting.is_none(), "{keys:?} {copies:?}");
    }
    // One that seals goes on when a copy is wanted for one person more.
    let running =
        Observed { listed: listed("age1a"), escrow: escrow(&[]), ..cluster(&[key("age1a", 1, State::Active)]) };
    assert_eq!(order(&running), ["age1a"]);
    assert!(steps(&running).iter().any(|step| matches!(step, Step::Escrow(..))));
    // Nobody is kept in escrow who is retired.
    let retired = Observed { escrow: escrow(&[]), ..cluster(&[key("age1a", 1, State::Retired)]) };
    assert_eq!(steps(&retired), []);
}

#[test]
fn one_key_for_each_request() {
    let request = |request: &str, answered: Option<&str>| {
        let items = listed("age1a").unwrap().items;
        Some(Listed { items, request: Some(request.into()), answered: answered.map(Into::into) })
    };
    let active = key("age1a", 1, State::Active);
    let asked = |keys: &[KeyFacts], listed| Observed { listed, ..cluster(keys) };
    let next = Some(("sealwax-cluster-key-1".to_owned(), Why::Requested("t".into())));
    assert_eq!(makes(&asked(std::slice::from_ref(&active), request("t", None))), next);
    assert_eq!(makes(&asked(std::slice::from_ref(&active), request("t", Some("s")))), next);
    assert_eq!(makes(&asked(std::slice::from_ref(&active), request("t", Some("t")))), None);
    let answer = KeyFacts { request: Some("t".into()), ..key("age1b", 2, State::Retired) };
    let answered = asked(&[active.clone(), answer.clone()], request("t", None));
    assert_eq!(makes(&answered), None);
    let publication = plan(&answered).steps;
    assert!(publication.iter().any(|step| matches!(step, Step::Publish(_, Some(answered)) if answered == "t")));
    // One after the other.
    assert_eq!(makes(&asked(&[active.clone(), key("age1b", 2, State::Made)], request("t", None))), None);
    // On purpose, where none would be made unasked.
    assert_eq!(makes(&asked(&[], request("t", None))), next);
    let named = KeyFacts { name: "sealwax-cluster-key-41".into(), ..key("age1b", 2, State::Old) };
    let numbered = makes(&asked(&[active, named], request("t", None)));
    assert_eq!(numbered.unwrap().0, "sealwax-cluster-key-42");
}

#[test]
fn the_schedule_makes_one_key_in_a_period_whatever_the_clock_says() {
    let every = Some(Duration::from_hours(90 * 24));
    let at = |now, keys: &[KeyFacts]| Observed { rotate_every: every, now: day(now), ..cluster(keys) };
    let active = |made| key("age1a", made, State::Active);
    let scheduled = Some(("sealwax-cluster-key-1".to_owned(), Why::Scheduled));
    let cases = [
        (at(90, &[active(1)]), None),
        (at(91, &[active(1)]), scheduled.clone()),
        (at(9000, &[active(1)]), scheduled.clone()),
        (Observed { rotate_every: None, ..at(9000, &[active(1)]) }, None),
        (at(91, &[active(1), key("age1b", 91, State::Made)]), None),
        (at(91, &[active(1), key("age1b", 2, State::Old)]), None),
        (at(92, &[active(1), key("age1b", 2, State::Old)]), scheduled.clone()),
        (at(91, &[active(1), key("age1b", 50, State::Waiting)]), scheduled.clone()),
        (at(0, &[active(1)]), None),
        (at(91, &[active(9000)]), None),
        (at(9000, &[KeyFacts::of("age1a", State::Active)]), None),
        (at(9000, &[key("age1a", 1, State::Waiting)]), None),
    ];
    for (observed, expected) in cases {
        assert_eq!(makes(&observed), expected, "{observed:?}");
    }
    let broken = Malformed { name: "x".into(), why: String::new(), created: Some(day(90)), request: None };
    assert_eq!(makes(&Observed { malformed: vec![broken], ..at(91, &[active(1)]) }), None);
    assert_eq!(plan(&at(5, &[active(1)])).rotation_due, Some(day(91)));
    assert!(plan(&at(91, &[active(9000)])).notices.contains(&Notice::ClockBehind("age1a".into())));
}

#[test]
fn publishes_once_and_endorsed() {
    let mut observed = cluster(&[key("age1x", 1, State::Active)]);
    let [Step::Publish(items, None)] = &plan(&observed).steps[..] else { panic!() };
    let expected =
        format!("# sealing key, fingerprint {}, created 1970-01-02T00:00:00Z\nage1x\n", Fingerprint::of("age1x"));
    assert_eq!(items[RECIPIENTS], expected);
    let published = Published::from_items(items.clone());
    assert_eq!(published.check(&published.signing_key().unwrap()), Ok(()));
    observed.listed = Some(Listed { items: items.clone(), ..Listed::default() });
    assert_eq!(plan(&observed), Plan { sealing_created: Some(day(1)), ..Plan::default() });
}

#[test]
fn a_lost_signing_key_gets_no_rival() {
    let mut observed = cluster(&[key("age1x", 1, State::Active)]);
    let [Step::Publish(items, None)] = &plan(&observed).steps[..] else { panic!() };
    observed.listed = Some(Listed { items: items.clone(), ..Listed::default() });
    observed.controller_key = OwnKey::Missing;
    // What was endorsed stays endorsed.
    let lost = plan(&observed);
    assert_eq!(lost.steps, []);
    assert!(lost.notices.contains(&Notice::ControllerKeyMissing));
    // What is new is published all the same, under the name of the pinned key, without its word.
    observed.keys.push(key("age1y", 2, State::Old));
    let [Step::Publish(next, None)] = &plan(&observed).steps[..] else { panic!() };
    assert_eq!(next.get(SIGNING_KEY), items.get(SIGNING_KEY));
    assert_eq!(next.get(SIGNATURE), None);
    // Another one that somebody put there endorses, and that is said.
    observed.controller_key = own();
    assert!(plan(&observed).notices.contains(&Notice::SigningKeyChanged));
    // To begin anew on purpose.
    observed.controller_key = OwnKey::Missing;
    observed.listed.as_mut().unwrap().items.remove(SIGNING_KEY);
    assert!(plan(&observed).steps.contains(&Step::MakeControllerKey));
}

#[test]
fn fingerprints_are_noted_where_they_are_missing() {
    let bare = KeyFacts { annotated: false, ..key("age1x", 1, State::Waiting) };
    assert_eq!(steps(&cluster(&[bare])), [Step::Annotate("age1x".into(), Fingerprint::of("age1x"))]);
}

#[test]
fn classical_escrow_is_told_where_it_undoes_something() {
    let told = |recipient: &str, classical: &[&str]| {
        let classical = classical.iter().map(|one| Fingerprint::of(one)).collect();
        let escrow = EscrowFacts { classical, ..EscrowFacts::default() };
        let observed = Observed { escrow, ..cluster(&[key(recipient, 1, State::Active)]) };
        plan(&observed).notices.iter().any(|notice| matches!(notice, Notice::ClassicalEscrow(_)))
    };
    assert!(told("age1pq1x", &["ops"]));
    assert!(!told("age1pq1x", &[]));
    assert!(!told("age1x", &["ops"]));
}

#[test]
fn the_first_list_is_endorsed() {
    let bare = Observed { controller_key: OwnKey::Missing, ..cluster(&[key("age1x", 1, State::Active)]) };
    // It was there, as the key was: it is awaited, and nothing is published without its word.
    let lost = plan(&bare);
    assert_eq!(lost.steps, []);
    assert!(lost.notices.contains(&Notice::ControllerKeyMissing));
    let broken = plan(&Observed { controller_key: OwnKey::Malformed, ..bare.clone() });
    assert_eq!(broken.steps, []);
    assert!(broken.notices.contains(&Notice::ControllerKeyMalformed));
    // On purpose, or by a request for a new key.
    let begun = Observed { listed: Some(Listed::default()), ..bare.clone() };
    assert_eq!(plan(&begun).steps, [Step::MakeControllerKey]);
    // People have fetched the list of an earlier version without a word; they go on.
    let earlier = Observed { listed: listed("age1x"), ..bare };
    assert!(matches!(&plan(&earlier).steps[..], [Step::MakeControllerKey, Step::Publish(..)]));
}

#[test]
fn items_that_others_added_are_no_reason_to_write() {
    let mut observed = cluster(&[key("age1x", 1, State::Active)]);
    let Some(Step::Publish(mut items, _)) = plan(&observed).steps.pop() else { panic!("nothing is published") };
    items.insert("note".to_owned(), "ours".to_owned());
    observed.listed = Some(Listed { items, ..Listed::default() });
    assert_eq!(plan(&observed).steps, []);
}

#[test]
fn a_key_that_was_replaced_for_its_wrong_date_rules_no_more() {
    let keys = [key("age1future", 4000, State::Old), key("age1x", 10, State::Active)];
    let every = Some(std::time::Duration::from_hours(24 * 30));
    let mut observed = Observed { now: day(50), rotate_every: every, ..cluster(&keys) };
    observed.listed = listed("age1x");
    assert!(matches!(makes(&observed), Some((_, Why::Scheduled))));
}

#[test]
fn objects_are_looked_for_only_where_they_decide() {
    assert!(asks_for_objects(&Observed::default()));
    let broken = Malformed { name: "x".into(), why: String::new(), created: None, request: None };
    assert!(!asks_for_objects(&Observed { malformed: vec![broken], ..Observed::default() }));
    assert!(!asks_for_objects(&Observed { listed: listed("age1x"), ..Observed::default() }));
    assert!(!asks_for_objects(&cluster(&[key("age1x", 1, State::Old)])));
    let asked = Some(Listed { request: Some("t".into()), ..Listed::default() });
    assert!(!asks_for_objects(&Observed { listed: asked, ..Observed::default() }));
}

#[test]
fn a_made_key_that_nobody_asked_for_is_told() {
    let brought = KeyFacts { unasked: true, ..key("age1x", 1, State::Waiting) };
    assert!(plan(&cluster(&[brought])).notices.contains(&Notice::Unasked("age1x".into())));
}
