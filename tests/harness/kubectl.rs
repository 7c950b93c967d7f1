//! Runs kubectl, for what is written as YAML and for reports about failed tests.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The command with a kubeconfig.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// For whoever the kubeconfig stands for.
    pub fn new(kubeconfig: &Path) -> Self {
        let programs = xtask::tools::control_plane(&crate::report).expect("kubectl is part of the control plane");
        Self { program: programs.kubectl, kubeconfig: kubeconfig.to_path_buf() }
    }

    /// Runs it and returns everything, failure too.
    pub fn output(&self, arguments: &[&str], stdin: &str) -> Output {
        let mut child = Command::new(&self.program)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        // kubectl may end before it has read everything; its own message says more than a broken pipe.
        let _ = child.stdin.take().expect("was piped").write_all(stdin.as_bytes());
        child.wait_with_output().expect("kubectl can be waited for")
    }

    /// Runs it and returns what it printed; panics when it fails.
    pub fn run(&self, arguments: &[&str]) -> String {
        succeeded(arguments, &self.output(arguments, ""))
    }

    /// Applies YAML by server-side apply; panics when the API refuses any of it.
    pub fn apply(&self, yaml: &str) -> String {
        let arguments = ["apply", "--server-side", "--field-manager=sealwax-tests", "-f", "-"];
        succeeded(&arguments, &self.output(&arguments, yaml))
    }
}

fn succeeded(arguments: &[&str], output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {} failed: {error}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
