//! The released controller on a real API server, with thousands of `EncryptedSecret`s of three items and one data key for
//! three post-quantum readers each.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr, reason = "a benchmark")]

#[path = "../common/cluster.rs"]
mod cluster;
#[path = "../common/mod.rs"]
mod common;
mod world;

use std::time::{Duration, Instant};

use cluster::{memory, shown, ticks, until_ready, watch_secrets};
use common::Group;
use futures::{StreamExt, stream};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use sealwax_crds::EncryptedSecret;
use sealwax_tests::wait_for;
use serde_json::json;
use world::{AT_A_TIME, LONG, World, is_ready};
use xtask::tools::build_release;

/// The objects of the large measurements.
const MANY: usize = 5000;
/// Those of the smaller ones.
const FEWER: usize = 1000;
/// Changes and repairs measured one by one.
const ONE_BY_ONE: usize = 51;
/// For how long the idle controller is watched.
const IDLE: Duration = Duration::from_mins(1);

#[tokio::main]
async fn main() {
    let mut group = Group::begin("controller");
    let program = build_release("sealwax-controller", &|text| eprintln!("bench: {text}")).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
    group.record("size of the program", std::fs::metadata(&program).unwrap().len() as f64 / 1e6, "MB");
    let mut world = World::begin(program).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    group.record("resident memory without objects", memory(&world.controller, "VmRSS"), "MiB");

    first_sync(&mut group, &mut world).await;
    restart(&mut group, &mut world).await;
    changes(&mut group, &world).await;
    repairs(&mut group, &world).await;
    idle(&mut group, &world).await;
    group.end();
}

/// From objects that are there to Secrets that are all ready, and the same number of writes by a bare client.
async fn first_sync(group: &mut Group, world: &mut World) {
    let objects: Vec<_> = (0..MANY).map(|number| world.sealed(&format!("many-{number}"), "hunter2")).collect();
    let took = world.create(&objects[..FEWER]).await;
    group.record(&format!("{FEWER} objects created by a bare client"), took.as_secs_f64(), "s");
    until_ready(&world.objects(), FEWER, is_ready).await;
    group.record(&format!("resident memory with {FEWER} objects"), memory(&world.controller, "VmRSS"), "MiB");

    // Applied while the controller is away, so that its own time is seen apart from that of whoever applies.
    world.controller.terminate(Duration::from_secs(15));
    world.create(&objects[FEWER..]).await;
    let start = Instant::now();
    world.controller.restart();
    let ready =
        tokio::time::timeout(LONG, until_ready(&world.objects(), MANY, is_ready)).await.expect("all become ready");
    let ours = ready.saturating_duration_since(start);
    let rest = MANY - FEWER;
    group.record(&format!("{rest} more: from the controller's start until all are Ready"), ours.as_secs_f64(), "s");
    group.record(&format!("resident memory with {MANY} objects"), memory(&world.controller, "VmRSS"), "MiB");
    group.record("peak memory", memory(&world.controller, "VmHWM"), "MiB");
    let bare = bare_writes(world, rest).await;
    group.record(&format!("the same {} writes by a bare client", 2 * rest), bare.as_secs_f64(), "s");
    group.record("ratio of the two", ours.as_secs_f64() / bare.as_secs_f64(), "");
}

