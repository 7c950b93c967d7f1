//! Ways around a policy, and ways to lose another writer's work: none of them is open.

use std::os::unix::fs::symlink;

use crate::common::{SECRET, Sandbox};

#[test]
fn a_symbolic_link_brings_no_other_rule() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    sandbox.git(&["init", "--quiet"]);
    sandbox.write(
        ".sealwax.toml",
        format!(
            "version = 1\n[recipients]\nalice = \"{}\"\nbob = \"{}\"\n\
             [[rule]]\npath = \"prod/**\"\nencrypt = [\"stringData.*\"]\nrecipients = [\"alice\"]\n\
             [[rule]]\npath = \"dev/**\"\nencrypt = [\"stringData.*\"]\nrecipients = [\"bob\"]\n",
            alice.recipient, bob.recipient
        ),
    );
    sandbox.write("prod/db.yaml", SECRET);
    std::fs::create_dir(sandbox.path("dev")).unwrap();
    symlink("../prod/db.yaml", sandbox.path("dev/db.yaml")).unwrap();
    sandbox.sealwax(["encrypt", "dev/db.yaml"]).run().ok();
    assert_eq!(sandbox.sealwax(["get", "prod/db.yaml", "password"]).by(&alice).run().code, Some(0));
    assert_eq!(sandbox.sealwax(["get", "prod/db.yaml", "password"]).by(&bob).run().code, Some(1));
}

#[test]
fn the_command_line_takes_nothing_from_the_rule() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.write("db.yaml", SECRET);
    sandbox.sealwax(["encrypt", "db.yaml", "--select", "stringData.user*"]).run().ok();
    assert!(!sandbox.read("db.yaml").contains("s3cr3t-pass"), "what the rule selects is encrypted all the same");
}

#[test]
fn readers_without_a_name_are_told_apart() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    sandbox.write("db.yaml", SECRET);
    let flags = ["--select", "stringData.*"];
    sandbox.sealwax(["encrypt", "db.yaml", "--to", &alice.recipient]).args(&flags).run().ok();
    let outcome = sandbox.sealwax(["rekey", "db.yaml", "--to", &bob.recipient]).args(&flags).by(&alice).run();
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("has been able to read"), "a removed reader, not a newer key: {}", outcome.stderr);
    assert_eq!(sandbox.sealwax(["get", "db.yaml", "password"]).by(&alice).run().code, Some(1));
}

#[test]
fn an_included_policy_names_no_readers_for_others() {
    let sandbox = Sandbox::new();
    let bob = sandbox.person("bob");
    sandbox.git(&["init", "--quiet"]);
    let rule = "[[rule]]\npath = \"**\"\nencrypt = [\"stringData.*\"]\nrecipients = [\"ops\"]\n";
    sandbox.write(".sealwax.toml", format!("version = 1\ninclude = [\"team/policy.toml\"]\n{rule}"));
    sandbox.write("team/policy.toml", format!("version = 1\n[recipients]\nops = \"{}\"\n", bob.recipient));
    sandbox.write("db.yaml", SECRET);
    assert_eq!(sandbox.sealwax(["encrypt", "db.yaml"]).run().code, Some(2));
    assert_eq!(sandbox.read("db.yaml"), SECRET);
}

#[test]
fn two_writers_lose_nothing() {
    let (sandbox, alice) = Sandbox::with_policy();
    for round in 0..20 {
        sandbox.write("db.yaml", SECRET);
        sandbox.sealwax(["encrypt", "db.yaml"]).run().ok();
        let values = [format!("first-{round}"), format!("second-{round}")];
        let outcomes = std::thread::scope(|scope| {
            let writers = ["user", "password"].into_iter().zip(&values).map(|(item, value)| {
                let sandbox = &sandbox;
                scope.spawn(move || sandbox.sealwax(["set", "db.yaml", item]).input(value.as_str()).run().code)
            });
            let writers: Vec<_> = writers.collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect::<Vec<_>>()
        });
        for ((item, value), code) in ["user", "password"].into_iter().zip(&values).zip(outcomes) {
            let stands = sandbox.sealwax(["get", "db.yaml", item]).by(&alice).run().stdout == value.as_bytes();
            assert_eq!(code == Some(0), stands, "round {round}: {item} exited with {code:?}");
        }
    }
}
