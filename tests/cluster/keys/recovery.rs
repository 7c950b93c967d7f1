//! Keys that are lost and come back, keys made before the cluster, and what the pinned signing key protects.

use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use sealwax_tests::wait_for;
use serde_json::json;

use super::piped;
use super::world::{FIRST, SOON, World, age, identity_file};

impl World {
    /// Deletes all that the controller has, and then what it made, which does not come back.
    async fn lose_everything(&self, object: &str) {
        let (all, now) = (ListParams::default(), DeleteParams::default());
        self.key_secrets.delete_collection(&now, &all).await.unwrap();
        self.config_maps.delete("sealwax-recipients", &now).await.unwrap();
        wait_for(SOON, "the object to miss its key", async || {
            // Until the loss was noticed, it is put back.
            let _ = self.secrets.delete(object, &now).await;
            let status = self.objects.get(object).await.ok()?.status?;
            status.conditions.iter().any(|condition| condition.reason == "NoIdentity").then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn the_recovery_drill() {
    let world = World::new("drill").await;
    let (offline, recipient) = world.person("offline");
    let mut controller = world.controller(&[]).await;
    world.apply("db", world.recipient().await, "value").await;
    world.holds("db", "value").await;
    world.fetch(&["-o", "prod.pub"]).success();

    world.sealwax_keys(&["backup", "-r", &recipient, "-o", "keys.age"]).success();
    let verified = world.sealwax_keys(&["verify-backup", "keys.age", "-i", &offline]);
    assert!(verified.success().contains(&format!("{FIRST}, active, ")), "{}", verified.stderr);
    assert!(world.cli.read("keys.age").starts_with("-----BEGIN AGE ENCRYPTED FILE-----"));

    // With this program.
    world.lose_everything("db").await;
    controller.restart();
    world.tells_after_start(&controller, 2, "there is no key to seal with").await;
    assert!(world.key_names().await.is_empty(), "no rival");
    world.sealwax_keys(&["restore", "keys.age", "-i", &offline]).success();
    world.reason("db", "Synced").await;
    world.opens_again("db", "value").await;
    // The pinned signing key came back too.
    wait_for(SOON, "an endorsed list", async || world.fetch(&["-o", "prod.pub"]).status.success().then_some(())).await;

    // Without it.
    world.lose_everything("db").await;
    let backup = world.cli.work().join("keys.age");
    let manifest = piped(world.cli.command(age()).args(["-d", "-i", &offline]).arg(backup), b"");
    let applied = world.plane.kubectl().output(&["create", "-f", "-"], std::str::from_utf8(&manifest).unwrap());
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    world.reason("db", "Synced").await;
    world.opens_again("db", "value").await;
}

#[tokio::test]
async fn a_backup_that_lacks_a_key_says_so_and_restoring_overwrites_nothing() {
    let world = World::new("backup").await;
    let (offline, recipient) = world.person("offline");
    let _controller = world.controller(&["--escrow-recipient", &recipient]).await;
    let first = world.recipient().await;
    world.sealwax_keys(&["backup", "-r", &recipient, "-o", "keys.age"]).success();
    world.sealwax_keys(&["rotate"]).success();
    let outdated = world.sealwax_keys(&["verify-backup", "keys.age", "-i", &offline]);
    assert!(outdated.failure(1).contains("sealwax-cluster-key-2"), "{}", outdated.stderr);
    let offline_only = world.cli.run(&["keys", "verify-backup", "keys.age", "-i", &offline, "--offline"]);
    assert!(offline_only.success().contains(first.label().fingerprint().as_str()));

    // There already.
    let again = world.sealwax_keys(&["restore", "keys.age", "-i", &offline]);
    again.success();
    assert!(again.stderr.contains("0 keys restored"), "{}", again.stderr);
    // Another key has its name by now, and seals.
    let escrow = world.key_secrets.get(&format!("{FIRST}-escrow")).await.unwrap().data.unwrap();
    world.cli.write("copy.age", &escrow.values().next().unwrap().0);
    world.key_secrets.delete(FIRST, &DeleteParams::default()).await.unwrap();
    let (rival, _) = identity_file("2026-01-01T00:00:00Z");
    world.add_key(FIRST, "old", rival.expose()).await;
    let restored = world.sealwax_keys(&["restore", "copy.age", "-i", &offline, "--name", FIRST]);
    restored.success();
    let beside = format!("{FIRST}-{}", &first.label().fingerprint().as_str()[..8]);
    assert!(restored.stderr.contains(&format!("restored as {beside}, waiting")), "{}", restored.stderr);
    assert_eq!(world.state(&beside).await.as_deref(), Some("waiting"));
    world.apply("db", first, "value").await;
    world.holds("db", "value").await;
    // The rival's copies stand beside those of the lost key, which are kept.
    wait_for(SOON, "copies of both", async || {
        let list = ListParams::default().labels("sealwax.dev/escrow");
        let names = world.key_secrets.list_metadata(&list).await.ok()?.items;
        (names.len() >= 3).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_deleted_corrupted_or_relabelled_is_noticed_at_once() {
    let world = World::new("noticed").await;
    let _controller = world.controller(&[]).await;
    let recipient = world.recipient().await;
    let key = world.key_secrets.get(FIRST).await.unwrap();
    let file = key.data.unwrap()["identity"].0.clone();
    world.apply("one", recipient.clone(), "value").await;
    world.holds("one", "value").await;

    world.relabel(FIRST, "retired").await;
    wait_for(SOON, "it not to open any more", async || {
        world.apply("two", recipient.clone(), "value").await;
        let status = world.objects.get("two").await.ok()?.status?;
        status.conditions.iter().any(|condition| condition.reason == "NoIdentity").then_some(())
    })
    .await;
    world.relabel(FIRST, "active").await;
    world.holds("two", "value").await;

    world.key_secrets.delete(FIRST, &DeleteParams::default()).await.unwrap();
    world.add_key(FIRST, "active", b"# created: 2026-01-01T00:00:00Z\nhunter2\n").await;
    world.wait_for_event("MalformedKey", FIRST).await;
    world.wait_for_event("NoKey", "sealwax-recipients").await;
    world.apply("three", recipient, "value").await;
    world.reason("three", "NoIdentity").await;
    world.holds("one", "value").await;
    let patch = json!({"data": {"identity": sealwax_format::base64::encode(&file)}});
    world.key_secrets.patch(FIRST, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    world.holds("three", "value").await;
    assert_eq!(world.key_names().await, [FIRST]);
}

#[tokio::test]
async fn a_key_made_offline_seals_before_there_is_a_cluster() {
    let world = World::new("offline").await;
    let made =
        world.cli.run(&["keys", "create", "--cluster", "cluster", "--namespace", world.keys.name(), "-o", "c.yaml"]);
    let recipient = sealwax_format::keys::Recipient::parse("cluster", made.success().trim()).unwrap();
    world.apply("db", recipient.clone(), "value").await;
    let controller = world.controller(&[]).await;
    controller.wait_for_log(SOON, "there is no key to seal with").await;
    world.plane.kubectl().run(&["apply", "-f", world.cli.work().join("c.yaml").to_str().unwrap()]);
    world.holds("db", "value").await;
    assert_eq!(world.recipient().await.canonical(), recipient.canonical());
    // The file that was committed then is what the cluster publishes now, byte for byte.
    let before = world.cli.read("c.pub");
    wait_for(SOON, "the endorsement", async || world.fetch(&["-o", "c.pub"]).status.success().then_some(())).await;
    assert_eq!(world.cli.read("c.pub"), before);
}

#[tokio::test]
async fn a_signing_key_that_is_not_the_pinned_one_is_refused() {
    let world = World::new("pinned").await;
    let controller = world.controller(&["--cluster-name", "prod"]).await;
    let first = world.recipient().await;
    wait_for(SOON, "the first fetch", async || world.fetch(&["-o", "prod.pub"]).status.success().then_some(())).await;
    let pinned = world.cli.read("prod.pub");
    assert!(pinned.starts_with("# cluster: prod\n# signing key: "), "{pinned}");
    // An endorsed change replaces the file, and the policy reads it.
    world.sealwax_keys(&["rotate"]).success();
    world.fetch(&["-o", "prod.pub"]).success();
    let first_line = |text: &str| text.lines().find(|line| line.starts_with("age1")).unwrap().to_owned();
    assert_ne!(first_line(&world.cli.read("prod.pub")), first_line(&pinned));
    world.cli.write(
        ".sealwax.toml",
        "version = 1\n[recipients]\nprod = { file = \"prod.pub\" }\n[[rule]]\npath = \"**\"\nencrypt = [\"**.password\"]\n\
         recipients = [\"prod\"]\ncontext = \"c\"\n",
    );
    world.cli.write("values.yaml", "password: x\n");
    world.cli.run(&["encrypt", "values.yaml"]).success();
    let sealing = world.recipient().await;
    assert_ne!(sealing.canonical(), first.canonical());
    assert!(world.cli.read("values.yaml").contains(sealing.label().fingerprint().as_str()));

    // The signing key is lost: no rival is made, and what is new has no word behind it.
    world.key_secrets.delete("sealwax-controller-key", &DeleteParams::default()).await.unwrap();
    world.wait_for_event("ControllerKeyMissing", "sealwax-recipients").await;
    world.fetch(&["-o", "prod.pub"]).success();
    world.sealwax_keys(&["rotate"]).success();
    assert!(world.key_secrets.get_opt("sealwax-controller-key").await.unwrap().is_none(), "{}", controller.log());
    let before = world.cli.read("prod.pub");
    world.fetch(&["-o", "prod.pub"]).failure(1);
    // Made anew on purpose, or by somebody who wants people to seal for him.
    let remove = Patch::Merge(json!({"data": {"signing-key": null}}));
    world.config_maps.patch("sealwax-recipients", &PatchParams::default(), &remove).await.unwrap();
    wait_for(SOON, "a new signing key", async || {
        world.published().await.signing_key().ok().filter(|key| !before.contains(&key.to_string()))
    })
    .await;
    let refused = world.fetch(&["-o", "prod.pub"]);
    assert!(refused.failure(1).contains("--accept-new-signing-key"), "{}", refused.stderr);
    assert_eq!(world.cli.read("prod.pub"), before);
    world.fetch(&["-o", "prod.pub", "--accept-new-signing-key"]).success();
    world.fetch(&["-o", "prod.pub"]).success();
}
