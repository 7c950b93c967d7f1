//! A program under test that dies with the test process, however that ends.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use xtask::plane::SUPERVISOR;
use xtask::tools::build_binary;

/// A running program whose output goes to a file. Between it and us stands a supervisor in `guard` mode.
#[derive(Debug)]
pub struct Guarded {
    guard: Child,
    lifeline: Option<ChildStdin>,
    id: Pid,
}

impl Guarded {
    /// Starts the command; its output is appended to the file `log`. The command's environment is kept, its standard
    /// streams are not.
    pub fn start(command: &Command, log: &Path) -> Self {
        let supervisor = build_binary(SUPERVISOR, "sealwax-tests", "sealwax-supervisor").expect("a supervisor");
        let log: File = OpenOptions::new().create(true).append(true).open(log).expect("the log can be opened");
        let mut guard = Command::new(supervisor);
        guard.arg("guard").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => guard.env(name, value),
                None => guard.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            guard.current_dir(directory);
        }
        guard.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).process_group(0);
        let mut guard = guard.spawn().expect("the supervisor starts");
        let lifeline = guard.stdin.take();
        let mut line = String::new();
        let mut output = BufReader::new(guard.stdout.take().expect("was piped"));
        output.read_line(&mut line).expect("the supervisor tells the process id");
        let id = line.trim().parse().ok().and_then(Pid::from_raw);
        Self { guard, lifeline, id: id.expect("the program starts; its log says why not") }
    }

    /// The program's process id.
    pub fn id(&self) -> i32 {
        self.id.as_raw_pid()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.guard.try_wait().expect("a child can be asked").is_none()
    }

    /// Ends it by SIGKILL; when this returns it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait(Duration::from_secs(10));
    }

    /// Asks it to end by SIGTERM and waits; panics when it does not end in time.
    pub fn terminate(&mut self, timeout: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait(timeout)
    }

    /// Sends a signal: `Signal::STOP` and `Signal::CONT` make a program that hangs for a while.
    pub fn signal(&mut self, signal: Signal) {
        // The guard is gone as soon as the program is; its id must not be used after that.
        if self.is_running() {
            let _ = kill_process(self.id, signal);
        }
    }

    /// Waits until it ends; panics when it does not in time. A program ended by a signal counts as 128 + signal.
    pub fn wait(&mut self, timeout: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.guard.try_wait().expect("a child can be asked") {
                return status;
            }
            assert!(started.elapsed() < timeout, "process {} did not end within {timeout:?}", self.id.as_raw_pid());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Killed by its id, the program is reaped by the guard, which then ends; nothing is left even as a zombie.
        if matches!(self.guard.try_wait(), Ok(None)) {
            let _ = kill_process(self.id, Signal::KILL);
        }
        let _ = self.guard.wait();
        drop(self.lifeline.take());
    }
}

/// The workspace's program of that name: where the variable says, or built now.
pub(crate) fn program(variable: &str, name: &str) -> PathBuf {
    build_binary(variable, name, name).unwrap_or_else(|error| panic!("no program {name}: {error}"))
}

/// A directory for logs that stays when the test fails.
pub(crate) fn log_directory() -> TempDir {
    TempDir::with_prefix("sealwax-test-").expect("a temporary directory can be made")
}
