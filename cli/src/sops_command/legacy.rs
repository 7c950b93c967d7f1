//! The flags that were commands before there were commands: `sops -d FILE`, `sops -e -i FILE`, `sops FILE`.

use std::process::ExitCode;

use super::call::Call;
use super::failure::{Code, Failure};
use super::source::{self, Source};
use super::target::{self, Kind};
use super::{decrypt, edit, encrypt, rotate, set, tree_path};
use crate::ui::Note;

pub(super) fn run(call: &Call<'_>) -> Result<ExitCode, Failure> {
    let modes = ["encrypt", "decrypt", "rotate", "set"];
    let is_on = |mode: &&str| if *mode == "set" { !call.text("set").is_empty() } else { call.is_on(mode) };
    let chosen: Vec<&str> = modes.into_iter().filter(|mode| is_on(mode)).collect();
    let path = call.required_file()?;
    target::check(call)?;
    if !path.exists() && rotate::changes_keys(call) {
        return Err(rotate::no_file_to_change(&path.display().to_string(), "`--kms` and `--pgp`"));
    }
    if chosen.len() > 1 {
        let text = "More than one command (--encrypt, --decrypt, --rotate, --set) has been specified. Only the last one is run.";
        call.ui.notes(&[Note::Warning(text.to_owned())]);
    }
    let Some(mode) = chosen.last() else { return edit::edit(call, path) };
    if *mode != "set" {
        source::require(path)?;
    }
    let source = Source::of_file(call, path)?;
    match *mode {
        "encrypt" => {
            let text = encrypt::encrypted(call, &source)?;
            target::write(call, &source, text.as_bytes(), Kind::Encrypted)
        }
        "decrypt" => target::write(call, &source, &decrypt::decrypted(call, &source)?, Kind::Plain),
        "rotate" => {
            let text = rotate::rotated(call, &source)?;
            target::write(call, &source, text.as_bytes(), Kind::Encrypted)
        }
        _ => put(call, &source),
    }
}

/// `--set '["a"][0] JSON'`.
fn put(call: &Call<'_>, source: &Source) -> Result<ExitCode, Failure> {
    let wrong = || Failure::new(Code::BadSetFormat, "Invalid --set format").hint("It is a path, a blank, and JSON.");
    let (path, json) = call.text("set").split_once("] ").ok_or_else(wrong)?;
    let path = tree_path::parse(&format!("{path}]")).ok().filter(|path| !path.0.is_empty()).ok_or_else(wrong)?;
    set::set(call, source, &path, json)
}
