//! The programs, the files of the repository, and rendered manifests as data.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use xtask::tools::{deploy, workspace_root};

/// A file of the repository.
pub(crate) fn path(name: &str) -> PathBuf {
    workspace_root().join(name)
}

/// Its text.
pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of the files in a directory of the repository, in order.
pub(crate) fn names(dir: &str) -> Vec<String> {
    let entries = std::fs::read_dir(path(dir)).unwrap_or_else(|error| panic!("{dir}: {error}"));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    assert!(!names.is_empty(), "{dir} is empty");
    names
}

fn quiet(_: &str) {}

/// Runs a program in the repository's top directory.
fn output(program: &Path, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).current_dir(workspace_root()).output().unwrap()
}

/// Runs Helm.
pub(crate) fn helm(arguments: &[&str]) -> Output {
    output(&deploy::helm(&quiet).unwrap(), arguments)
}

/// Runs kustomize.
pub(crate) fn kustomize(arguments: &[&str]) -> Output {
    output(&deploy::kustomize(&quiet).unwrap(), arguments)
}

/// Runs promtool.
pub(crate) fn promtool(arguments: &[&str]) -> Output {
    output(&deploy::promtool(&quiet).unwrap(), arguments)
}

/// Standard output of a command that has to succeed.
pub(crate) fn succeeded(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    stdout
}

/// Standard error of a command that has to fail.
pub(crate) fn refused(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "this should have been refused:\n{stdout}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The chart, rendered with these arguments of `helm template`.
pub(crate) fn render(arguments: &[&str]) -> String {
    let chart = ["template", "sealwax", "deploy/chart", "--namespace", "sealwax-system"];
    succeeded(&helm(&[&chart, arguments].concat()))
}

/// The documents of a YAML stream, as data; empty ones are left out.
pub(crate) fn documents(yaml: &str) -> Vec<Value> {
    let mut texts = vec![String::new()];
    for line in yaml.lines() {
        match texts.last_mut() {
            Some(text) if line != "---" => *text += &format!("{line}\n"),
            _ => texts.push(String::new()),
        }
    }
    let values = texts.iter().map(|text| serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}")));
    values.filter(|value: &Value| !value.is_null()).collect()
}

/// The one document of this kind and name.
pub(crate) fn find<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let mut found = documents.iter().filter(|value| value["kind"] == kind && value["metadata"]["name"] == name);
    let first = found.next().unwrap_or_else(|| panic!("there is no {kind} {name}"));
    assert!(found.next().is_none(), "there are several {kind} {name}");
    first
}
