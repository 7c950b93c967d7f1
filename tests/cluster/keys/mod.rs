//! The life of cluster keys against a real API server: made, escrowed, rotated, retired, lost and restored.

mod drill;
mod recovery;
mod world;

use std::process::{Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use sealwax_tests::{Identity, wait_for};
use serde_json::json;

use world::{ALL, FIRST, SECOND, SOON, World, age, identity_file, metrics, wait_for_metric};

#[tokio::test]
async fn a_key_seals_only_after_its_escrow_copy_exists() {
    let world = World::new("escrow").await;
    let (offline, recipient) = world.person("offline");
    let (file, sealing) = identity_file("2026-01-01T00:00:00Z");
    world.add_key(FIRST, "made", file.expose()).await;
    world.add_controller_key().await;
    let controller =
        world.controller_with("list, watch, patch", &["--escrow-recipient", &recipient, "--escrow-config-map"]).await;
    world.wait_for_event("EscrowMissing", FIRST).await;
    wait_for_metric(&controller, "sealwax_escrow_missing 1").await;
    assert_eq!(world.state(FIRST).await.as_deref(), Some("made"));
    assert!(world.config_maps.get_opt("sealwax-recipients").await.unwrap().is_none(), "nothing to seal for");

    world.plane.kubectl().apply(&world.rights(ALL));
    world.is_in_state(FIRST, "active").await;
    assert_eq!(world.recipient().await.canonical(), sealing.canonical());
    wait_for_metric(&controller, "sealwax_escrow_missing 0").await;

    // The copies are age files of the whole identity file, in the Secret and in the ConfigMap.
    let secret = world.key_secrets.get(&format!("{FIRST}-escrow")).await.unwrap();
    assert_eq!(secret.type_.as_deref(), Some("sealwax.dev/escrow"));
    let (item, copy) = secret.data.unwrap().pop_first().unwrap();
    let published = world.config_maps.get("sealwax-escrow").await.unwrap().data.unwrap();
    for copy in [copy.0.as_slice(), published[&format!("{FIRST}.{item}")].as_bytes()] {
        let path = world.cli.write("copy.age", copy);
        let opened = world.cli.command(age()).args(["-d", "-i", &offline]).arg(path).output().unwrap();
        assert_eq!(opened.stdout, file.expose(), "{}", String::from_utf8_lossy(&opened.stderr));
    }

    // One that is deleted is made again.
    world.key_secrets.delete(&format!("{FIRST}-escrow"), &DeleteParams::default()).await.unwrap();
    wait_for(SOON, "a new copy", async || world.key_secrets.get_opt(&format!("{FIRST}-escrow")).await.ok()?).await;
    let listed = world.sealwax_keys(&["list"]).success();
    let row: Vec<_> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    let expected = [sealing.label().fingerprint().as_str(), "2026-01-01T00:00:00Z", "yes", "1", "0"];
    assert_eq!(row, [&["active", FIRST], &expected[..]].concat(), "{listed}");
}

#[tokio::test]
async fn a_new_escrow_recipient_gets_copies_of_every_key() {
    let world = World::new("escrow-more").await;
    let (_, one) = world.person("one");
    let (_, other) = world.person("other");
    let mut controller = world.controller(&["--escrow-recipient", &one]).await;
    world.is_in_state(FIRST, "active").await;
    controller
        .restart_with(&[&world.flags()[..], &["--escrow-recipient", &one, "--escrow-recipient", &other]].concat());
    wait_for(SOON, "two copies", async || {
        let data = world.key_secrets.get(&format!("{FIRST}-escrow")).await.ok()?.data?;
        (data.len() == 2 && data.values().all(|copy| copy.0.starts_with(b"-----BEGIN AGE"))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn rotation_by_command_and_retiring_what_nothing_needs() {
    let world = World::new("rotate").await;
    let controller = world.controller(&[]).await;
    let old = world.recipient().await;
    world.apply("db", old.clone(), "first").await;
    world.holds("db", "first").await;

    let rotated = world.sealwax_keys(&["rotate"]);
    rotated.success();
    assert!(rotated.stderr.contains("backup"), "{}", rotated.stderr);
    assert_eq!(world.state(SECOND).await.as_deref(), Some("active"));
    assert_eq!(world.state(FIRST).await.as_deref(), Some("old"));
    let new = world.recipient().await;
    assert_ne!(old.canonical(), new.canonical());
    assert_eq!(world.published().await.entries().count(), 2, "the old one is listed too");
    world.opens_again("db", "first").await;
    world.apply("web", new.clone(), "second").await;
    world.holds("web", "second").await;
    for (reason, about) in [("KeyMade", SECOND), ("KeyActivated", SECOND), ("KeyReplaced", FIRST)] {
        world.wait_for_event(reason, about).await;
    }
    wait_for_metric(&controller, "sealwax_cluster_keys{state=\"old\"} 1").await;

    // Not the sealing key, and not one that is needed; both are named.
    let refused = world.sealwax_keys(&["retire", SECOND]);
    assert!(refused.failure(1).contains("seals"), "{}", refused.stderr);
    let refused = world.sealwax_keys(&["retire", FIRST]);
    assert!(refused.failure(1).contains(&format!("needed by 1 objects: {}/db", world.namespace.name())));
    let needing = world.sealwax_keys(&["needed-by", FIRST]).success();
    assert_eq!(needing, format!("{}/db\n", world.namespace.name()));

    world.apply("db", new, "third").await;
    world.holds("db", "third").await;
    world.sealwax_keys(&["retire", FIRST]).success();
    assert_eq!(world.state(FIRST).await.as_deref(), Some("retired"));
    wait_for(SOON, "one recipient", async || (world.published().await.entries().count() == 1).then_some(())).await;
    world.apply("late", old, "fourth").await;
    world.reason("late", "NoIdentity").await;
    // Its label brings it back.
    world.relabel(FIRST, "old").await;
    world.holds("late", "fourth").await;
}

#[tokio::test]
async fn another_key_seals_by_command_only() {
    let world = World::new("rotate-to").await;
    let _controller = world.controller(&[]).await;
    let sealing = world.recipient().await;
    let (file, other) = identity_file("2036-01-01T00:00:00Z");
    // Labelled as if it sealed, and newer.
    world.add_key("brought", "active", file.expose()).await;
    wait_for(SOON, "both to be listed", async || (world.published().await.entries().count() == 2).then_some(())).await;
    assert_eq!(world.recipient().await.canonical(), sealing.canonical(), "no key takes over by being there");
    world.wait_for_event("SeveralActiveKeys", "sealwax-recipients").await;
    let annotated = world.key_secrets.get("brought").await.unwrap().metadata.annotations.unwrap();
    assert_eq!(annotated["sealwax.dev/fingerprint"], other.label().fingerprint().as_str());

    world.sealwax_keys(&["rotate", "--to", "brought"]).success();
    assert_eq!(world.recipient().await.canonical(), other.canonical());
    assert_eq!(world.state(FIRST).await.as_deref(), Some("old"));
    assert_eq!(world.key_names().await.len(), 2, "none was made");
}

#[tokio::test]
async fn a_request_makes_one_key_however_often_the_controller_starts() {
    let world = World::new("request").await;
    let mut controller = world.controller(&[]).await;
    world.recipient().await;
    let request = json!({"metadata": {"annotations": {"sealwax.dev/rotate": "by hand"}}});
    let patch = Patch::Merge(request);
    world.config_maps.patch("sealwax-recipients", &PatchParams::default(), &patch).await.unwrap();
    world.is_in_state(SECOND, "active").await;
    wait_for(SOON, "the answer to be noted", async || {
        let annotations = world.config_maps.get("sealwax-recipients").await.ok()?.metadata.annotations?;
        (annotations.get("sealwax.dev/rotated")? == "by hand").then_some(())
    })
    .await;
    for starts in 2..4 {
        controller.restart();
        wait_for(SOON, "it to lead again", async || {
            (controller.log().matches("\"leading\"").count() == starts).then_some(())
        })
        .await;
    }
    // A request stays answered when its key is gone.
    world.key_secrets.delete(SECOND, &DeleteParams::default()).await.unwrap();
    controller.wait_for_log(SOON, "there is no key to seal with").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.key_names().await, [FIRST]);
}

#[tokio::test]
async fn the_schedule_replaces_an_old_key_once() {
    let world = World::new("schedule").await;
    let (file, _) = identity_file("2020-01-01T00:00:00Z");
    world.add_key("ancient", "active", file.expose()).await;
    let controller = world.controller(&["--rotate-keys-every", "90d"]).await;
    world.is_in_state(FIRST, "active").await;
    assert_eq!(world.state("ancient").await.as_deref(), Some("old"));
    wait_for_metric(&controller, "sealwax_cluster_keys{state=\"active\"} 1").await;
    // Told after the states, in a step of its own.
    let (created, due) = wait_for(SOON, "the times of the sealing key", async || {
        let served = metrics(&controller).await;
        let time = |name: &str| {
            let line = served.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse::<i64>().ok().filter(|time| *time > 0)
        };
        let created = time("sealwax_sealing_key_created_timestamp_seconds ")?;
        Some((created, time("sealwax_sealing_key_rotation_due_timestamp_seconds ")?))
    })
    .await;
    assert_eq!(due - created, 90 * 24 * 3600);
    assert_eq!(world.key_names().await.len(), 2);
}

#[tokio::test]
async fn a_malformed_key_is_told_and_harms_nothing_else() {
    let world = World::new("malformed").await;
    let controller = world.controller(&[]).await;
    let recipient = world.recipient().await;
    world.add_key("broken", "active", b"AGE-SECRET-KEY-PQ-1HUNTER2").await;
    world.wait_for_event("MalformedKey", "broken").await;
    wait_for_metric(&controller, "sealwax_cluster_keys{state=\"malformed\"} 1").await;
    wait_for_metric(&controller, "sealwax_cluster_keys{state=\"active\"} 1").await;
    world.apply("db", recipient, "value").await;
    world.holds("db", "value").await;
    world.key_secrets.delete("broken", &DeleteParams::default()).await.unwrap();
    wait_for_metric(&controller, "sealwax_cluster_keys{state=\"malformed\"} 0").await;
    // A label that names no state: it opens, and that is told.
    let (file, other) = identity_file("2026-01-01T00:00:00Z");
    world.add_key("odd", "primary", file.expose()).await;
    world.wait_for_event("UnknownKeyState", "odd").await;
    world.apply("odd", other, "other").await;
    world.holds("odd", "other").await;
    assert!(!controller.log().contains("HUNTER2"));
}

#[tokio::test]
async fn a_name_that_is_taken_and_a_key_without_its_label_are_told() {
    let world = World::new("unseen").await;
    let mut taken = Secret::default();
    taken.metadata.name = Some(FIRST.to_owned());
    world.key_secrets.create(&PostParams::default(), &taken).await.unwrap();
    let mut controller = world.controller(&[]).await;
    world.wait_for_event("NameTaken", FIRST).await;
    world.key_secrets.delete(FIRST, &DeleteParams::default()).await.unwrap();
    world.is_in_state(FIRST, "active").await;
    world.recipient().await;

    // Without its label, and with nothing published, it is a key all the same.
    let bare = Patch::Merge(json!({"metadata": {"labels": null}}));
    world.key_secrets.patch(FIRST, &PatchParams::default(), &bare).await.unwrap();
    world.wait_for_event("UnknownKeyState", FIRST).await;
    world.config_maps.delete("sealwax-recipients", &DeleteParams::default()).await.unwrap();
    controller.restart();
    world.tells_after_start(&controller, 2, "there is no key to seal with").await;
    assert!(world.key_secrets.get_opt(SECOND).await.unwrap().is_none(), "no rival");
    world.relabel(FIRST, "active").await;
    world.recipient().await;
}

#[tokio::test]
async fn a_made_key_that_nobody_asked_for_waits() {
    let world = World::new("unasked").await;
    let _controller = world.controller(&[]).await;
    let sealing = world.recipient().await;
    let (file, _) = identity_file("2036-01-01T00:00:00Z");
    world.add_key("brought", "waiting", file.expose()).await;
    world.relabel("brought", "made").await;
    world.wait_for_event("KeyWaits", "brought").await;
    assert_eq!(world.recipient().await.canonical(), sealing.canonical());
    assert_eq!(world.state(FIRST).await.as_deref(), Some("active"));
}

#[tokio::test]
async fn a_request_waits_for_the_controller_and_makes_a_key_on_purpose() {
    let world = World::new("purpose").await;
    // An object of a lost cluster: no key would be made unasked.
    let (_, lost) = identity_file("2026-01-01T00:00:00Z");
    world.apply("db", lost, "value").await;
    let unanswered = world.sealwax_keys(&["rotate", "--timeout", "1", "--begin-anew"]);
    assert!(unanswered.failure(1).contains("Is it running?"), "{}", unanswered.stderr);
    let controller = world.controller(&[]).await;
    world.is_in_state(FIRST, "active").await;
    world.apply("web", world.recipient().await, "value").await;
    world.holds("web", "value").await;
    world.reason("db", "NoIdentity").await;
    assert!(!controller.log().contains("there is no key to seal with"));
}

#[tokio::test]
async fn missing_rights_are_named() {
    let mut world = World::new("rights").await;
    let _controller = world.controller(&[]).await;
    world.apply("db", world.recipient().await, "value").await;
    world.holds("db", "value").await;
    let (keys, namespace) = (world.keys.name().to_owned(), world.namespace.name().to_owned());
    let nobody = Identity::create(world.plane, &keys, "nobody", "").await;
    world.cli.env("KUBECONFIG", nobody.kubeconfig());
    let refused = world.sealwax_keys(&["list"]);
    assert!(refused.failure(1).contains("cannot list resource \"secrets\""), "{}", refused.stderr);
    let refused = world.fetch(&["-o", "prod.pub"]);
    assert!(refused.failure(1).contains("cannot get resource \"configmaps\""), "{}", refused.stderr);

    // Metadata of keys, and the objects of one namespace: enough to see who needs what.
    let role = |namespace: &str, rules: &str| {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: some, namespace: {namespace}}}\n\
             rules: [{rules}]\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n\
             metadata: {{name: some, namespace: {namespace}}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: some}}\n\
             subjects: [{{kind: ServiceAccount, name: some, namespace: {keys}}}]\n---\n"
        )
    };
    let rights = role(
        &keys,
        "{apiGroups: [\"\"], resources: [secrets], verbs: [list]}, {apiGroups: [\"\"], resources: [configmaps], verbs: [get]}",
    ) + &role(&namespace, "{apiGroups: [sealwax.dev], resources: [encryptedsecrets], verbs: [list]}");
    let some = Identity::create(world.plane, &keys, "some", &rights).await;
    world.cli.env("KUBECONFIG", some.kubeconfig());
    let everywhere = world.sealwax_keys(&["needed-by", FIRST]);
    assert!(everywhere.failure(1).contains("--in NAMESPACE"), "{}", everywhere.stderr);
    assert_eq!(world.sealwax_keys(&["needed-by", FIRST, "--in", &namespace]).success(), format!("{namespace}/db\n"));
    assert!(world.sealwax_keys(&["list"]).success().trim_end().ends_with('?'), "not counted, and shown all the same");
    let refused = world.sealwax_keys(&["rotate"]);
    assert!(refused.failure(1).contains("cannot patch resource \"configmaps\""), "{}", refused.stderr);
}

/// Runs a command with bytes on its standard input.
fn piped(command: &mut Command, input: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}");
    output.stdout
}
