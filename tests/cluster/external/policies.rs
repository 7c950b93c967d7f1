//! Whose the Secret is, what becomes of it when values go, and what templates make of it.

use kube::api::DeleteParams;
use sealwax_crds::{EntryState, Target};
use sealwax_tests::wait_for;
use serde_json::{Value, json};

use super::world::{External, Items, message, reads, with};
use crate::requests::restart_rights;
use crate::served::SOON;

/// What is there under the target's name before the object is.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    /// A Secret that nobody offered.
    Foreign,
    /// One with the annotation that hands it over.
    Offered,
}

/// What is there afterwards: the conditions, and the items of the Secret, if there is one.
type After = (&'static str, &'static str, Option<Items>);

const OTHERS: Items = &[("theirs", "t")];
const BOTH: Items = &[("theirs", "t"), ("x", "1")];
const OURS: Items = &[("x", "1")];
const EMPTY: Items = &[];

const SYNCED: After = ("True", "Synced", Some(OURS));
const REFUSED: After = ("False", "NotOwned", Some(OTHERS));
const MISSING: After = ("Unknown", "TargetMissing", None);
const KEPT: After = ("True", "Synced", Some(OURS));

/// A case: policies; what is there first; and what is there once the object is, once its source has lost the value, and
/// once the object is gone.
type Case = (&'static str, &'static str, Before, After, After, Option<Items>);

use Before::{Foreign, Nothing, Offered};

const CASES: [Case; 17] = [
    ("Owner", "Retain", Nothing, SYNCED, KEPT, None),
    ("Owner", "Delete", Nothing, SYNCED, ("True", "SecretDeleted", None), None),
    ("Owner", "Merge", Nothing, SYNCED, ("True", "Synced", Some(EMPTY)), None),
    ("Owner", "Retain", Foreign, REFUSED, REFUSED, Some(OTHERS)),
    ("Owner", "Delete", Foreign, REFUSED, REFUSED, Some(OTHERS)),
    ("Owner", "Retain", Offered, ("True", "Synced", Some(BOTH)), ("True", "Synced", Some(BOTH)), Some(OTHERS)),
    ("Owner", "Delete", Offered, ("True", "Synced", Some(BOTH)), ("True", "SecretDeleted", Some(OTHERS)), Some(OTHERS)),
    ("Orphan", "Retain", Nothing, SYNCED, KEPT, Some(OURS)),
    ("Orphan", "Merge", Nothing, SYNCED, ("True", "Synced", Some(EMPTY)), Some(EMPTY)),
    ("Orphan", "Retain", Foreign, REFUSED, REFUSED, Some(OTHERS)),
    ("Orphan", "Retain", Offered, ("True", "Synced", Some(BOTH)), ("True", "Synced", Some(BOTH)), Some(BOTH)),
    ("Merge", "Retain", Nothing, MISSING, MISSING, None),
    ("Merge", "Retain", Foreign, REFUSED, REFUSED, Some(OTHERS)),
    ("Merge", "Merge", Offered, ("True", "Synced", Some(BOTH)), ("True", "Synced", Some(OTHERS)), Some(OTHERS)),
    ("CreateOrMerge", "Retain", Nothing, SYNCED, KEPT, Some(OURS)),
    ("CreateOrMerge", "Retain", Offered, ("True", "Synced", Some(BOTH)), ("True", "Synced", Some(BOTH)), Some(BOTH)),
    (
        "None",
        "Retain",
        Foreign,
        ("True", "NotWritten", Some(OTHERS)),
        ("True", "NotWritten", Some(OTHERS)),
        Some(OTHERS),
    ),
];

fn name((creation, deletion, before, ..): &Case) -> String {
    let before = ["nothing", "foreign", "offered"][*before as usize];
    format!("{creation}-{deletion}-{before}").to_lowercase()
}

