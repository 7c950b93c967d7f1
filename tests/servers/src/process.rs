//! Programs that end with the one that started them.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, io};

/// Runs a program for as long as its standard input is open: a killed test closes it too.
const LEASH: &str = r#""$@" & child=$!; cat >/dev/null; kill $child; wait $child"#;

/// How long a server may take to answer for the first time. Python with all of moto is slow on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server's process.
#[derive(Debug)]
pub(crate) struct Leashed(Child);

impl Leashed {
    /// Starts it; what it prints goes into this file.
    pub(crate) fn start(command: &Command, log: &Path) -> io::Result<Self> {
        let log = File::create(log)?;
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", LEASH, "sh"]).arg(command.get_program()).args(command.get_args());
        shell.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        shell.spawn().map(Self)
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // If waiting fails there is nothing to wait for.
        let _ = self.0.wait();
    }
}

/// Where a program is, by the environment variable that tells.
pub(crate) fn program(variable: &str, what: &str) -> io::Result<PathBuf> {
    let missing = || io::Error::other(format!("{variable} is not set: it is the path of {what}"));
    env::var_os(variable).map(PathBuf::from).ok_or_else(missing)
}

/// Ports that nobody listened on just now.
pub(crate) fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    // All are held until all are known: otherwise they would be the same.
    let listeners = (0..N).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<io::Result<Vec<_>>>()?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

/// Waits until somebody listens.
pub(crate) fn listens(port: u16, what: &str) -> io::Result<()> {
    until(what, || TcpStream::connect(("127.0.0.1", port)).is_ok())
}

/// Waits until it is so.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    while !so() {
        if Instant::now() > end {
            return Err(io::Error::other(format!("waited {PATIENCE:?} in vain for {what}")));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
