//! Files: bounded reads, atomic replacement in batches, private temporary files.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sealwax_format::SecretBytes;
use sealwax_format::document::{File as Document, Syntax};
use tempfile::TempPath;

use crate::error::{Code, CommandError};
use crate::sops::Store;
use crate::ui::Ui;
use crate::unix;

/// Largest input in bytes: far above any manifest, far below what would fill the memory.
pub(crate) const MAX_INPUT: usize = 256 << 20;

/// The name for standard input and output.
pub(crate) const STDIN: &str = "-";

/// A file read, with what is needed to write it back.
pub(crate) struct Input {
    /// As given on the command line.
    pub(crate) shown: String,
    /// Where it is; `None` for standard input.
    pub(crate) path: Option<PathBuf>,
    /// What it holds.
    pub(crate) bytes: SecretBytes,
}

impl Input {
    /// Reads a file, or standard input for `-`.
    pub(crate) fn read(path: &Path) -> Result<Self, CommandError> {
        let shown = path.display().to_string();
        if shown == STDIN {
            let bytes = read_limited(io::stdin().lock(), 0).map_err(|e| unreadable("standard input", &e))?;
            return Ok(Self { shown: "standard input".to_owned(), path: None, bytes });
        }
        Self::read_file(path)
    }

    /// Reads a file, whatever it is called: programs pass names that nobody typed.
    pub(crate) fn read_file(path: &Path) -> Result<Self, CommandError> {
        let shown = path.display().to_string();
        let file = File::open(path).map_err(|e| unreadable(&shown, &e))?;
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        let bytes = read_limited(file, size).map_err(|e| unreadable(&shown, &e))?;
        Ok(Self { shown, path: Some(path.to_owned()), bytes })
    }

    /// The contents as text.
    pub(crate) fn text(&self) -> Result<&str, CommandError> {
        self.bytes.expose_str().ok_or_else(|| CommandError::unreadable(format!("{}: not UTF-8 text", self.shown)))
    }

    /// Its documents.
    pub(crate) fn parse(&self) -> Result<Document<'_>, CommandError> {
        let text = self.text()?;
        // A file of bytes that SOPS encrypted is JSON, under whatever name.
        if text.starts_with('{')
            && self.path.as_deref().is_some_and(|path| Store::of(path) == Store::Binary)
            && let Ok(file) = Document::parse(text, Syntax::Json)
        {
            return Ok(file);
        }
        parse(&self.shown, text, self.syntax())
    }

    /// How it is written, by its name.
    pub(crate) fn syntax(&self) -> Syntax {
        syntax_of(self.path.as_deref())
    }
}

/// By a file's name; YAML for those that say nothing.
pub(crate) fn syntax_of(path: Option<&Path>) -> Syntax {
    let is = |wanted: &str| {
        path.and_then(Path::extension).is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
            || path
                .and_then(Path::file_name)
                .is_some_and(|name| name.to_string_lossy().strip_prefix('.') == Some(wanted))
    };
    let known = [("json", Syntax::Json), ("env", Syntax::Dotenv), ("ini", Syntax::Ini)];
    known.into_iter().find(|(name, _)| is(name)).map_or(Syntax::Yaml, |(_, syntax)| syntax)
}

fn unreadable(shown: &str, error: &io::Error) -> CommandError {
    CommandError::unreadable(format!("{shown}: cannot be read: {error}"))
}

fn read_limited(mut reader: impl io::Read, size: u64) -> io::Result<SecretBytes> {
    // As large as it will get: a vector that grows leaves copies of its contents behind.
    let capacity = usize::try_from(size.min(MAX_INPUT as u64)).unwrap_or_default().max(64 * 1024) + 1;
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(capacity));
    reader.by_ref().take(MAX_INPUT as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_INPUT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 256 MiB"));
    }
    Ok(SecretBytes::from(bytes))
}

