//! `sops unset`.

use std::process::ExitCode;

use sealwax_format::document::removal::RemovalError;

use super::call::Call;
use super::failure::{Code, Failure};
use super::set::no_values;
use super::source::{OpenSource, Source};
use super::{target, tree_path};
use crate::error::chain;
use crate::files::{self, Store};
use crate::sops;

pub(super) fn run(call: &Call<'_>) -> Result<ExitCode, Failure> {
    let words = &call.given.words;
    let (Some(file), [_, path]) = (call.file(0), words.as_slice()) else {
        return Err(Failure::new(Code::NoFile, "Error: no file specified, or index is missing"));
    };
    let path = path.to_str().and_then(|path| tree_path::parse(path).ok()).filter(|path| !path.0.is_empty());
    let path = path.ok_or_else(|| Failure::new(Code::BadSetFormat, "Invalid unset index format"))?;
    let source = Source::of_file(call, file)?;
    let keys = call.keys()?;
    let file = source.parse()?;
    let opened = OpenSource::of(call, &source, &file, &keys)?;
    let plain = opened.plain()?;
    let text = std::str::from_utf8(&plain).ok().filter(|_| source.store != Store::Binary);
    let before = files::parse(source.shown(), text.ok_or_else(|| no_values(&source))?, source.store.syntax())?;
    let shown: String = path.0.iter().map(tree_path::shown).collect();
    match sops::take_out(&before, 0, &path) {
        Ok(changed) => {
            let sealed = opened.sealed(changed.as_bytes(), opened.metadata())?;
            target::over(&source, sealed.as_bytes())
        }
        Err(RemovalError::Missing) if call.is_on("idempotent") => Ok(ExitCode::SUCCESS),
        Err(RemovalError::Missing) => Err(Failure::new(Code::Generic, format!("Key not found: {shown}"))),
        Err(error) => Err(Failure::new(Code::Generic, format!("{}: {shown}: {}", source.shown(), chain(&error)))),
    }
}
