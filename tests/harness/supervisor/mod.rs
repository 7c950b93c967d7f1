//! The supervisor: starts what a test needs, and ends it when the test process ends, in whatever way that happens.
//!
//! Statics are never dropped and a SIGKILL runs no destructor, so no test can be trusted to clean up. The supervisor
//! reads a pipe of which only the test process holds the other end; at its end of file everything is killed. If it
//! is the supervisor that dies, the kernel kills its children (`PR_SET_PDEATHSIG`).

mod credentials;
mod guard;
mod serve;
mod servers;

use std::env;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Why the supervisor could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// It was called with something else than `serve`, `guard PROGRAM ...` or `exec PARENT PROGRAM ...`.
    #[error("this program is started by tests and by `cargo xtask`; see tests/harness/supervisor")]
    Usage,
    /// A file or directory could not be made or read.
    #[error("cannot use {}", path.display())]
    Files {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot start {program}")]
    Start {
        /// The program.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The servers' programs are missing.
    #[error("the control plane's programs are missing")]
    Tools(#[from] xtask::tools::ToolError),
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// A server ended or did not become ready.
    #[error("{server} did not become ready; the end of its log:\n{log}")]
    NotReady {
        /// The server.
        server: &'static str,
        /// The end of its log.
        log: String,
    },
    /// The new API server refused what the harness needs.
    #[error("the API server refused {what}: {answer}")]
    Refused {
        /// What was asked.
        what: String,
        /// The answer.
        answer: String,
    },
}

/// Makes the error for a file.
fn files(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> SupervisorError {
    let path = path.into();
    move |source| SupervisorError::Files { path, source }
}

/// What the program `sealwax-supervisor` does.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let result = match arguments.split_first() {
        Some((mode, [])) if mode == "serve" => serve::serve(),
        Some((mode, command @ [_, ..])) if mode == "guard" => guard::guard(command),
        Some((mode, command @ [_, _, ..])) if mode == "exec" => guard::exec(command),
        _ => Err(SupervisorError::Usage),
    };
    result.unwrap_or_else(|error| {
        eprintln!("sealwax-supervisor: {error}");
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            eprintln!("  caused by: {error}");
            cause = error.source();
        }
        ExitCode::FAILURE
    })
}

/// Returns when the process at the other end of standard input is gone.
fn wait_for_end_of_input() {
    let mut stdin = io::stdin().lock();
    let mut buffer = [0; 64];
    while matches!(stdin.read(&mut buffer), Ok(1..)) {}
}

/// Writes a new file that only its owner can read.
pub(crate) fn private_file(path: &Path, content: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content.as_bytes())
}