/// Parses a file. Where Git left markers of a conflict in it, the error says what to do about those.
pub(crate) fn parse<'t>(shown: &str, text: &'t str, syntax: Syntax) -> Result<Document<'t>, CommandError> {
    Document::parse(text, syntax).map_err(|error| {
        let error = CommandError::in_file(shown, &error.into());
        match conflict(text) {
            Some(line) => error.hint(format!(
                "Markers of a conflict stand from line {line} on: keep the lines of one side, delete the others with the markers."
            )),
            None => error,
        }
    })
}

/// The line of the first conflict marker, if there is a whole set.
pub(crate) fn conflict(text: &str) -> Option<usize> {
    let at = |marker: &str| text.lines().position(|line| line.starts_with(marker)).map(|index| index + 1);
    at("<<<<<<< ").filter(|_| at("=======").is_some() && at(">>>>>>> ").is_some())
}

/// Reads a small text file that belongs to the configuration.
pub(crate) fn read_text(path: &Path) -> Result<String, CommandError> {
    fs::read_to_string(path).map_err(|error| CommandError::io(Code::Usage, "cannot be read", path, &error))
}

/// Replacements that become visible together: first all are written and made durable, then all are renamed.
#[derive(Default)]
pub(crate) struct Batch {
    staged: Vec<Staged>,
}

/// A replacement written beside its target.
pub(crate) struct Staged {
    target: PathBuf,
    /// Closed: a batch of files is larger than the number of files that a process may have open.
    temporary: TempPath,
    /// What the target held when it was read; `None` for a new file.
    before: Option<SecretBytes>,
}

impl Staged {
    /// Writes the new contents of a file beside it, with its mode. A symbolic link stays one; its target is replaced.
    pub(crate) fn write(path: &Path, before: Option<&SecretBytes>, bytes: &[u8]) -> Result<Self, CommandError> {
        Self::write_with(path, before, bytes, unix::permissions)
    }

    /// The same for plaintext: whoever could read the ciphertext need not be able to read this.
    pub(crate) fn write_private(path: &Path, before: &SecretBytes, bytes: &[u8]) -> Result<Self, CommandError> {
        Self::write_with(path, Some(before), bytes, unix::owner_only)
    }

    fn write_with(
        path: &Path,
        before: Option<&SecretBytes>,
        bytes: &[u8],
        mode: fn(&fs::Metadata) -> fs::Permissions,
    ) -> Result<Self, CommandError> {
        let failed = |error: io::Error| CommandError::io(Code::Refused, "cannot be written", path, &error);
        let target = if before.is_some() { fs::canonicalize(path).map_err(failed)? } else { path.to_owned() };
        let folder = folder_of(&target);
        let mut temporary = tempfile::Builder::new().prefix(".sealwax-").tempfile_in(folder).map_err(failed)?;
        temporary.write_all(bytes).map_err(failed)?;
        if before.is_some() {
            let metadata = fs::metadata(&target).map_err(failed)?;
            unix::keep_owner(temporary.as_file(), &metadata);
            temporary.as_file().set_permissions(mode(&metadata)).map_err(failed)?;
        }
        Ok(Self { target, temporary: temporary.into_temp_path(), before: before.map(SecretBytes::duplicate) })
    }

    fn publish(self) -> Result<(), CommandError> {
        let failed = |error: io::Error| CommandError::io(Code::Refused, "cannot be replaced", &self.target, &error);
        match self.before {
            Some(before) => {
                // Two writers: whoever comes second must see what the first one wrote.
                let folder = File::open(self.target.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
                folder.lock().map_err(failed)?;
                let now = fs::read(&self.target).map(SecretBytes::from).map_err(failed)?;
                if now != before {
                    let shown = self.target.display();
                    return Err(CommandError::refused(format!(
                        "{shown}: changed by someone else meanwhile; nothing was written"
                    ))
                    .hint("Run the command again."));
                }
                self.temporary.persist(&self.target).map_err(|error| failed(error.error))?;
            }
            None => {
                self.temporary.persist_noclobber(&self.target).map_err(|error| failed(error.error))?;
            }
        }
        Ok(())
    }
}

impl Batch {
    /// Adds a replacement.
    pub(crate) fn add(&mut self, staged: Staged) {
        self.staged.push(staged);
    }

