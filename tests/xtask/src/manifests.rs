//! `cargo xtask manifests`: writes what is generated in `crds/`, `docs/reference/` and `deploy/`, or only compares.

use std::fs;
use std::process::Stdio;

use xtask::generated::{self, Generated};
use xtask::tools::workspace_root;

use crate::{Failure, run, ui};

/// Writes the files that differ; with `--check` only names them, and fails.
pub(crate) fn manifests(arguments: &[String]) -> Result<(), Failure> {
    let check = match arguments {
        [] => false,
        [only] if only == "--check" => true,
        [first, ..] => return Err(Failure::Usage(format!("`manifests` takes no `{first}`"))),
    };
    if !check {
        custom_resources()?;
    }
    // The copies first: what is rendered contains them.
    let mut stale = update(&generated::copies()?, check)?;
    stale += update(&generated::manifests(&ui::progress)?, check)?;
    if check && stale > 0 {
        return Err(Failure::Unsuccessful(format!("{stale} generated files differ: run `cargo xtask manifests`")));
    }
    Ok(())
}

/// The definitions and their reference, which the tests of their types write; as tests they compare.
fn custom_resources() -> Result<(), Failure> {
    ui::progress("custom resources");
    let mut command = run::cargo(&["test", "--quiet", "--package", "sealwax-crds"]);
    command.env("UPDATE_CRDS", "1").stdout(Stdio::null());
    run::finish(command, "UPDATE_CRDS=1 cargo test -p sealwax-crds")
}

fn update(files: &[Generated], check: bool) -> Result<usize, Failure> {
    let mut stale = 0;
    for file in files.iter().filter(|file| !file.is_current()) {
        stale += 1;
        ui::line(&file.path.display().to_string());
        if !check {
            write(file)?;
        }
    }
    Ok(stale)
}

fn write(file: &Generated) -> Result<(), Failure> {
    let path = workspace_root().join(&file.path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(Failure::file(parent))?;
    }
    #[expect(clippy::disallowed_methods, reason = "a generated file of the repository, not a secret")]
    fs::write(&path, &file.contents).map_err(Failure::file(&path))
}
