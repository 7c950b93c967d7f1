//! The released controller with a thousand `ExternalSecret`s: what it asks of Vault and of AWS, and what it does while Vault
//! is away. Calls are counted by the server's own audit log where there is one, else by a proxy before the server.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr, reason = "a benchmark")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

#[path = "../common/cluster.rs"]
mod cluster;
#[path = "../common/mod.rs"]
mod common;
mod world;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cluster::{memory, shown, ticks, watch_secrets};
use common::Group;
use kube::api::DeleteParams;
use sealwax_test_servers::{Bao, Moto, Proxy, Rule};
use serde_json::{Value, json};
use world::{World, is_fresh, is_stale, object};
use xtask::tools::{build_release, source_servers};

/// Objects that read from each provider.
const OBJECTS: usize = 1000;
/// What they read of Vault.
const PATHS: usize = 300;
/// How often.
const EVERY: Duration = Duration::from_mins(1);
/// For how long calls are counted.
const COUNTED: Duration = Duration::from_mins(5);
/// For how long the source is away.
const OUTAGE: Duration = Duration::from_mins(10);
/// Secrets deleted one by one while the source is away.
const DELETED: usize = 51;
const REGION: &str = "eu-central-1";
const PROPERTIES: [&str; 3] = ["user", "host", "password"];

#[tokio::main]
async fn main() {
    let mut group = Group::begin("sources");
    let report = |text: &str| eprintln!("bench: {text}");
    let program = build_release("sealwax-controller", &report).unwrap();
    let [bao, moto] = source_servers(&report).unwrap();
    let (bao, moto) =
        tokio::task::spawn_blocking(move || (Bao::launch_lasting(&bao).unwrap(), Moto::launch(&moto).unwrap()))
            .await
            .unwrap();
    let aws = Proxy::before(moto.url());
    let vault = Proxy::before(bao.url());
    let mut world = World::begin(program, &aws.url()).await;
    world.controller.wait_for_log(Duration::from_secs(30), "\"leading\"").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    group.record("resident memory without objects", memory(&world.controller, "VmRSS"), "MiB");
    first_sync(&mut group, &mut world, &bao).await;
    steady(&mut group, &world, &bao).await;
    follows(&mut group, &world, &bao).await;
    restores(&mut group, &world, &bao).await;
    outage(&mut group, &world, &vault).await;
    batches(&mut group, &mut world, &moto, &aws).await;
    group.end();
}

/// What a server that keeps an audit log was asked for.
struct Asked {
    reads: usize,
    logins: usize,
    all: usize,
}

impl Asked {
    fn of(bao: &Bao) -> Self {
        let all = bao.requested();
        let reads = all.iter().filter(|path| path.starts_with("secret/data/")).count();
        Self { reads, logins: all.iter().filter(|path| path.ends_with("/login")).count(), all: all.len() }
    }

    fn since(bao: &Bao, before: &Self) -> Self {
        let now = Self::of(bao);
        Self { reads: now.reads - before.reads, logins: now.logins - before.logins, all: now.all - before.all }
    }
}

fn stored(server: &str) -> Value {
    let auth = json!({"path": "approle", "roleRef": {"name": "vault", "key": "role"}, "secretRef": {"name": "vault", "key": "secret"}});
    json!({"vault": {"server": server, "path": "secret", "version": "v2", "auth": {"appRole": auth}}})
}

