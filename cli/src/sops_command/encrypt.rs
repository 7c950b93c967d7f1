//! `sops encrypt`.

use std::path::Path;
use std::process::ExitCode;

use sealwax_format::sops::{BLOCK_KEY, Plain, Plains};
use zeroize::Zeroizing;

use super::call::Call;
use super::creation;
use super::failure::{Code, Failure};
use super::source::{Source, cannot_encrypt, cannot_print, output};
use super::target::{self, Kind};
use crate::error::CommandError;
use crate::files::Store;
use crate::sops::config::Creation;
use crate::sops::keys::Keys;
use crate::sops::{self, Rest};

pub(super) fn run(call: &Call<'_>) -> Result<ExitCode, Failure> {
    if call.given.words.is_empty() {
        let conflict = |message| Err(Failure::new(Code::ConflictingFlags, message));
        if call.is_on("in-place") {
            return conflict("Error: cannot use --in-place when reading from stdin");
        }
        if call.text("filename-override").is_empty() {
            return conflict("Error: must specify --filename-override when reading from stdin");
        }
    }
    let file = call.only_file();
    target::check(call)?;
    let source = Source::given(call, file)?;
    let text = encrypted(call, &source)?;
    target::write(call, &source, text.as_bytes(), Kind::Encrypted)
}

/// The encrypted file.
pub(super) fn encrypted(call: &Call<'_>, source: &Source) -> Result<Zeroizing<String>, Failure> {
    let creation = creation::of(call, &source.name, source.store)?;
    let keys = call.keys()?;
    let plain = Plaintext::of(source, call.output_store(&source.name))?;
    sealed(source.shown(), &plain, &creation, &keys)
}

/// Encrypts a plain file under a new data key.
pub(super) fn sealed(
    shown: &str,
    plain: &Plaintext,
    creation: &Creation,
    keys: &Keys<'_>,
) -> Result<Zeroizing<String>, Failure> {
    let (metadata, key) = sops::mint(creation, keys)
        .map_err(|error| Failure::of(Code::Generic, &error).said("Could not generate data key: "))?;
    let rest = if plain.may_have_nothing { Rest::MayHaveNothing } else { Rest::New };
    let report = sops::write(shown, &plain.bytes, plain.store, &metadata, &key, rest);
    Ok(report.map_err(|error| cannot_encrypt(&error))?.text)
}

/// A plain file in the type in which it is to be encrypted.
pub(super) struct Plaintext {
    bytes: Zeroizing<Vec<u8>>,
    store: Store,
    /// Whether it is no fault if nothing in it could be encrypted.
    may_have_nothing: bool,
}

impl Plaintext {
    /// Of a file or standard input, printed as another type if need be.
    pub(super) fn of(source: &Source, store: Store) -> Result<Self, Failure> {
        let shown = source.shown();
        let bytes = source.input.bytes.expose();
        let is_json = |store| matches!(store, Store::Json | Store::Binary);
        if source.store == Store::Binary {
            if is_json(store) {
                return Ok(Self {
                    bytes: Zeroizing::new(bytes.to_vec()),
                    store: Store::Binary,
                    may_have_nothing: true,
                });
            }
            let bytes = Plains::of_bytes(bytes).print(output(store)).map_err(|error| cannot_print(shown, &error))?;
            return Ok(Self { bytes, store, may_have_nothing: false });
        }
        let unreadable = |error: CommandError| Failure::of(Code::CannotRead, &error).said("Error unmarshalling file: ");
        if source.store == Store::Yaml && bytes.is_empty() {
            let message = "File cannot be completely empty, it must contain at least one document";
            return Err(Failure::new(Code::NoDocument, message));
        }
        let file = source.parse().map_err(unreadable)?;
        let plains = Plains::of(&file).map_err(|error| cannot_print(shown, &error))?;
        if plains.documents().iter().any(|plain| !matches!(plain, Plain::Map(_) | Plain::Null)) {
            let error =
                CommandError::unreadable(format!("{shown}: a document is no mapping, and has no place for keys"));
            return Err(unreadable(error));
        }
        if file.documents.iter().any(|document| document.root.get(BLOCK_KEY).is_some()) {
            return Err(already_encrypted(Path::new(shown)));
        }
        let is_empty = !plains.documents().iter().any(has_values);
        // SOPS encrypts values as bytes, too, in the one way that it writes JSON.
        let store = if store == Store::Binary { Store::Json } else { store };
        let bytes = if store == source.store {
            Zeroizing::new(bytes.to_vec())
        } else {
            plains.print(output(store)).map_err(|error| cannot_print(shown, &error))?
        };
        Ok(Self { bytes, store, may_have_nothing: is_empty })
    }
}

/// Whether anything in it would be encrypted if it were selected.
fn has_values(plain: &Plain) -> bool {
    match plain {
        Plain::Null => false,
        Plain::Value(_, bytes) => !bytes.is_empty(),
        Plain::Map(entries) => entries.iter().any(|(_, value)| has_values(value)),
        Plain::List(items) => items.iter().any(has_values),
    }
}

fn already_encrypted(file: &Path) -> Failure {
    let message = format!(
        "The file you have provided contains a top-level entry called 'sops': {} is encrypted already",
        file.display()
    );
    Failure::new(Code::AlreadyEncrypted, message)
        .hint("If it is not, rename that entry: SOPS keeps its own data there.")
        .hint("If it is, change it with `sops edit`.")
}
