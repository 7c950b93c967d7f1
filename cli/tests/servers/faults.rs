//! Servers that fail half-way, and runs that are killed: all is written, or nothing.

use std::time::{Duration, Instant};

use insta::assert_snapshot;
use sealwax_test_servers::{Bao, Proxy, Rule};
use serde_json::json;

use crate::assert_nothing;
use crate::common::{Run, Sandbox};

const IMPORT: [&str; 11] = [
    "import",
    "--from",
    "vault:secret/faults/one",
    "--from",
    "vault:secret/faults/two",
    "--namespace",
    "prod",
    "--name",
    "db",
    "-o",
    "db.yaml",
];

fn prepared() -> (Sandbox, Proxy) {
    let bao = Bao::shared();
    bao.put("faults/one", json!({"one": "s3cr3t-1"}));
    bao.put("faults/two", json!({"two": "s3cr3t-2"}));
    (Sandbox::with_policy().0, Proxy::before(bao.url()))
}

fn run<'s>(sandbox: &'s Sandbox, proxy: &Proxy) -> Run<'s> {
    sandbox.sealwax(IMPORT).env("VAULT_ADDR", proxy.url()).env("VAULT_TOKEN", Bao::shared().root_token())
}

#[test]
fn a_server_that_fails_half_way_leaves_nothing() {
    let (sandbox, proxy) = prepared();
    let second = "GET /v1/secret/data/faults/two*";
    for (rule, message) in [
        (Rule::answer(second, 503, "{\"errors\":[\"s3cr3t of the server\"]}"), "(503)"),
        (Rule::answer(second, 429, ""), "too many calls; try again later (429)"),
        (Rule::answer(second, 200, "{\"data\": {\"data\": \"s3cr3t\"}}"), "the answer is not as Vault gives it"),
        (Rule::break_off(second), "the connection broke"),
        (Rule::hang_up(second), "the connection broke"),
    ] {
        proxy.pass();
        proxy.prepare(rule);
        let outcome = run(&sandbox, &proxy).run();
        assert_eq!(outcome.code, Some(1), "{outcome}");
        assert!(outcome.stderr.contains(message), "{outcome}");
        assert!(outcome.stderr.ends_with("nothing was written\n"), "{outcome}");
        assert_nothing(&sandbox, &outcome);
    }
    proxy.pass();
    run(&sandbox, &proxy).run().ok();
}

#[test]
fn a_run_that_is_killed_leaves_nothing() {
    let (sandbox, proxy) = prepared();
    proxy.prepare(Rule::delay("GET /v1/secret/data/faults/two*", Duration::from_mins(1)));
    let mut run = run(&sandbox, &proxy);
    let mut child = run.start();
    let (patience, mut seen) = (Instant::now() + Duration::from_secs(30), Vec::new());
    while !seen.iter().any(|call: &String| call.contains("faults/two")) {
        assert!(Instant::now() < patience, "it did not come to read: {seen:?}");
        std::thread::sleep(Duration::from_millis(20));
        seen.extend(proxy.names());
    }
    child.kill().unwrap();
    let outcome = run.finish(child);
    assert_snapshot!(outcome, @"killed");
    assert_nothing(&sandbox, &outcome);
}
