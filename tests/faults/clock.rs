//! Clocks that jump: hours back, days ahead. Who leads and what is retried goes by a clock that nobody can set.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sealwax_tests::{ControlPlane, Namespace};
use serde_json::json;
use tempfile::TempDir;

use crate::served::{Served, install};

/// The library that moves a program's wall clock.
fn shim(directory: &Path) -> PathBuf {
    let library = directory.join("clock.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults/clock.c");
    let status = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    assert!(status.unwrap().success(), "a C compiler builds the library, as it builds the cryptography");
    library
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wall_clock_may_jump_as_it_likes() {
    let plane = ControlPlane::shared().await;
    install(plane);
    let directory = TempDir::new().unwrap();
    let offset = directory.path().join("offset");
    let set = |seconds: i64| {
        // Replaced as a whole: the program may read it at any moment.
        let mut file = tempfile::NamedTempFile::new_in(directory.path()).unwrap();
        write!(file, "{seconds}").unwrap();
        file.persist(&offset).unwrap();
    };
    set(0);
    let library = shim(directory.path());
    let namespace = Namespace::create(plane, "clock").await;
    let keys = Namespace::create(plane, "clock-keys").await;
    let environment = [("LD_PRELOAD", library.to_str().unwrap()), ("CLOCK_OFFSET", offset.to_str().unwrap())];
    let mut served = Served::start_in_environment(plane, namespace, keys, &environment).await;
    let reader = served.recipient().await;
    for (round, jump) in [0_i64, -7200, 86_400 * 400, 0].into_iter().enumerate() {
        set(jump);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let (name, value) = (format!("db-{round}"), format!("v{round}"));
        served.apply(&served.seal(reader.clone(), &name, &[("password", &value)])).await;
        served.ready(&name, "True", "Synced").await;
        served.edit(&name, json!({"stringData": {"password": "drifted"}})).await;
        served.holds(&name, &[("password", &value)]).await;
        assert!(served.controller.is_running(), "it led on through a jump of {jump} s");
    }
    let log = served.controller.log();
    assert_eq!(log.matches("\"message\":\"leading\"").count(), 1, "it never lost the lease");
    // The clock did jump for it: its log tells the time.
    let year = |line: &str| line.split("\"timestamp\":\"").nth(1).map(|time| time[..4].to_owned());
    let years: std::collections::BTreeSet<_> = log.lines().filter_map(year).collect();
    assert!(years.len() > 1, "{years:?}");
    let keys = served.key_secrets.list(&kube::api::ListParams::default().labels("sealwax.dev/cluster-key")).await;
    assert_eq!(keys.unwrap().items.len(), 1);
}
