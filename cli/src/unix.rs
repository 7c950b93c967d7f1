//! What only Unix has: file modes, signals, core dumps. Everything else in this crate is portable.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// Keeps plaintext out of core dumps. Failing to is no reason to stop.
pub(crate) fn harden() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// The mode bits that a replacement takes over.
pub(crate) fn permissions(metadata: &Metadata) -> Permissions {
    Permissions::from_mode(metadata.mode() & 0o7777)
}

/// The same without any right for others than the owner.
pub(crate) fn owner_only(metadata: &Metadata) -> Permissions {
    Permissions::from_mode(metadata.mode() & 0o7700)
}

/// The mode of an ordinary file.
pub(crate) fn readable_by_all() -> Permissions {
    Permissions::from_mode(0o644)
}

/// The mode of a folder that only its owner may enter.
pub(crate) fn private_folder() -> Permissions {
    Permissions::from_mode(0o700)
}

/// Gives a replacement the owner and group of what it replaces, where we may.
pub(crate) fn keep_owner(file: &File, metadata: &Metadata) {
    let _ = std::os::unix::fs::fchown(file, Some(metadata.uid()), Some(metadata.gid()));
}

/// Makes many freshly written files durable with one call where the system has one.
pub(crate) fn sync_all(files: &[&Path]) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if files.len() > 8 {
        let mut devices = std::collections::BTreeSet::new();
        for file in files {
            if devices.insert(file.metadata()?.dev()) {
                rustix::fs::syncfs(File::open(file)?)?;
            }
        }
        return Ok(());
    }
    files.iter().try_for_each(|file| File::open(file)?.sync_data())
}

/// While it lives, an interrupt goes to the editor alone, and an order to end also ends the editor, so that the
/// command can clean up behind it.
pub(crate) struct SignalGuard {
    ended: Arc<AtomicBool>,
    handlers: Vec<signal_hook::SigId>,
}

impl Drop for SignalGuard {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            signal_hook::low_level::unregister(handler);
        }
    }
}

impl SignalGuard {
    pub(crate) fn new() -> io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let mut handlers = Vec::new();
        for signal in [SIGTERM, SIGHUP] {
            handlers.push(signal_hook::flag::register(signal, Arc::clone(&ended))?);
        }
        handlers.push(signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false)))?);
        Ok(Self { ended, handlers })
    }

    /// Waits for the editor; `Ok(None)` if this process was told to end meanwhile.
    pub(crate) fn wait(&self, child: &mut Child) -> io::Result<Option<std::process::ExitStatus>> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok((!self.ended.load(Ordering::SeqCst)).then_some(status));
            }
            if self.ended.load(Ordering::SeqCst) {
                let _ = child.kill();
                child.wait()?;
                return Ok(None);
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// Whether others than its owner may read a file.
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
}

/// Whether its owner may run a file.
pub(crate) fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o100 != 0)
}

/// Lets everybody who may read a file run it.
pub(crate) fn make_executable(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(0o755))
}

/// Makes a new file that only its owner may read.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Whether a folder lies in memory, so that what is in it never reaches a disk.
pub(crate) fn is_in_memory(folder: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        // tmpfs and ramfs, from linux/magic.h.
        const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];
        rustix::fs::statfs(folder).is_ok_and(|system| IN_MEMORY.contains(&system.f_type))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folder;
        false
    }
}

/// Becomes another program, and returns only if that failed.
pub(crate) fn become_command(command: &mut Command) -> io::Error {
    use std::os::unix::process::CommandExt as _;
    command.exec()
}

/// What this process is told while it lives waits for a command, so that we can clean up behind the command.
pub(crate) struct Forwarder {
    signals: signal_hook::iterator::Signals,
}

impl Forwarder {
    /// Made before there is anything to clean up.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { signals: signal_hook::iterator::Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT])? })
    }

    /// Runs a command and passes on what this process is told, and was told since.
    pub(crate) fn run(mut self, command: &mut Command) -> io::Result<ExitStatus> {
        let handle = self.signals.handle();
        let mut child = command.spawn()?;
        let id = rustix::process::Pid::from_child(&child);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for signal in self.signals.forever() {
                    let signal = match signal {
                        SIGHUP => rustix::process::Signal::HUP,
                        SIGTERM => rustix::process::Signal::TERM,
                        // Those of the terminal go to the command by themselves.
                        _ => continue,
                    };
                    let _ = rustix::process::kill_process(id, signal);
                }
            });
            let status = child.wait();
            handle.close();
            status
        })
    }
}

/// A command's exit code; as a shell would have it where a signal ended the command.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// Makes a pipe with a name, which what is written into never reaches a disk; `false` where the system has none.
pub(crate) fn make_pipe(path: &Path) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        Ok(true)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        Ok(false)
    }
}

/// Opens a pipe without waiting for who writes into it.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    Ok(File::from(open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?))
}

/// Overwrites a file's contents in place.
pub(crate) fn overwrite(path: &Path, length: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    io::copy(&mut io::Read::take(io::repeat(0), length), &mut file)?;
    file.sync_data()
}
