//! Files that leak, each of which its rule must find, however it is written, and look-alikes that it must not.
//!
//! `corpus/RULE/leak` is found in every mutation that applies, `leak-as-is` as it stands, `fine` never. Each is laid over
//! `corpus/common`, a repository in which everything is in order.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::mutate::{ALL, Mutation};
use super::{Found, check};
use crate::common::Sandbox;

/// Rules that look at changes, at Git or at the baseline, and the test that makes such a case.
const BY_CODE: [(&str, &str); 4] = [
    ("WAX103", "states::plaintext_left_by_decrypting_in_place_is_found"),
    ("WAX603", "states::readers_that_change_with_the_policy_are_told"),
    ("WAX604", "states::decrypted_text_that_git_keeps_is_found"),
    ("WAX903", "excuses::an_entry_of_the_baseline_without_its_finding_is_told"),
];

/// Mutations that do not apply to a rule's cases, and why.
const EXCEPTIONS: [(&str, Mutation, &str); 16] = [
    ("WAX106", Mutation::Nested, BLOCK),
    ("WAX202", Mutation::Nested, BLOCK),
    ("WAX203", Mutation::Nested, BLOCK),
    ("WAX204", Mutation::Nested, BLOCK),
    ("WAX205", Mutation::Nested, BLOCK),
    ("WAX206", Mutation::Nested, BLOCK),
    ("WAX207", Mutation::Nested, BLOCK),
    ("WAX208", Mutation::Nested, BLOCK),
    ("WAX209", Mutation::Nested, BLOCK),
    ("WAX211", Mutation::Nested, BLOCK),
    ("WAX301", Mutation::Nested, "a List is an object, and no file of values"),
    ("WAX302", Mutation::Nested, METADATA),
    ("WAX303", Mutation::Nested, METADATA),
    ("WAX304", Mutation::Nested, METADATA),
    ("WAX305", Mutation::Nested, METADATA),
    ("WAX306", Mutation::Nested, "a configuration is no object"),
];
const BLOCK: &str = "a key block stands at the root of its document";
const METADATA: &str = "the metadata of SOPS stands at the root of its document";

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/check/corpus")
}

/// The files below a folder, relative to it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The repository in order, with a case laid over it; a case with a policy of its own takes over its keys alone.
fn repository(case: &Path, mutation: Option<Mutation>) -> Sandbox {
    let sandbox = Sandbox::new();
    let alone = case.join(".sealwax.toml").exists() && !case.ends_with("common");
    for (folder, mutation) in [(corpus().join("common"), None), (case.to_owned(), mutation)] {
        let files = files(&folder).into_iter();
        for file in files.filter(|file| !alone || folder == case || file.starts_with("keys")) {
            let bytes = fs::read(folder.join(&file)).unwrap();
            let text = mutation.filter(|_| file.extension().is_some_and(|extension| extension == "yaml"));
            let bytes = match text {
                Some(mutation) => mutation.apply(&String::from_utf8(bytes).unwrap()).into_bytes(),
                None => bytes,
            };
            sandbox.write(file.to_str().unwrap(), bytes);
        }
    }
    sandbox.git(&["init", "--quiet"]);
    sandbox
}

/// The files of a case in which its rule finds nothing. Some say what is found elsewhere: the policy, public keys.
fn unfound<'f>(rule: &str, files: &'f [PathBuf], found: &[Found]) -> Vec<&'f Path> {
    let told: BTreeSet<_> = found.iter().filter(|found| found.rule == rule).map(|found| found.path.as_str()).collect();
    let about = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(".sealwax") && !matches!(rule, "WAX601" | "WAX602")
            || name.starts_with(".sops") && rule != "WAX306"
            || name.starts_with("plain.json") && rule == "WAX904"
    };
    files.iter().map(PathBuf::as_path).filter(|path| !about(path) && !told.contains(path.to_str().unwrap())).collect()
}

fn all_rules() -> Vec<String> {
    let listed = Sandbox::new().sealwax(["check", "--explain"]).run().ok();
    listed.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn the_repository_in_order_is_in_order() {
    let found = check(&repository(&corpus().join("common"), None), &[]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn every_rule_has_cases() {
    for rule in all_rules() {
        let by_code = BY_CODE.iter().any(|(id, _)| *id == rule);
        let folder = corpus().join(&rule);
        let leaks = ["leak", "leak-as-is"].iter().any(|case| folder.join(case).is_dir());
        assert!(by_code || (leaks && folder.join("fine").is_dir()), "{rule} has no case");
    }
}

#[test]
fn every_leak_is_found_however_it_is_written() {
    let mut failed = Vec::new();
    for rule in all_rules() {
        let case = corpus().join(&rule).join("leak");
        let mutations = if case.is_dir() { ALL.as_slice() } else { &[] };
        for mutation in [None].into_iter().chain(mutations.iter().copied().map(Some)).filter(|_| case.is_dir()) {
            let excepted = EXCEPTIONS.iter().any(|(id, except, _)| *id == rule && Some(*except) == mutation);
            let found = check(&repository(&case, mutation), &[]);
            let files = files(&case);
            let unfound = unfound(&rule, &files, &found);
            if unfound.is_empty() == excepted {
                failed.push(format!("{rule} {mutation:?}: not found in {unfound:?}, found {found:?}"));
            }
        }
        let case = corpus().join(&rule).join("leak-as-is");
        if case.is_dir() {
            let found = check(&repository(&case, None), &[]);
            let files = files(&case);
            let unfound = unfound(&rule, &files, &found);
            if !unfound.is_empty() {
                failed.push(format!("{rule} as it is: not found in {unfound:?}, found {found:?}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn no_look_alike_is_found() {
    for rule in all_rules() {
        let case = corpus().join(&rule).join("fine");
        if case.is_dir() {
            let found = check(&repository(&case, None), &[]);
            let found: Vec<_> = found.iter().filter(|found| found.rule == rule).collect();
            assert!(found.is_empty(), "{found:?}");
        }
    }
}
