//! The flags that the chart sets and the documentation explains are those that the controller has.

use std::collections::BTreeSet;
use std::process::Command;

use xtask::tools::build_binary;

use crate::common::{documents, find, render, succeeded, text};

/// Flags that the chart sets and this controller does not have yet. Whoever teaches it takes them out of this list.
const NOT_YET: [&str; 11] = [
    "--class",
    "--concurrency",
    "--escrow-config-map",
    "--escrow-recipient",
    "--lease-duration",
    "--lease-name",
    "--namespace-selector",
    "--not-ready-after",
    "--restarts",
    "--rotate-keys-every",
    "--selector",
];

/// The flags of `--help`, other than those that every program has.
fn known() -> BTreeSet<String> {
    let program = build_binary("SEALWAX_CONTROLLER_BIN", "sealwax-controller", "sealwax-controller").unwrap();
    let help = succeeded(&Command::new(program).arg("--help").output().unwrap());
    let words = help.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")));
    let flags = words.filter(|flag| !["--help", "--version"].contains(flag)).map(|flag| flag.trim_end_matches(','));
    let flags: BTreeSet<String> = flags.map(str::to_owned).collect();
    assert!(flags.contains("--cluster-name"), "{help}");
    flags
}

fn with_those_to_come() -> BTreeSet<String> {
    let mut flags = known();
    for flag in NOT_YET {
        assert!(flags.insert(flag.to_owned()), "the controller has {flag}: take it out of NOT_YET");
    }
    flags
}

#[test]
fn the_chart_sets_flags_that_exist() {
    let mut set = BTreeSet::new();
    for (values, name) in [("scoped", "sealwax-controller"), ("selector", "team-sealwax-controller")] {
        let rendered = documents(&render(&["--values", &format!("tests/manifests/values/{values}.yaml")]));
        let containers = &find(&rendered, "Deployment", name)["spec"]["template"]["spec"]["containers"];
        for argument in containers[0]["args"].as_array().unwrap() {
            set.insert(argument.as_str().unwrap().split('=').next().unwrap_or_default().to_owned());
        }
    }
    // This one comes from the environment: it is the Pod's own namespace.
    set.insert("--key-namespace".to_owned());
    assert_eq!(set, with_those_to_come());
}

#[test]
fn the_documentation_explains_each_with_its_variable() {
    let operations = text("docs/operations.md");
    let rows = operations.lines().filter(|line| line.starts_with("| `--"));
    let mut explained = BTreeSet::new();
    for row in rows {
        let flag = row.trim_start_matches("| `").split([' ', '`']).next().unwrap_or_default();
        let variable = format!("`SEALWAX_{}`", flag.trim_start_matches("--").replace('-', "_").to_uppercase());
        assert!(row.contains(&variable), "{flag} stands without {variable}");
        explained.insert(flag.to_owned());
    }
    assert_eq!(explained, with_those_to_come());
}
