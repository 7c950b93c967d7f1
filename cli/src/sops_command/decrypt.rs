//! `sops decrypt`.

use std::process::ExitCode;

use sealwax_format::Path;
use sealwax_format::sops::Plains;
use zeroize::Zeroizing;

use super::call::Call;
use super::failure::{Code, Failure};
use super::source::{OpenSource, Source, cannot_print, output};
use super::target::{self, Kind};
use super::tree_path;
use crate::files::Store;

pub(super) fn run(call: &Call<'_>) -> Result<ExitCode, Failure> {
    if call.given.words.is_empty() && call.is_on("in-place") {
        let message = "Error: cannot use --in-place when reading from stdin";
        return Err(Failure::new(Code::ConflictingFlags, message));
    }
    let file = call.only_file();
    target::check(call)?;
    let source = Source::given(call, file)?;
    let plain = decrypted(call, &source)?;
    target::write(call, &source, &plain, Kind::Plain)
}

/// The plain file, or what stands at a path of it.
pub(super) fn decrypted(call: &Call<'_>, source: &Source) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let store = call.output_store(&source.name);
    call.configs()?;
    let keys = call.keys()?;
    let path = tree_path::parse(call.text("extract"))
        .map_err(|error| Failure::new(Code::BadTreePath, format!("error parsing --extract path: {error}")))?;
    let file = source.parse()?;
    let opened = OpenSource::of(call, source, &file, &keys)?;
    if path.0.is_empty() {
        return opened.printed(store);
    }
    extracted(source, &opened.plains()?, &path, store)
}

/// What stands at a path of the first document: a text as it is, anything else as the type of file has it.
fn extracted(source: &Source, plains: &Plains, path: &Path, store: Store) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let Some(plain) = plains.at(path) else {
        let known = (0..path.0.len()).take_while(|length| plains.at(&Path(path.0[..*length].to_vec())).is_some());
        let missing = known.last().and_then(|length| path.0.get(length)).map(tree_path::shown).unwrap_or_default();
        let message = format!("error truncating tree: component {missing} not found");
        return Err(Failure::new(Code::Generic, message));
    };
    let name = path.0.last().map(tree_path::shown).unwrap_or_default();
    plain.print(output(store), &name).map_err(|error| cannot_print(source.shown(), &error))
}
