//! The README's commands, run as they stand, in order, in one shell, against a real API server and controller.

use std::os::unix::fs::symlink;
use std::process::Command;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use sealwax_tests::{ControlPlane, Controller, Identity};
use xtask::tools::{build_binary, control_plane, workspace_root};

const SYSTEM: &str = "sealwax-system";

/// The contents of the blocks that are marked `sh readme`.
fn script() -> String {
    let readme = std::fs::read_to_string(workspace_root().join("README.md")).unwrap();
    let blocks = readme.split("```sh readme\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    blocks.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_works_as_it_stands() {
    let script = script();
    assert!(script.matches("sealwax ").count() >= 10, "the README's commands are gone");

    // A control plane of its own: the README uses the names that everyone uses.
    let plane = ControlPlane::start().await;
    let kubectl = plane.kubectl();
    let root = workspace_root();
    kubectl.run(&["apply", "--server-side", "-f", root.join("crds").to_str().unwrap()]);
    kubectl.run(&["apply", "--server-side", "-f", root.join("deploy/install.yaml").to_str().unwrap()]);
    let identity = Identity::create(&plane, SYSTEM, "sealwax-controller", "").await;
    let controller =
        Controller::start(&identity, &["--cluster-name", "prod", "--listen", "127.0.0.1:0", "--lease-duration", "2s"]);
    controller.wait_for_log(std::time::Duration::from_secs(30), "sealwax-recipients").await;

    let work = tempfile::tempdir().unwrap();
    let programs = work.path().join("bin");
    let home = work.path().join("home");
    let repository = work.path().join("repository");
    for folder in [&programs, &home, &repository] {
        std::fs::create_dir(folder).unwrap();
    }
    symlink(build_binary("SEALWAX_BIN", "sealwax", "sealwax").unwrap(), programs.join("sealwax")).unwrap();
    symlink(control_plane(&|_| ()).unwrap().kubectl, programs.join("kubectl")).unwrap();
    assert!(Command::new("git").args(["init", "--quiet"]).current_dir(&repository).status().unwrap().success());

    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(&repository)
        .env_clear()
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("HOME", &home)
        .env("KUBECONFIG", plane.kubeconfig())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs(["AUTHOR", "COMMITTER"].iter().flat_map(|role| {
            [(format!("GIT_{role}_NAME"), "Alice"), (format!("GIT_{role}_EMAIL"), "alice@example.org")]
        }))
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("correct horse"), "get prints the value:\n{stdout}\n{stderr}");
    assert!(stdout.contains("newly named"), "diff tells who came:\n{stdout}\n{stderr}");
    let committed = repository.join(".git/refs/heads").read_dir().unwrap().next();
    assert!(committed.is_some(), "the hook lets encrypted files pass:\n{stdout}\n{stderr}");
    assert!(stdout.contains("password: hunter2  # rotated in May"), "decrypt gives back the file:\n{stdout}");

    let secrets: Api<Secret> = Api::namespaced(plane.client().await, "prod");
    let data = secrets.get("db").await.unwrap().data.unwrap();
    assert_eq!(data["password"].0, b"hunter2", "what was applied from Git");
}
