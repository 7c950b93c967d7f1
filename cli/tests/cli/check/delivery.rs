//! What is delivered for CI: parsed, and its scripts run as they stand.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::{SECRET, Sandbox};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn yaml(name: &str) -> Value {
    serde_yaml::from_str::<Value>(&fs::read_to_string(root().join(name)).unwrap()).unwrap()
}

/// A repository whose last commit leaks, or does not.
fn repository(leaks: bool) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.yaml", "a: b\n");
    sandbox.commit_all();
    sandbox.write("b.yaml", if leaks { SECRET } else { "c: d\n" });
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message", "second"]);
    sandbox
}

/// Runs a script with these variables, and gives its status and what it printed.
fn run(sandbox: &Sandbox, shell: &str, script: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = Path::new(env!("CARGO_BIN_EXE_sealwax")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut command = sandbox.command(shell);
    command.args(["-c", script]).env("PATH", path).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!shown.contains(crate::common::MARK), "{shown}");
    (output.status.code(), shown + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_step_for_github_fails_on_a_leak_and_reports_it() {
    let action = yaml("deploy/ci/github/action.yml");
    let step = &action["runs"]["steps"][0];
    for (leaks, code) in [(true, 1), (false, 0)] {
        let sandbox = repository(leaks);
        let file = |name: &str| sandbox.root().join(name).to_str().unwrap().to_owned();
        let (report, output, summary) = (file("report.sarif"), file("output"), file("summary"));
        let variables = [
            ("COMMAND", "sealwax"),
            ("RANGE", ""),
            ("FAIL_ON", "error"),
            ("BASELINE", ""),
            ("SARIF", "true"),
            ("BASE", "HEAD~1"),
            ("DEFAULT", "origin/main"),
            ("BRANCH", "topic"),
            ("REPORT", &report),
            ("GITHUB_OUTPUT", &output),
            ("GITHUB_STEP_SUMMARY", &summary),
        ];
        let named: Vec<_> = step["env"].as_object().unwrap().keys().collect();
        assert!(named.iter().all(|name| variables.iter().any(|(known, _)| known == name)), "{named:?}");
        let (status, shown) = run(&sandbox, "bash", step["run"].as_str().unwrap(), &variables);
        assert_eq!(status, Some(code), "{shown}");
        assert_eq!(shown.contains("::error file=b.yaml,line=8"), leaks, "{shown}");
        assert!(fs::read_to_string(&output).unwrap().contains("report="));
        let report: Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
        assert_eq!(report["runs"][0]["results"].as_array().unwrap().is_empty(), !leaks);
    }
}

#[test]
fn a_new_branch_is_compared_with_the_default_one() {
    let zeros = "0".repeat(40);
    let sandbox = repository(true);
    sandbox.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    let action = yaml("deploy/ci/github/action.yml");
    let template = yaml("deploy/ci/gitlab/sealwax-check.yml");
    // What the default branch has is not the branch's; pushed for the first time, it has nothing to be compared with.
    for (branch, code) in [("topic", 0), ("main", 1)] {
        let variables = [
            ("COMMAND", "sealwax"),
            ("RANGE", ""),
            ("FAIL_ON", "error"),
            ("BASELINE", ""),
            ("SARIF", "false"),
            ("BASE", &zeros),
            ("DEFAULT", "origin/main"),
            ("BRANCH", branch),
        ];
        let (status, shown) = run(&sandbox, "bash", action["runs"]["steps"][0]["run"].as_str().unwrap(), &variables);
        assert_eq!(status, Some(code), "{branch}: {shown}");
        let variables = [
            ("CI_COMMIT_BEFORE_SHA", zeros.as_str()),
            ("CI_COMMIT_SHA", "HEAD"),
            ("CI_COMMIT_BRANCH", branch),
            ("CI_DEFAULT_BRANCH", "main"),
            ("SEALWAX_FAIL_ON", "error"),
        ];
        let script = template["sealwax-check"]["script"][0].as_str().unwrap();
        let (status, shown) = run(&sandbox, "sh", script, &variables);
        assert_eq!(status, Some(code), "{branch}: {shown}");
    }
}

#[test]
fn the_job_for_gitlab_fails_on_a_leak_and_reports_it() {
    let template = yaml("deploy/ci/gitlab/sealwax-check.yml");
    let script = template["sealwax-check"]["script"][0].as_str().unwrap();
    for (leaks, code) in [(true, 1), (false, 0)] {
        let sandbox = repository(leaks);
        let variables = [("CI_COMMIT_BEFORE_SHA", "HEAD~1"), ("CI_COMMIT_SHA", "HEAD"), ("SEALWAX_FAIL_ON", "error")];
        let (status, shown) = run(&sandbox, "sh", script, &variables);
        assert_eq!(status, Some(code), "{shown}");
        let report: Value = serde_json::from_str(&sandbox.read("sealwax.sarif")).unwrap();
        assert_eq!(report["version"], "2.1.0");
    }
}

#[test]
fn the_hooks_for_pre_commit_call_what_exists() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let known = ["commit-msg", "manual", "pre-commit", "pre-merge-commit", "pre-push"];
    for hook in hooks.as_array().unwrap() {
        let stages = hook["stages"].as_array().unwrap().iter().map(|stage| stage.as_str().unwrap());
        assert!(stages.into_iter().all(|stage| known.contains(&stage)));
        assert_eq!((&hook["pass_filenames"], &hook["require_serial"]), (&Value::Bool(false), &Value::Bool(true)));
        let entry: Vec<_> = hook["entry"].as_str().unwrap().split(' ').skip(1).collect();
        assert_eq!(repository(false).sealwax(entry).run().code, Some(0));
    }
}
