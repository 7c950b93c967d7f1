//! The command line of SOPS, for scripts and tools that call it: the same words, exit codes and results, on the engine of
//! the other commands.
//!
//! | room | holds |
//! |---|---|
//! | `flags`, `table` | flags as Go takes them; which command has which |
//! | `call`, `failure` | what a command was called with; exit codes |
//! | `tree_path` | `["a"][0]` |
//! | `source`, `target` | what is read, opened, and where results go |
//! | `creation` | keys and selectors of flags, variables and rules |
//! | `encrypt` … `filestatus` | the commands |
//! | `legacy` | the flags that were commands once |
//! | `help`, `completion` | texts made of the table |

mod call;
mod completion;
mod creation;
mod decrypt;
mod edit;
mod encrypt;
mod examples;
mod exec_env;
mod exec_file;
mod failure;
mod filestatus;
mod flags;
mod groups;
mod help;
mod legacy;
mod refused;
mod rotate;
mod running;
mod set;
mod source;
mod table;
mod target;
mod tree_path;
mod unset;
mod update_keys;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use call::Call;
use failure::{Code, Failure};
use flags::{Flags, Given, Placing};

use crate::keyring::{Identities, IdentityArgs};
use crate::sops::VERSION;
use crate::ui::{Note, Ui};

/// A command: its name may be two words.
struct Command {
    name: &'static [&'static str],
    words: &'static str,
    about: &'static str,
    flags: Flags,
    run: fn(&Call<'_>) -> Result<ExitCode, Failure>,
}

static COMMANDS: [Command; 18] = [
    Command::new(&["encrypt"], "[FILE]", "encrypt a file, or standard input", table::ENCRYPT, encrypt::run),
    Command::new(&["decrypt"], "[FILE]", "decrypt a file, or standard input", table::DECRYPT, decrypt::run),
    Command::new(&["edit"], "FILE", "open a file's values in your editor", table::EDIT, edit::run),
    Command::new(&["set"], "FILE PATH [JSON]", "put a value into a file", table::SET, set::run),
    Command::new(&["unset"], "FILE PATH", "take a value out of a file", table::UNSET, unset::run),
    Command::new(&["rotate"], "FILE", "encrypt a file under a new data key", table::ROTATE, rotate::run),
    Command::new(
        &["updatekeys"],
        "FILE...",
        "wrap the data key for those whom .sops.yaml names",
        table::UPDATE_KEYS,
        update_keys::run,
    ),
    Command::new(&["groups", "add"], "", "add a key group to a file", table::GROUPS_ADD, groups::add),
    Command::new(
        &["groups", "delete"],
        "INDEX",
        "take a key group out of a file",
        table::GROUPS_DELETE,
        groups::delete,
    ),
    Command::new(
        &["exec-env"],
        "FILE COMMAND",
        "run a command with the values as variables",
        table::EXEC_ENV,
        exec_env::run,
    ),
    Command::new(
        &["exec-file"],
        "FILE COMMAND",
        "run a command with the decrypted file, {} in it",
        table::EXEC_FILE,
        exec_file::run,
    ),
    Command::new(&["filestatus"], "FILE", "say whether a file is encrypted", table::FILESTATUS, filestatus::run),
    Command::new(&["completion", "bash"], "", "print a script for bash", table::NONE, completion::bash),
    Command::new(&["completion", "zsh"], "", "print a script for zsh", table::NONE, completion::zsh),
    Command::new(&["publish"], "FILE", "not supported", table::UNSUPPORTED, refused::publish),
    Command::new(&["keyservice"], "", "not supported", table::UNSUPPORTED, refused::key_service),
    Command::new(&["help"], "[COMMAND]", "print the help of a command", table::NONE, help::run),
    Command::new(&["h"], "[COMMAND]", "the same", table::NONE, help::run),
];

impl Command {
    const fn new(
        name: &'static [&'static str],
        words: &'static str,
        about: &'static str,
        flags: Flags,
        run: fn(&Call<'_>) -> Result<ExitCode, Failure>,
    ) -> Self {
        Self { name, words, about, flags, run }
    }
}

/// Whether this process was called by the name `sops`.
pub(crate) fn is_called() -> bool {
    let name = std::env::args_os().next();
    name.as_deref()
        .and_then(|name| Path::new(name).file_name())
        .is_some_and(|name| name == "sops" || name == "sops.exe")
}

/// Runs SOPS's command line: the words after its name.
pub(crate) fn run(words: Vec<OsString>, ui: &Ui) -> ExitCode {
    dispatch(words, ui).unwrap_or_else(|failure| {
        ui.notes(&failure.notes());
        failure.exit_code()
    })
}

fn dispatch(words: Vec<OsString>, ui: &Ui) -> Result<ExitCode, Failure> {
    let mut root = flags::parse(table::ROOT, words, Placing::First).map_err(|error| wrong_usage(&error, ""))?;
    if root.is_on("help") {
        return help::print(ui, &[]);
    }
    if root.is_on("version") {
        ui.data(format!("sops {VERSION} (sealwax {})\n", env!("CARGO_PKG_VERSION")).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some((command, rest)) = find(&root.words) else {
        if help::is_family(&root.words) {
            return help::of_family(ui, &root.words);
        }
        return with(&root, &root, ui, legacy::run);
    };
    let words = root.words.split_off(rest);
    let name = command.name.join(" ");
    let given = flags::parse(command.flags, words, Placing::Anywhere).map_err(|error| wrong_usage(&error, &name))?;
    if given.is_on("help") {
        return help::print(ui, command.name);
    }
    warn_of_misplaced(&root, &name, ui);
    with(&root, &given, ui, command.run)
}

/// The command that words begin with, and how many of them name it.
fn find(words: &[OsString]) -> Option<(&'static Command, usize)> {
    let is = |command: &&Command| {
        words.len() >= command.name.len() && command.name.iter().zip(words).all(|(name, word)| word == name)
    };
    COMMANDS.iter().find(is).map(|command| (command, command.name.len()))
}

fn with(
    root: &Given,
    given: &Given,
    ui: &Ui,
    run: fn(&Call<'_>) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    let args = IdentityArgs::default();
    let identities = Identities::new(&args);
    run(&Call { root, given, ui, identities: &identities })
}

/// SOPS drops them without a word.
fn warn_of_misplaced(root: &Given, command: &str, ui: &Ui) {
    let is_global = |name: &str| table::GLOBAL.iter().any(|flag| flag.name() == name);
    let misplaced = root.named.iter().filter(|name| !is_global(name));
    let notes: Vec<_> = misplaced
        .map(|name| Note::Warning(format!("--{name} stands before {command}, which does not see it there")))
        .collect();
    ui.notes(&notes);
}

fn wrong_usage(error: &str, command: &str) -> Failure {
    let space = if command.is_empty() { "" } else { " " };
    Failure::new(Code::Generic, format!("Incorrect Usage: {error}"))
        .hint(format!("`sops {command}{space}--help` lists the flags."))
}
