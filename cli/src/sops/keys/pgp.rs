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
pub(super) struct Pgp {
    program: String,
    /// The first use of a key may ask for a passphrase, which the agent keeps from then on: so that the question comes
    /// once, nobody else uses the key meanwhile.
    used: FirstAlone,
}

/// What is done with each key, the first time alone.
#[derive(Default)]
struct FirstAlone(Mutex<HashMap<String, Arc<OnceLock<()>>>>);

impl FirstAlone {
    fn run<T>(&self, key: &str, work: impl Fn() -> T) -> T {
        // A key is there or not: a panic leaves nothing half done.
        let done = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_default());
        let mut first = None;
        done.get_or_init(|| first = Some(work()));
        first.unwrap_or_else(work)
    }
}

impl Pgp {
    /// With the program that the environment names.
    pub(super) fn of_environment() -> Self {
        let named = std::env::var(PROGRAM).ok().filter(|program| !program.is_empty());
        Self::through(named.unwrap_or_else(|| "gpg".to_owned()))
    }

    pub(super) fn through(program: String) -> Self {
        Self { program, used: FirstAlone::default() }
    }

    pub(super) fn open(&self, wrap: &Wrap) -> Result<Share, Attempt> {
        self.used.run(&wrap.key, || self.decrypt(wrap))
    }

    fn decrypt(&self, wrap: &Wrap) -> Result<Share, Attempt> {
        let output = self.gpg(&["-d"], wrap.enc.as_bytes()).map_err(|error| {
            Attempt::new(wrap, self.cannot_run(&error)).hint(format!("Install GnuPG, or set {PROGRAM} to where it is."))
        })?;
        if !output.success {
            return Err(Attempt::new(wrap, complaint(&output)).hint(
                "gpg --list-secret-keys shows the PGP keys that you have; GNUPGHOME says where gpg keeps them.",
            ));
        }
        // An older gpg drops packets that it does not know, and calls what is left a success.
        if output.printed.is_empty() {
            return Err(Attempt::new(wrap, "gpg printed nothing: is it too old for how this was encrypted?"));
        }
        Ok(output.printed)
    }

    /// An armored message to this key, whether or not gpg knows whose it is: the fingerprint says which key is meant.
    pub(super) fn wrap(&self, fingerprint: &str, share: &[u8]) -> Result<String, CommandError> {
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
        let output = self.gpg(&arguments, share).map_err(|error| {
            failed(self.cannot_run(&error)).hint(format!("Install GnuPG, or set {PROGRAM} to where it is."))
        })?;
        if !output.success {
            return Err(failed(complaint(&output)).hint(format!(
                "gpg encrypts to keys that it knows: gpg --recv-keys {fingerprint}, or gpg --import FILE."
            )));
        }
        match std::str::from_utf8(&output.printed) {
            Ok(text) if is_message(text.trim()) => Ok(text.trim().to_owned()),
            _ => Err(failed("gpg printed no message".to_owned())),
        }
    }

    fn gpg(&self, arguments: &[&str], input: &[u8]) -> io::Result<Output> {
        program::output(Command::new(&self.program).args(arguments), Some(input), MOST_BYTES)
    }

    fn cannot_run(&self, error: &io::Error) -> String {
        format!("{} cannot be run: {error}", self.program)
    }
}

/// Whether a text is an armored message from its first line to its last.
fn is_message(text: &str) -> bool {
    text.starts_with("-----BEGIN PGP MESSAGE-----") && text.ends_with("-----END PGP MESSAGE-----")
}

/// The last thing that gpg complains of, which is the reason.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.complaints);
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("gpg failed and says no reason");
    last.chars().take(300).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::process::Stdio;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// What the program is given, and what stands for an encryption.
    pub(crate) fn pretending(script: &str) -> (tempfile::TempDir, Pgp) {
        use std::io::Write as _;
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gpg");
        // Written by another process: a descriptor of ours, inherited by what another test starts, would make it "busy".
        let mut writer =
            Command::new("sh").args(["-c", "cat > \"$1\"", "sh"]).arg(&path).stdin(Stdio::piped()).spawn().unwrap();
        writer.stdin.take().unwrap().write_all(format!("#!/bin/sh\n{script}\n").as_bytes()).unwrap();
        assert!(writer.wait().unwrap().success());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let pgp = Pgp::through(path.display().to_string());
        (folder, pgp)
    }

    const FINGERPRINT: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

    #[test]
    fn encrypts_with_the_arguments_of_sops() {
        let (_folder, pgp) =
            pretending("printf -- '-----BEGIN PGP MESSAGE-----\n%s\n-----END PGP MESSAGE-----\n' \"$*\"; cat >&2");
        let text = pgp.wrap(FINGERPRINT, b"share").unwrap();
        let expected = "--no-default-recipient --yes --encrypt -a -r 0123456789ABCDEF0123456789ABCDEF01234567 \
             --trusted-key 89ABCDEF01234567 --no-encrypt-to";
        assert_eq!(text, format!("-----BEGIN PGP MESSAGE-----\n{expected}\n-----END PGP MESSAGE-----"));
        let subkey = pgp.wrap(&format!("{FINGERPRINT}!"), b"share").unwrap();
        assert!(subkey.contains("--trusted-key 89ABCDEF01234567! "), "{subkey}");
        let (_folder, pgp) = pretending("echo -----BEGIN PGP MESSAGE-----; cat");
        assert!(pgp.wrap(FINGERPRINT, b"share").is_err(), "no message");
        assert!(pgp.wrap("--output", b"share").is_err());
    }

    #[test]
    fn the_first_use_of_a_key_is_alone() {
        let (used, running, done) = (FirstAlone::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            let others = running.fetch_add(1, Ordering::SeqCst);
            assert!(done.load(Ordering::SeqCst) > 0 || others == 0, "another one before the first has ended");
            // Long enough for the others to arrive.
            (0..10_000).for_each(|_| std::thread::yield_now());
            done.fetch_add(1, Ordering::SeqCst);
            running.fetch_sub(1, Ordering::SeqCst);
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| used.run("key", work));
            }
        });
        assert_eq!(done.load(Ordering::SeqCst), 4);
    }

    #[test]
    fn gpg_opens_what_it_wrapped() {
        let home = tempfile::tempdir().unwrap();
        let gpg = |arguments: &[&str]| {
            let mut command = Command::new("gpg");
            let output = command.arg("--homedir").arg(home.path()).arg("--batch").args(arguments).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        gpg(&["--passphrase", "", "--quick-generate-key", "somebody", "future-default", "default", "never"]);
        let listed = gpg(&["--list-keys", "--with-colons"]);
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        let fingerprint = line.split(':').nth(9).unwrap();
        let (_folder, pgp) = pretending(&format!("exec gpg --homedir '{}' \"$@\"", home.path().display()));
        let enc = pgp.wrap(fingerprint, b"a share of 32 bytes");
        let opened = enc.map(|enc| pgp.open(&Wrap { enc, ..name::parse_pgp(fingerprint).unwrap() }));
        let unknown = pgp.wrap("0123456789ABCDEF0123456789ABCDEF01234567", b"share");
        let _ = Command::new("gpgconf").arg("--homedir").arg(home.path()).args(["--kill", "all"]).status();
        assert_eq!(opened.unwrap().unwrap().as_slice(), b"a share of 32 bytes");
        assert!(unknown.unwrap_err().message().contains("No public key"));
    }
}
