//! `cargo xtask test`: every test of the workspace against one control plane, and one closing line.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use xtask::plane::{CONTROL_PLANE, Plane, SUPERVISOR};
use xtask::tools;

use crate::{Failure, run, ui};

/// Names the Python interpreter with the pinned packages.
const PYTHON: &str = "SEALWAX_TEST_PYTHON";
/// Names the stock age programs.
const AGE: &str = "SEALWAX_TEST_AGE";
/// Names the stock age key generator.
const AGE_KEYGEN: &str = "SEALWAX_TEST_AGE_KEYGEN";

/// Names OpenBao's server.
const BAO: &str = "SEALWAX_TEST_BAO";
/// Names moto's server, which answers as AWS does.
const MOTO: &str = "SEALWAX_TEST_MOTO";

/// How many tests ended how.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Adds what a line of a test program's output says, if it is its closing line.
    fn add(&mut self, line: &str) {
        let Some(summary) = line.trim().strip_prefix("test result: ") else { return };
        for part in summary.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(kind)) = (words.next().map(str::parse::<u64>), words.next()) else { continue };
            match kind {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

/// Runs everything; `arguments` are passed on to `cargo test`.
pub(crate) fn test(arguments: &[String]) -> Result<(), Failure> {
    let control_plane = tools::control_plane(&ui::progress)?;
    let age = tools::age(&ui::progress)?;
    let python = tools::python(&ui::progress)?;
    let [bao, moto] = tools::source_servers(&ui::progress)?;
    let deploy = [
        (tools::deploy::HELM, tools::deploy::helm(&ui::progress)?),
        (tools::deploy::KUSTOMIZE, tools::deploy::kustomize(&ui::progress)?),
        (tools::deploy::PROMTOOL, tools::deploy::promtool(&ui::progress)?),
    ];
    ui::progress("building programs and tests");
    let programs = run::build_everything()?;
    let plane = start_plane(&programs)?;

    let mut command = run::cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.args(arguments).envs(programs);
    command.env("KUBEBUILDER_ASSETS", control_plane.directory());
    command.env(PYTHON, python).env(AGE, age.age).env(AGE_KEYGEN, age.age_keygen);
    command.env(BAO, bao).env(MOTO, moto).envs(deploy).env(CONTROL_PLANE, plane.directory());
    let (tally, success) = counted(command)?;
    drop(plane);

    if tally.ignored > 0 {
        ui::line(&format!("({} ignored)", tally.ignored));
    }
    ui::line(&format!("{} passed, {} failed", tally.passed, tally.failed));
    // A test program that does not compile, or dies, has no closing line of its own.
    if success && tally.failed == 0 { Ok(()) } else { Err(Failure::Unsuccessful("cargo test failed".to_owned())) }
}

/// Starts the control plane that all test programs share, with the supervisor just built.
fn start_plane(programs: &[(&str, std::path::PathBuf)]) -> Result<Plane, Failure> {
    let supervisor = programs.iter().find(|(variable, _)| *variable == SUPERVISOR).map(|(_, path)| path.as_path());
    ui::progress("starting the control plane");
    Ok(Plane::start_with(supervisor, &ui::progress)?)
}

/// Runs the command, passing its output on, and counts.
fn counted(mut command: Command) -> Result<(Tally, bool), Failure> {
    let failure = |source| Failure::Cargo { command: "cargo test".to_owned(), source };
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failure)?;
    let mut tally = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        // Bytes, not text: a test may print anything.
        while lines.read_until(b'\n', &mut line).map_err(failure)? > 0 {
            let text = String::from_utf8_lossy(&line);
            tally.add(&text);
            ui::line(text.trim_end_matches('\n'));
            line.clear();
        }
    }
    let status = child.wait().map_err(failure)?;
    Ok((tally, status.success()))
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn sums_closing_lines_and_nothing_else() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test one ... ok",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.01s\n",
        ] {
            tally.add(line);
        }
        assert_eq!(tally, Tally { passed: 7, failed: 2, ignored: 1 });
    }
}
