//! Reading files whole and bounded, and parsing them as what their names say.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sealwax_format::SecretBytes;
use sealwax_format::document::{File as Document, Syntax};

use super::Store;
use crate::error::{Code, CommandError};

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
        if Store::of_text(self.path.as_deref(), text) == Store::Binary
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
