//! The flags that the chart sets and the documentation explains are those that the controller has, with their variables.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use xtask::tools::build_binary;

use crate::common::{documents, find, render, succeeded, text};

/// The flags of `--help` with their variables, other than those that every program has.
fn known() -> BTreeMap<String, String> {
    let program = build_binary("SEALWAX_CONTROLLER_BIN", "sealwax-controller", "sealwax-controller").unwrap();
    let help = succeeded(&Command::new(program).arg("--help").output().unwrap());
    let mut flags = BTreeMap::new();
    let mut last = String::new();
    for line in help.lines().map(str::trim_start) {
        if let Some(flag) =
            line.split_whitespace().find(|word| word.starts_with("--")).filter(|_| line.starts_with('-'))
        {
            flag.trim_end_matches(',').clone_into(&mut last);
        }
        if let Some((_, variable)) = line.split_once("[env: ") {
            flags.insert(last.clone(), variable.split(['=', ']']).next().unwrap_or_default().to_owned());
        }
    }
    let options = help.lines().map(str::trim_start).filter(|line| line.starts_with("--")).count();
    assert_eq!(flags.len(), options, "a flag has no variable:\n{help}");
    assert!(flags.contains_key("--cluster-name"), "{help}");
    flags
}

#[test]
fn the_chart_sets_every_flag_and_no_other() {
    let known = known();
    let mut set = BTreeSet::new();
    for (values, name) in [("scoped", "sealwax-controller"), ("selector", "team-sealwax-controller")] {
        let rendered = documents(&render(&["--values", &format!("tests/manifests/values/{values}.yaml")]));
        let container = &find(&rendered, "Deployment", name)["spec"]["template"]["spec"]["containers"][0];
        for argument in container["args"].as_array().unwrap() {
            set.insert(argument.as_str().unwrap().split('=').next().unwrap_or_default().to_owned());
        }
        for variable in container["env"].as_array().unwrap().iter().map(|variable| variable["name"].as_str().unwrap()) {
            // The one that is not ours sets the level of the log.
            let flag = known.iter().find(|(_, twin)| *twin == variable).map(|(flag, _)| flag.clone());
            assert!(flag.is_some() || variable == "RUST_LOG", "the controller reads no variable {variable}");
            set.extend(flag);
        }
    }
    assert_eq!(set, known.into_keys().collect());
}

#[test]
fn the_documentation_explains_each_with_its_variable() {
    let operations = text("docs/operations.md");
    let rows = operations.lines().filter(|line| line.starts_with("| `--"));
    let mut explained = BTreeMap::new();
    for row in rows {
        let mut quoted = row.split('`').skip(1).step_by(2);
        let flag = quoted.next().and_then(|flag| flag.split(' ').next()).unwrap_or_default();
        explained.insert(flag.to_owned(), quoted.next().unwrap_or_default().to_owned());
    }
    assert_eq!(explained, known());
}
