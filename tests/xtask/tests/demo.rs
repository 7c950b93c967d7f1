//! The demo proves something only if it can fail: each of its steps, broken on purpose, must end it with an error.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failing unwrap is a failing test")]

use std::process::{Command, Output};

fn demo(arguments: &[&str], sabotage: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("demo").args(arguments);
    match sabotage {
        Some(step) => command.env("SEALWAX_DEMO_SABOTAGE", step),
        None => command.env_remove("SEALWAX_DEMO_SABOTAGE"),
    };
    command.output().expect("xtask starts")
}

fn steps() -> Vec<String> {
    let listed = String::from_utf8(demo(&["--list"], None).stdout).unwrap();
    listed.lines().map(str::to_owned).collect()
}

#[test]
fn the_story_ends_well() {
    let output = demo(&[], None);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("0 failed"));
}

/// The steps are dealt out to two threads: each run is mostly waiting.
fn every_sabotaged_step_fails(remainder: usize) {
    let steps = steps();
    assert!(steps.len() >= 10, "steps are missing: {steps:?}");
    for step in steps.iter().skip(remainder).step_by(2) {
        let output = demo(&[], Some(step));
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!output.status.success(), "sabotaging `{step}` was not noticed:\n{shown}");
        let reached = shown.lines().rfind(|line| line.split_once(". ").is_some_and(|(n, _)| n.parse::<u32>().is_ok()));
        assert!(reached.is_some_and(|line| line.ends_with(step)), "`{step}` failed elsewhere:\n{shown}");
    }
}

#[test]
fn every_other_step_fails_when_sabotaged() {
    every_sabotaged_step_fails(0);
}

#[test]
fn the_other_steps_fail_when_sabotaged_too() {
    every_sabotaged_step_fails(1);
}
