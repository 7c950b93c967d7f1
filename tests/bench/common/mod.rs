//! What the benchmarks share: medians of several runs, and an output that names the machine and the conditions.

use std::time::{Duration, Instant};

/// The results of one group.
pub(crate) struct Group {
    name: &'static str,
    json: bool,
    lines: Vec<(String, f64, &'static str)>,
}

impl Group {
    /// Begins a group; `--json` prints it as one JSON object.
    pub(crate) fn begin(name: &'static str) -> Self {
        Self { name, json: std::env::args().any(|argument| argument == "--json"), lines: Vec::new() }
    }

    /// The median of several runs of something, in milliseconds.
    #[allow(dead_code, reason = "not every group times closures")]
    pub(crate) fn time(&mut self, what: &str, runs: usize, mut work: impl FnMut()) {
        work();
        let samples = (0..runs).map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        });
        let samples = samples.collect();
        self.record_median(&format!("{what} (median of {runs})"), samples);
    }

    /// The median of durations measured elsewhere, in milliseconds.
    pub(crate) fn record_median(&mut self, what: &str, mut samples: Vec<Duration>) {
        samples.sort();
        self.record(what, samples[samples.len() / 2].as_secs_f64() * 1000.0, "ms");
    }

    /// Any other figure.
    pub(crate) fn record(&mut self, what: &str, value: f64, unit: &'static str) {
        eprintln!("bench: {value:.2} {unit} {what}");
        self.lines.push((what.to_owned(), value, unit));
    }

    /// Prints everything.
    pub(crate) fn end(self) {
        if self.json {
            let figures: Vec<_> = self
                .lines
                .iter()
                .map(|(what, value, unit)| serde_json::json!({"what": what, "value": value, "unit": unit}))
                .collect();
            println!("{}", serde_json::json!({"group": self.name, "machine": machine(), "figures": figures}));
            return;
        }
        println!("{}, on {}", self.name, machine());
        for (what, value, unit) in self.lines {
            println!("{value:>10.2} {unit:<4} {what}");
        }
    }
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    format!("{} cores, {}", cores, model.trim_start_matches(['\t', ':', ' ']))
}
