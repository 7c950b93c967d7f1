//! Developer commands: `cargo xtask help` lists them.

mod bench;
mod demo;
mod image;
mod manifests;
mod run;
mod suite;
mod ui;

use std::env;
use std::process::ExitCode;

use xtask::tools;

const HELP: &str = "\
cargo xtask COMMAND

  control-plane         make sure that etcd, kube-apiserver, kube-controller-manager and kubectl exist; print where
  test [CARGO OPTIONS]  run every test of the workspace; the last line is `N passed, N failed`
  demo [--keep]         show, step by step and checked, what sealwax does
  bench [NAME] [--json] run the benchmarks, or one group of them
  dist                  build the programs as they are released, static on Linux; print where they lie
  image [--output FILE] [--check]
                        build the controller's image as an OCI archive; --check builds it twice and looks inside
  manifests [--check]   write what is generated in crds/, docs/reference/ and deploy/; --check compares deploy/

KUBEBUILDER_ASSETS may name a directory with these programs; else they are built with Go, once, into the cache.";

/// Why a command did not finish.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line is not one that we know.
    #[error("{0}; see `cargo xtask help`")]
    Usage(String),
    /// A program that is needed could not be provided.
    #[error("a program that is needed is missing")]
    Tool(#[from] tools::ToolError),
    /// Cargo could not be started or read.
    #[error("cannot run {command}")]
    Cargo {
        /// The command.
        command: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file could not be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// An image that was built cannot be read.
    #[error("cannot look into {}", path.display())]
    Archive {
        /// The image.
        path: std::path::PathBuf,
        /// Why not.
        source: xtask::archive::ArchiveError,
    },
    /// A step ran and was not successful; what it printed says more.
    #[error("{0}")]
    Unsuccessful(String),
}

impl Failure {
    /// For `map_err`: what happened to this file.
    pub(crate) fn file(path: impl Into<std::path::PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (command, rest) = arguments.split_first().map_or(("help", &[][..]), |(first, rest)| (first.as_str(), rest));
    let result = match command {
        "control-plane" => control_plane(rest),
        "test" => suite::test(rest),
        "demo" => demo::demo(rest),
        "bench" => bench::bench(rest),
        "dist" => dist(rest),
        "image" => image::image(rest),
        "manifests" => manifests::manifests(rest),
        "help" | "--help" | "-h" => {
            ui::line(HELP);
            Ok(())
        }
        unknown => Err(Failure::Usage(format!("there is no command `{unknown}`"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            ui::error(&failure);
            ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
        }
    }
}

fn control_plane(arguments: &[String]) -> Result<(), Failure> {
    if let Some(extra) = arguments.first() {
        return Err(Failure::Usage(format!("`control-plane` takes no `{extra}`")));
    }
    let programs = tools::control_plane(&ui::progress)?;
    ui::line(&programs.directory().display().to_string());
    Ok(())
}

fn dist(arguments: &[String]) -> Result<(), Failure> {
    if let Some(extra) = arguments.first() {
        return Err(Failure::Usage(format!("`dist` takes no `{extra}`")));
    }
    for program in tools::PROGRAMS {
        let path = tools::build_release(program, &ui::progress)?;
        let size = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        ui::line(&format!("{} ({}.{} MB)", path.display(), size / 1_000_000, size / 100_000 % 10));
    }
    Ok(())
}
