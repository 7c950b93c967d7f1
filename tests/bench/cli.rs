//! Whole processes of the released `sealwax`: one reader (X25519), one data key a document.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::format_collect,
    reason = "a benchmark"
)]

#[path = "common/mod.rs"]
mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use common::Group;
use xtask::tools::build_release;

struct Bench {
    program: std::path::PathBuf,
    folder: tempfile::TempDir,
    recipient: String,
}

impl Bench {
    fn new() -> Self {
        let program = build_release("sealwax", &|text| eprintln!("bench: {text}")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Self { program, folder, recipient: String::new() };
        let made = bench.command(&["keygen"]).output().unwrap();
        String::from_utf8(made.stdout).unwrap().trim().clone_into(&mut bench.recipient);
        bench
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("V", "x");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) {
        assert!(self.command(arguments).stdout(Stdio::null()).status().unwrap().success(), "{arguments:?}");
    }

    fn write(&self, name: &str, contents: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::File::create(path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, contents.as_bytes()))
            .unwrap();
    }

    fn encrypt(&self, files: &[&str], select: &str) {
        let fixed = ["encrypt", "--to", &self.recipient, "--select", select, "--context", "bench"];
        self.run(&[&fixed[..], files].concat());
    }
}

fn values(count: usize) -> String {
    (0..count).map(|number| format!("key{number}: value{number}\n")).collect()
}

fn main() {
    let bench = Bench::new();
    let mut group = Group::begin("cli");
    bench.write("20.yaml", &values(20));
    bench.write("10000.yaml", &values(10_000));
    bench.encrypt(&["20.yaml", "10000.yaml"], "**");

    group.time("start and end: --version", 51, || bench.run(&["--version"]));
    group.time("decrypt a file of 20 values", 51, || bench.run(&["decrypt", "20.yaml"]));
    let set =
        ["set", "20.yaml", "key7", "--from-env", "V", "--to", &bench.recipient, "--select", "**", "--context", "bench"];
    group.time("set one value, with one fsync", 51, || bench.run(&set));
    group.time("decrypt 10,000 values in one file", 21, || bench.run(&["decrypt", "10000.yaml"]));

    let files: Vec<String> = (0..1000).map(|number| format!("many/{number}.yaml")).collect();
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let samples = (0..5).map(|_| {
        for (number, file) in files.iter().enumerate() {
            bench.write(file, &format!("user: admin\npassword: hunter{number}\n"));
        }
        let start = std::time::Instant::now();
        bench.encrypt(&names, "password");
        start.elapsed()
    });
    let samples = samples.collect();
    group.record_median("encrypt 1,000 files in one call, each with a data key (median of 5)", samples);
    let size = |program: &Path| std::fs::metadata(program).unwrap().len();
    #[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
    group.record("size of the program", size(&bench.program) as f64 / 1e6, "MB");
    group.end();
}
