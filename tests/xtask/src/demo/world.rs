//! What the story happens in: a Git repository, two people's homes, clusters with a controller each.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::{Duration, Instant};

use xtask::plane::{Plane, SUPERVISOR};
use xtask::tools::{self, workspace_root};

use super::sources::{Aws, Vault};
use crate::{Failure, ui};

/// The controller's namespace and account, as the manifests in `deploy/` have them.
pub(crate) const SYSTEM: &str = "sealwax-system";
const ACCOUNT: &str = "sealwax-controller";

/// Everything that exists; dropping it ends every program and removes every file.
pub(crate) struct World {
    pub(crate) repository: PathBuf,
    pub(crate) cluster: Option<Cluster>,
    pub(crate) second: Option<Cluster>,
    pub(crate) vault: Option<Vault>,
    pub(crate) aws: Option<Aws>,
    /// Where the controller looks for AWS.
    pub(crate) aws_endpoint: String,
    folder: Folder,
    sealwax: PathBuf,
    controller: PathBuf,
    supervisor: PathBuf,
    kubectl: PathBuf,
}

/// A folder in the temporary directory, gone when dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // A leftover folder is no reason to fail the story.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A control plane and the controller in it.
pub(crate) struct Cluster {
    plane: Plane,
    controller: Option<Guard>,
}

/// A program that ends with us, however we end: a supervisor holds the other end of our pipe.
pub(crate) struct Guard {
    process: Child,
    lifeline: Option<ChildStdin>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.process.wait();
    }
}

impl World {
    pub(crate) fn create(programs: &[(&'static str, PathBuf)]) -> Result<Self, Failure> {
        let program = |variable: &str| {
            let found = programs.iter().find(|(name, _)| *name == variable).map(|(_, path)| path.clone());
            found.ok_or_else(|| Failure::Unsuccessful(format!("{variable}: the program was not built")))
        };
        let folder = std::env::temp_dir().join(format!("sealwax-demo-{}", std::process::id()));
        let repository = folder.join("repository");
        for made in [&repository, &folder.join("alice"), &folder.join("bob")] {
            fs::create_dir_all(made).map_err(|error| broken("a folder", &error))?;
        }
        Ok(Self {
            repository,
            cluster: None,
            second: None,
            vault: None,
            aws: None,
            aws_endpoint: Aws::endpoint()?,
            folder: Folder(folder),
            sealwax: program("SEALWAX_BIN")?,
            controller: program("SEALWAX_CONTROLLER_BIN")?,
            supervisor: program(SUPERVISOR)?,
            kubectl: tools::control_plane(&ui::progress)?.kubectl,
        })
    }

    /// Someone's home folder, where their private key lies.
    pub(crate) fn home(&self, person: &str) -> PathBuf {
        self.folder.0.join(person)
    }

    /// A file outside the repository.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// Runs `sealwax` in the repository as a person, with nothing else of this machine's environment.
    pub(crate) fn sealwax(&self, person: &str, arguments: &[&str], input: &str) -> Result<Output, Failure> {
        let mut command = Command::new(&self.sealwax);
        command.env_clear().env("HOME", self.home(person)).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        if let Some(cluster) = &self.cluster {
            command.env("KUBECONFIG", cluster.kubeconfig());
        }
        self.run(command.args(arguments), input)
    }

    /// Runs `git` in the repository.
    pub(crate) fn git(&self, arguments: &[&str]) -> Result<Output, Failure> {
        let identity = ["-c", "user.name=demo", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false"];
        let mut command = Command::new("git");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        self.run(command.args(identity).args(arguments), "")
    }

    /// Commits everything.
    pub(crate) fn commit(&self, message: &str) -> Result<(), Failure> {
        self.git(&["add", "--all"])?;
        let output = self.git(&["commit", "--quiet", "--message", message])?;
        expect(&output, "git commit")
    }

    /// Runs `kubectl` against a cluster.
    pub(crate) fn kubectl(&self, cluster: &Cluster, arguments: &[&str], input: &str) -> Result<Output, Failure> {
        let mut command = Command::new(&self.kubectl);
        self.run(command.arg("--kubeconfig").arg(cluster.kubeconfig()).args(arguments), input)
    }

    /// One item of a Secret in the first cluster, decoded by kubectl; `None` while it is not there.
    pub(crate) fn item(&self, cluster: &Cluster, namespace: &str, item: &str) -> Option<String> {
        let template = format!("--template={{{{index .data \"{item}\" | base64decode}}}}");
        let output =
            self.kubectl(cluster, &["get", "secret", "db", "-n", namespace, "-o", "go-template", &template], "");
        output.ok().filter(|output| output.status.success()).map(|output| text(&output))
    }

    /// Waits until an item has a value.
    pub(crate) fn wait_for_item(&self, cluster: &Cluster, namespace: &str, item: &str, value: &str) -> bool {
        until(Duration::from_secs(20), || self.item(cluster, namespace, item).as_deref() == Some(value))
    }

    /// Starts an empty cluster with the custom resources, the account and the rights of `deploy/`.
    pub(crate) fn start_cluster(&self) -> Result<Cluster, Failure> {
        let plane = Plane::start_with(Some(&self.supervisor), &ui::progress)?;
        let cluster = Cluster { plane, controller: None };
        let root = workspace_root();
        for manifest in ["crds", "deploy/install-external.yaml"] {
            let manifest = root.join(manifest).display().to_string();
            let output = self.kubectl(&cluster, &["apply", "--server-side", "-f", &manifest], "")?;
            expect(&output, "kubectl apply")?;
        }
        for namespace in ["prod", "staging"] {
            expect(&self.kubectl(&cluster, &["create", "namespace", namespace], "")?, "kubectl create namespace")?;
        }
        Ok(cluster)
    }

    /// Starts the controller in a cluster, with the rights of its own account and no others.
    pub(crate) fn start_controller(&self, cluster: &mut Cluster, name: &str) -> Result<(), Failure> {
        let token = self.kubectl(cluster, &["create", "token", ACCOUNT, "-n", SYSTEM], "")?;
        expect(&token, "kubectl create token")?;
        let kubeconfig = self.outside(&format!("{name}.kubeconfig"));
        write_private(&kubeconfig, &with_token(&cluster.kubeconfig(), text(&token).trim())?)?;
        let listen = format!("127.0.0.1:{}", free_port()?);
        let mut command = Command::new(&self.supervisor);
        command.arg("guard").arg(&self.controller);
        command.args([
            "--key-namespace",
            SYSTEM,
            "--cluster-name",
            name,
            "--listen",
            &listen,
            "--lease-duration",
            "2s",
            "--external",
            "--cluster-stores",
        ]);
        command.env("KUBECONFIG", &kubeconfig).env("AWS_ENDPOINT_URL", &self.aws_endpoint);
        cluster.controller = Some(guard(command, &self.outside(&format!("{name}.log")))?);
        Ok(())
    }

    /// The program that ends what it guards when we end.
    pub(crate) fn supervisor(&self) -> &Path {
        &self.supervisor
    }

    /// Reads a file of the repository.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.repository.join(name)).unwrap_or_default()
    }

    /// Commands with which the story can be continued by hand.
    pub(crate) fn how_to_use(&self) -> String {
        // The story ends in the second cluster.
        let cluster =
            self.second.as_ref().or(self.cluster.as_ref()).map(|cluster| cluster.kubeconfig().display().to_string());
        format!(
            "  cd {}\n  export KUBECONFIG={} HOME={}\n  alias sealwax={} kubectl={}",
            self.repository.display(),
            cluster.unwrap_or_default(),
            self.home("alice").display(),
            self.sealwax.display(),
            self.kubectl.display()
        )
    }

    /// Runs a program in the repository.
    pub(crate) fn run(&self, command: &mut Command, input: &str) -> Result<Output, Failure> {
        use std::io::Write as _;
        let name = command.get_program().to_string_lossy().into_owned();
        command.current_dir(&self.repository).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| broken(&name, &error))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read its input may end before it is written.
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output().map_err(|error| broken(&name, &error))
    }
}

impl Cluster {
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.plane.directory().join("kubeconfig")
    }

