//! What a command reads: a file or standard input, as what it is written as; and the same opened.

use std::path::{Path, PathBuf};

use sealwax_format::OsRandom;
use sealwax_format::document::File;
use sealwax_format::sops::{self, Layout, Metadata, Output, OutputError, Plains, ReadError, Stash};
use zeroize::Zeroizing;

use super::call::Call;
use super::failure::{Code, Failure};
use super::table::VERBOSE;
use crate::error::CommandError;
use crate::files::{self, Input, STDIN, Store};
use crate::sops::keys::Keys;
use crate::sops::{self as sops_files, Open, Rest};
use crate::ui;

/// A file, or standard input.
pub(super) struct Source {
    pub(super) input: Input,
    /// What it is written as.
    pub(super) store: Store,
    /// The name by which rules and types are found.
    pub(super) name: PathBuf,
}

impl Source {
    /// A file that exists, or standard input without one.
    pub(super) fn given(call: &Call<'_>, file: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = file else { return Self::read(call, Path::new(STDIN), Input::read) };
        require(path)?;
        Self::of_file(call, path)
    }

    /// A file.
    pub(super) fn of_file(call: &Call<'_>, path: &Path) -> Result<Self, Failure> {
        Self::read(call, path, Input::read_file)
    }

    fn read(
        call: &Call<'_>,
        path: &Path,
        read: impl Fn(&Path) -> Result<Input, CommandError>,
    ) -> Result<Self, Failure> {
        let name = call.path("filename-override").unwrap_or(path).to_owned();
        let input = read(path).map_err(|error| Failure::of(Code::CannotRead, &error).said("Error reading file: "))?;
        Ok(Self { input, store: call.input_store(&name), name })
    }

    pub(super) fn shown(&self) -> &str {
        &self.input.shown
    }

    /// Parses it as its store is written.
    pub(super) fn parse(&self) -> Result<File<'_>, CommandError> {
        files::parse(self.shown(), self.input.text()?, self.store.syntax())
    }
}

/// Fails as SOPS does where there is no file.
pub(super) fn require(path: &Path) -> Result<(), Failure> {
    if path.exists() {
        return Ok(());
    }
    let message = format!("Error: cannot operate on non-existent file {:?}", path.display().to_string());
    Err(Failure::new(Code::NoFile, message))
}

/// A file of SOPS, opened.
pub(super) struct OpenSource<'f> {
    source: &'f Source,
    file: &'f File<'f>,
    open: Open<'f>,
}

impl<'f> OpenSource<'f> {
    /// Opens a file, and holds its checksum against its values unless told not to.
    pub(super) fn of(
        call: &Call<'_>,
        source: &'f Source,
        file: &'f File<'f>,
        keys: &Keys<'_>,
    ) -> Result<Self, Failure> {
        let check_mac = !call.is_on("ignore-mac");
        let shown = source.shown();
        let layout = layout(source, file)?;
        let key = keys.open(shown, &layout.metadata).map_err(|error| no_data_key(&layout.metadata, &error))?;
        if call.root.is_on(VERBOSE) {
            ui::message("[SOPS]\t msg=\"Data key recovered successfully\"");
        }
        let cipher = key.cipher();
        let values = layout.open(file, &cipher, check_mac).map_err(|at| {
            let error = sops_files::in_file(shown, &at);
            match at.error {
                ReadError::Mac | ReadError::NoMac => {
                    let hint = "--ignore-mac opens the file all the same; then look at what was changed.";
                    Failure::of(Code::WrongMac, &error).said("MAC mismatch. ").hint(hint)
                }
                _ => Failure::of(Code::CannotDecrypt, &error).said("Error decrypting tree: "),
            }
        })?;
        Ok(Self { source, file, open: Open { layout, key, cipher, values } })
    }

    pub(super) fn metadata(&self) -> &Metadata {
        &self.open.layout.metadata
    }

    pub(super) fn key(&self) -> &sops::FileKey {
        &self.open.key
    }

