//! What a team does every day, over whole repositories, with whole processes of the released `sealwax`: the gate, adding
//! and removing a reader, and what `git diff` calls for each file. Readers are X25519 keys.
#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a benchmark")]

#[path = "common/mod.rs"]
mod common;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::Group;
use xtask::tools::build_release;

/// Files of the repository that the gate looks at, and how many of them hold encrypted values.
const FILES: usize = 10_000;
const ENCRYPTED: usize = 3_000;
/// Files and values of the repository whose readers change.
const REKEYED: usize = 1_000;
const VALUES: usize = 10;

struct Bench {
    program: PathBuf,
    home: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let program = build_release("sealwax", &|text| eprintln!("bench: {text}")).unwrap();
        Self { program, home: tempfile::tempdir().unwrap() }
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn command(&self, program: &Path, folder: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder(folder)).env_clear().env("HOME", self.home.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("GIT_CONFIG_NOSYSTEM", "1");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "bench").env(format!("GIT_{role}_EMAIL"), "bench@example.org");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Runs `sealwax`, which must end well, and says how long it took.
    fn sealwax(&self, folder: &str, arguments: &[&str]) -> Duration {
        let start = Instant::now();
        let output = self.command(&self.program, folder, arguments).output().unwrap();
        let took = start.elapsed();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        took
    }

