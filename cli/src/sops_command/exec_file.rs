//! `sops exec-file`.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::chown;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::thread::JoinHandle;
use std::time::Duration;

use zeroize::Zeroizing;

use super::call::Call;
use super::failure::{Code, Failure};
use super::running::{self, User};
use super::source::{OpenSource, Source};
use crate::{files, unix};

/// Between two looks at whether a pipe is still being read.
const PAUSE: Duration = Duration::from_millis(5);
/// How many such looks: somebody whom the command left behind may hold the pipe open for ever.
const LOOKS: usize = 400;

/// The name of the file where none is given.
const NAME: &str = "tmp-file";

pub(super) fn run(call: &Call<'_>) -> Result<ExitCode, Failure> {
    let (path, command) = running::words(call)?;
    if call.is_on("background") {
        return Err(Failure::new(
            Code::Generic,
            "--background is not supported: the file would be gone before it is read",
        )
        .hint("Leave it out, and put the whole in the background with &."));
    }
    let user = User::of(call)?;
    let source = Source::of_file(call, path)?;
    let keys = call.keys()?;
    let file = source.parse()?;
    let plain = OpenSource::of(call, &source, &file, &keys)?.printed(call.output_store(&source.name))?;
    let name = name(call)?;
    // Before there is anything to clean up.
    let forwarder = unix::Forwarder::new().map_err(|error| running::failed(&error))?;
    let folder = files::private_folder()?;
    let file = folder.path().join(name);
    let failed = |error: io::Error| Failure::new(Code::Generic, format!("a private file cannot be written: {error}"));
    let pipe = if call.is_on("no-fifo") { false } else { unix::make_pipe(&file).map_err(failed)? };
    if !pipe {
        files::write_new_private(&file, &plain).map_err(failed)?;
    }
    if let Some(user) = &user {
        [folder.path(), &file].iter().try_for_each(|path| give(path, user)).map_err(failed)?;
    }
    let writer = pipe.then(|| Writer::start(&file, plain));
    let command = command.replace("{}", &file.to_string_lossy());
    let code = running::finish(forwarder, &mut running::shell(&command, user.as_ref()))?;
    if let Some(writer) = writer {
        writer.end();
    }
    folder.close().map_err(failed)?;
    Ok(code)
}

/// The name of `--filename`, which must not lead out of the private folder.
fn name<'a>(call: &Call<'a>) -> Result<&'a str, Failure> {
    let name = call.text("filename");
    if name.is_empty() {
        return Ok(NAME);
    }
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(only)), None) if only == name => Ok(name),
        _ => Err(Failure::new(Code::Generic, "The provided filename is not a local path.")),
    }
}

fn give(path: &Path, user: &User) -> io::Result<()> {
    chown(path, Some(user.id), Some(user.group))
}

/// Writes into the pipe as soon as somebody reads from it.
struct Writer {
    pipe: PathBuf,
    thread: JoinHandle<()>,
}

impl Writer {
    fn start(pipe: &Path, plain: Zeroizing<Vec<u8>>) -> Self {
        let path = pipe.to_owned();
        let thread = std::thread::spawn(move || {
            // Whoever reads may leave before the end.
            let _ = OpenOptions::new().write(true).open(&path).and_then(|mut pipe| pipe.write_all(&plain));
        });
        Self { pipe: pipe.to_owned(), thread }
    }

    /// After the command: lets a writer go that nobody has read from. One that is stuck ends with this process.
    fn end(self) {
        for _ in 0..LOOKS {
            if self.thread.is_finished() {
                break;
            }
            // It waits for a reader, or for one that is gone: this one opens the pipe, and reads nothing.
            drop(unix::open_to_read(&self.pipe));
            std::thread::sleep(PAUSE);
        }
    }
}
