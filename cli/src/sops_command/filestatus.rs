//! `sops filestatus`.

use std::process::ExitCode;

use sealwax_format::sops::Layout;

use super::call::Call;
use super::failure::{Code, Failure};
use super::source::Source;

pub(super) fn run(call: &Call<'_>) -> Result<ExitCode, Failure> {
    let said = |failure: Failure| failure.said("cannot check file status: cannot load encrypted file: ");
    let path = call.required_file()?;
    let source = Source::of_file(call, path).map_err(|failure| said(failure).coded(Code::Generic))?;
    let file = source.parse().map_err(|error| said(error.into()))?;
    let layout = Some(&file).filter(|file| Layout::is_one(file)).and_then(|file| Layout::read(file).ok());
    let metadata = layout.map(|layout| layout.metadata);
    let encrypted = metadata.is_some_and(|metadata| metadata.mac.is_some() && !metadata.version.is_empty());
    call.ui.data(format!("{{\"encrypted\":{encrypted}}}\n").as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