/// Waits until the Secret holds exactly this, or is not there.
async fn holds(world: &External, name: &str, items: Option<&[(&str, &str)]>) {
    match items {
        Some(items) => world.served.holds(name, items).await,
        None => world.gone(name).await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_policy_meets_every_state_of_the_target() {
    let world = External::start("policies").await;
    for case in &CASES {
        let (creation, deletion, before, ..) = case;
        let name = name(case);
        if *before != Nothing {
            let annotations = if *before == Offered { json!({"sealwax.dev/adopt-by": name}) } else { json!({}) };
            world.apply(&json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"theirs": "t"},
                "metadata": {"name": name, "annotations": annotations}}));
        }
        world.fake(&name, &[("x", "1")]);
        let target = json!({"target": {"creationPolicy": creation, "deletionPolicy": deletion}});
        world.external(&name, &with(reads(&name, &["x <- x"]), &target));
    }
    for case in &CASES {
        let (name, (status, reason, items)) = (name(case), case.3);
        world.ready(&name, status, reason).await;
        holds(&world, &name, items).await;
    }
    for case in &CASES {
        world.fake(&name(case), &[("other", "1")]);
    }
    for case in &CASES {
        let ((creation, deletion, ..), name, (status, reason, items)) = (case, name(case), case.4);
        if *deletion == "Retain" && status == "True" {
            let told = world.stale(&name, "SourceMissing").await;
            assert!(told.contains("the source has nothing for x"), "{creation} {told}");
        } else {
            world.ready(&name, status, reason).await;
        }
        holds(&world, &name, items).await;
    }
    for case in &CASES {
        world.objects.delete(&name(case), &DeleteParams::default()).await.unwrap();
    }
    for case in &CASES {
        holds(&world, &name(case), case.5).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_merges_waits_for_the_secret_and_follows_it() {
    let world = External::start("merges").await;
    world.fake("fake", &[("a", "1")]);
    world.external("db", &with(reads("fake", &["x <- a"]), &json!({"target": {"creationPolicy": "Merge"}})));
    world.ready("db", "Unknown", "TargetMissing").await;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"theirs": "t"},
        "metadata": {"name": "db", "annotations": {"sealwax.dev/adopt-by": "db"}}});
    world.apply(&secret);
    world.served.holds("db", BOTH).await;
    world.ready("db", "True", "Synced").await;
    world.served.secrets.delete("db", &DeleteParams::default()).await.unwrap();
    world.ready("db", "Unknown", "TargetMissing").await;
    world.apply(&secret);
    world.served.holds("db", BOTH).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_make_the_secret() {
    let world = External::start("external-templates").await;
    let values = r#"{"user": "app", "password": "hunter2"}"#;
    world.fake("fake", &[("db", values)]);
    world.config_map("templates", &[("url", "postgres://{{ .user }}:{{ .password }}@db")]);
    world.secret("templates", &[("many", "upper: {{ .user | upper }}\nlen: \"{{ len .password }}\"\n")]);
    let extract = json!({"secretStoreRef": {"name": "fake"}, "dataFrom": [{"extract": {"key": "db"}}]});
    let from = json!([
        {"configMap": {"name": "templates", "items": [{"key": "url"}]}},
        {"secret": {"name": "templates", "items": [{"key": "many", "templateAs": "KeysAndValues"}]}},
        {"literal": "greeting: hello {{ .user }}"},
    ]);
    let made: Items =
        &[("greeting", "hello app"), ("len", "7"), ("upper", "APP"), ("url", "postgres://app:hunter2@db")];
    let metadata = json!({"labels": {"team": "a"}, "annotations": {"note": "{{ .user }}"}});
    let cases: [(&str, Value, Items); 4] = [
        ("from", json!({ "templateFrom": from }), made),
        (
            "merged",
            json!({"mergePolicy": "Merge", "data": {"user": "{{ .user }}!"}}),
            &[("password", "hunter2"), ("user", "app!")],
        ),
        ("replaced", json!({"data": {"only": "{{ .user }}"}}), &[("only", "app")]),
        ("plain", json!({"type": "example.com/db", "metadata": metadata}), &[("password", "hunter2"), ("user", "app")]),
    ];
    for (name, template, _) in &cases {
        world.external(name, &with(extract.clone(), &json!({"target": {"template": template}})));
    }
    for (name, _, items) in cases {
        world.served.holds(name, items).await;
    }
    let plain = world.served.secrets.get("plain").await.unwrap();
    assert_eq!(plain.type_.as_deref(), Some("example.com/db"));
    assert_eq!(plain.metadata.labels.unwrap()["team"], "a");
    // Labels and annotations are literal.
    assert_eq!(plain.metadata.annotations.unwrap()["note"], "{{ .user }}");
    // A value that is missing in a template is an error, never an empty text.
    let wrong = json!({"target": {"template": {"data": {"y": "{{ .nobody }}"}}}});
    world.external("wrong", &with(extract, &wrong));
    let told = message(&world.ready("wrong", "False", "Template").await);
    assert!(told.contains("item y: it asks for an item or key that is not there"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_immutable_secret_changes_only_by_being_made_again() {
    let world = External::start("immutable").await;
    for name in ["fixed", "again"] {
        world.fake(name, &[("a", "1")]);
        let target = json!({"target": {"immutable": true, "recreate": name == "again"}});
        world.external(name, &with(reads(name, &["x <- a"]), &target));
    }
    for name in ["fixed", "again"] {
        world.served.holds(name, OURS).await;
        world.ready(name, "True", "Synced").await;
        assert_eq!(world.served.secrets.get(name).await.unwrap().immutable, Some(true));
        world.fake(name, &[("a", "2")]);
    }
    world.served.holds("again", &[("x", "2")]).await;
    let told = message(&world.ready("fixed", "False", "ImmutableField").await);
    assert!(told.contains("recreate"), "{told}");
    world.served.holds("fixed", OURS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_from_git_and_from_a_source_share_a_secret() {
    let world = External::start("external-shares").await;
    let mut sealed = world.served.seal(world.served.recipient().await, "sealed", &[("git", "hunter2")]);
    sealed.spec.target = Some(Target { name: Some("shared".into()), ..Target::default() });
    world.served.apply(&sealed).await;
    world.served.ready("sealed", "True", "Synced").await;
    world.fake("fake", &[("a", "1")]);
    let target = |item: &str| with(reads("fake", &[&format!("{item} <- a")]), &json!({"target": {"name": "shared"}}));
    world.external("synced", &target("x"));
    world.ready("synced", "True", "Synced").await;
    world.served.holds("shared", &[("git", "hunter2"), ("x", "1")]).await;
    world.fake("fake", &[("a", "2")]);
    world.served.holds("shared", &[("git", "hunter2"), ("x", "2")]).await;
    // One item has one source.
    world.external("rival", &target("git"));
    let told = message(&world.ready("rival", "False", "ItemConflict").await);
    assert!(told.contains("git") && told.contains("EncryptedSecret/sealed"), "{told}");
    world.served.holds("shared", &[("git", "hunter2"), ("x", "2")]).await;
    world.served.objects.delete("sealed", &DeleteParams::default()).await.unwrap();
    // Now the item is free for the one that waits.
    world.served.holds("shared", &[("git", "2"), ("x", "2")]).await;
    world.objects.delete("synced", &DeleteParams::default()).await.unwrap();
    world.served.holds("shared", &[("git", "2")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn optional_entries_come_and_go() {
    let world = External::start("optional").await;
    world.fake("fake", &[("a", "1"), ("json", r#"{"b": "2"}"#)]);
    let optional = |item: &str, remote: Value| json!({"secretKey": item, "remoteRef": remote, "optional": true});
    let spec = json!({"secretStoreRef": {"name": "fake"}, "data": [
        {"secretKey": "x", "remoteRef": {"key": "a"}},
        optional("none", json!({"key": "none"})),
        optional("property", json!({"key": "json", "property": "none"})),
    ], "dataFrom": [{"find": {"name": {"regexp": "^nothing"}}, "optional": true}]});
    world.external("db", &spec);
    let object = world.ready("db", "True", "Synced").await;
    let states = ["dataFrom[0] Skipped", "x Synced", "none Skipped", "property Skipped"];
    assert_eq!(External::entries(&object), states);
    world.served.holds("db", OURS).await;
    world.fake("fake", &[("a", "1"), ("none", "3"), ("json", r#"{"none": "4"}"#)]);
    world.served.holds("db", &[("none", "3"), ("property", "4"), ("x", "1")]).await;
    world.fake("fake", &[("a", "1"), ("json", "{}")]);
    world.served.holds("db", OURS).await;
    // Without `optional`, a find that finds nothing and a property that is not there are missing, like a secret is.
    let strict = json!({"secretStoreRef": {"name": "fake"},
        "data": [{"secretKey": "p", "remoteRef": {"key": "json", "property": "none"}}],
        "dataFrom": [{"find": {"name": {"regexp": "^nothing"}}}]});
    world.external("strict", &strict);
    let object = world.ready("strict", "False", "SourceMissing").await;
    let states = External::entries(&object);
    assert_eq!(states, ["dataFrom[0] Missing", "p Missing"]);
    assert_eq!(object.status.unwrap().entries[0].state, EntryState::Missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_it_is_restarted_when_the_source_changes() {
    let world = External::start_with("external-restarts", &["--restarts"], &[]).await;
    world.served.plane.kubectl().apply(&restart_rights(&world.served));
    world.fake("fake", &[("a", "1")]);
    world.external("db", &with(reads("fake", &["x <- a"]), &json!({"refreshInterval": "1s"})));
    world.ready("db", "True", "Synced").await;
    let pod =
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web"}]}});
    world.apply(&json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "annotations": {"sealwax.dev/restart-on": "db"}},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": pod}}));
    let deployments: kube::Api<k8s_openapi::api::apps::v1::Deployment> = world.served.namespace.api(&world.client);
    let generation = async || deployments.get("web").await.unwrap().metadata.generation.unwrap();
    // A repair is no change of the content.
    world.served.secrets.delete("db", &DeleteParams::default()).await.unwrap();
    world.served.holds("db", OURS).await;
    assert_eq!(generation().await, 1);
    world.fake("fake", &[("a", "2")]);
    world.served.holds("db", &[("x", "2")]).await;
    wait_for(SOON, "a restart", async || (generation().await == 2).then_some(())).await;
}
