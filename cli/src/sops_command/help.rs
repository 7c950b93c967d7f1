//! Help, made of the table.

use std::ffi::OsString;
use std::process::ExitCode;

use super::call::Call;
use super::failure::Failure;
use super::flags::{Flag, Flags, Kind};
use super::{COMMANDS, Command, find, table};
use crate::ui::{Note, Ui};

/// `sops help`.
pub(super) fn run(call: &Call<'_>) -> Result<ExitCode, Failure> {
    let words = &call.given.words;
    match find(words) {
        Some((command, _)) => print(call.ui, command.name),
        None if words.is_empty() => print(call.ui, &[]),
        None => of_family(call.ui, words),
    }
}

/// The help of a command, or of all without one.
pub(super) fn print(ui: &Ui, name: &[&str]) -> Result<ExitCode, Failure> {
    let text = match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => of_command(command),
        None => of_all(),
    };
    ui.data(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Whether words begin with the first word of commands with two.
pub(super) fn is_family(words: &[OsString]) -> bool {
    let first = words.first();
    first.is_some_and(|first| COMMANDS.iter().any(|command| command.name.len() > 1 && command.name[0] == first))
}

/// The commands of a family; an unknown one is told as SOPS does.
pub(super) fn of_family(ui: &Ui, words: &[OsString]) -> Result<ExitCode, Failure> {
    let asked = words.get(1).filter(|word| *word != "--help" && *word != "-h" && *word != "help");
    if let Some(unknown) = asked.or(words.first()).filter(|_| asked.is_some() || !is_family(words)) {
        ui.notes(&[Note::Done(format!("No help topic for '{}'", unknown.display()))]);
        return Ok(ExitCode::from(3));
    }
    let lines = COMMANDS.iter().filter(|command| words.first().is_some_and(|word| command.name[0] == word)).map(line);
    ui.data(lines.collect::<String>().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn of_all() -> String {
    let mut text = "NAME:\n   sops - the command line of SOPS, by sealwax\n\nUSAGE:\n   sops COMMAND [FLAGS] FILE\n   \
                    sops [FLAGS] FILE\n\nCOMMANDS:\n"
        .to_owned();
    text.extend(COMMANDS.iter().map(line));
    text.push_str("\nGLOBAL OPTIONS:\n");
    options(table::ROOT, &mut text);
    text
}

fn line(command: &Command) -> String {
    format!("   {:<18} {}\n", command.name.join(" "), command.about)
}

fn of_command(command: &Command) -> String {
    let name = command.name.join(" ");
    let mut text = format!(
        "NAME:\n   sops {name} - {}\n\nUSAGE:\n   sops {name} [FLAGS] {}\n\nOPTIONS:\n",
        command.about, command.words
    );
    options(command.flags, &mut text);
    text
}

fn options(flags: Flags, text: &mut String) {
    for flag in flags.iter().flat_map(|group| group.iter()).filter(|flag| !flag.help.is_empty()) {
        let variable = flag.variable.map(|variable| format!(" [${variable}]")).unwrap_or_default();
        text.push_str(&format!("   {:<42} {}{variable}\n", names(flag), flag.help));
    }
}

fn names(flag: &Flag) -> String {
    let value = if matches!(flag.kind, Kind::Switch | Kind::On) { "" } else { " value" };
    let names = flag.names.iter().map(|name| format!("{}{name}{value}", if name.len() > 1 { "--" } else { "-" }));
    names.collect::<Vec<_>>().join(", ")
}
