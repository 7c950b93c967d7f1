//! Starts a control plane behind its supervisor, a process that outlives us just long enough to clean up.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::tools::{Report, ToolError, build_binary, control_plane};

/// Names the directory of a running control plane; test programs that find it share that one.
pub const CONTROL_PLANE: &str = "SEALWAX_TEST_CONTROL_PLANE";

/// Names the supervisor's program, if it is built already.
pub const SUPERVISOR: &str = "SEALWAX_SUPERVISOR_BIN";

/// A running control plane. It ends when this is dropped, and just as well when this process dies in any way:
/// the supervisor reads a pipe that only we hold open.
#[derive(Debug)]
pub struct Plane {
    supervisor: Child,
    lifeline: Option<ChildStdin>,
    directory: PathBuf,
}

impl Plane {
    /// Starts one, building the supervisor first; returns when the API answers.
    pub fn start(report: Report<'_>) -> Result<Self, ToolError> {
        Self::start_with(None, report)
    }

    /// Starts one under the supervisor given, if there is one.
    pub fn start_with(supervisor: Option<&Path>, report: Report<'_>) -> Result<Self, ToolError> {
        // Built here, where it can be reported, and not within the supervisor's time limit.
        control_plane(report)?;
        let program = match supervisor {
            Some(given) => given.to_path_buf(),
            None => build_binary(SUPERVISOR, "sealwax-tests", "sealwax-supervisor")?,
        };
        let mut supervisor = Command::new(&program)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Its own group: Ctrl-C reaches us, and our end reaches it through the pipe.
            .process_group(0)
            .spawn()
            .map_err(ToolError::files(&program))?;
        let lifeline = supervisor.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = supervisor.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(ToolError::files(&program))?;
        }
        let directory = PathBuf::from(line.trim_end());
        let plane = Self { supervisor, lifeline, directory };
        if line.is_empty() { Err(ToolError::NoControlPlane) } else { Ok(plane) }
    }

    /// Where the kubeconfig, the audit log and the servers' logs lie.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Has a server killed and started again on the same port; its answers say when it is back.
    pub fn restart(&mut self, server: &str) -> std::io::Result<()> {
        let lifeline = self.lifeline.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
        writeln!(lifeline, "restart {server}")
    }

    /// The supervisor's process id.
    pub fn supervisor_id(&self) -> u32 {
        self.supervisor.id()
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // Nothing useful can be done about a failure here, and waiting is only for tidiness.
        let _ = self.supervisor.wait();
    }
}
