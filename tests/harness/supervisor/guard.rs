//! Runs one program for as long as our parent lives.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use super::{SupervisorError, wait_for_end_of_input};

/// Runs the command, tells its process id on standard output, and ends as it ends; a signal counts as 128 + signal.
pub(super) fn guard(command: &[OsString]) -> Result<ExitCode, SupervisorError> {
    let mut child = bound(&command[0], &command[1..])
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .spawn()
        .map_err(start_error(&command[0]))?;
    // A reader that is gone will show as end of input.
    let _ = writeln!(io::stdout(), "{}", child.id());
    thread::spawn(|| {
        wait_for_end_of_input();
        // Our end is the program's end: it is bound to us.
        std::process::exit(1);
    });
    let status = child.wait().map_err(start_error(&command[0]))?;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// A command whose process the kernel kills when this thread ends, for whatever reason.
///
/// The program must ask for that itself, before it is what it shall be; so this program starts itself in between.
/// (Setting it from here would need code between fork and exec, which is unsafe.)
pub(super) fn bound(program: &OsString, arguments: &[OsString]) -> Command {
    let this = env::current_exe().unwrap_or_else(|_| "sealwax-supervisor".into());
    let mut command = Command::new(this);
    command.arg("exec").arg(std::process::id().to_string()).arg(program).args(arguments);
    command
}

/// Binds this process to its parent, whose id comes first, and becomes the command.
pub(super) fn exec(command: &[OsString]) -> Result<ExitCode, SupervisorError> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
        let error = |source: rustix::io::Errno| start_error(&command[1])(source.into());
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(error)?;
        // A parent that died before we asked will never send the signal.
        let parent = getppid().map(Pid::as_raw_pid).unwrap_or_default().to_string();
        if command[0].to_str() != Some(&parent) {
            return Ok(ExitCode::FAILURE);
        }
    }
    Err(start_error(&command[1])(Command::new(&command[1]).args(&command[2..]).exec()))
}

fn start_error(program: &OsString) -> impl FnOnce(io::Error) -> SupervisorError {
    let program = program.to_string_lossy().into_owned();
    move |source| SupervisorError::Start { program, source }
}
