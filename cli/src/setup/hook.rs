//! The hook that runs the gate before each commit.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::{HookKind, Setup, State};
use crate::error::{Code, CommandError};
use crate::files;
use crate::unix;

/// Merges run their own hook.
const HOOKS: [&str; 2] = ["pre-commit", "pre-merge-commit"];
const SCRIPT: &str = "\
#!/bin/sh
# Refuses a commit that would put a secret into Git in the clear. Made by `sealwax init`.
exec sealwax check --staged
";
const FRAMEWORK_FILE: &str = ".pre-commit-config.yaml";
const FRAMEWORK: &str = "\
repos:
  - repo: local
    hooks:
      - id: sealwax-check
        name: sealwax check
        entry: sealwax check --staged
        language: system
        pass_filenames: false
        always_run: true
        stages: [pre-commit, pre-merge-commit]
";

pub(super) fn look(setup: &Setup) -> Result<State, CommandError> {
    match setup.hook {
        HookKind::None => Ok(State::Good("none was asked for".to_owned())),
        HookKind::Framework => framework(setup),
        HookKind::Plain if setup.repository.root().join(FRAMEWORK_FILE).exists() => framework(setup),
        HookKind::Plain => plain(setup),
    }
}

fn plain(setup: &Setup) -> Result<State, CommandError> {
    for (hook, path) in paths(setup)? {
        let shown = path.display();
        match std::fs::read(&path) {
            Ok(bytes) if !contains(&bytes, "sealwax check") => {
                let what = format!("{shown}: there is another hook");
                return Ok(State::Yours(what, format!("Add this line to {shown}: sealwax check --staged")));
            }
            Ok(_) if !unix::is_executable(&path) => {
                let what = format!("{shown}: is not executable, so Git passes it by");
                return Ok(State::Yours(what, format!("chmod +x {shown}")));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => match elsewhere(setup) {
                // Other repositories may use them too, or another tool keeps them.
                Some(folder) => {
                    let what = format!("core.hooksPath is {folder}, and no {hook} hook there runs `sealwax check`");
                    return Ok(State::Yours(what, format!("Write {shown}, with: sealwax check --staged")));
                }
                None => return Ok(State::Missing(format!("the {hook} hook does not run `sealwax check`"))),
            },
            Err(error) => return Err(CommandError::io(Code::Unreadable, "cannot be read", &path, &error)),
        }
    }
    Ok(State::Good("`sealwax check` runs before each commit".to_owned()))
}

/// Where the hooks are, if Git's configuration names a folder for them.
fn elsewhere(setup: &Setup) -> Option<String> {
    setup.repository.setting("core.hooksPath")
}

fn contains(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|window| window == words.as_bytes())
}

fn framework(setup: &Setup) -> Result<State, CommandError> {
    let path = setup.repository.root().join(FRAMEWORK_FILE);
    match std::fs::read(&path) {
        Ok(bytes) if contains(&bytes, "sealwax check") || contains(&bytes, "id: sealwax-check") => {
            Ok(State::Good(format!("{FRAMEWORK_FILE} runs `sealwax check`")))
        }
        Ok(_) => Ok(State::Yours(
            format!("{FRAMEWORK_FILE} does not run `sealwax check`"),
            format!("Add this to {FRAMEWORK_FILE}:\n{FRAMEWORK}"),
        )),
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => {
            Ok(State::Missing(format!("there is no {FRAMEWORK_FILE}")))
        }
        Err(error) => Err(CommandError::io(Code::Unreadable, "cannot be read", &path, &error)),
    }
}

pub(super) fn make(setup: &Setup) -> Result<String, CommandError> {
    if setup.hook == HookKind::Framework {
        files::create(&setup.repository.root().join(FRAMEWORK_FILE), FRAMEWORK.as_bytes(), false)?;
        return Ok(format!("{FRAMEWORK_FILE}: runs `sealwax check`; commit it, and run `pre-commit install`"));
    }
    for (_, path) in paths(setup)? {
        if path.exists() {
            continue;
        }
        let failed = |error: std::io::Error| CommandError::io(Code::Refused, "cannot be written", &path, &error);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        files::create(&path, SCRIPT.as_bytes(), false)?;
        unix::make_executable(&path).map_err(failed)?;
    }
    Ok("hooks of this clone: `sealwax check --staged` runs before each commit and merge".to_owned())
}

fn paths(setup: &Setup) -> Result<Vec<(&'static str, PathBuf)>, CommandError> {
    let folder = setup.repository.git_path("hooks")?;
    Ok(HOOKS.iter().map(|hook| (*hook, folder.join(hook))).collect())
}
