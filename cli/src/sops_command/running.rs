//! Commands that are run with the values of a file.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use super::call::Call;
use super::failure::{Code, Failure};
use crate::unix;

/// Somebody whom a command is run as.
pub(super) struct User {
    name: String,
    pub(super) id: u32,
    pub(super) group: u32,
    home: PathBuf,
}

impl User {
    /// The user of `--user`.
    pub(super) fn of(call: &Call<'_>) -> Result<Option<Self>, Failure> {
        let name = call.text("user");
        if name.is_empty() {
            return Ok(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let found = users.lines().find_map(|line| Self::parse(line).filter(|user| user.name == name));
        let unknown = || Failure::new(Code::Generic, format!("user: unknown user {}", name.escape_debug()));
        found.map(Some).ok_or_else(|| unknown().hint("sealwax looks in /etc/passwd alone."))
    }

    /// A line of `/etc/passwd`.
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let &[name, _, id, group, _, home, ..] = fields.as_slice() else { return None };
        let (id, group) = (id.parse().ok()?, group.parse().ok()?);
        Some(Self { name: name.to_owned(), id, group, home: PathBuf::from(home) })
    }
}

/// A shell with a command, which runs as somebody.
pub(super) fn shell(command: &str, user: Option<&User>) -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command);
    if let Some(user) = user {
        // Without the groups of whoever runs this.
        shell.uid(user.id).gid(user.group);
        shell.env("HOME", &user.home).env("USER", &user.name).env("LOGNAME", &user.name);
    }
    shell
}

/// The two words behind the flags: a file and a command.
pub(super) fn words<'a>(call: &Call<'a>) -> Result<(&'a std::path::Path, &'a str), Failure> {
    let [file, command] = call.given.words.as_slice() else {
        return Err(Failure::new(Code::Generic, "error: missing file to decrypt")
            .hint("After the flags stand the file and the command, which is one word: 'command {}'."));
    };
    let command =
        command.to_str().ok_or_else(|| Failure::new(Code::Generic, "error: the command is not UTF-8 text"))?;
    Ok((std::path::Path::new(file), command))
}

/// Waits for a command; its exit code is ours.
pub(super) fn finish(forwarder: unix::Forwarder, command: &mut Command) -> Result<ExitCode, Failure> {
    let status = forwarder.run(command).map_err(|error| failed(&error))?;
    // As SOPS has it where a signal ended the command.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)))
}

pub(super) fn failed(error: &std::io::Error) -> Failure {
    Failure::new(Code::Generic, format!("the command cannot be run: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_line() {
        let user = User::parse("web:x:33:34:www:/var/www:/bin/false").unwrap();
        assert_eq!((user.name.as_str(), user.id, user.group), ("web", 33, 34));
        assert!(User::parse("web:x:33").is_none() && User::parse("").is_none());
    }
}
