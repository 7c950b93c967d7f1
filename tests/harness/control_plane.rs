//! A control plane as tests see it: where it is, and clients for it.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use xtask::plane::{CONTROL_PLANE, Plane};

use crate::{AuditLog, Kubectl};

/// A running control plane.
#[derive(Debug)]
pub struct ControlPlane {
    directory: PathBuf,
    /// Held if it is ours to end; a shared one of `cargo xtask test` is not.
    plane: Option<Mutex<Plane>>,
}

impl ControlPlane {
    /// The one of this run: that of `cargo xtask test`, or else one that this process starts and that ends with it.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        let started = tokio::task::spawn_blocking(|| {
            SHARED.get_or_init(|| match env::var_os(CONTROL_PLANE) {
                Some(directory) => Self { directory: directory.into(), plane: None },
                None => Self::start_blocking(),
            })
        });
        started.await.expect("the control plane starts")
    }

    /// One for this test alone, for tests that break it. It ends when dropped.
    pub async fn start() -> Self {
        tokio::task::spawn_blocking(Self::start_blocking).await.expect("the control plane starts")
    }

    /// The same for as long as the process lives, which ends it.
    pub async fn start_for_good() -> &'static Self {
        Box::leak(Box::new(Self::start().await))
    }

    fn start_blocking() -> Self {
        let plane = Plane::start(&crate::report).unwrap_or_else(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            panic!("no control plane: {error}{cause}")
        });
        Self { directory: plane.directory().to_path_buf(), plane: Some(Mutex::new(plane)) }
    }

    /// The kubeconfig of the administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join("kubeconfig")
    }

    /// Everything of this control plane: kubeconfig, `audit.log`, `logs/`, `pids`.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The supervisor's process id, if this process started it.
    pub fn supervisor_id(&self) -> Option<u32> {
        self.plane.as_ref().map(|plane| plane.lock().expect("one at a time").supervisor_id())
    }

    /// A client with all rights. It belongs to the async runtime that asks: make one for each test.
    pub async fn client(&self) -> Client {
        client_for(&self.kubeconfig()).await
    }

    /// kubectl with all rights.
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::new(&self.kubeconfig())
    }

    /// The API server's audit log.
    pub fn audit(&self) -> AuditLog {
        AuditLog::new(self.directory.join("audit.log"))
    }

    /// Kills a server (`etcd`, `kube-apiserver`) and starts it again. Only for a control plane of one's own.
    pub fn restart(&self, server: &str) {
        let mut plane = self.plane.as_ref().expect("a control plane of one's own").lock().expect("one at a time");
        plane.restart(server).expect("the supervisor listens");
    }

    /// The process ids of the servers.
    pub fn server_ids(&self) -> Vec<i32> {
        let text = std::fs::read_to_string(self.directory.join("pids")).expect("the supervisor wrote `pids`");
        text.split_whitespace().map(|id| id.parse().expect("a process id")).collect()
    }
}

/// A client for whoever the kubeconfig stands for.
pub(crate) async fn client_for(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig is readable");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("the kubeconfig is complete")).expect("the kubeconfig makes a client")
}