/// Makes as many Secrets, and as many patches of a status, as the controller has made.
async fn bare_writes(world: &World, count: usize) -> Duration {
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), "kube-public");
    let statuses: Api<EncryptedSecret> = Api::namespaced(world.client.clone(), "kube-public");
    let objects: Vec<_> = (0..count).map(|number| format!("bare-{number}")).collect();
    stream::iter(&objects)
        .for_each_concurrent(AT_A_TIME, |name| {
            let statuses = &statuses;
            let mut object = world.sealed("x", "hunter2");
            async move {
                object.metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
                // Not for the controller to serve: only its writes are to be imitated.
                object.spec.class = Some("bare".to_owned());
                statuses.create(&PostParams::default(), &object).await.unwrap();
            }
        })
        .await;
    let start = Instant::now();
    stream::iter(&objects)
        .for_each_concurrent(AT_A_TIME, |name| {
            let (secrets, statuses) = (&secrets, &statuses);
            async move {
                let items = ["user", "host", "password"];
                let data = items.map(|item| (item.to_owned(), ByteString(item.as_bytes().to_vec())));
                let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
                let secret = Secret { metadata, data: Some(data.into()), ..Secret::default() };
                secrets.create(&PostParams::default(), &secret).await.unwrap();
                let condition = json!({"type": "Ready", "status": "True", "reason": "Synced", "message": "as it is",
                    "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1});
                let status = json!({"apiVersion": "sealwax.dev/v1alpha1", "kind": "EncryptedSecret", "status": {
                    "observedGeneration": 1, "conditions": [condition], "secretName": name}});
                let parameters = PatchParams::apply("bench").force();
                statuses.patch_status(name, &parameters, &Patch::Apply(status)).await.unwrap();
            }
        })
        .await;
    start.elapsed()
}

/// A restart that finds everything in place: until the last of its reconciles, and what it wrote.
async fn restart(group: &mut Group, world: &mut World) {
    world.controller.terminate(Duration::from_secs(15));
    let mark = world.plane.audit().mark();
    let start = Instant::now();
    world.controller.restart();
    let url = world.controller.metrics_url().await;
    let settled = wait_for(LONG, "the restarted controller to have looked at everything", async || {
        (looked_at(&url).await? >= MANY).then(Instant::now)
    })
    .await;
    group.record(
        &format!("restart with {MANY} objects in place, until the last was looked at"),
        settled.saturating_duration_since(start).as_secs_f64(),
        "s",
    );
    tokio::time::sleep(Duration::from_secs(3)).await;
    let own = |request: &sealwax_tests::Request| {
        request.user.ends_with(":sealwax-controller") && request.resource != "leases"
    };
    let count = |condition: &dyn Fn(&sealwax_tests::Request) -> bool| {
        u32::try_from(world.plane.audit().count(mark, |request| own(request) && condition(request))).unwrap()
    };
    group.record("writes after that restart, the lease aside", count(&|request| request.is_write()).into(), "");
    group.record("single reads after that restart", count(&|request| request.verb == "get").into(), "");
    group.record("resident memory after that restart", memory(&world.controller, "VmRSS"), "MiB");
}

/// How many reconciles the metrics count.
async fn looked_at(url: &str) -> Option<usize> {
    let metrics = sealwax_tests::scrape(url).await?;
    let counts = metrics.lines().filter(|line| line.starts_with("sealwax_reconciles_total{"));
    counts.map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}

/// One object changed among many: from the API server's answer to the watch event of its Secret.
async fn changes(group: &mut Group, world: &World) {
    let objects = world.objects();
    let mut events = watch_secrets(world.secrets()).await;
    let mut samples = Vec::new();
    for number in 0..ONE_BY_ONE {
        let name = format!("many-{}", 7 * number);
        let object = world.sealed(&name, "correct horse");
        // The second change, as most are: the first one of an object takes its items over from creating.
        for round in 0..2 {
            let object = if round == 0 { world.sealed(&name, "battery") } else { object.clone() };
            // What the round before has caused besides.
            tokio::time::sleep(Duration::from_millis(50)).await;
            while events.try_recv().is_ok() {}
            objects.patch(&name, &PatchParams::apply("git").force(), &Patch::Apply(object)).await.unwrap();
            let answered = Instant::now();
            let at = loop {
                let at = shown(&mut events, &name).await;
                if settled(world, &name).await {
                    break at;
                }
            };
            if round == 1 {
                samples.push(at.saturating_duration_since(answered));
            }
        }
    }
    let what = format!("one change among {MANY}: from the answer to the Secret's watch event (median of {ONE_BY_ONE})");
    group.record_median(&what, samples);
}

/// Whether the object's current generation has been written.
async fn settled(world: &World, name: &str) -> bool {
    wait_for(LONG, "an object to settle", async || {
        let object = world.objects().get_status(name).await.ok()?;
        (object.status?.observed_generation == object.metadata.generation).then_some(())
    })
    .await;
    true
}

/// A Secret that somebody deletes: from the API server's answer to the watch event of its successor.
async fn repairs(group: &mut Group, world: &World) {
    let secrets = world.secrets();
    let mut events = watch_secrets(secrets.clone()).await;
    let mut samples = Vec::new();
    for number in 0..ONE_BY_ONE {
        let name = format!("many-{}", 11 * number + 1);
        secrets.delete(&name, &DeleteParams::default()).await.unwrap();
        let answered = Instant::now();
        samples.push(shown(&mut events, &name).await.saturating_duration_since(answered));
    }
    let what = format!("a deleted Secret among {MANY}: until it is there again (median of {ONE_BY_ONE})");
    group.record_median(&what, samples);
}

/// The processor time of a controller that has nothing to do.
async fn idle(group: &mut Group, world: &World) {
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = ticks(&world.controller);
    tokio::time::sleep(IDLE).await;
    let used = u32::try_from(ticks(&world.controller) - before).unwrap();
    // A tick is 10 ms on every Linux.
    let share = f64::from(used) / 100.0 / IDLE.as_secs_f64() * 100.0;
    group.record(&format!("processor time of the idle controller with {MANY} objects, of one core"), share, "%");
    group.record("resident memory at the end", memory(&world.controller, "VmRSS"), "MiB");
}