    /// How many values are encrypted, comments aside.
    pub(super) fn encrypted(&self) -> usize {
        self.open.values.iter().filter(|one| one.kind != sops::Type::Comment).count()
    }

    /// The plain file, laid out as the encrypted one is.
    pub(super) fn plain(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if self.source.store == Store::Binary {
            let bytes = sops::binary::decrypt(self.file, &self.open.layout, &self.open.values);
            return bytes.ok_or_else(|| cannot_print(self.source.shown(), &OutputError::NoData));
        }
        let text = self.open.layout.decrypt(self.file, &self.open.cipher, &self.open.values);
        let text = text.map_err(|at| {
            let error = sops_files::in_file(self.source.shown(), &at);
            Failure::of(Code::CannotPrint, &error).said("Error dumping file: ")
        })?;
        Ok(Zeroizing::new(text.as_bytes().to_vec()))
    }

    /// Its values.
    pub(super) fn plains(&self) -> Result<Plains, Failure> {
        let plains = Plains::opened(&self.open.layout, self.file, &self.open.values);
        plains.map_err(|error| cannot_print(self.source.shown(), &error))
    }

    /// The file as it is printed in another type.
    pub(super) fn printed(&self, store: Store) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if store == self.source.store {
            return self.plain();
        }
        self.plains()?.print(output(store)).map_err(|error| cannot_print(self.source.shown(), &error))
    }

    /// Encrypts what became of the plain file. What did not change keeps its ciphertext.
    pub(super) fn sealed(&self, plain: &[u8], metadata: &Metadata) -> Result<Zeroizing<String>, Failure> {
        let stash = Stash::of(&self.open.layout, self.file, &self.open.cipher, &self.open.values, &mut OsRandom);
        let stash = stash.map_err(|error| cannot_encrypt(&CommandError::refused(error.to_string())))?;
        let rest = Rest::Was(&stash);
        let report = sops_files::write(self.source.shown(), plain, self.source.store, metadata, self.key(), rest);
        Ok(report.map_err(|error| cannot_encrypt(&error))?.text)
    }
}

/// The layout of a file that has to be one of SOPS.
pub(super) fn layout<'f>(source: &Source, file: &'f File<'f>) -> Result<Layout<'f>, Failure> {
    if !Layout::is_one(file) {
        return Err(Failure::new(Code::Generic, "sops metadata not found")
            .hint(format!("{} is not encrypted, or is of another type: see --input-type.", source.shown())));
    }
    Layout::read(file).map_err(|at| {
        let code = if matches!(at.error, ReadError::Metadata(_)) { Code::Generic } else { Code::CannotDecrypt };
        Failure::of(code, &sops_files::in_file(source.shown(), &at))
    })
}

/// None of the keys opened a file. People and scripts know the first lines.
pub(super) fn no_data_key(metadata: &Metadata, error: &CommandError) -> Failure {
    let mut words = "Failed to get the data key required to decrypt the SOPS file.\n".to_owned();
    if metadata.groups.len() < 2 {
        words.push_str("Error getting data key: 0 successful groups required, got 0\n");
    }
    Failure::of(Code::NoDataKey, error).said(&words)
}

pub(super) fn cannot_encrypt(error: &CommandError) -> Failure {
    Failure::of(Code::CannotEncrypt, error).said("Error encrypting tree: ")
}

/// Values that have no place in a type of file.
pub(super) fn cannot_print(shown: &str, error: &OutputError) -> Failure {
    let failure = Failure::new(Code::CannotPrint, format!("Error dumping file: {shown}: {error}"));
    match error {
        OutputError::NoData => failure.hint("If this is no file of bytes, choose another type with --output-type."),
        _ => failure,
    }
}

/// How values are printed for a type of file.
pub(super) fn output(store: Store) -> Output {
    if store == Store::Binary { Output::Binary } else { Output::Text(store.syntax()) }
}
