//! `--explain`, and that the page about the gate says the same.

use insta::assert_snapshot;

use crate::common::Sandbox;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/check.md"));

fn listed() -> Vec<(String, String, String)> {
    let listed = Sandbox::new().sealwax(["check", "--explain"]).run().ok();
    let entry = |line: &str| {
        let (id, rest) = line.split_once(' ').unwrap();
        let (severity, title) = rest.split_once(' ').unwrap();
        (id.to_owned(), severity.to_owned(), title.trim().to_owned())
    };
    listed.lines().map(entry).collect()
}

#[test]
fn the_page_has_every_rule_and_no_other() {
    let documented: Vec<_> = PAGE
        .lines()
        .filter(|line| line.starts_with("| `WAX"))
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            (cells[0].trim_matches('`').to_owned(), cells[1].to_owned(), cells[2].to_owned())
        })
        .collect();
    assert_eq!(documented, listed());
}

#[test]
fn every_rule_is_explained() {
    let sandbox = Sandbox::new();
    for (id, severity, title) in listed() {
        let explained = sandbox.sealwax(["check", "--explain", &id]).run().ok();
        assert!(explained.starts_with(&format!("{id} ({severity}): {title}\n")), "{explained}");
        assert!(explained.contains("What to do: "), "{explained}");
    }
    assert_snapshot!(sandbox.sealwax(["check", "--explain", "wax401"]).run(), @"
    exit 0
    out: WAX401 (warning): the template of a SealedSecret holds a value in the clear
    out: 
    out: spec.template.data has an item without an expression. Templates are not encrypted and become part of the Secret.
    out: 
    out: What to do: Move the value to spec.encryptedData, or, if it is configuration, to a ConfigMap.
    ");
    assert_snapshot!(sandbox.sealwax(["check", "--explain", "WAX999"]).run(), @"
    exit 2
    err: error: WAX999: no rule has this id
    err: hint: `sealwax check --explain` lists the rules.
    ");
}
