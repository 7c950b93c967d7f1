//! The controller as a process of its own, under an identity of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::guarded::{Guarded, log_directory, program};
use crate::{FaultProxy, Identity, wait_for};

/// A controller that ends when this is dropped; prints the end of its log when the test fails.
#[derive(Debug)]
pub struct Controller {
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    directory: TempDir,
    process: Guarded,
    starts: usize,
}

impl Controller {
    /// Starts the built controller with these flags; it finds the cluster through `KUBECONFIG`.
    pub fn start(identity: &Identity, arguments: &[&str]) -> Self {
        Self::start_with(identity, arguments, &[])
    }

    /// Starts it with further environment variables.
    pub fn start_with(identity: &Identity, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_program(program("SEALWAX_CONTROLLER_BIN", "sealwax-controller"), identity, arguments, environment)
    }

    /// Starts any program in the controller's place, for instance one built otherwise.
    pub fn start_program(
        program: PathBuf,
        identity: &Identity,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        Self::start_at(program, &identity.kubeconfig(), arguments, environment)
    }

    fn start_at(program: PathBuf, kubeconfig: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let directory = log_directory();
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        let mut variables = vec![("KUBECONFIG".to_owned(), kubeconfig.display().to_string())];
        variables.extend(environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        let process = spawn(&program, &arguments, &variables, &directory);
        Self { program, arguments, environment: variables, directory, process, starts: 1 }
    }

    /// Starts the built controller behind a proxy, whose identity it then has.
    pub fn start_behind(proxy: &FaultProxy, arguments: &[&str]) -> Self {
        let program = program("SEALWAX_CONTROLLER_BIN", "sealwax-controller");
        Self::start_at(program, &proxy.kubeconfig(), arguments, &[])
    }

    /// Starts it again if it has ended, as a kubelet does.
    pub fn keep_running(&mut self) {
        if !self.is_running() {
            self.restart();
        }
    }

    /// Everything it wrote since it was first started.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    /// Waits until its log contains the text.
    pub async fn wait_for_log(&self, timeout: Duration, text: &str) {
        wait_for(timeout, &format!("`{text}` in the controller's log"), async || {
            self.log().contains(text).then_some(())
        })
        .await;
    }

    /// Where it serves its metrics: the address that it named when it was last started.
    pub async fn metrics_url(&self) -> String {
        wait_for(Duration::from_secs(20), "the address of the controller's metrics", async || {
            let log = self.log();
            // The log goes on over restarts: of as many starts, the last is this one.
            let started = log.lines().filter(|line| line.contains("\"message\":\"started\"")).nth(self.starts - 1)?;
            let line: serde_json::Value = serde_json::from_str(started).ok()?;
            Some(line["listen"].as_str()?.to_owned())
        })
        .await
    }

    /// The file with everything it wrote.
    pub fn log_path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Its process id.
    pub fn id(&self) -> i32 {
        self.process.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Ends it without warning; when this returns it is gone.
    pub fn kill_9(&mut self) {
        self.process.kill();
    }

    /// Asks it to end and waits; panics when it does not end in time.
    pub fn terminate(&mut self, timeout: Duration) -> ExitStatus {
        self.process.terminate(timeout)
    }

    /// Stops it in its tracks, as a machine that hangs would, until [`Controller::resume`].
    pub fn pause(&mut self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on after [`Controller::pause`].
    pub fn resume(&mut self) {
        self.process.signal(Signal::CONT);
    }

    /// Ends it without warning, unless it has ended, and starts it again as before. The log goes on.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = spawn(&self.program, &self.arguments, &self.environment, &self.directory);
        self.starts += 1;
    }

    /// The same with other flags.
    pub fn restart_with(&mut self, arguments: &[&str]) {
        self.arguments = arguments.iter().map(|&text| text.to_owned()).collect();
        self.restart();
    }
}

fn spawn(program: &PathBuf, arguments: &[String], environment: &[(String, String)], directory: &TempDir) -> Guarded {
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
    command.current_dir(directory.path());
    Guarded::start(&command, &directory.path().join("log"))
}

impl Drop for Controller {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let end = &lines[lines.len().saturating_sub(60)..];
            eprintln!("--- end of the log of controller {} ---\n{}\n---", self.id(), end.join("\n"));
        }
    }
}
