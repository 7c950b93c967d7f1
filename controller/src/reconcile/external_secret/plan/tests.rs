//! Tables for the plan: what is in the cluster and at the source on the left, what happens on the right.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;
use sealwax_crds::{EntryState, ExternalSecretStatus, LastGood, STALLED};
use serde_json::{Value, json};

use super::*;
use crate::conditions::Situation;
use crate::feeding::Write;
use crate::ownership::{self, ADOPT_BY, Feeder, Kind};
use crate::store::Requests;
use crate::writer::Written;

struct Cluster {
    object: ExternalSecret,
    status: ExternalSecretStatus,
    secret: Option<ObjectMeta>,
    due: Due,
    stage: Stage,
    failure: Option<Failure>,
}

fn items(names: &[&str]) -> BTreeMap<String, SecretBytes> {
    names.iter().map(|name| ((*name).to_owned(), SecretBytes::from(b"hunter2".to_vec()))).collect()
}

fn read(names: &[&str]) -> Stage {
    Stage::Read(Read {
        items: items(names),
        empty: names.is_empty(),
        entries: vec![("password".into(), EntryState::Synced)],
        at: jiff::Timestamp::UNIX_EPOCH,
        due: None,
    })
}

fn failed(is_final: bool) -> Failure {
    Failure { is_final, ..Failure::of_all("SourceUnavailable", "the server is sealed".into()) }
}

impl Cluster {
    /// An object `prod/db` that was never seen before.
    fn new(target: &Value) -> Self {
        let object = json!({
            "apiVersion": "sealwax.dev/v1alpha1", "kind": "ExternalSecret",
            "metadata": {"namespace": "prod", "name": "db", "uid": "u1", "generation": 1},
            "spec": {"secretStoreRef": {"name": "vault"}, "target": target,
                "data": [{"secretKey": "password", "remoteRef": {"key": "db"}}]},
        });
        Self {
            object: serde_json::from_value(object).unwrap(),
            status: ExternalSecretStatus::default(),
            secret: None,
            due: Due::Now,
            stage: Stage::Begun,
            failure: None,
        }
    }

