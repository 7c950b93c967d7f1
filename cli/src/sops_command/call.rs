//! What a command was called with, and what every command asks of it.

use std::path::{Path, PathBuf};

use super::failure::{Code, Failure};
use super::flags::Given;
use super::refused;
use crate::files::Store;
use crate::keyring::Identities;
use crate::sops::config::Configs;
use crate::sops::keys::Keys;
use crate::ui::{Note, Ui};

/// A call.
pub(super) struct Call<'a> {
    /// What stood before the command's name.
    pub(super) root: &'a Given,
    /// What stood behind it.
    pub(super) given: &'a Given,
    pub(super) ui: &'a Ui,
    pub(super) identities: &'a Identities<'a>,
}

impl<'a> Call<'a> {
    pub(super) fn text(&self, name: &str) -> &'a str {
        self.given.text(name)
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        self.given.is_on(name)
    }

    /// A flag for a path, if it is given.
    pub(super) fn path(&self, name: &str) -> Option<&'a Path> {
        Some(self.text(name)).filter(|text| !text.is_empty()).map(Path::new)
    }

    pub(super) fn file(&self, index: usize) -> Option<&'a Path> {
        self.given.words.get(index).map(Path::new)
    }

    /// The only file of most commands. What stands behind it is passed over, which is told.
    pub(super) fn only_file(&self) -> Option<&'a Path> {
        let words = &self.given.words;
        if words.len() > 1 {
            let told = "More than one positional argument provided. Only the first one will be used!";
            let mut notes = vec![Note::Warning(told.to_owned())];
            if words.iter().skip(1).any(|word| word.as_encoded_bytes().starts_with(b"-")) {
                let told = "One of the others looks like a flag: flags stand before the file.";
                notes.push(Note::Warning(told.to_owned()));
            }
            self.ui.notes(&notes);
        }
        self.file(0)
    }

    /// The same, where there has to be one.
    pub(super) fn required_file(&self) -> Result<&'a Path, Failure> {
        self.only_file().ok_or_else(|| Failure::new(Code::NoFile, "Error: no file specified"))
    }

    /// The keys of this run, in the order in which they are to be tried. What SOPS would use and this program does not
    /// have is refused here, so that nothing is done with other keys than those that were meant.
    pub(super) fn keys(&self) -> Result<Keys<'a>, Failure> {
        refused::services(self)?;
        refused::audit(Path::new(refused::AUDIT))?;
        let keys = Keys::new(self.identities);
        let order = self.text("decryption-order");
        if order.is_empty() {
            return Ok(keys);
        }
        let names: Vec<&str> = order.split(',').map(str::trim).collect();
        let twice =
            names.iter().enumerate().find(|(index, name)| names.iter().take(*index).any(|known| known == *name));
        if let Some((_, name)) = twice {
            let message = format!("Duplicate decryption key type: {}", name.escape_debug());
            return Err(Failure::new(Code::DuplicateKeyType, message));
        }
        Ok(keys.in_order("--decryption-order", order)?)
    }

    /// The configurations: the one that was named, or what stands above files.
    pub(super) fn configs(&self) -> Result<Configs, Failure> {
        let named = self.root.text("config");
        if named.is_empty() {
            return Ok(Configs::default());
        }
        let path = PathBuf::from(named);
        match std::fs::File::open(&path) {
            Ok(_) => Ok(Configs::named(path)),
            Err(error) => Err(Failure::new(Code::Generic, format!("could not read config file: {named}: {error}"))),
        }
    }

    /// What a file is read as.
    pub(super) fn input_store(&self, name: &Path) -> Store {
        store(self.text("input-type"), name)
    }

    /// What a result is written as.
    pub(super) fn output_store(&self, name: &Path) -> Store {
        store(self.text("output-type"), name)
    }
}

/// By a type's name, or else by a file's: SOPS passes over names of types that it does not know.
fn store(kind: &str, name: &Path) -> Store {
    match kind {
        "yaml" => Store::Yaml,
        "json" => Store::Json,
        "dotenv" => Store::Dotenv,
        "ini" => Store::Ini,
        "binary" => Store::Binary,
        _ => Store::of(name),
    }
}
