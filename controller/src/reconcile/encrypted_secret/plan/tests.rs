//! Tables for the plan: what is in the cluster on the left, what happens on the right.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::core::ObjectMeta;
use sealwax_crds::{
    EncryptedSecretSpec, FORBIDDEN_TYPES, OnDelete, SealedFor, SecretStatus, Target, Template, TemplateMetadata,
};
use sealwax_format::SecretBytes;
use sealwax_format::keys::{Label, Recipient};
use sealwax_format::native::{self, Place};
use sealwax_format::{OsRandom, Path, Plaintext, ValueType};

use super::*;
use crate::conditions::Situation;
use crate::feeding::{How, Write};
use crate::ownership::{self, ADOPT_BY, Feeder, Kind, Origin, Ownership, field_manager};
use crate::writer::Written;

struct Cluster {
    keys: Keyring,
    object: EncryptedSecret,
    status: SecretStatus,
    secret: Option<ObjectMeta>,
}

/// An object `prod/db` of generation 1, sealed for a key at hand, never seen before.
fn cluster() -> Cluster {
    let identity = age::x25519::Identity::generate();
    let reader = Recipient::parse("prod", &identity.to_public().to_string()).unwrap();
    let mut keys = Keyring::default();
    keys.add(reader.label().fingerprint().clone(), Box::new(identity));
    let place = Place::Object {
        group: "sealwax.dev".into(),
        kind: "EncryptedSecret".into(),
        namespace: "prod".into(),
        name: "db".into(),
    };
    let value = Plaintext::canonical(ValueType::String, SecretBytes::from(b"hunter2".to_vec()));
    let path = Path::of_keys(&["spec", "data", "password"]);
    let token = native::seal_alone(&mut OsRandom, &[reader][..], &place, &path, &value).unwrap();
    let spec = EncryptedSecretSpec {
        data: [("password".to_owned(), token.to_string())].into(),
        sealed_for: SealedFor { namespace: "prod".into(), name: "db".into() },
        ..EncryptedSecretSpec::default()
    };
    let mut object = EncryptedSecret::new("db", spec);
    object.metadata.namespace = Some("prod".into());
    object.metadata.uid = Some("u1".into());
    object.metadata.generation = Some(1);
    Cluster { keys, object, status: SecretStatus::default(), secret: None }
}

fn situation() -> Situation<'static> {
    let not_ready_after = std::time::Duration::from_mins(10);
    let now = jiff::Timestamp::UNIX_EPOCH;
    Situation {
        generation: Some(1),
        requests: Requests::default(),
        repairing: false,
        restarts: false,
        not_ready_after,
        now,
    }
}

impl Cluster {
    fn plan(&self) -> Plan {
        let observed = Observed {
            object: &self.object,
            status: &self.status,
            secret: self.secret.as_ref(),
            former: None,
            key_namespace: "keys",
        };
        plan(&observed, &self.keys)
    }

    /// As after a first sync.
    fn synced() -> Self {
        let mut cluster = cluster();
        let written = Written { uid: "s1".into(), resource_version: "10".into() };
        let outcome = Outcome::Synced { name: "db".into(), written, content: None };
        cluster.status = conditions::status(&cluster.status, situation(), &outcome);
        cluster.secret = Some(ObjectMeta {
            uid: Some("s1".into()),
            resource_version: Some("10".into()),
            owner_references: Some(vec![ownership::reference(Kind::EncryptedSecret, &cluster.object.metadata)]),
            annotations: Some([Feeder { name: "db".into(), ..Feeder::default() }.annotation()].into()),
            ..ObjectMeta::default()
        });
        cluster
    }

    fn written(&self) -> Write {
        match self.plan() {
            Plan::Write(write) => *write,
            other => panic!("{other:?}"),
        }
    }

    fn reported(&self) -> (&'static str, String) {
        match self.plan() {
            Plan::Report(Outcome::Stalled { reason, message }) => (reason, message),
            other => panic!("{other:?}"),
        }
    }

    fn template(&mut self, template: Template) {
        self.object.spec.target = Some(Target { template: Some(template), ..Target::default() });
    }
}

#[test]
fn a_new_object_gets_its_secret() {
    let write = cluster().written();
    assert_eq!(write.how, How::Create);
    assert!(!write.repair);
    assert_eq!(write.secret.items["password"].expose(), b"hunter2");
    assert_eq!((write.secret.name.as_str(), write.secret.type_), ("db", None));
}

#[test]
fn a_synced_object_causes_nothing() {
    let mut cluster = Cluster::synced();
    assert_eq!(cluster.plan(), Plan::Nothing);
    // Stripped, as it is in the store, and without the key: still nothing.
    crate::store::strip_object(&mut cluster.object, |_| true);
    cluster.keys = Keyring::default();
    assert_eq!(cluster.plan(), Plan::Nothing);
}