    /// As after a first sync, with nothing due.
    fn synced(target: &Value) -> Self {
        let mut cluster = Self::new(target);
        let written = Written { uid: "s1".into(), resource_version: "10".into() };
        let outcome = Outcome::Synced { name: "db".into(), written, content: None };
        let situation = Situation {
            generation: Some(1),
            requests: Requests::default(),
            repairing: false,
            restarts: false,
            not_ready_after: std::time::Duration::from_mins(10),
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        cluster.status.common = conditions::status(&cluster.status.common, situation, &outcome);
        cluster.status.refreshed_generation = Some(1);
        cluster.status.last_good = Some(LastGood { name: "copy".into(), generation: 1 });
        cluster.secret = Some(ours());
        cluster.due = Due::Never;
        cluster
    }

    fn plan(&self) -> Plan {
        let observed = Observed {
            object: &self.object,
            status: &self.status,
            secret: self.secret.as_ref(),
            former: None,
            key_namespace: "keys",
        };
        let has_copy = self.status.last_good.is_some();
        plan(&observed, Facts { due: self.due, stage: &self.stage, failure: self.failure.as_ref(), has_copy })
    }

    /// In few words.
    fn planned(&self) -> String {
        match self.plan() {
            Plan::Nothing => "nothing".into(),
            Plan::Need { need, repair } => format!("{need:?}{}", if repair { " to repair" } else { "" }),
            Plan::Disown(_) => "disown".into(),
            Plan::Write(write) => written(&write),
            Plan::Remove(outcome) => format!("remove {}", outcome.reason()),
            Plan::Report(Outcome::Stalled { reason, .. }) => format!("stalled {reason}"),
            Plan::Report(outcome) => format!("report {}", outcome.reason()),
            Plan::Broken(outcome) => format!("broken {}", outcome.reason()),
        }
    }
}

fn written(write: &Write) -> String {
    let how = if write.how == How::Create { "create" } else { "update" };
    let secret = &write.secret;
    let fate = match (secret.owned, secret.retained, secret.adopted) {
        (true, ..) => "owned",
        (_, true, false) => "stays",
        (_, true, true) => "stays, adopted",
        (..) => "adopted",
    };
    format!("{how} {}, {fate}{}", secret.items.len(), if write.repair { ", repair" } else { "" })
}

fn secret(annotation: Option<(String, String)>, owner: Option<OwnerReference>) -> ObjectMeta {
    ObjectMeta {
        uid: Some("s1".into()),
        resource_version: Some("10".into()),
        annotations: annotation.map(|annotation| [annotation].into()),
        owner_references: owner.map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

fn feeds(kind: Kind, name: &str) -> Option<(String, String)> {
    Some(Feeder { kind, name: name.into(), ..Feeder::default() }.annotation())
}

fn ours() -> ObjectMeta {
    secret(feeds(Kind::ExternalSecret, "db"), None)
}

/// Every creation policy against every state of the target, the first time.
#[test]
fn creation_policies() {
    let foreign = || Some(secret(None, None));
    let offered = || Some(secret(Some((ADOPT_BY.to_owned(), "db".to_owned())), None));
    let shared = || Some(secret(feeds(Kind::EncryptedSecret, "db"), None));
    let of_another = || {
        let certificate = ObjectMeta { name: Some("web".into()), ..ObjectMeta::default() };
        let owner = ownership::reference(Kind::ExternalSecret, &certificate);
        Some(secret(None, Some(OwnerReference { kind: "Certificate".into(), controller: Some(true), ..owner })))
    };
    let states: [(&str, Option<ObjectMeta>); 5] = [
        ("missing", None),
        ("foreign", foreign()),
        ("offered", offered()),
        ("shared", shared()),
        ("of a Certificate", of_another()),
    ];
    let refused = "stalled NotOwned";
    let cases = [
        ("Owner", ["create 1, owned", refused, "update 1, adopted", "update 1, owned", refused]),
        ("Orphan", ["create 1, stays", refused, "update 1, stays, adopted", "update 1, stays", refused]),
        ("Merge", ["broken TargetMissing", refused, "update 1, stays, adopted", "update 1, stays", refused]),
        ("CreateOrMerge", ["create 1, stays", refused, "update 1, stays, adopted", "update 1, stays", refused]),
        ("None", ["report NotWritten"; 5]),
    ];
    for (policy, expected) in cases {
        for ((state, secret), expected) in states.iter().zip(expected) {
            let mut cluster = Cluster::new(&json!({"creationPolicy": policy}));
            cluster.secret.clone_from(secret);
            cluster.stage = read(&["password"]);
            assert_eq!(cluster.planned(), expected, "{policy}, {state}");
        }
    }
}

/// Every deletion policy when the source has nothing left, with a Secret and without.
#[test]
fn deletion_policies() {
    // Under `Retain` reading itself ends in a failure, unless all that is missing is optional.
    let cases = [
        ("Delete", true, "remove SecretDeleted"),
        ("Delete", false, "remove SecretDeleted"),
        ("Merge", true, "update 0, owned"),
        ("Merge", false, "create 0, owned"),
        ("Retain", true, "update 0, owned"),
    ];
    for (policy, exists, expected) in cases {
        let mut cluster = Cluster::synced(&json!({"deletionPolicy": policy}));
        cluster.due = Due::Now;
        if !exists {
            cluster.secret = None;
            cluster.status = ExternalSecretStatus::default();
        }
        cluster.stage = read(&[]);
        assert_eq!(cluster.planned(), expected, "{policy}, {exists}");
    }
    let mut retained = Cluster::synced(&json!({}));
    retained.failure = Some(Failure::of_all("SourceMissing", "gone".into()));
    retained.stage = Stage::Failed;
    assert_eq!(retained.planned(), "report SourceMissing", "the Secret stays as it is, and Ready");
}

#[test]
fn what_is_as_it_should_be_causes_nothing() {
    let mut cluster = Cluster::synced(&json!({}));
    assert_eq!(cluster.planned(), "nothing");
    cluster.due = Due::Later(std::time::Duration::from_secs(9));
    assert_eq!(cluster.planned(), "nothing");
    cluster.due = Due::Now;
    assert_eq!(cluster.planned(), "Values");
    let mut none = Cluster::synced(&json!({"creationPolicy": "None"}));
    none.secret = None;
    none.status.common.secret_uid = None;
    assert_eq!(none.planned(), "nothing", "there is to be no Secret");
}

/// What happens to a Secret that somebody deleted or edited, by what can be had.
#[test]
fn repairs_come_from_the_copy_unless_values_are_due() {
    let edited = || ObjectMeta { resource_version: Some("11".into()), ..ours() };
    for secret in [None, Some(edited())] {
        let mut cluster = Cluster::synced(&json!({}));
        cluster.secret = secret;
        assert_eq!(cluster.planned(), "LastGood to repair");
        cluster.due = Due::Now;
        assert_eq!(cluster.planned(), "Values to repair");
        cluster.stage = Stage::Failed;
        cluster.failure = Some(failed(false));
        assert_eq!(cluster.planned(), "LastGood to repair", "the source is away");
        cluster.stage = Stage::Restored(items(&["password"]));
        assert!(cluster.planned().ends_with(", repair"), "{}", cluster.planned());
        cluster.stage = Stage::NothingToRestore;
        assert_eq!(cluster.planned(), "broken SourceUnavailable");
        cluster.failure = Some(failed(true));
        assert_eq!(cluster.planned(), "stalled SourceUnavailable");
        cluster.failure = None;
        assert_eq!(cluster.planned(), "Values to repair", "no copy opens, and nothing was asked yet");
        cluster.status.last_good = None;
        cluster.stage = Stage::Begun;
        cluster.due = Due::Never;
        assert_eq!(cluster.planned(), "Values to repair", "there is no copy");
    }
}

#[test]
fn a_good_secret_stays_ready_while_the_source_is_away() {
    for is_final in [true, false] {
        let mut cluster = Cluster::synced(&json!({}));
        (cluster.due, cluster.stage, cluster.failure) = (Due::Now, Stage::Failed, Some(failed(is_final)));
        assert_eq!(cluster.planned(), "report SourceUnavailable");
        let mut new = Cluster::new(&json!({}));
        (new.stage, new.failure) = (Stage::Failed, Some(failed(is_final)));
        let expected = if is_final { "stalled SourceUnavailable" } else { "broken SourceUnavailable" };
        assert_eq!(new.planned(), expected);
    }
}

/// What was read before is not given again to whom the store refuses.
#[test]
fn nothing_comes_back_for_whom_the_store_refuses() {
    let mut cluster = Cluster::synced(&json!({}));
    cluster.secret = None;
    cluster.due = Due::Now;
    cluster.stage = Stage::Failed;
    let refused = Failure::of_all("StoreRefused", "not for this namespace".into());
    cluster.failure = Some(Failure { is_refused: true, ..refused });
    assert_eq!(cluster.planned(), "stalled StoreRefused");
}

/// A spec that is new is never answered with what an older one gave, but where values are read once.
#[test]
fn a_copy_is_for_the_spec_that_it_was_made_for() {
    let mut cluster = Cluster::synced(&json!({}));
    cluster.object.metadata.generation = Some(2);
    cluster.due = Due::Now;
    assert_eq!(cluster.planned(), "Values");
    (cluster.stage, cluster.failure) = (Stage::Failed, Some(failed(false)));
    assert_eq!(cluster.planned(), "broken SourceUnavailable");
    let mut once = Cluster::synced(&json!({}));
    once.object.metadata.generation = Some(2);
    once.object.spec.refresh_policy = Some(sealwax_crds::RefreshPolicy::CreatedOnce);
    assert_eq!(once.planned(), "LastGood");
}

#[test]
fn templates_must_not_make_what_others_trust() {
    for template in [
        json!({"type": "kubernetes.io/service-account-token"}),
        json!({"type": "bootstrap.kubernetes.io/token"}),
        json!({"metadata": {"labels": {"sealwax.dev/managed-by": "me"}}}),
        json!({"metadata": {"annotations": {"sealwax.dev/adopt-by": "me"}}}),
    ] {
        let mut cluster = Cluster::new(&json!({"template": template}));
        cluster.stage = read(&["password"]);
        assert_eq!(cluster.planned(), "stalled TemplateRefused", "{template}");
    }
}

#[test]
fn what_is_being_deleted_suspended_or_elsewhere_is_left_alone() {
    let mut deleted = Cluster::new(&json!({}));
    deleted.object.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
    assert_eq!(deleted.planned(), "nothing");
    let mut suspended = Cluster::new(&json!({}));
    suspended.object.spec.suspend = Some(true);
    assert_eq!(suspended.planned(), "report Suspended");
    let mut own = Cluster::new(&json!({}));
    own.object.metadata.namespace = Some("keys".into());
    assert_eq!(own.planned(), "stalled OwnNamespace");
    let stalled = conditions::find(&Cluster::synced(&json!({})).status.common, STALLED).is_some();
    assert!(!stalled);
}
