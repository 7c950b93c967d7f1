//! Several objects feed one Secret; what goes and what stays when one of them goes; Secrets that Kubernetes cannot change.

use std::time::Duration;

use kube::api::{DeleteParams, PostParams};
use sealwax_crds::{EncryptedSecret, OnDelete, Target, Template};
use sealwax_tests::wait_for;
use serde_json::json;

use crate::served::{SOON, Served};

/// An object of that name with one item, which feeds the Secret `shared`.
async fn feeder(served: &Served, name: &str, item: (&str, &str)) -> EncryptedSecret {
    let mut object = served.seal(served.recipient().await, name, &[item]);
    object.spec.target = Some(Target { name: Some("shared".into()), ..Target::default() });
    object
}

async fn delete(served: &Served, name: &str) {
    served.objects.delete(name, &DeleteParams::default()).await.unwrap();
}

#[tokio::test]
async fn each_owns_its_items_and_takes_them_along() {
    let served = Served::start("feeders").await;
    for item in [("one", "1"), ("two", "2")] {
        served.apply(&feeder(&served, item.0, item).await).await;
        served.ready(item.0, "True", "Synced").await;
    }
    served.holds("shared", &[("one", "1"), ("two", "2")]).await;
    let uid = served.secrets.get("shared").await.unwrap().metadata.uid;

    // An edit of one is healed, whoever's it is.
    served.edit("shared", json!({"stringData": {"one": "x", "two": "y"}})).await;
    served.holds("shared", &[("one", "1"), ("two", "2")]).await;

    delete(&served, "one").await;
    served.holds("shared", &[("two", "2")]).await;
    assert_eq!(served.secrets.get("shared").await.unwrap().metadata.uid, uid, "the Secret itself was never deleted");
    delete(&served, "two").await;
    wait_for(SOON, "the Secret to go with the last", async || {
        matches!(served.secrets.get_opt("shared").await, Ok(None)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_item_claimed_twice_stalls_the_second_and_leaves_the_first() {
    let served = Served::start("claims").await;
    served.apply(&feeder(&served, "one", ("password", "first")).await).await;
    served.ready("one", "True", "Synced").await;
    served.apply(&feeder(&served, "two", ("password", "second")).await).await;
    let message = served.stalled("two", "ItemConflict").await;
    assert!(message.contains("password") && message.contains("EncryptedSecret/one"), "{message}");
    served.holds("shared", &[("password", "first")]).await;
    served.ready("one", "True", "Synced").await;

    // The first gives it up: the second has been waiting for that.
    served.apply(&feeder(&served, "one", ("user", "u")).await).await;
    served.ready("two", "True", "Synced").await;
    served.holds("shared", &[("password", "second"), ("user", "u")]).await;
}

#[tokio::test]
async fn items_of_an_object_that_went_while_nobody_watched_go_later() {
    let mut served = Served::start("missed").await;
    for item in [("one", "1"), ("two", "2")] {
        served.apply(&feeder(&served, item.0, item).await).await;
        served.ready(item.0, "True", "Synced").await;
    }
    served.controller.kill_9();
    delete(&served, "one").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    served.controller.restart();
    served.holds("shared", &[("two", "2")]).await;
}

#[tokio::test]
async fn what_is_retained_outlives_its_object() {
    let served = Served::start("retains").await;
    let mut kept = feeder(&served, "kept", ("kept", "k")).await;
    kept.spec.target.as_mut().unwrap().on_delete = Some(OnDelete::Retain);
    served.apply(&feeder(&served, "goes", ("goes", "g")).await).await;
    served.ready("goes", "True", "Synced").await;
    served.apply(&kept).await;
    served.ready("kept", "True", "Synced").await;
    // Nothing of it may go with the garbage collector any more.
    wait_for(SOON, "a Secret without owners", async || {
        let owners = served.secrets.get("shared").await.ok()?.metadata.owner_references;
        owners.is_none_or(|owners| owners.is_empty()).then_some(())
    })
    .await;
    delete(&served, "kept").await;
    delete(&served, "goes").await;
    served.holds("shared", &[("kept", "k")]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    served.holds("shared", &[("kept", "k")]).await;
    // It comes back to its own.
    served.apply(&served_again(&served).await).await;
    served.ready("kept", "True", "Synced").await;
    served.holds("shared", &[("kept", "again")]).await;
}

#[tokio::test]
async fn the_last_copy_can_be_retained_when_nothing_opens_any_more() {
    let served = Served::start("lastcopy").await;
    served.apply(&served.seal(served.recipient().await, "db", &[("password", "good")])).await;
    served.ready("db", "True", "Synced").await;
    let stranger = sealwax_format::keys::pq::Identity::generate().to_public().to_string();
    let stranger = sealwax_format::keys::Recipient::parse("lost", &stranger).unwrap();
    let mut object = served.seal(stranger, "db", &[("password", "unreadable")]);
    object.spec.target = Some(Target { on_delete: Some(OnDelete::Retain), ..Target::default() });
    served.apply(&object).await;
    served.stalled("db", "NoIdentity").await;
    delete(&served, "db").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    served.holds("db", &[("password", "good")]).await;
}

#[tokio::test]
async fn an_edit_by_hand_does_not_pass_an_item_to_the_second_who_claims_it() {
    let served = Served::start("contested").await;
    served.apply(&feeder(&served, "one", ("password", "first")).await).await;
    served.ready("one", "True", "Synced").await;
    served.apply(&feeder(&served, "two", ("password", "second")).await).await;
    served.stalled("two", "ItemConflict").await;
    for _ in 0..10 {
        served.edit("shared", json!({"stringData": {"password": "edited"}})).await;
        served.holds("shared", &[("password", "first")]).await;
    }
    served.secrets.delete("shared", &DeleteParams::default()).await.unwrap();
    served.holds("shared", &[("password", "first")]).await;
    served.ready("one", "True", "Synced").await;
    served.stalled("two", "ItemConflict").await;
}

#[tokio::test]
async fn an_adopted_secret_outlives_the_object_and_keeps_what_was_in_it() {
    let served = Served::start("adopted").await;
    let foreign = json!({"metadata": {"name": "db", "annotations": {"sealwax.dev/adopt-by": "db"}},
        "stringData": {"own": "1", "password": "old"}});
    served.secrets.create(&PostParams::default(), &serde_json::from_value(foreign).unwrap()).await.unwrap();
    served.apply(&served.seal(served.recipient().await, "db", &[("password", "new")])).await;
    served.ready("db", "True", "Synced").await;
    served.holds("db", &[("own", "1"), ("password", "new")]).await;
    served.edit("db", json!({"metadata": {"annotations": {"sealwax.dev/adopt-by": null}}})).await;
    served.ready("db", "True", "Synced").await;
    delete(&served, "db").await;
    served.holds("db", &[("own", "1")]).await;
}

#[tokio::test]
async fn nothing_is_deleted_for_a_successor_that_would_be_refused() {
    let served = Served::start("refused").await;
    let typed = async |type_: &str| {
        let mut object = served.seal(served.recipient().await, "db", &[("password", "good")]);
        let template = Template { type_: Some(type_.into()), ..Template::default() };
        object.spec.target = Some(Target { recreate: Some(true), template: Some(template), ..Target::default() });
        object
    };
    served.apply(&typed("example.com/one").await).await;
    served.ready("db", "True", "Synced").await;
    let uid = served.secrets.get("db").await.unwrap().metadata.uid;
    // Kubernetes wants a certificate in such a Secret.
    served.apply(&typed("kubernetes.io/tls").await).await;
    served.stalled("db", "SecretInvalid").await;
    assert_eq!(served.secrets.get("db").await.unwrap().metadata.uid, uid);
    // Nor for one that holds what others have put there.
    served.edit("db", json!({"stringData": {"others": "x"}})).await;
    served.apply(&typed("example.com/two").await).await;
    served.stalled("db", "ImmutableField").await;
    assert_eq!(served.secrets.get("db").await.unwrap().metadata.uid, uid);
}

#[tokio::test]
async fn typed_items_go_with_their_object() {
    let served = Served::start("typed").await;
    let mut typed = feeder(&served, "typed", ("one", "1")).await;
    typed.spec.target.as_mut().unwrap().template =
        Some(Template { type_: Some("example.com/x".into()), ..Template::default() });
    served.apply(&typed).await;
    served.ready("typed", "True", "Synced").await;
    served.apply(&feeder(&served, "other", ("two", "2")).await).await;
    served.ready("other", "True", "Synced").await;
    delete(&served, "typed").await;
    served.holds("shared", &[("two", "2")]).await;
}

async fn served_again(served: &Served) -> EncryptedSecret {
    feeder(served, "kept", ("kept", "again")).await
}

#[tokio::test]
async fn a_former_name_is_given_up() {
    let served = Served::start("renamed").await;
    for item in [("one", "1"), ("two", "2")] {
        served.apply(&feeder(&served, item.0, item).await).await;
        served.ready(item.0, "True", "Synced").await;
    }
    let mut moved = feeder(&served, "one", ("one", "1")).await;
    moved.spec.target.as_mut().unwrap().name = Some("own".into());
    served.apply(&moved).await;
    served.holds("own", &[("one", "1")]).await;
    served.holds("shared", &[("two", "2")]).await;
    moved.spec.target.as_mut().unwrap().name = Some("other".into());
    served.apply(&moved).await;
    served.holds("other", &[("one", "1")]).await;
    wait_for(SOON, "the Secret that nobody feeds to go", async || {
        matches!(served.secrets.get_opt("own").await, Ok(None)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_kubernetes_never_changes_stalls_or_is_made_again() {
    let served = Served::start("immutable").await;
    let sealed = async |value: &str, type_: &str, recreate: bool| {
        let mut object = served.seal(served.recipient().await, "db", &[("password", value)]);
        let template = Template { type_: Some(type_.into()), immutable: Some(true), ..Template::default() };
        object.spec.target =
            Some(Target { recreate: recreate.then_some(true), template: Some(template), ..Target::default() });
        object
    };
    served.apply(&sealed("1", "example.com/one", false).await).await;
    served.ready("db", "True", "Synced").await;
    let first = served.secrets.get("db").await.unwrap();
    assert_eq!((first.type_.as_deref(), first.immutable), (Some("example.com/one"), Some(true)));

    for (value, type_) in [("2", "example.com/one"), ("1", "example.com/two")] {
        served.apply(&sealed(value, type_, false).await).await;
        assert!(served.stalled("db", "ImmutableField").await.contains("spec.target.recreate"));
        assert_eq!(served.secrets.get("db").await.unwrap().metadata.uid, first.metadata.uid);
    }
    served.apply(&sealed("3", "example.com/two", true).await).await;
    served.ready("db", "True", "Synced").await;
    served.holds("db", &[("password", "3")]).await;
    let again = served.secrets.get("db").await.unwrap();
    assert_eq!(again.type_.as_deref(), Some("example.com/two"));
    assert_ne!(again.metadata.uid, first.metadata.uid);
}