#[test]
fn an_edited_secret_is_put_right_and_a_lagging_watch_is_no_edit() {
    let mut cluster = Cluster::synced();
    let see = |cluster: &mut Cluster, version: &str| {
        cluster.secret.as_mut().unwrap().resource_version = Some(version.to_owned());
    };
    see(&mut cluster, "9");
    assert_eq!(cluster.plan(), Plan::Nothing);
    see(&mut cluster, "11");
    let write = cluster.written();
    let seen = Written { uid: "s1".into(), resource_version: "11".into() };
    assert_eq!(write.how, How::Update { seen, whose: Ownership::Ours, from_create: false, sole: true });
    assert!(write.repair);
}

#[test]
fn a_deleted_or_exchanged_secret_is_made_again() {
    let mut cluster = Cluster::synced();
    cluster.secret = None;
    let write = cluster.written();
    assert_eq!((write.how, write.repair), (How::Create, true));
    let mut cluster = Cluster::synced();
    cluster.secret.as_mut().unwrap().uid = Some("s2".into());
    assert!(matches!(cluster.written().how, How::Update { .. }));
}

#[test]
fn healing_reads_the_ciphertext_again() {
    let mut cluster = Cluster::synced();
    let full = cluster.object.clone();
    cluster.object.status = Some(cluster.status.clone());
    crate::store::strip_object(&mut cluster.object, |_| true);
    cluster.secret = None;
    assert_eq!(cluster.plan(), Plan::Need { need: Need::Object, repair: true });
    cluster.object = full;
    assert!(cluster.written().repair);
}

#[test]
fn what_creating_left_is_taken_over_before_applying() {
    let mut cluster = Cluster::synced();
    cluster.object.metadata.generation = Some(2);
    cluster.secret.as_mut().unwrap().managed_fields = Some(vec![ManagedFieldsEntry {
        manager: Some(field_manager(Origin { kind: Kind::EncryptedSecret, name: "db" })),
        operation: Some("Update".into()),
        ..ManagedFieldsEntry::default()
    }]);
    let write = cluster.written();
    assert!(matches!(write.how, How::Update { from_create: true, .. }));
    assert!(!write.repair, "a new generation is no repair");
}

#[test]
fn somebody_elses_secret_is_never_written() {
    let mut cluster = cluster();
    let mut foreign = ObjectMeta { uid: Some("f1".into()), ..ObjectMeta::default() };
    cluster.secret = Some(foreign.clone());
    let (reason, message) = cluster.reported();
    assert_eq!(reason, "NotOwned");
    assert!(message.contains("kubectl annotate secret db sealwax.dev/adopt-by=db"), "{message}");
    foreign.annotations = Some([(ADOPT_BY.to_owned(), "db".to_owned())].into());
    cluster.secret = Some(foreign);
    assert!(matches!(cluster.written().how, How::Update { whose: Ownership::Offered, .. }));
}

#[test]
fn what_cannot_be_opened_stalls_and_quotes_nothing() {
    type Spoil = fn(&mut Cluster);
    let cases: [(&str, Spoil); 5] = [
        ("WrongPlace", |c| c.object.metadata.namespace = Some("staging".into())),
        ("NoIdentity", |c| c.keys = Keyring::default()),
        ("NotAToken", |c| drop(c.object.spec.data.insert("password".into(), "hunter2".into()))),
        ("Altered", |c| {
            let token = c.object.spec.data.remove("password").unwrap();
            c.object.spec.data.insert("other".into(), token);
        }),
        ("OwnNamespace", |c| c.object.metadata.namespace = Some("keys".into())),
    ];
    for (expected, spoil) in cases {
        // New or synced before: the same, and never a write.
        for mut cluster in [cluster(), Cluster::synced()] {
            cluster.object.metadata.generation = Some(2);
            spoil(&mut cluster);
            let (reason, message) = cluster.reported();
            assert_eq!(reason, expected);
            assert!(!message.is_empty() && !message.contains("hunter2"), "{message}");
        }
    }
}

#[test]
fn the_label_of_a_foreign_reader_is_named() {
    let mut cluster = cluster();
    let label: Label =
        cluster.object.spec.data["password"].split(", ").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
    cluster.keys = Keyring::default();
    assert!(cluster.reported().1.contains(&label.to_string()));
}

#[test]
fn templates_state_what_they_may() {
    let mut cluster = cluster();
    let metadata = TemplateMetadata { labels: [("a".to_owned(), "b".to_owned())].into(), annotations: [].into() };
    cluster.template(Template { type_: Some("example.com/x".into()), metadata: Some(metadata), ..Template::default() });
    let secret = cluster.written().secret;
    assert_eq!((secret.type_.as_deref(), secret.labels.len()), (Some("example.com/x"), 1));
    for forbidden in FORBIDDEN_TYPES {
        cluster.template(Template { type_: Some(forbidden.into()), ..Template::default() });
        assert_eq!(cluster.reported().0, "TemplateRefused");
    }
    let ours = || [(crate::store::MANAGED_BY.to_owned(), "x".to_owned())].into();
    for metadata in [
        TemplateMetadata { labels: ours(), ..TemplateMetadata::default() },
        TemplateMetadata { annotations: ours(), ..TemplateMetadata::default() },
    ] {
        cluster.template(Template { metadata: Some(metadata), ..Template::default() });
        assert_eq!(cluster.reported().0, "TemplateRefused");
    }
}

