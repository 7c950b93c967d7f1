//! `sops exec-env`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::process::{Command, ExitCode, Stdio};

use sealwax_format::sops::{Plain, Plains};

use super::call::Call;
use super::failure::{Code, Failure};
use super::running::{self, User};
use super::source::{OpenSource, Source};
use crate::ui::Note;
use crate::unix;

pub(super) fn run(call: &Call<'_>) -> Result<ExitCode, Failure> {
    let (path, command) = running::words(call)?;
    let background = call.is_on("background");
    if background && call.is_on("same-process") {
        let message = "Error: The --same-process flag cannot be used with --background";
        return Err(Failure::new(Code::ConflictingFlags, message));
    }
    let user = User::of(call)?;
    let source = Source::of_file(call, path)?;
    let keys = call.keys()?;
    let file = source.parse()?;
    let plains = OpenSource::of(call, &source, &file, &keys)?.plains()?;
    let forwarder = unix::Forwarder::new().map_err(|error| running::failed(&error))?;
    let mut shell = running::shell(command, user.as_ref());
    if call.is_on("pristine") {
        pristine(&mut shell);
    }
    add(&mut shell, &plains)?;
    drop(plains);
    if call.is_on("same-process") {
        return Err(running::failed(&unix::become_command(&mut shell)));
    }
    if background {
        call.ui.notes(&[Note::Warning("exec-env's --background option is deprecated".to_owned())]);
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        return shell.spawn().map(|_| ExitCode::SUCCESS).map_err(|error| running::failed(&error));
    }
    running::finish(forwarder, &mut shell)
}

/// Nothing of this process's environment, but what was set on purpose.
fn pristine(shell: &mut Command) {
    let set: Vec<_> = shell.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    shell.env_clear().envs(set);
}

/// A variable for each value of the first document.
fn add(shell: &mut Command, plains: &Plains) -> Result<(), Failure> {
    for (name, value) in plains.first() {
        let refused = |why: &str| {
            Failure::new(
                Code::Generic,
                format!("cannot use {why} in environment; offending key {}", name.escape_debug()),
            )
        };
        if matches!(value, Plain::Map(_) | Plain::List(_)) {
            return Err(refused("complex value"));
        }
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(refused("keys with '='"));
        }
        let text = match value {
            Plain::Value(kind, bytes) if *kind == sealwax_format::sops::Type::Text => bytes.to_vec(),
            value => value.text(name).map_err(|_| refused("such a value"))?.as_bytes().to_vec(),
        };
        if text.contains(&0) {
            return Err(refused("a value with a zero byte"));
        }
        shell.env(name, OsString::from_vec(text));
    }
    Ok(())
}
