//! Files of SOPS, side by side with the real `sops`: the same files, the same age key, whole processes of the released
//! `sealwax`. Ratios say how many times longer SOPS takes.
#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a benchmark")]

#[path = "common/mod.rs"]
mod common;

use std::fmt::Write as _;
use std::fs;
use std::io::{PipeReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::Group;
use xtask::tools;

/// Files of the repository that is opened and whose keys change, and the values in each.
const FILES: usize = 1_000;
const VALUES: usize = 20;
/// The work folder of both programs.
const WORK: &str = "work";

/// Both programs, in one home.
struct Bench {
    sealwax: PathBuf,
    sops: PathBuf,
    home: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let progress = |text: &str| eprintln!("bench: {text}");
        let sealwax = tools::build_release("sealwax", &progress).unwrap();
        let sops = tools::sops(&progress).unwrap().sops;
        let bench = Self { sealwax, sops, home: tempfile::tempdir().unwrap() };
        fs::create_dir(bench.path("")).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(WORK).join(name)
    }

    fn write(&self, name: &str, contents: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::File::create(path).and_then(|mut file| file.write_all(contents)).unwrap();
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path("")).env_clear().env("HOME", self.home.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("SOPS_DISABLE_VERSION_CHECK", "1");
        command.env("SOPS_AGE_KEY_FILE", self.home.path().join("me.txt"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Duration {
        let start = Instant::now();
        let output = self.command(program, arguments).output().unwrap();
        let took = start.elapsed();
        let shown = arguments.get(..arguments.len().min(5)).unwrap_or_default();
        assert!(output.status.success(), "{shown:?}: {}", String::from_utf8_lossy(&output.stderr));
        took
    }

    /// Runs `sealwax`, which must end well, and says how long it took.
    fn sealwax(&self, arguments: &[&str]) -> Duration {
        self.run(&self.sealwax, arguments)
    }

    /// The same for `sops`.
    fn sops(&self, arguments: &[&str]) -> Duration {
        self.run(&self.sops, arguments)
    }

    fn keygen(&self, name: &str) -> String {
        let file = self.home.path().join(name);
        let mut command = self.command(&self.sealwax, &["keygen", "-o"]);
        let output = command.arg(file).stdout(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn rule(&self, recipients: &[&str]) {
        self.write(".sops.yaml", format!("creation_rules:\n  - age: {}\n", recipients.join(",")).as_bytes());
    }

    /// Both programs on the same file; how often each runs for its median.
    fn compare(&self, group: &mut Group, what: &str, [ours, theirs]: [&[&str]; 2], [runs, their_runs]: [usize; 2]) {
        // The file's first reading is the disk's, and belongs to nobody.
        self.sealwax(ours);
        let ours = (0..runs).map(|_| self.sealwax(ours)).collect();
        let theirs = (0..their_runs).map(|_| self.sops(theirs)).collect();
        record(group, what, [ours, theirs]);
    }
}

/// Both medians, and their ratio.
fn record(group: &mut Group, what: &str, samples: [Vec<Duration>; 2]) {
    let [ours, theirs] = samples.each_ref().map(|samples| median(samples));
    let [runs, their_runs] = samples.each_ref().map(Vec::len);
    let [our_samples, their_samples] = samples;
    group.record_median(&format!("{what}: sealwax (median of {runs})"), our_samples);
    group.record_median(&format!("{what}: sops (median of {their_runs})"), their_samples);
    group.record(&format!("{what}: ratio"), theirs.as_secs_f64() / ours.as_secs_f64(), "x");
}

fn median(samples: &[Duration]) -> Duration {
    let mut samples = samples.to_vec();
    samples.sort();
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}

fn yaml(number: usize, values: usize) -> String {
    let mut text = format!("apiVersion: v1\nkind: Secret\nmetadata_unencrypted:\n    name: db-{number}\nstringData:\n");
    for value in 0..values {
        writeln!(text, "    key{value}: value-{number}-{value}").unwrap();
    }
    text
}

fn json(values: usize) -> String {
    let mut text = "{\n".to_owned();
    for value in 0..values {
        let comma = if value + 1 < values { "," } else { "" };
        writeln!(text, "\t\"key{value}\": \"value-{value}\"{comma}").unwrap();
    }
    text + "}\n"
}

fn main() {
    let bench = Bench::new();
    let mut group = Group::begin("sops");
    let me = bench.keygen("me.txt");
    bench.rule(&[&me]);
    one_file(&bench, &mut group);
    large_files(&bench, &mut group);
    let other = bench.keygen("other.txt");
    repository(&bench, &mut group, (&me, &other));
    group.end();
}

/// What is done all day.
fn one_file(bench: &Bench, group: &mut Group) {
    bench.write("small.yaml", yaml(0, VALUES).as_bytes());
    bench.sops(&["encrypt", "-i", "small.yaml"]);
    bench.compare(group, "start and end: --version", [&["--version"], &["--version"]], [51, 21]);
    let decrypt: &[&str] = &["decrypt", "small.yaml"];
    bench.compare(group, "decrypt a YAML file of 20 values", [decrypt, decrypt], [101, 41]);
    for (name, program) in [("sealwax", &bench.sealwax), ("sops", &bench.sops)] {
        group.record(
            &format!("decrypt a YAML file of 20 values: peak memory of {name}"),
            peak_memory(bench, program),
            "MiB",
        );
    }
}

/// The most memory that `decrypt` of the small file ever has, in MiB: it is looked at when all is done but the output, for
/// which there is no room in the pipe.
fn peak_memory(bench: &Bench, program: &Path) -> f64 {
    let (reader, writer): (PipeReader, _) = std::io::pipe().unwrap();
    let size = rustix::pipe::fcntl_getpipe_size(&writer).unwrap();
    (&writer).write_all(&vec![0; size]).unwrap();
    let mut child = bench.command(program, &["decrypt", "small.yaml"]).stdout(writer).spawn().unwrap();
    thread::sleep(Duration::from_secs(1));
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    assert!(child.try_wait().unwrap().is_none(), "it waits for the pipe");
    drop(reader);
    child.wait().unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Many values, and many bytes.
fn large_files(bench: &Bench, group: &mut Group) {
    for (name, text, what, runs) in [
        ("many.yaml", yaml(0, 10_000), "YAML, 10,000 values", [11, 5]),
        ("many.json", json(10_000), "JSON, 10,000 values", [11, 3]),
        // SOPS needs minutes for these.
        ("most.json", json(40_000), "JSON, 40,000 values", [11, 1]),
    ] {
        let plain = format!("plain-{name}");
        bench.write(&plain, text.as_bytes());
        bench.write(name, text.as_bytes());
        let encrypt: [&[&str]; 2] = [&["encrypt", "--stdout", &plain], &["encrypt", &plain]];
        bench.compare(group, &format!("{what}: encrypt"), encrypt, runs);
        bench.sealwax(&["encrypt", name]);
        let decrypt: &[&str] = &["decrypt", name];
        bench.compare(group, &format!("{what}: decrypt"), [decrypt, decrypt], runs);
    }
    // Bytes as chance would have them, the same in every run.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .take(10_000_000 / 8)
    .flatten()
    .collect();
    bench.write("plain.bin", &bytes);
    bench.write("large.bin", &bytes);
    let encrypt: [&[&str]; 2] = [&["encrypt", "--stdout", "plain.bin"], &["encrypt", "plain.bin"]];
    bench.compare(group, "binary, 10 MB: encrypt", encrypt, [11, 11]);
    bench.sealwax(&["encrypt", "large.bin"]);
    let decrypt: &[&str] = &["decrypt", "large.bin"];
    bench.compare(group, "binary, 10 MB: decrypt", [decrypt, decrypt], [11, 11]);
}

/// What is done over all files: by one process of `sealwax`, and by one of `sops` for each file, as its authors say.
fn repository(bench: &Bench, group: &mut Group, (me, other): (&str, &str)) {
    let names: Vec<_> = (0..FILES).map(|number| format!("many/{number}.yaml")).collect();
    for (number, name) in names.iter().enumerate() {
        bench.write(name, yaml(number, VALUES).as_bytes());
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    bench.sealwax(&[&["encrypt"], &names[..]].concat());
    let each = |arguments: &[&str]| {
        let start = Instant::now();
        for name in &names {
            bench.sops(&[arguments, &[*name]].concat());
        }
        start.elapsed()
    };
    let ours = |bench: &Bench, arguments: &[&str], before: &[Vec<u8>]| {
        let sample = || {
            restore(bench, &names, before);
            bench.sealwax(arguments)
        };
        std::iter::repeat_with(sample).take(7).collect::<Vec<_>>()
    };
    let alone = contents(bench, &names);
    record(
        group,
        "1,000 files: decrypt",
        [ours(bench, &[&["decrypt"], &names[..]].concat(), &alone), vec![each(&["decrypt"])]],
    );
    let verify = ours(bench, &["verify", "many"], &alone);
    group.record_median("1,000 files: sealwax verify, which prints nothing (median of 7)", verify);

    let rekey = ["rekey", "--accept-recipients", "many"];
    bench.rule(&[me, other]);
    let added = ours(bench, &rekey, &alone);
    let both = contents(bench, &names);
    restore(bench, &names, &alone);
    record(group, "1,000 files: add a recipient", [added, vec![each(&["updatekeys", "-y"])]]);
    restore(bench, &names, &alone);
    let at_once = bench.sops(&[&["updatekeys", "-y"], &names[..]].concat());
    group.record_median("1,000 files: add a recipient: sops, all in one process (once)", vec![at_once]);
    let writing = std::iter::repeat_with(|| disk(bench, &names, &both)).take(7).collect();
    group.record_median(
        "1,000 files: of sealwax's time the disk alone: write, one syncfs, rename (median of 7)",
        writing,
    );

    bench.rule(&[me]);
    let removed = ours(bench, &rekey, &both);
    restore(bench, &names, &both);
    let updated = each(&["updatekeys", "-y"]);
    record(group, "1,000 files: remove a recipient, SOPS keeping the data key", [removed.clone(), vec![updated]]);
    let rotated = each(&["rotate", "-i"]);
    record(group, "1,000 files: remove a recipient, SOPS with rotate after it", [removed, vec![updated + rotated]]);
}

fn contents(bench: &Bench, names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| fs::read(bench.path(name)).unwrap()).collect()
}

/// Puts the files back, and waits for the disk, so that nobody else's time has it.
fn restore(bench: &Bench, names: &[&str], contents: &[Vec<u8>]) {
    for (name, contents) in names.iter().zip(contents) {
        bench.write(name, contents);
    }
    flush(bench);
}

fn flush(bench: &Bench) {
    rustix::fs::syncfs(fs::File::open(bench.path("")).unwrap()).unwrap();
}

/// What the disk alone takes for as many files as `rekey` writes: beside, made durable by one call, renamed. SOPS writes
/// over its files, and leaves it to chance when the disk has them.
fn disk(bench: &Bench, names: &[&str], contents: &[Vec<u8>]) -> Duration {
    restore(bench, names, contents);
    let start = Instant::now();
    for (name, contents) in names.iter().zip(contents) {
        bench.write(&format!("{name}.new"), contents);
    }
    flush(bench);
    for name in names {
        fs::rename(bench.path(&format!("{name}.new")), bench.path(name)).unwrap();
    }
    start.elapsed()
}
