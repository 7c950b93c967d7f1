//! `sops rotate`.

use std::process::ExitCode;

use sealwax_format::document::File;
use sealwax_format::sops::Layout;
use zeroize::Zeroizing;

use super::call::Call;
use super::creation;
use super::failure::{Code, Failure};
use super::source::{OpenSource, Source, cannot_encrypt, layout};
use super::target::{self, Kind};
use crate::commented::Comments;
use crate::files::{self, Store};
use crate::sops::config::Creation;
use crate::sops::{self, Rest};
use crate::ui::count;

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
    if file.documents.len() > 1 && store != source.store {
        let message = format!("{}: has several documents, of which a file of that type holds one", source.shown());
        return Err(Failure::new(Code::CannotPrint, message).hint("Leave the type as it is."));
    }
    let plain = opened.printed(store)?;
    let (metadata, key) = sops::mint(&creation, &keys)
        .map_err(|error| Failure::of(Code::Generic, &error).said("Could not generate data key: "))?;
    let report = sops::write(source.shown(), &plain, store, &metadata, &key, Rest::MayHaveNothing);
    let text = report.map_err(|error| cannot_encrypt(&error))?.text;
    let of = |error| Failure::of(Code::CannotEncrypt, &error);
    let result = files::parse(source.shown(), &text, store.syntax()).map_err(of)?;
    if store != source.store {
        refuse_fewer(source, opened.encrypted(), &result)?;
    } else if !Comments::of([&file]).new_in(&result).is_empty() {
        // Whoever narrowed the selector, which is in no checksum.
        let message = format!("{}: a comment is encrypted, and the selector does not select it", source.shown());
        return Err(
            Failure::new(Code::CannotEncrypt, message).hint("Take it out with `sops edit`, or mend the selector.")
        );
    }
    Ok(text)
}

/// In another type of file there are no comments, by which a selector may go.
fn refuse_fewer(source: &Source, before: usize, file: &File<'_>) -> Result<(), Failure> {
    let of = |error| Failure::of(Code::CannotEncrypt, &error);
    let layout = Layout::read(file).map_err(|at| of(sops::in_file(source.shown(), &at)))?;
    let after = layout.values.iter().filter(|value| value.token.is_some()).count();
    if after >= before {
        return Ok(());
    }
    let message = format!(
        "{}: {} encrypted, and {after} would be in a file of that type",
        source.shown(),
        count(before, "value")
    );
    Err(Failure::new(Code::CannotEncrypt, message).hint("The selector goes by comments: leave the type as it is."))
}
