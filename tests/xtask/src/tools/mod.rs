//! Finds the programs that tests need, and builds the missing ones once per machine.
//!
//! Search order for the control plane: the directory in `KUBEBUILDER_ASSETS`, then the cache, then a build with Go
//! from the pins in `tests/control-plane/go.mod`. Everything else goes straight to the cache.

mod cargo;
pub mod deploy;
mod go;
pub mod image;
mod python;
mod release;

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use self::cargo::{build_binary, target_dir};
use self::go::GoModule;
pub use self::python::{python, source_servers};
pub use self::release::{PROGRAMS, build_release};

/// Told what begins, before anything that takes longer than a moment.
pub type Report<'a> = &'a dyn Fn(&str);

/// Why a program could not be provided.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// A file or directory could not be read or made.
    #[error("cannot use {}", path.display())]
    Files {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A program that is needed to build others is not installed.
    #[error("`{program}` cannot be started; {advice}")]
    NotInstalled {
        /// The missing program.
        program: String,
        /// What to install, or which variable to set.
        advice: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// A build ended with a failure.
    #[error("{what} failed; its output is above")]
    BuildFailed {
        /// The command that failed.
        what: String,
    },
    /// A pinned module is not in the go.mod that should pin it.
    #[error("{} does not require {module}", file.display())]
    NotPinned {
        /// The go.mod.
        file: PathBuf,
        /// The module looked for.
        module: &'static str,
    },
    /// Neither `XDG_CACHE_HOME` nor `HOME` is set.
    #[error("no place for the cache: set XDG_CACHE_HOME or HOME")]
    NoCache,
    /// The supervisor ended before the control plane was ready.
    #[error("the control plane did not start; the supervisor's message is above")]
    NoControlPlane,
}

impl ToolError {
    pub(crate) fn files(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Files { path, source }
    }
}

/// The programs of a control plane.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    /// The database.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// Garbage collection, namespaces, service accounts.
    pub kube_controller_manager: PathBuf,
    /// The client.
    pub kubectl: PathBuf,
}

impl ControlPlane {
    /// The directory of the API server: fit for `KUBEBUILDER_ASSETS`.
    pub fn directory(&self) -> &Path {
        self.kube_apiserver.parent().unwrap_or(Path::new("."))
    }
}

/// The stock age programs, which prove that our files are age files.
#[derive(Clone, Debug)]
pub struct Age {
    /// Encrypts and decrypts.
    pub age: PathBuf,
    /// Makes keys.
    pub age_keygen: PathBuf,
}

/// Finds or builds the control plane's programs.
pub fn control_plane(report: Report<'_>) -> Result<ControlPlane, ToolError> {
    let module = GoModule::open("control-plane", "tests/control-plane")?;
    // Without a version the API server calls itself v0.0.0, which clients refuse or misread.
    let version = module.version_of("k8s.io/kubernetes")?;
    let stamps = kubernetes_stamps(&version);
    let assets = env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let find = |name: &str, package: &str| match assets.as_deref().map(|dir| dir.join(name)) {
        Some(given) if given.is_file() => Ok(given),
        _ => module.program(name, package, &stamps, report),
    };
    Ok(ControlPlane {
        etcd: find("etcd", "go.etcd.io/etcd/server/v3")?,
        kube_apiserver: find("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver")?,
        kube_controller_manager: find("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager")?,
        kubectl: find("kubectl", "k8s.io/kubernetes/cmd/kubectl")?,
    })
}

/// Finds or builds the stock age programs.
pub fn age(report: Report<'_>) -> Result<Age, ToolError> {
    let module = GoModule::open("age", "tests/interop/go")?;
    let stamps = format!("-X main.Version={}", module.version_of("filippo.io/age")?);
    Ok(Age {
        age: module.program("age", "filippo.io/age/cmd/age", &stamps, report)?,
        age_keygen: module.program("age-keygen", "filippo.io/age/cmd/age-keygen", &stamps, report)?,
    })
}

/// SOPS, and its packages behind a program that answers questions about files.
#[derive(Clone, Debug)]
pub struct Sops {
    /// The command.
    pub sops: PathBuf,
    /// One line of JSON in, one out: `tests/interop/go/sops/main.go`.
    pub oracle: PathBuf,
}

/// Finds or builds SOPS.
pub fn sops(report: Report<'_>) -> Result<Sops, ToolError> {
    let module = GoModule::open("sops", "tests/interop/go/sops")?;
    // Another oracle is another program, though the pins are the same.
    let stamp = format!("-X main.sources={}", module.digest_of(&["main.go", "operations.go", "leaves.go"])?);
    Ok(Sops {
        sops: module.program("sops", "github.com/getsops/sops/v3/cmd/sops", "", report)?,
        oracle: module.program("oracle", ".", &stamp, report)?,
    })
}

/// The workspace's top directory.
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Linker flags that give Kubernetes programs their version.
fn kubernetes_stamps(version: &str) -> String {
    let package = "k8s.io/component-base/version";
    let mut numbers = version.trim_start_matches('v').split('.');
    let major = numbers.next().unwrap_or_default();
    let minor = numbers.next().unwrap_or_default();
    format!("-X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}")
}

/// The cache directory of `kind` for exactly these inputs; other inputs get another directory.
fn cache_dir(kind: &str, inputs: &[&[u8]]) -> Result<PathBuf, ToolError> {
    let set = |name: &str| env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache"))).ok_or(ToolError::NoCache)?;
    let mut hash = Sha256::new();
    for input in inputs {
        hash.update(input.len().to_le_bytes());
        hash.update(input);
    }
    let name = hash.finalize().iter().take(8).fold(0_u64, |name, byte| name << 8 | u64::from(*byte));
    Ok(base.join("sealwax").join(kind).join(format!("{name:016x}")))
}

/// Holds the directory's lock while `work` runs, so that two runs never build the same thing at once.
fn locked<T>(dir: &Path, work: impl FnOnce() -> Result<T, ToolError>) -> Result<T, ToolError> {
    fs::create_dir_all(dir).map_err(ToolError::files(dir))?;
    let path = dir.join("lock");
    let lock = File::create(&path).map_err(ToolError::files(&path))?;
    lock.lock().map_err(ToolError::files(&path))?;
    work() // the lock ends with `lock`
}