/// A thousand objects of three properties over three hundred paths.
async fn first_sync(group: &mut Group, world: &mut World, bao: &Bao) {
    for path in 0..PATHS {
        let all: serde_json::Map<_, _> = PROPERTIES.iter().map(|name| ((*name).to_owned(), json!("hunter2"))).collect();
        bao.put(&format!("bench/{path}"), Value::Object(all));
    }
    bao.policy("bench", &[("secret/data/*", "\"read\"")]);
    let (role, secret) = bao.app_role("bench", &json!({"token_policies": ["bench"], "token_ttl": "1h"}));
    world.credentials("vault", &json!({"role": role, "secret": secret}));
    world.store("vault", &stored(bao.url()));
    let every = format!("{}s", EVERY.as_secs());
    let objects: Vec<_> = (0..OBJECTS)
        .map(|number| {
            object(&format!("vault-{number}"), "vault", &format!("bench/{}", number % PATHS), Some(PROPERTIES), &every)
        })
        .collect();
    let before = Asked::of(bao);
    let took = world.first_sync(&objects, OBJECTS).await;
    let asked = Asked::since(bao, &before);
    group.record("Vault: from the controller's start until 1000 objects are Ready", took.as_secs_f64(), "s");
    group.record("Vault: reads in that time, of 300 paths", asked.reads as f64, "");
    group.record("Vault: logins in that time", asked.logins as f64, "");
    group.record("Vault: requests of any kind in that time", asked.all as f64, "");
    group.record("resident memory with these objects", memory(&world.controller, "VmRSS"), "MiB");
}

/// What the objects cost when nothing happens, and how evenly it is spread.
async fn steady(group: &mut Group, world: &World, bao: &Bao) {
    // The first reads came all at once; each round spreads the next one more.
    tokio::time::sleep(2 * EVERY).await;
    let (before, used) = (Asked::of(bao), ticks(&world.controller));
    let mut seconds = Vec::new();
    let (start, mut last) = (Instant::now(), before.reads);
    while start.elapsed() < COUNTED {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let reads = Asked::of(bao).reads;
        seconds.push(reads - last);
        last = reads;
    }
    let time = start.elapsed().as_secs_f64();
    let asked = Asked::since(bao, &before);
    let intervals = time / EVERY.as_secs_f64();
    group.record("Vault: reads per path and interval", asked.reads as f64 / PATHS as f64 / intervals, "");
    group.record("Vault: logins in five intervals", asked.logins as f64, "");
    group.record("Vault: requests that were no reads in five intervals", (asked.all - asked.reads) as f64, "");
    group.record("Vault: reads per second on average", asked.reads as f64 / time, "");
    group.record("Vault: reads in the busiest second", seconds.iter().copied().max().unwrap_or(0) as f64, "");
    let quiet = seconds.iter().filter(|reads| **reads == 0).count();
    group.record("Vault: seconds without a read", 100.0 * quiet as f64 / seconds.len() as f64, "%");
    let used = (ticks(&world.controller) - used) as f64 / 100.0;
    group.record("processor in that time, of one core", 100.0 * used / time, "%");
    group.record("resident memory after that", memory(&world.controller, "VmRSS"), "MiB");
}

/// A value changes at its origin.
async fn follows(group: &mut Group, world: &World, bao: &Bao) {
    let mut events = watch_secrets(world.secrets()).await;
    bao.put("bench/7", json!({"user": "hunter2", "host": "hunter2", "password": "hunter3"}));
    let start = Instant::now();
    let mut waiting: BTreeSet<_> = (7..OBJECTS).step_by(PATHS).map(|number| format!("vault-{number}")).collect();
    let mut last = start;
    while !waiting.is_empty() {
        let event = tokio::time::timeout(2 * EVERY, events.recv()).await.expect("the Secrets follow");
        let (name, _, at) = event.expect("the watch goes on");
        if waiting.remove(&name) {
            last = at;
        }
    }
    let took = last.saturating_duration_since(start).as_secs_f64();
    group.record("Vault: a change at its origin until the last of its Secrets has it", took, "s");
}

/// Vault ends; Secrets are deleted.
async fn restores(group: &mut Group, world: &World, bao: &Bao) {
    bao.stop();
    world.all(1, is_stale).await;
    let secrets = world.secrets();
    let mut events = watch_secrets(secrets.clone()).await;
    let mut samples = Vec::new();
    for number in 0..DELETED {
        let name = format!("vault-{number}");
        secrets.delete(&name, &DeleteParams::default()).await.unwrap();
        let answered = Instant::now();
        samples.push(shown(&mut events, &name).await.saturating_duration_since(answered));
    }
    let slowest = samples.iter().max().copied().unwrap_or_default();
    group.record_median("a deleted Secret made again, its source being down (median of 51)", samples);
    group.record("the slowest of them", slowest.as_secs_f64() * 1000.0, "ms");
    bao.start_again();
    world.all(OBJECTS, is_fresh).await;
}

