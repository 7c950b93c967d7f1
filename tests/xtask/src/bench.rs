//! `cargo xtask bench`: runs the benchmark groups in `tests/bench/`, one program each.

use std::fs;

use xtask::tools::workspace_root;

use crate::{Failure, run, ui};

/// Runs one group, or all of them; `--json` is passed on to the programs.
pub(crate) fn bench(arguments: &[String]) -> Result<(), Failure> {
    let mut wanted = None;
    let mut json = false;
    for argument in arguments {
        match argument.as_str() {
            "--json" => json = true,
            name if !name.starts_with('-') && wanted.is_none() => wanted = Some(name),
            other => return Err(Failure::Usage(format!("`bench` takes no `{other}`"))),
        }
    }
    let groups = groups();
    if let Some(name) = wanted
        && !groups.iter().any(|group| group == name)
    {
        return Err(Failure::Usage(format!("there is no group `{name}`; there are: {}", groups.join(", "))));
    }
    if groups.is_empty() {
        return Err(Failure::Unsuccessful("there are no benchmarks in tests/bench".to_owned()));
    }
    for group in groups.iter().filter(|group| wanted.is_none_or(|name| *group == name)) {
        ui::progress(&format!("benchmark {group}"));
        let mut command = run::cargo(&["bench", "--quiet", "--package", "sealwax-tests", "--bench", group, "--"]);
        command.args(json.then_some("--json"));
        run::finish(command, &format!("benchmark {group}"))?;
    }
    Ok(())
}

/// The names of the groups: the files in `tests/bench`.
fn groups() -> Vec<String> {
    let entries = fs::read_dir(workspace_root().join("tests/bench")).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.path())
        // A group is one file, or a folder with a main file.
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").is_file())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}