    /// Ends the controller.
    pub(crate) fn stop_controller(&mut self) {
        self.controller = None;
    }
}

/// Starts a program under the supervisor's guard; what it tells goes to a file.
pub(crate) fn guard(mut command: Command, log: &Path) -> Result<Guard, Failure> {
    let log = fs::File::create(log).map_err(|error| broken("the log", &error))?;
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).process_group(0);
    let mut process = command.spawn().map_err(|error| broken("a program", &error))?;
    let lifeline = process.stdin.take();
    Ok(Guard { process, lifeline })
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, contents: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(contents.as_bytes())).map_err(|error| broken("a file", &error))
}

/// Standard output as text.
pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Fails the story where a command that only prepares something fails.
pub(crate) fn expect(output: &Output, what: &str) -> Result<(), Failure> {
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::Unsuccessful(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// Polls until a condition holds; whether it did in time.
pub(crate) fn until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    false
}

/// A kubeconfig for the same API server with a token in the place of the administrator's certificate.
fn with_token(kubeconfig: &Path, token: &str) -> Result<String, Failure> {
    let text = fs::read_to_string(kubeconfig).map_err(|error| broken("the kubeconfig", &error))?;
    let server = text.split_once("\"server\":\"").and_then(|(_, rest)| rest.split_once('"')).map(|(server, _)| server);
    let server = server.ok_or_else(|| Failure::Unsuccessful("the kubeconfig names no server".to_owned()))?;
    let authority = kubeconfig.with_file_name("ca.crt");
    Ok(format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: it\n\
         clusters: [{{name: it, cluster: {{server: \"{server}\", certificate-authority: \"{}\"}}}}]\n\
         users: [{{name: it, user: {{token: \"{token}\"}}}}]\n\
         contexts: [{{name: it, context: {{cluster: it, user: it}}}}]\n",
        authority.display()
    ))
}

/// One that nobody listens at.
pub(crate) fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| broken("a free port", &error))
}

fn broken(what: &str, error: &std::io::Error) -> Failure {
    Failure::Unsuccessful(format!("{what}: {error}"))
}
