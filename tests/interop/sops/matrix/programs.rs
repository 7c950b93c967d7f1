//! Both programs in one work directory, and what they say when they fail.

use std::path::Path;

use sealwax_tests::Cli;

/// A work directory with a `.sops.yaml` and one file.
pub(crate) struct Place<'w> {
    pub(crate) cli: Cli,
    pub(crate) sops: &'w Path,
}

impl Place<'_> {
    /// Runs the real `sops`; its standard output.
    pub(crate) fn sops(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        self.program(self.sops, arguments, None)
    }

    /// The same with an editor that puts these bytes in place of what it is given.
    pub(crate) fn sops_edit(&self, name: &str, edited: &[u8]) -> Result<(), String> {
        self.program(self.sops, &["edit", name], Some(edited)).map(drop)
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
        self.program(&crate::common::sealwax(), &["edit", name], Some(edited)).map(drop)
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