    /// Makes all durable and visible; an outcome for each, in order.
    pub(crate) fn commit(self) -> Vec<Result<(), CommandError>> {
        let written: Vec<&Path> = self.staged.iter().map(|staged| &*staged.temporary).collect();
        let synced = unix::sync_all(&written);
        let folders: BTreeSet<PathBuf> =
            self.staged.iter().map(|staged| folder_of(&staged.target).to_owned()).collect();
        let outcomes = self
            .staged
            .into_iter()
            .map(|staged| match &synced {
                Ok(()) => staged.publish(),
                Err(error) => Err(CommandError::io(Code::Refused, "cannot be made durable", &staged.target, error)),
            })
            .collect();
        // The new names too. Without that a crash brings the old files back, whole: no reason to call them failed.
        let _ = unix::sync_all(&folders.iter().map(PathBuf::as_path).collect::<Vec<_>>());
        outcomes
    }
}

/// Does the same with every file, in parallel where there are several: starting threads for one file would take longer
/// than most files.
pub(crate) fn each<T: Sync, R: Send>(files: &[T], work: impl Fn(&T) -> R + Send + Sync) -> Vec<R> {
    match files {
        [one] => vec![work(one)],
        several => several.par_iter().map(work).collect(),
    }
}

/// The same, and how far it is on a terminal.
pub(crate) fn each_shown<T: Sync, R: Send>(
    ui: &Ui,
    doing: &'static str,
    files: &[T],
    work: impl Fn(&T) -> R + Send + Sync,
) -> Vec<R> {
    let progress = ui.progress(doing, files.len());
    let results = each(files, |file| {
        let result = work(file);
        progress.step();
        result
    });
    progress.end();
    results
}

/// Replaces one file.
pub(crate) fn replace(path: &Path, before: &SecretBytes, bytes: &[u8]) -> Result<(), CommandError> {
    let mut batch = Batch::default();
    batch.add(Staged::write(path, Some(before), bytes)?);
    batch.commit().into_iter().collect()
}

/// Writes a file that must not exist yet.
pub(crate) fn create(path: &Path, bytes: &[u8], private: bool) -> Result<(), CommandError> {
    let failed = |error: io::Error| {
        let error = CommandError::io(Code::Refused, "cannot be created", path, &error);
        if path.exists() { error.hint("The file exists and is never overwritten; choose another name.") } else { error }
    };
    let folder = folder_of(path);
    // Beside its place and then renamed, so that a full disk leaves nothing half written. Made with mode 0600.
    let made = tempfile::Builder::new().prefix(".sealwax-").tempfile_in(folder);
    // The library names its own file in the error; the reader of ours knows only the one he asked for.
    let mut file = made.map_err(|error| failed(error.kind().into()))?;
    file.write_all(bytes).map_err(failed)?;
    if !private {
        file.as_file().set_permissions(unix::readable_by_all()).map_err(failed)?;
    }
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    let _ = unix::sync_all(&[folder]);
    Ok(())
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file that only its owner may read, with the folders above it, over what is there.
pub(crate) fn put_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".sealwax-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map(|_| ()).map_err(|error| error.error)
}

/// Writes a new file for plaintext into a private folder.
pub(crate) fn write_new_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = unix::create_private(path)?;
    file.write_all(bytes)
}

/// A folder for plaintext that nobody else can read, outside the repository, gone when dropped. In memory where
/// the system offers that.
pub(crate) fn private_folder() -> Result<tempfile::TempDir, CommandError> {
    let in_memory =
        std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).into_iter().chain([PathBuf::from("/dev/shm")]);
    let candidates = in_memory.filter(|folder| folder.is_dir()).chain([std::env::temp_dir()]);
    let mut failure = None;
    for folder in candidates {
        match tempfile::Builder::new().prefix("sealwax-").permissions(unix::private_folder()).tempdir_in(&folder) {
            Ok(made) => return Ok(made),
            Err(error) => {
                failure = Some(CommandError::io(Code::Refused, "no private folder can be made", &folder, &error));
            }
        }
    }
    Err(failure.unwrap_or_else(|| CommandError::refused("no folder for temporary files")))
}
