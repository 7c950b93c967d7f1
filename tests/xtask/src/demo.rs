//! `cargo xtask demo`: the story of a secret, told in steps of which each is checked.

use std::env;
use std::path::Path;
use std::time::Instant;

use xtask::plane::Plane;
use xtask::tools;

use crate::{Failure, run, ui};

/// Names the step that is broken on purpose, to prove that its checks can fail.
const SABOTAGE: &str = "SEALWAX_DEMO_SABOTAGE";

/// Tells the story; `--keep` leaves the cluster running until Enter is pressed.
pub(crate) fn demo(arguments: &[String]) -> Result<(), Failure> {
    let keep = match arguments {
        [] => false,
        [only] if only == "--keep" => true,
        [first, ..] => return Err(Failure::Usage(format!("`demo` takes no `{first}`"))),
    };
    let programs = run::build_everything()?;
    let mut story = Story::begin();
    let kubectl = tools::control_plane(&ui::progress)?.kubectl;
    let supervisor = programs.iter().find(|(variable, _)| *variable == xtask::plane::SUPERVISOR);
    let plane = Plane::start_with(supervisor.map(|(_, path)| path.as_path()), &ui::progress)?;
    tell(&mut story, plane.directory(), &kubectl);
    if keep {
        let kubeconfig = plane.directory().join("kubeconfig");
        ui::line(&format!("\nStill running: KUBECONFIG={}. Press Enter to end.", kubeconfig.display()));
        // End of input ends it too.
        let _ = std::io::stdin().read_line(&mut String::new());
    }
    story.end()
}

/// The steps, in order.
fn tell(story: &mut Story, plane: &Path, kubectl: &Path) {
    story.step("cluster", "A real API server, etcd and controller manager, started for this story alone.");
    let kubeconfig = plane.join(if story.sabotaged() { "no-such-kubeconfig" } else { "kubeconfig" });
    let answer =
        std::process::Command::new(kubectl).arg("--kubeconfig").arg(kubeconfig).args(["get", "--raw=/readyz"]).output();
    story.check(answer.is_ok_and(|output| output.stdout == b"ok"), "the API server answers");
}

/// Where the story is, and what went wrong so far.
struct Story {
    started: Instant,
    sabotage: Option<String>,
    step: &'static str,
    steps: usize,
    checks: usize,
    failures: Vec<String>,
}

impl Story {
    fn begin() -> Self {
        Self {
            started: Instant::now(),
            sabotage: env::var(SABOTAGE).ok(),
            step: "",
            steps: 0,
            checks: 0,
            failures: Vec::new(),
        }
    }

    /// Begins a step: a short name, and a sentence for somebody who sees this for the first time.
    fn step(&mut self, title: &'static str, explanation: &str) {
        self.step = title;
        self.steps += 1;
        ui::line(&format!("\n{}. {title}\n   {explanation}", self.steps));
    }

    /// States what must be true now.
    fn check(&mut self, condition: bool, what: &str) {
        self.checks += 1;
        ui::line(&format!("   {} {what}", if condition { "ok  " } else { "FAIL" }));
        if !condition {
            self.failures.push(format!("{}: {what}", self.step));
        }
    }

    /// Whether the current step is to be broken on purpose.
    fn sabotaged(&self) -> bool {
        self.sabotage.as_deref() == Some(self.step)
    }

    /// Closes with a count; any failed check fails the story.
    fn end(self) -> Result<(), Failure> {
        let seconds = self.started.elapsed().as_secs();
        let failed = self.failures.len();
        ui::line(&format!("\n{} steps, {} checks, {failed} failed, {seconds} s", self.steps, self.checks));
        if failed == 0 { Ok(()) } else { Err(Failure::Unsuccessful(self.failures.join("; "))) }
    }
}
