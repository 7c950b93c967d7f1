//! `sops rotate`.

use std::process::ExitCode;

use zeroize::Zeroizing;

use super::call::Call;
use super::creation;
use super::failure::{Code, Failure};
use super::source::{OpenSource, Source, cannot_encrypt, layout};
use super::target::{self, Kind};
use crate::files::Store;
use crate::sops::config::Creation;
use crate::sops::{self, Rest};

/// The flags that change who can open a file.
const CHANGING: [&str; 7] = ["kms", "gcp-kms", "hckms", "azure-kv", "hc-vault-transit", "pgp", "age"];

pub(super) fn run(call: &Call<'_>) -> Result<ExitCode, Failure> {
    let path = call.required_file()?;
    target::check(call)?;
    if !path.exists() && changes_keys(call) {
        return Err(no_file_to_change(&path.display().to_string(), "the `edit` subcommand"));
    }
    let source = Source::of_file(call, path)?;
    let text = rotated(call, &source)?;
    target::write(call, &source, text.as_bytes(), Kind::Encrypted)
}

/// Whether a call adds keys or takes some out.
pub(super) fn changes_keys(call: &Call<'_>) -> bool {
    CHANGING.iter().any(|name| ["add", "rm"].iter().any(|verb| !call.text(&format!("{verb}-{name}")).is_empty()))
}

pub(super) fn no_file_to_change(path: &str, instead: &str) -> Failure {
    let message = format!("Error: cannot add or remove keys on non-existent file {path:?}, use {instead} instead.");
    Failure::new(Code::NoFileToChangeKeysOf, message)
}

/// The file under a new data key, and for other keys if flags say so.
pub(super) fn rotated(call: &Call<'_>, source: &Source) -> Result<Zeroizing<String>, Failure> {
    let (added, removed) = (creation::keys_of(call, "add-")?, creation::keys_of(call, "rm-")?);
    let keys = call.keys()?;
    let file = source.parse()?;
    let old = layout(source, &file)?.metadata;
    let opened = OpenSource::of(call, source, &file, &keys)?;
    let creation = Creation::of_file(source.shown(), &old);
    let creation = creation::changed(creation, added, &removed);
    let store = match call.output_store(&source.name) {
        Store::Binary if source.store != Store::Binary => Store::Json,
        Store::Json if source.store == Store::Binary => Store::Binary,
        store => store,
    };
    let plain = opened.printed(store)?;
    let (metadata, key) = sops::mint(&creation, &keys)
        .map_err(|error| Failure::of(Code::Generic, &error).said("Could not generate data key: "))?;
    let report = sops::write(source.shown(), &plain, store, &metadata, &key, Rest::MayHaveNothing);
    Ok(report.map_err(|error| cannot_encrypt(&error))?.text)
}
