//! Builds Go programs from a module of this repository into the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use super::{Report, ToolError, cache_dir, locked, workspace_root};

/// A directory with a go.mod, which is the one place where versions stand.
pub(super) struct GoModule {
    source: PathBuf,
    kind: &'static str,
    manifest: String,
    sums: String,
}

impl GoModule {
    /// Reads the pins in `source`, a path from the workspace's top; `kind` names its part of the cache.
    pub(super) fn open(kind: &'static str, source: &str) -> Result<Self, ToolError> {
        let source = workspace_root().join(source);
        let read = |name: &str| {
            let path = source.join(name);
            fs::read_to_string(&path).map_err(ToolError::files(path))
        };
        Ok(Self { manifest: read("go.mod")?, sums: read("go.sum")?, kind, source })
    }

    /// The pinned version of `module`, such as `v1.36.3`.
    pub(super) fn version_of(&self, module: &'static str) -> Result<String, ToolError> {
        let pinned = self.manifest.lines().find_map(|line| {
            let mut words = line.trim().trim_start_matches("require ").split_whitespace();
            (words.next() == Some(module)).then(|| words.next()).flatten().filter(|word| word.starts_with('v'))
        });
        pinned.map(str::to_owned).ok_or_else(|| ToolError::NotPinned { file: self.source.join("go.mod"), module })
    }

    /// A name for what these files of the module hold.
    pub(super) fn digest_of(&self, files: &[&str]) -> Result<String, ToolError> {
        let mut hash = Sha256::new();
        for file in files {
            let path = self.source.join(file);
            hash.update(fs::read(&path).map_err(ToolError::files(&path))?);
        }
        let name = hash.finalize().iter().take(8).fold(0_u64, |name, byte| name << 8 | u64::from(*byte));
        Ok(format!("{name:016x}"))
    }

    /// The program's path in the cache; builds it first if it is not there.
    pub(super) fn program(
        &self,
        name: &str,
        package: &str,
        stamps: &str,
        report: Report<'_>,
    ) -> Result<PathBuf, ToolError> {
        let dir = cache_dir(self.kind, &[self.manifest.as_bytes(), self.sums.as_bytes(), stamps.as_bytes()])?;
        let program = dir.join(name);
        if program.is_file() {
            return Ok(program);
        }
        locked(&dir, || {
            // Another run may have built it while this one waited for the lock.
            if !program.is_file() {
                report(&format!("building {name} with Go (minutes, once per version)"));
                self.build(&program, package, stamps)?;
            }
            Ok(program.clone())
        })
    }

    /// Builds under another name and renames, so that a half-written program is never taken for a whole one.
    fn build(&self, program: &Path, package: &str, stamps: &str) -> Result<(), ToolError> {
        let unfinished = program.with_extension("building");
        let status = Command::new("go")
            .args(["build", "-trimpath", "-ldflags", &format!("-s -w {stamps}"), "-o"])
            .arg(&unfinished)
            .arg(package)
            .current_dir(&self.source)
            .env("CGO_ENABLED", "0")
            // A go.work of the user's must not change what the pins say.
            .env("GOWORK", "off")
            .status()
            .map_err(|source| ToolError::NotInstalled {
                program: "go".to_owned(),
                advice: "install Go 1.26 or newer, or for the control plane set KUBEBUILDER_ASSETS to a directory \
                         with etcd, kube-apiserver, kube-controller-manager and kubectl",
                source,
            })?;
        if !status.success() {
            return Err(ToolError::BuildFailed { what: format!("`go build {package}`") });
        }
        fs::rename(&unfinished, program).map_err(ToolError::files(program))
    }
}
