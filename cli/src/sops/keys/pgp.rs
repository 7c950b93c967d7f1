//! PGP keys, used through the user's own `gpg`, which knows where they are, and asks for what it needs.

use std::collections::HashMap;
use std::io;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sealwax_format::sops::Wrap;

use super::failure::Attempt;
use super::{Share, name};
use crate::error::CommandError;
use crate::program::{self, Output};

/// The variable of SOPS that names another program.
const PROGRAM: &str = "SOPS_GPG_EXEC";
/// More than any data key, or its encryption.
const MOST_BYTES: usize = 1 << 20;
/// How much of a key's fingerprint `--trusted-key` takes.
const LONG_ID: usize = 16;

/// The PGP keys of a run.
#[derive(Default)]
pub(super) struct Pgp {
    /// For each key, whether it has been used. The first use may ask for a passphrase, which the agent keeps from then on:
    /// it is made alone, so that the question comes once.
    used: Mutex<HashMap<String, Arc<OnceLock<()>>>>,
}

impl Pgp {
    pub(super) fn open(&self, wrap: &Wrap) -> Result<Share, Attempt> {
        let used =
            Arc::clone(self.used.lock().unwrap_or_else(PoisonError::into_inner).entry(wrap.key.clone()).or_default());
        let mut first = None;
        used.get_or_init(|| first = Some(decrypt(wrap)));
        first.unwrap_or_else(|| decrypt(wrap))
    }
}

fn decrypt(wrap: &Wrap) -> Result<Share, Attempt> {
    let output = gpg(&["-d"], wrap.enc.as_bytes()).map_err(|error| {
        Attempt::new(wrap, cannot_run(&error)).hint(format!("Install GnuPG, or set {PROGRAM} to where it is."))
    })?;
    if !output.success {
        return Err(Attempt::new(wrap, complaint(&output))
            .hint("gpg --list-secret-keys shows the PGP keys that you have; GNUPGHOME says where gpg keeps them."));
    }
    // An older gpg drops packets that it does not know, and calls what is left a success.
    if output.printed.is_empty() {
        return Err(Attempt::new(wrap, "gpg printed nothing: is it too old for how this was encrypted?"));
    }
    Ok(output.printed)
}

/// An armored message to this key, whether or not gpg knows whose it is: the fingerprint says which key is meant.
pub(super) fn wrap(fingerprint: &str, share: &[u8]) -> Result<String, CommandError> {
    // Also of a file's own block, which anybody may have written.
    let fingerprint = name::parse_pgp(fingerprint)?.key;
    let long_id = if fingerprint.ends_with('!') { LONG_ID + 1 } else { LONG_ID };
    let id = fingerprint.get(fingerprint.len().saturating_sub(long_id)..).unwrap_or(&fingerprint);
    let arguments = [
        "--no-default-recipient",
        "--yes",
        "--encrypt",
        "-a",
        "-r",
        &fingerprint,
        "--trusted-key",
        id,
        "--no-encrypt-to",
    ];
    let failed = |why: String| CommandError::refused(format!("PGP {fingerprint}: {why}"));
    let output = gpg(&arguments, share)
        .map_err(|error| failed(cannot_run(&error)).hint(format!("Install GnuPG, or set {PROGRAM} to where it is.")))?;
    if !output.success {
        return Err(failed(complaint(&output)).hint(format!(
            "gpg encrypts to keys that it knows: gpg --recv-keys {fingerprint}, or gpg --import FILE."
        )));
    }
    match std::str::from_utf8(&output.printed) {
        Ok(text) if text.starts_with("-----BEGIN PGP MESSAGE-----") => Ok(text.trim().to_owned()),
        _ => Err(failed("gpg printed no message".to_owned())),
    }
}

fn gpg(arguments: &[&str], input: &[u8]) -> io::Result<Output> {
    program::output(Command::new(program_name()).args(arguments), Some(input), MOST_BYTES)
}

fn program_name() -> String {
    std::env::var(PROGRAM).ok().filter(|program| !program.is_empty()).unwrap_or_else(|| "gpg".to_owned())
}

fn cannot_run(error: &io::Error) -> String {
    format!("{} cannot be run: {error}", program_name())
}

/// The last thing that gpg complains of, which is the reason.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.complaints);
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("gpg failed and says no reason");
    last.chars().take(300).collect()
}
