//! What people meet in the cluster, reasons, events, labels and annotations, is explained in docs/operations.md, and nothing
//! is explained there that they cannot meet.

use std::collections::BTreeSet;
use std::path::Path;

use sealwax_tests::{ControlPlane, Namespace};

use crate::common::{path, succeeded, text};

/// Where reasons of conditions and events are given.
const TELLING: [&str; 16] = [
    "controller/src/cluster_keys/apply.rs",
    "controller/src/cluster_keys/notices.rs",
    "controller/src/conditions.rs",
    "controller/src/feeding/apply.rs",
    "controller/src/feeding/look.rs",
    "controller/src/feeding/mod.rs",
    "controller/src/feeding/plan.rs",
    "controller/src/feeding/report.rs",
    "controller/src/feeding/sweep.rs",
    "controller/src/reconcile/encrypted_secret/plan.rs",
    "controller/src/reconcile/external_secret/fetch.rs",
    "controller/src/reconcile/external_secret/mod.rs",
    "controller/src/reconcile/external_secret/plan.rs",
    "controller/src/stores/error.rs",
    "render/src/error.rs",
    "sources/src/error.rs",
];

/// Words in quotes that are kinds and values of Kubernetes.
const NO_REASONS: [&str; 9] = [
    "ClusterSecretStore",
    "ConfigMap",
    "EncryptedSecret",
    "False",
    "Secret",
    "Secret ",
    "SecretStore",
    "True",
    "Unknown",
];

/// A file without its tests.
fn program(file: &str) -> String {
    text(file).split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

fn is_reason(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_uppercase())
        && word.len() > 3
        && word.chars().all(|character| character.is_ascii_alphanumeric())
}

/// The words between these quotes that look like reasons.
fn reasons(text: &str, quote: char) -> BTreeSet<String> {
    let words = text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| line.split(quote));
    words.filter(|word| is_reason(word) && !NO_REASONS.contains(word)).map(str::to_owned).collect()
}

#[test]
fn every_reason_is_explained_and_no_other() {
    let given: BTreeSet<String> = TELLING.iter().flat_map(|file| reasons(&program(file), '"')).collect();
    assert!(given.contains("WrongPlace") && given.contains("KeyMade") && given.contains("NotOwned"), "{given:?}");
    let operations = text("docs/operations.md");
    let start = operations.find("## States of an EncryptedSecret").unwrap();
    let end = operations.find("**Labels and annotations:**").unwrap();
    let rows: Vec<&str> = operations[start..end].lines().filter(|line| line.starts_with("| ")).collect();
    let explained = reasons(&rows.join("\n"), '`');
    // What the status says of the conditions themselves, and what needs no explanation there.
    let conditions = ["Ready", "Reconciling", "Fresh", "Stalled", "Retain"];
    let metrics = reasons(
        &operations.lines().filter(|line| line.starts_with("| `sealwax_reconciles_total")).collect::<String>(),
        '`',
    );
    let missing: Vec<_> =
        given.iter().filter(|reason| !explained.contains(*reason) && !metrics.contains(*reason)).collect();
    assert!(missing.is_empty(), "docs/operations.md does not explain {missing:?}");
    let invented: Vec<_> =
        explained.iter().filter(|word| !given.contains(*word) && !conditions.contains(&word.as_str())).collect();
    assert!(invented.is_empty(), "docs/operations.md explains what nobody meets: {invented:?}");
}

/// Labels and annotations of ours in a text.
fn marks(text: &str) -> BTreeSet<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "./-".contains(character);
    let words = text.split(|character| !is_part(character));
    let words = words.filter(|word| word.starts_with("sealwax.dev/") && !word.starts_with("sealwax.dev/v1"));
    words.filter(|word| word.len() > "sealwax.dev/".len()).map(str::to_owned).collect()
}

fn sources(directory: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let found = entry.unwrap().path();
        if found.is_dir() {
            sources(&found, files);
        } else if found.extension().is_some_and(|extension| extension == "rs") && !found.ends_with("tests.rs") {
            files.push(found);
        }
    }
}

#[test]
fn every_label_and_annotation_is_explained_and_no_other() {
    let mut files = vec![path("format/src/keys/cluster.rs")];
    sources(&path("controller/src"), &mut files);
    // Only constants: everything else refers to them.
    let constants = files.iter().flat_map(|file| {
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().filter(|line| line.contains("const ")).map(str::to_owned).collect::<Vec<_>>()
    });
    let used = marks(&constants.collect::<Vec<_>>().join("\n"));
    assert!(used.contains("sealwax.dev/cluster-key") && used.contains("sealwax.dev/restart-on"), "{used:?}");
    let operations = text("docs/operations.md");
    let table = operations.split("**Labels and annotations:**").nth(1).unwrap().split("\n## ").next().unwrap();
    let explained: BTreeSet<String> =
        marks(table).iter().map(|mark| mark.trim_end_matches("HASH").to_owned()).collect();
    assert_eq!(explained, used);
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_of_the_guide_are_accepted_as_they_stand() {
    let plane = ControlPlane::shared().await;
    let namespace = Namespace::create(plane, "guide").await;
    let guide = text("docs/external-secrets.md");
    let blocks: Vec<_> = guide.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() > 5);
    for block in blocks {
        let block = block.replace("namespace: prod}", &format!("namespace: {}}}", namespace.name()));
        let apply = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
        succeeded(&plane.kubectl().output(&apply, &block));
    }
}

#[test]
fn every_test_that_compatibility_rests_on_exists() {
    let mut files = Vec::new();
    for directory in ["sources/tests", "tests/cluster/external"] {
        sources(&path(directory), &mut files);
    }
    let code: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let document = text("docs/compatibility.md");
    let tables = document.split("## Where sealwax differs").next().unwrap();
    let cells = tables.lines().filter(|line| line.starts_with('|')).filter_map(|line| line.rsplit('|').nth(1));
    let named: BTreeSet<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() > 40, "{named:?}");
    let missing: Vec<_> = named.iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "docs/compatibility.md names tests that are not there: {missing:?}");
}

#[test]
fn every_place_that_documents_name_exists() {
    let folders = ["docs", "docs/decisions"].map(path);
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let documents =
        entries.map(|entry| entry.unwrap().path()).filter(|file| file.extension().is_some_and(|e| e == "md"));
    let rooms = ["cli/", "controller/", "crds/", "format/", "render/", "sources/", "tests/"];
    let (mut named, mut missing) = (0, Vec::new());
    for document in documents {
        let content = std::fs::read_to_string(&document).unwrap();
        for word in content.split('`').skip(1).step_by(2) {
            let is_place = rooms.iter().any(|room| word.starts_with(room))
                && !word.contains([' ', '*', '<', '{', ','])
                && !word.contains("NAME");
            if is_place {
                named += 1;
                if !path(word).exists() {
                    missing.push(format!("{}: {word}", document.display()));
                }
            }
        }
    }
    assert!(named > 60, "{named}");
    assert!(missing.is_empty(), "documents name what is not there: {missing:#?}");
}
