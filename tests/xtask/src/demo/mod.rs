//! `cargo xtask demo`: the story of a secret, told in steps of which each is checked.

mod elsewhere;
mod sources;
mod steps;
mod world;

use std::env;
use std::time::Instant;

use crate::{Failure, run, ui};
use world::World;

/// Names the step that is broken on purpose, to prove that its checks can fail.
const SABOTAGE: &str = "SEALWAX_DEMO_SABOTAGE";

/// Tells the story; `--keep` leaves the cluster running until Enter is pressed; `--list` names the steps.
pub(crate) fn demo(arguments: &[String]) -> Result<(), Failure> {
    let keep = match arguments {
        [] => false,
        [only] if only == "--keep" => true,
        [only] if only == "--list" => {
            for step in steps::STEPS {
                ui::line(step.title);
            }
            return Ok(());
        }
        [first, ..] => return Err(Failure::Usage(format!("`demo` takes no `{first}`"))),
    };
    let programs = run::build_programs()?;
    let mut story = Story::begin();
    let mut world = World::create(&programs)?;
    for step in steps::STEPS {
        story.step(step.title, step.explanation);
        (step.tell)(&mut story, &mut world)?;
        if !story.failures.is_empty() {
            break;
        }
    }
    if keep {
        ui::line(&format!("\nStill running. In another shell:\n{}\nPress Enter to end.", world.how_to_use()));
        // End of input ends it too.
        let _ = std::io::stdin().read_line(&mut String::new());
    }
    story.end()
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

/// Shows a command or a piece of output.
fn show(text: &str) {
    for line in text.lines() {
        let mut line = line.to_owned();
        if line.chars().count() > 110 {
            line = line.chars().take(107).collect::<String>() + "...";
        }
        ui::line(&format!("   | {line}"));
    }
}