    fn git(&self, folder: &str, arguments: &[&str]) {
        let output = self.command(Path::new("git"), folder, arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn write(&self, name: &str, contents: &str) {
        let path = self.folder(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::File::create(path).and_then(|mut file| file.write_all(contents.as_bytes())).unwrap();
    }

    fn policy(&self, folder: &str, readers: &[(&str, &str)]) {
        let mut text = "version = 1\n[recipients]\n".to_owned();
        for (name, recipient) in readers {
            writeln!(text, "{name} = \"{recipient}\"").unwrap();
        }
        let names: Vec<_> = readers.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let names = names.join(", ");
        write!(
            text,
            "[[rule]]\npath = \"**\"\nkinds = [\"Secret\"]\nencrypt = [\"stringData.*\"]\nrecipients = [{names}]\n"
        )
        .unwrap();
        self.write(&format!("{folder}/.sealwax.toml"), &text);
    }

    fn keygen(&self, file: &str) -> String {
        let mut command = self.command(&self.program, ".", &["keygen", "-o", file]);
        String::from_utf8(command.stdout(Stdio::piped()).output().unwrap().stdout).unwrap().trim().to_owned()
    }
}

fn secret(number: usize, values: usize) -> String {
    let mut text =
        format!("apiVersion: v1\nkind: Secret\nmetadata:\n  namespace: prod\n  name: db-{number}\nstringData:\n");
    for value in 0..values {
        writeln!(text, "  key{value}: value-{number}-{value}").unwrap();
    }
    text
}

/// A manifest of about two kilobytes without a secret.
fn deployment(number: usize) -> String {
    let mut text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  namespace: prod\n  name: web-{number}\nspec:\n  replicas: 2\n  \
         template:\n    spec:\n      containers:\n        - name: web\n          image: registry.example.org/web:{number}\n          env:\n"
    );
    for variable in 0..24 {
        write!(
            text,
            "            - name: SETTING_{variable}\n              value: \"setting {number} {variable}, as it is\"\n"
        )
        .unwrap();
    }
    text
}

/// All files of a folder, names below it and contents, again and again made like this.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            found.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    found
}

fn restore(files: &[(PathBuf, Vec<u8>)]) {
    for (path, contents) in files {
        fs::File::create(path).and_then(|mut file| file.write_all(contents)).unwrap();
    }
}

/// What the disk alone takes for as many files: written beside, made durable by one call, renamed.
fn disk(files: &[(PathBuf, Vec<u8>)]) -> Duration {
    let start = Instant::now();
    for (path, contents) in files {
        let mut file = fs::File::create(path.with_extension("new")).unwrap();
        file.write_all(contents).unwrap();
    }
    let any = fs::File::open(&files.first().unwrap().0).unwrap();
    rustix::fs::syncfs(any).unwrap();
    for (path, _) in files {
        fs::rename(path.with_extension("new"), path).unwrap();
    }
    start.elapsed()
}

fn main() {
    let bench = Bench::new();
    let mut group = Group::begin("git");
    let me = bench.keygen("me.txt");
    fs::create_dir_all(bench.folder(".config/sealwax")).unwrap();
    fs::rename(bench.folder("me.txt"), bench.folder(".config/sealwax/identity.txt")).unwrap();
    let other = bench.keygen("other.txt");
    gate(&bench, &mut group, &me);
    readers(&bench, &mut group, (&me, &other));
    group.end();
}

fn gate(bench: &Bench, group: &mut Group, me: &str) {
    let name = "gate";
    bench.policy(name, &[("me", me)]);
    let mut bytes = 0;
    for number in 0..FILES {
        if number < ENCRYPTED {
            bench.write(&format!("{name}/apps/{}/db-{number}.yaml", number % 50), &secret(number, 3));
        } else {
            bench.write(&format!("{name}/apps/{}/web-{number}.yaml", number % 50), &deployment(number));
        }
    }
    let files: Vec<_> = (0..ENCRYPTED).map(|number| format!("apps/{}/db-{number}.yaml", number % 50)).collect();
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    bench.sealwax(name, &[&["encrypt"], &files[..]].concat());
    for folder in 0..50 {
        bytes += contents(&bench.folder(&format!("{name}/apps/{folder}"))).iter().map(|(_, c)| c.len()).sum::<usize>();
    }
    bench.git(name, &["init", "--quiet"]);
    bench.git(name, &["add", "--all"]);
    bench.git(name, &["commit", "--quiet", "--message", "all"]);
    #[expect(clippy::cast_precision_loss, reason = "kilobytes for people")]
    group.record("size of a file, on average", bytes as f64 / FILES as f64 / 1e3, "kB");
    group.time("check the work tree, 10,000 files, 3,000 of them encrypted", 11, || {
        bench.sealwax(name, &["check"]);
    });
    group.time("check a commit of the same", 11, || {
        bench.sealwax(name, &["check", "--rev", "HEAD"]);
    });
    group.time("check what is staged: nothing", 11, || {
        bench.sealwax(name, &["check", "--staged"]);
    });
}

fn readers(bench: &Bench, group: &mut Group, (me, other): (&str, &str)) {
    let name = "readers";
    bench.policy(name, &[("me", me)]);
    let files: Vec<_> = (0..REKEYED).map(|number| format!("many/{number}.yaml")).collect();
    for (number, file) in files.iter().enumerate() {
        bench.write(&format!("{name}/{file}"), &secret(number, VALUES));
    }
    let names: Vec<_> = files.iter().map(String::as_str).collect();
    bench.sealwax(name, &[&["encrypt"], &names[..]].concat());
    bench.git(name, &["init", "--quiet"]);
    bench.git(name, &["add", "--all"]);
    bench.git(name, &["commit", "--quiet", "--message", "all"]);
    let folder = bench.folder(&format!("{name}/many"));
    let alone = contents(&folder);

    let rekey = ["rekey", "--accept-recipients", "many"];
    bench.policy(name, &[("me", me), ("other", other)]);
    let samples = (0..7).map(|_| {
        restore(&alone);
        bench.sealwax(name, &rekey)
    });
    group.record_median("rekey adds a reader to 1,000 files of 10 values (median of 7)", samples.collect());
    let both = contents(&folder);
    let samples = (0..7).map(|_| {
        restore(&both);
        disk(&both)
    });
    group.record_median("of this the disk alone: write, one syncfs, rename (median of 7)", samples.collect());

    bench.policy(name, &[("me", me)]);
    let samples = (0..7).map(|_| {
        restore(&both);
        bench.sealwax(name, &rekey)
    });
    group.record_median("rekey removes it: a fold of each, 10,000 values listed (median of 7)", samples.collect());
    let samples = (0..7).map(|_| bench.sealwax(name, &["diff", "--summary"]));
    group.record_median("diff --summary of that: every value opened twice (median of 7)", samples.collect());

    group.time("start and end: --version", 51, || {
        bench.sealwax(name, &["--version"]);
    });
    group.time("git textconv of one file of 10 values, with its key", 51, || {
        bench.sealwax(name, &["git", "textconv", "many/0.yaml"]);
    });
    let nobody = bench.folder("nobody");
    fs::create_dir_all(&nobody).unwrap();
    group.time("git textconv of the same, without any key", 51, || {
        let mut command = bench.command(&bench.program, name, &["git", "textconv", "many/0.yaml"]);
        assert!(command.env("HOME", &nobody).output().unwrap().status.success());
    });
}