/// Vault answers nothing but 503 for ten minutes.
async fn outage(group: &mut Group, world: &World, vault: &Proxy) {
    world.store("vault", &stored(&vault.url()));
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.all(OBJECTS, is_fresh).await;
    vault.prepare(Rule::answer("*", 503, "{\"errors\":[\"away\"]}"));
    vault.calls();
    tokio::time::sleep(OUTAGE).await;
    let calls = vault.calls().len();
    let stale = world.objects().list(&kube::api::ListParams::default()).await.unwrap();
    group.record("outage of 10 minutes: requests made", calls as f64, "");
    group.record("objects that say so", stale.iter().filter(|object| is_stale(object)).count() as f64, "");
    group.record(
        "objects that are not Ready",
        stale.iter().filter(|object| !world::is_ready(object)).count() as f64,
        "",
    );
    vault.pass();
    let start = Instant::now();
    let fresh = world.all(OBJECTS, is_fresh).await.saturating_duration_since(start);
    group.record("until all are fresh again", fresh.as_secs_f64(), "s");
    group.record("requests made in that time", vault.calls().len() as f64, "");
}

/// A thousand objects more: half of them each read a secret, the other half a parameter of their own.
async fn batches(group: &mut Group, world: &mut World, moto: &Moto, aws: &Proxy) {
    let half = OBJECTS / 2;
    for number in 0..half {
        let secret = json!({"Name": format!("bench/{number}"), "SecretString": "hunter2", "ClientRequestToken": format!("{number:032}")});
        moto.secrets_manager(REGION, "CreateSecret", secret);
        let parameter = json!({"Name": format!("/bench/{number}"), "Value": "hunter2", "Type": "SecureString"});
        moto.parameter_store(REGION, "PutParameter", parameter);
    }
    world.credentials("aws", &json!({"id": "bench", "secret": "bench"}));
    let keys = json!({"accessKeyIDSecretRef": {"name": "aws", "key": "id"}, "secretAccessKeySecretRef": {"name": "aws", "key": "secret"}});
    let stores =
        [("secrets", "SecretsManager", "BatchGetSecretValue"), ("parameters", "ParameterStore", "GetParameters")];
    let every = format!("{}s", EVERY.as_secs());
    let mut objects = Vec::new();
    for (store, service, _) in stores {
        let provider = json!({"aws": {"service": service, "region": REGION, "auth": {"secretRef": keys}}});
        world.store(store, &provider);
        objects.extend((0..half).map(|number| {
            let key = if store == "secrets" { format!("bench/{number}") } else { format!("/bench/{number}") };
            object(&format!("{store}-{number}"), store, &key, None, &every)
        }));
    }
    aws.calls();
    let took = world.first_sync(&objects, 2 * OBJECTS).await;
    group.record("AWS: from the controller's start until 1000 more are Ready", took.as_secs_f64(), "s");
    tokio::time::sleep(2 * EVERY).await;
    aws.calls();
    let start = Instant::now();
    tokio::time::sleep(COUNTED).await;
    let intervals = start.elapsed().as_secs_f64() / EVERY.as_secs_f64();
    let names = aws.names();
    for (store, _, call) in stores {
        let calls = names.iter().filter(|name| *name == call).count() as f64;
        group.record(&format!("AWS: calls per interval for 500 {store}"), calls / intervals, "");
    }
    let others = names.iter().filter(|name| stores.iter().all(|(.., call)| name != call)).count();
    group.record("AWS: other calls in five intervals", others as f64, "");
    group.record("resident memory with 2000 objects", memory(&world.controller, "VmRSS"), "MiB");
    group.record("peak memory", memory(&world.controller, "VmHWM"), "MiB");
}
