//! The servers' command lines: what of a real control plane is on, and what is left out.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use xtask::tools::ControlPlane;

use super::{SupervisorError, files, guard, private_file};

/// Everything is logged, without bodies: those would be Secrets.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n\
                            rules:\n- level: Metadata\n";

/// Ports for one control plane, free a moment ago.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) etcd: u16,
    pub(super) peer: u16,
    pub(super) api: u16,
}

impl Ports {
    /// Asks the system for three free ports at once, so that they differ.
    pub(super) fn free() -> Result<Self, SupervisorError> {
        let bind = || TcpListener::bind(("127.0.0.1", 0));
        let ports = || -> io::Result<Self> {
            let held = [bind()?, bind()?, bind()?];
            let port = |index: usize| held[index].local_addr().map(|address| address.port());
            Ok(Self { etcd: port(0)?, peer: port(1)?, api: port(2)? })
        };
        ports().map_err(files("127.0.0.1"))
    }
}

/// A server and where its output goes.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) process: Child,
    log: PathBuf,
    program: PathBuf,
    flags: Vec<OsString>,
    dir: PathBuf,
}

impl Server {
    fn start(dir: &Path, name: &'static str, program: &Path, flags: Vec<String>) -> Result<Self, SupervisorError> {
        let log = dir.join("logs").join(name);
        let flags: Vec<OsString> = flags.into_iter().map(OsString::from).collect();
        let process = spawn(dir, &log, program, &flags)?;
        Ok(Self { name, process, log, program: program.to_path_buf(), flags, dir: dir.to_path_buf() })
    }

    /// Kills it and starts it again as before; its log goes on.
    pub(super) fn restart(&mut self) -> Result<(), SupervisorError> {
        // It may have ended by itself.
        let _ = self.process.kill();
        self.process.wait().map_err(files(&self.log))?;
        self.process = spawn(&self.dir, &self.log, &self.program, &self.flags)?;
        Ok(())
    }

    /// Whether it has ended although nobody asked it to.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// The error that says so, with the end of its log.
    pub(super) fn not_ready(&self) -> SupervisorError {
        let log = String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = log.lines().collect();
        SupervisorError::NotReady { server: self.name, log: lines[lines.len().saturating_sub(15)..].join("\n") }
    }
}

fn spawn(dir: &Path, log: &Path, program: &Path, flags: &[OsString]) -> Result<Child, SupervisorError> {
    let output = OpenOptions::new().create(true).append(true).open(log).map_err(files(log))?;
    let errors = output.try_clone().map_err(files(log))?;
    guard::bound(&program.as_os_str().to_owned(), flags)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|source| SupervisorError::Start { program: program.display().to_string(), source })
}

/// The database. It forgets everything with its directory, so it need not wait for the disk.
pub(super) fn etcd(programs: &ControlPlane, dir: &Path, ports: Ports) -> Result<Server, SupervisorError> {
    let client = format!("https://127.0.0.1:{}", ports.etcd);
    let peer = format!("http://127.0.0.1:{}", ports.peer);
    let file = |name: &str| dir.join(name).display().to_string();
    let flags = vec![
        format!("--data-dir={}", file("etcd")),
        "--name=test".to_owned(),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=test={peer}"),
        format!("--cert-file={}", file("server.crt")),
        format!("--key-file={}", file("server.key")),
        format!("--trusted-ca-file={}", file("ca.crt")),
        "--client-cert-auth".to_owned(),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    Server::start(dir, "etcd", &programs.etcd, flags)
}

/// The API server, with RBAC and an audit log that is complete when a request is answered.
pub(super) fn apiserver(programs: &ControlPlane, dir: &Path, ports: Ports) -> Result<Server, SupervisorError> {
    let file = |name: &str| dir.join(name).display().to_string();
    private_file(&dir.join("audit-policy.yaml"), AUDIT_POLICY).map_err(files(dir))?;
    let flags = vec![
        format!("--etcd-servers=https://127.0.0.1:{}", ports.etcd),
        format!("--etcd-cafile={}", file("ca.crt")),
        format!("--etcd-certfile={}", file("client.crt")),
        format!("--etcd-keyfile={}", file("client.key")),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", ports.api),
        format!("--tls-cert-file={}", file("server.crt")),
        format!("--tls-private-key-file={}", file("server.key")),
        format!("--client-ca-file={}", file("ca.crt")),
        "--authorization-mode=RBAC".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", file("service-account.pub")),
        format!("--service-account-signing-key-file={}", file("service-account.key")),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        // There are no nodes, and loopback is no valid endpoint.
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--audit-policy-file={}", file("audit-policy.yaml")),
        format!("--audit-log-path={}", file("audit.log")),
        "--audit-log-mode=blocking-strict".to_owned(),
        // Never rotate: readers remember places in the file.
        "--audit-log-maxsize=10000".to_owned(),
    ];
    Server::start(dir, "kube-apiserver", &programs.kube_apiserver, flags)
}

/// The controllers that sealwax relies on, and the ones that make tokens, namespaces and the built-in roles work.
pub(super) fn controller_manager(programs: &ControlPlane, dir: &Path) -> Result<Server, SupervisorError> {
    let file = |name: &str| dir.join(name).display().to_string();
    let flags = vec![
        format!("--kubeconfig={}", file("kubeconfig")),
        "--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller,\
         serviceaccount-token-controller,clusterrole-aggregation-controller"
            .to_owned(),
        "--leader-elect=false".to_owned(),
        // No port of its own.
        "--secure-port=0".to_owned(),
        format!("--root-ca-file={}", file("ca.crt")),
        format!("--service-account-private-key-file={}", file("service-account.key")),
        // Each namespace is deleted on its own in tests; the default is tuned for large clusters.
        "--kube-api-qps=200".to_owned(),
        "--kube-api-burst=400".to_owned(),
    ];
    Server::start(dir, "kube-controller-manager", &programs.kube_controller_manager, flags)
}
