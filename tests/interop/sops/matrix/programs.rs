//! Both programs in one work directory, and what they say when they fail.

use std::path::{Path, PathBuf};

use sealwax_tests::Cli;

use crate::common;

/// The real `sops` and the built `sealwax`: to look for them takes longer than to run them.
pub(crate) struct Programs {
    sops: PathBuf,
    sealwax: PathBuf,
}

impl Programs {
    pub(crate) fn find() -> Self {
        Self { sops: common::sops(), sealwax: common::sealwax() }
    }

    /// An empty work directory.
    pub(crate) fn place(&self) -> Cli {
        let mut cli = Cli::with_program(self.sealwax.clone());
        cli.env("SOPS_DISABLE_VERSION_CHECK", "1");
        cli
    }
}

/// A work directory, and the programs that work there.
pub(crate) struct Place<'w> {
    pub(crate) cli: Cli,
    pub(crate) programs: &'w Programs,
}

impl Place<'_> {
    /// Runs the real `sops`; its standard output.
    pub(crate) fn sops(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        self.program(&self.programs.sops, arguments, None)
    }

    /// The same with an editor that puts these bytes in place of what it is given.
    pub(crate) fn sops_edit(&self, name: &str, edited: &[u8]) -> Result<(), String> {
        self.program(&self.programs.sops, &["edit", name], Some(edited)).map(drop)
    }

    /// Runs the built `sealwax`; its standard output.
    pub(crate) fn sealwax(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        let output = self.cli.run_with_input(arguments, input);
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(format!("sealwax {arguments:?}: {}", output.stderr))
        }
    }

    /// `sealwax edit` with such an editor.
    pub(crate) fn sealwax_edit(&self, name: &str, edited: &[u8]) -> Result<(), String> {
        self.program(&self.programs.sealwax, &["edit", name], Some(edited)).map(drop)
    }

    fn program(&self, program: &Path, arguments: &[&str], edited: Option<&[u8]>) -> Result<Vec<u8>, String> {
        let mut command = self.cli.command(program);
        command.args(arguments);
        if let Some(edited) = edited {
            let beside = self.cli.write("../edited", edited);
            command.env("EDITOR", format!("cp {}", beside.display()));
        }
        let output = command.output().map_err(|error| error.to_string())?;
        let told = || format!("{} {arguments:?}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(output.stdout) } else { Err(told()) }
    }
}
