//! `sops completion`.

use std::process::ExitCode;

use super::COMMANDS;
use super::call::Call;
use super::failure::Failure;
use super::flags::Flags;
use super::table;

pub(super) fn bash(call: &Call<'_>) -> Result<ExitCode, Failure> {
    call.ui.data(script().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// That of bash, which zsh understands.
pub(super) fn zsh(call: &Call<'_>) -> Result<ExitCode, Failure> {
    let text = format!("#compdef sops\nautoload -U +X bashcompinit && bashcompinit\n{}", script());
    call.ui.data(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Completes the first word as a command, words with a dash as flags of that command, and others as files.
fn script() -> String {
    let mut first: Vec<&str> = COMMANDS.iter().filter_map(|command| command.name.first().copied()).collect();
    first.dedup();
    let mut cases = String::new();
    for command in &COMMANDS {
        cases.push_str(&format!("    '{}') flags='{}' ;;\n", command.name.join(" "), flags(command.flags)));
    }
    format!(
        "_sops() {{\n  local word=${{COMP_WORDS[COMP_CWORD]}} command=${{COMP_WORDS[1]}} flags\n  \
         case $command in groups|completion) command=\"$command ${{COMP_WORDS[2]}}\" ;; esac\n  \
         case $command in\n{cases}    *) flags='{}' ;;\n  esac\n  \
         if [[ $word == -* ]]; then COMPREPLY=( $(compgen -W \"$flags\" -- \"$word\") )\n  \
         elif [[ $COMP_CWORD == 1 ]]; then COMPREPLY=( $(compgen -f -W '{}' -- \"$word\") )\n  fi\n}}\n\
         complete -o bashdefault -o default -F _sops sops\n",
        flags(table::ROOT),
        first.join(" ")
    )
}

fn flags(flags: Flags) -> String {
    flags.iter().flat_map(|group| group.iter()).map(|flag| format!("--{}", flag.name())).collect::<Vec<_>>().join(" ")
}