#[test]
fn templates_make_items() {
    let mut cluster = cluster();
    let data = |source: &str| [("url".to_owned(), source.to_owned())].into();
    cluster.template(Template { data: data("db://{{ .password }}"), ..Template::default() });
    let items = cluster.written().secret.items;
    assert_eq!((items.len(), items["url"].expose()), (1, &b"db://hunter2"[..]));
    cluster.template(Template { data: data("{{ index . .password }}"), ..Template::default() });
    let (reason, message) = cluster.reported();
    assert_eq!(reason, "Template");
    assert!(message.contains("item url") && !message.contains("hunter2"), "{message}");
}

#[test]
fn others_may_feed_the_same_secret() {
    let mut cluster = cluster();
    let fed_by = |retained| ObjectMeta {
        uid: Some("s1".into()),
        annotations: Some([Feeder { name: "web".into(), retained, ..Feeder::default() }.annotation()].into()),
        ..ObjectMeta::default()
    };
    for retained in [false, true] {
        cluster.secret = Some(fed_by(retained));
        let write = cluster.written();
        assert!(matches!(write.how, How::Update { whose: Ownership::Shared, sole: false, .. }));
        assert_eq!(write.secret.owned, !retained, "what shall stay must not go with this object");
    }
}

#[test]
fn what_is_retained_loses_its_owner_whatever_else_is_wrong() {
    type Spoil = fn(&mut Cluster);
    let retain = || Some(Target { on_delete: Some(OnDelete::Retain), ..Target::default() });
    let spoiled: [Spoil; 3] =
        [|_| (), |cluster| cluster.keys = Keyring::default(), |cluster| cluster.object.spec.suspend = Some(true)];
    for spoil in spoiled {
        let mut cluster = Cluster::synced();
        cluster.object.metadata.generation = Some(2);
        cluster.object.spec.target = retain();
        spoil(&mut cluster);
        let Plan::Disown(feeder) = cluster.plan() else { panic!("{:?}", cluster.plan()) };
        assert!(feeder.retained);
        cluster.secret.as_mut().unwrap().owner_references = None;
        assert!(!matches!(cluster.plan(), Plan::Disown(_)));
    }
    let mut cluster = Cluster::synced();
    let web = Feeder { name: "web".into(), retained: true, ..Feeder::default() }.annotation();
    cluster.secret.as_mut().unwrap().annotations.as_mut().unwrap().extend([web]);
    let Plan::Disown(feeder) = cluster.plan() else { panic!("{:?}", cluster.plan()) };
    assert!(!feeder.retained, "only the other one's items stay");
}

#[test]
fn what_somebody_else_had_made_is_never_owned() {
    let mut cluster = cluster();
    let offer = (ADOPT_BY.to_owned(), "db".to_owned());
    cluster.secret =
        Some(ObjectMeta { uid: Some("f1".into()), annotations: Some([offer].into()), ..ObjectMeta::default() });
    let secret = cluster.written().secret;
    assert!(secret.adopted && !secret.owned);
    // And stays so when the offer is gone.
    let feeder = Feeder { name: "db".into(), adopted: true, ..Feeder::default() }.annotation();
    cluster.secret.as_mut().unwrap().annotations = Some([feeder].into());
    let write = cluster.written();
    assert!(write.secret.adopted && !write.secret.owned);
    assert!(matches!(write.how, How::Update { sole: false, .. }));
}

#[test]
fn only_a_secret_of_its_own_is_made_again() {
    let mut cluster = Cluster::synced();
    cluster.object.metadata.generation = Some(2);
    assert!(!cluster.written().may_recreate());
    cluster.object.spec.target = Some(Target { recreate: Some(true), ..Target::default() });
    assert!(cluster.written().may_recreate());
    let web = Feeder { name: "web".into(), ..Feeder::default() }.annotation();
    cluster.secret.as_mut().unwrap().annotations.as_mut().unwrap().extend([web]);
    assert!(!cluster.written().may_recreate(), "others' items are in it");
}

#[test]
fn a_request_is_obeyed_once() {
    let mut cluster = Cluster::synced();
    cluster.object.metadata.annotations = Some([("sealwax.dev/reconcile-at".to_owned(), "now".to_owned())].into());
    assert!(!cluster.written().repair, "nobody changed anything");
    cluster.status.last_reconcile_at = Some("now".into());
    assert_eq!(cluster.plan(), Plan::Nothing);
}

#[test]
fn trouble_that_is_over_is_taken_back() {
    let mut cluster = Cluster::synced();
    let trouble = Outcome::Retrying { reason: "ApiServer", message: "x".into() };
    cluster.status = conditions::status(&cluster.status, situation(), &trouble);
    assert!(matches!(cluster.plan(), Plan::Write(_)));
}

#[test]
fn suspended_and_deleted_objects_are_left_alone() {
    let mut cluster = cluster();
    cluster.object.spec.suspend = Some(true);
    assert_eq!(cluster.plan(), Plan::Report(Outcome::Suspended));
    cluster.object.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
    assert_eq!(cluster.plan(), Plan::Nothing);
}
