//! Runs one control plane until standard input ends.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};
use tempfile::TempDir;
use tokio::sync::mpsc;
use xtask::tools::{self, ControlPlane, workspace_root};

use super::servers::{self, Ports, Server};
use super::{SupervisorError, credentials, files, private_file};
use crate::control_plane::client_for;

/// Names of our directories under the system's temporary directory begin so.
const PREFIX: &str = "sealwax-control-plane-";
/// Held locked by the supervisor while it lives; who can lock it may remove the directory.
const LOCK: &str = "lock";
/// Twenty times what it takes on a quiet machine.
const START_LIMIT: Duration = Duration::from_secs(90);

/// Starts a control plane, prints its directory when it is ready, and ends it when standard input ends.
pub(super) fn serve() -> Result<ExitCode, SupervisorError> {
    let (words, told) = mpsc::unbounded_channel();
    // The channel ends with the input, and that with the parent.
    thread::spawn(move || {
        let lines = io::stdin().lines().map_while(Result::ok);
        lines.map(|line| words.send(line)).find(Result::is_err);
    });
    sweep();
    let dir = TempDir::with_prefix(PREFIX).map_err(files(env::temp_dir()))?;
    let lock = File::create(dir.path().join(LOCK)).map_err(files(dir.path()))?;
    lock.lock().map_err(files(dir.path()))?;

    let mut running = Vec::new();
    // One thread: a server is bound to the thread that starts it, and this one lives to the end.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(files(dir.path()))?;
    let outcome = runtime.block_on(async {
        let mut told = told;
        tokio::select! {
            _ = told.recv() => return Ok(()),
            started = start(dir.path(), &mut running) => started?,
        }
        // A parent that is gone by now shows as the end of input.
        let _ = writeln!(io::stdout(), "{}", dir.path().display());
        while let Some(word) = told.recv().await {
            let wanted = word.strip_prefix("restart ").unwrap_or_default();
            if let Some(server) = running.iter_mut().find(|server| server.name == wanted) {
                server.restart()?;
            }
            note_ids(dir.path(), &running)?;
        }
        Ok(())
    });
    for server in &mut running {
        // It may have ended by itself; what matters is that it is gone.
        let _ = server.process.kill();
        let _ = server.process.wait();
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Starts the servers, each when the one before is ready, and notes them in `running` at once.
async fn start(dir: &Path, running: &mut Vec<Server>) -> Result<(), SupervisorError> {
    let programs = tools::control_plane(&crate::report)?;
    let ports = Ports::free()?;
    fs::create_dir(dir.join("logs")).map_err(files(dir))?;
    credentials::write(dir, ports.api)?;

    // The API server waits for etcd by itself.
    running.push(servers::etcd(&programs, dir, ports)?);
    running.push(servers::apiserver(&programs, dir, ports)?);
    let client = client_for(&dir.join("kubeconfig")).await;
    until(running, async || api_is_ready(&client).await).await?;
    // Before the garbage collector starts: it looks for new kinds only every 30 seconds.
    apply_definitions(&programs, dir)?;
    running.push(servers::controller_manager(&programs, dir)?);
    let accounts = Api::<ServiceAccount>::namespaced(client, "default");
    until(running, async || accounts.get("default").await.is_ok()).await?;

    note_ids(dir, running)
}

/// Writes down the servers' process ids, as of now.
fn note_ids(dir: &Path, running: &[Server]) -> Result<(), SupervisorError> {
    let ids: Vec<String> = running.iter().map(|server| server.process.id().to_string()).collect();
    let path = dir.join("pids");
    // There is none at first.
    let _ = fs::remove_file(&path);
    private_file(&path, &ids.join("\n")).map_err(files(dir))
}

/// Waits for the condition; a server that ends meanwhile, or takes too long, is the error.
async fn until(running: &mut [Server], mut condition: impl AsyncFnMut() -> bool) -> Result<(), SupervisorError> {
    let started = Instant::now();
    while !condition().await {
        if let Some(ended) = running.iter_mut().find_map(|server| server.has_ended().then_some(server)) {
            return Err(ended.not_ready());
        }
        if let Some(last) = running.last()
            && started.elapsed() > START_LIMIT
        {
            return Err(last.not_ready());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn api_is_ready(client: &Client) -> bool {
    let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else { return false };
    client.request_text(request).await.is_ok_and(|text| text == "ok")
}

/// Applies our custom resource definitions, as far as they exist.
fn apply_definitions(programs: &ControlPlane, dir: &Path) -> Result<(), SupervisorError> {
    let entries = fs::read_dir(workspace_root().join("crds")).into_iter().flatten().flatten();
    let files_in_crds = entries.map(|entry| entry.path());
    let definitions: Vec<PathBuf> =
        files_in_crds.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    if definitions.is_empty() {
        return Ok(());
    }
    let mut command = Command::new(&programs.kubectl);
    command.arg("--kubeconfig").arg(dir.join("kubeconfig")).args(["apply", "--server-side"]);
    for file in &definitions {
        command.arg("-f").arg(file);
    }
    let output = command.stdin(Stdio::null()).output().map_err(files(&programs.kubectl))?;
    if output.status.success() {
        return Ok(());
    }
    let answer = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(SupervisorError::Refused { what: "the custom resource definitions".to_owned(), answer })
}

/// Removes directories of supervisors that were killed before they could. Failures do not matter: it is a courtesy.
fn sweep() {
    for entry in fs::read_dir(env::temp_dir()).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        // A young lock may be one that its owner has made and not yet locked.
        let age = lock.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > Duration::from_mins(1)) && lock.try_lock().is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
