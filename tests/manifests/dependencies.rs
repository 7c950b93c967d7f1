//! Which crates the parts of the product bring along: the arrows of the architecture, and what a controller never needs.

use std::collections::BTreeSet;
use std::process::Command;

/// The crates that a package is built of, itself among them, as it is built for users.
fn crates(package: &str) -> BTreeSet<String> {
    let arguments =
        ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--package", package];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// Those of them whose names start in one of these ways.
fn found(package: &str, prefixes: &[&str]) -> Vec<String> {
    crates(package).into_iter().filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))).collect()
}

#[test]
fn the_format_knows_no_other_part_and_no_network() {
    let foreign = ["sealwax", "kube", "k8s-openapi", "tokio", "hyper", "reqwest", "aws-", "jiff", "chrono"];
    assert_eq!(found("sealwax-format", &foreign), ["sealwax-format"]);
}

#[test]
fn arrows_between_the_parts_run_one_way() {
    assert_eq!(found("sealwax-render", &["sealwax"]), ["sealwax-crds", "sealwax-format", "sealwax-render"]);
    assert_eq!(found("sealwax-sources", &["sealwax"]), ["sealwax-format", "sealwax-sources"]);
    let shared = ["sealwax-crds", "sealwax-format", "sealwax-render", "sealwax-sources"];
    let mut controller = shared.to_vec();
    controller.push("sealwax-controller");
    controller.sort_unstable();
    assert_eq!(found("sealwax-controller", &["sealwax"]), controller);
    assert_eq!(found("sealwax", &["sealwax"]), [&["sealwax"][..], &shared].concat());
}

#[test]
fn the_controller_logs_in_as_itself() {
    let of_people = ["aws-sdk-sso", "aws-sdk-ssooidc", "aws-sdk-kms", "age-plugin", "rpassword", "clap_complete"];
    assert_eq!(found("sealwax-controller", &of_people), Vec::<String>::new());
    assert!(!found("sealwax", &of_people).is_empty(), "the names are right");
}
