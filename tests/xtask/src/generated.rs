//! What is generated in `deploy/`: files that the chart carries along, and manifests rendered from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{Report, ToolError, deploy, workspace_root};

/// The namespace that the plain manifests make.
pub const NAMESPACE: &str = "sealwax-system";

/// A file as it shall be.
#[derive(Debug)]
pub struct Generated {
    /// Where, from the workspace's top.
    pub path: PathBuf,
    /// What it holds.
    pub contents: String,
}

impl Generated {
    /// Whether the file is what it shall be.
    pub fn is_current(&self) -> bool {
        fs::read_to_string(workspace_root().join(&self.path)).is_ok_and(|found| found == self.contents)
    }
}

/// A plain manifest: its name, what is said above it, and the values it is rendered with.
struct Plain {
    name: &'static str,
    header: &'static str,
    values: &'static [&'static str],
}

const PLAIN: [Plain; 3] = [
    Plain {
        name: "install.yaml",
        header: "\
# The controller for the whole cluster, with its custom resource definitions:
#
#   kubectl apply --server-side -f deploy/install.yaml
#
# For an installation that serves some namespaces only, and holds no ClusterRole, see scoped.yaml; for everything else
# the chart. Generated from deploy/chart by: cargo xtask manifests
",
        values: &[],
    },
    Plain {
        name: "install-external.yaml",
        header: "\
# The same as install.yaml, serving ExternalSecrets and their stores too, which needs more rights:
#
#   kubectl apply --server-side -f deploy/install-external.yaml
#
# Generated from deploy/chart by: cargo xtask manifests
",
        values: &["external.enabled=true"],
    },
    Plain {
        name: "scoped.yaml",
        header: "\
# The controller for the namespace `payments` alone, with Roles and no ClusterRole:
#
#   kubectl create namespace payments
#   kubectl apply --server-side -f deploy/scoped.yaml
#
# For your namespaces, render the chart with `--set 'scope.namespaces={one,two}'`. Only the custom resource definition
# is cluster wide; whoever administers the cluster may apply it beforehand.
# Generated from deploy/chart by: cargo xtask manifests
",
        values: &["scope.namespaces={payments}"],
    },
];

/// The files of this repository that the chart carries along: a chart can read no file outside itself.
pub fn copies() -> Result<Vec<Generated>, ToolError> {
    let root = workspace_root();
    let mut sources = vec![
        ("deploy/alerts/sealwax.rules.yaml".into(), "deploy/chart/files/sealwax.rules.yaml".into()),
        ("deploy/dashboards/sealwax.json".into(), "deploy/chart/files/dashboard.json".into()),
    ];
    for name in names(&root.join("crds"))? {
        sources.push((format!("crds/{name}"), format!("deploy/chart/files/crds/{name}")));
    }
    let read = |(from, to): (String, String)| {
        let from = root.join(from);
        let contents = fs::read_to_string(&from).map_err(ToolError::files(&from))?;
        Ok(Generated { path: PathBuf::from(to), contents })
    };
    sources.into_iter().map(read).collect()
}

/// The plain manifests, rendered from the chart as it lies there.
pub fn manifests(report: Report<'_>) -> Result<Vec<Generated>, ToolError> {
    let helm = deploy::helm(report)?;
    PLAIN.iter().map(|plain| plain.render(&helm)).collect()
}

/// The names of the YAML files in a directory, in order.
fn names(dir: &Path) -> Result<Vec<String>, ToolError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(ToolError::files(dir))? {
        let name = entry.map_err(ToolError::files(dir))?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|extension| extension == "yaml") {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

impl Plain {
    fn render(&self, helm: &Path) -> Result<Generated, ToolError> {
        // Nobody uninstalls a plain manifest with Helm.
        let mut settings = vec!["crds.keep=false"];
        settings.extend(self.values);
        let rendered = render(helm, &settings)?;
        let contents = format!("{}{}{}", self.header, namespace(), without_sources(&rendered));
        Ok(Generated { path: Path::new("deploy").join(self.name), contents })
    }
}

/// Runs `helm template` with these settings.
fn render(helm: &Path, settings: &[&str]) -> Result<String, ToolError> {
    let mut command = Command::new(helm);
    command.args(["template", "sealwax", "deploy/chart", "--namespace", NAMESPACE]).current_dir(workspace_root());
    for setting in settings {
        command.args(["--set", setting]);
    }
    let output = command.output().map_err(ToolError::files(helm))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(ToolError::BuildFailed { what: format!("`helm template`: {reason}") })
}

/// A chart makes no namespace for itself; a plain manifest has to.
fn namespace() -> String {
    format!(
        "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n  labels:\n    \
         pod-security.kubernetes.io/enforce: restricted\n"
    )
}

/// Drops the lines in which Helm names its templates, and documents that hold nothing.
fn without_sources(rendered: &str) -> String {
    let mut documents = vec![String::new()];
    for line in rendered.lines().filter(|line| !line.starts_with("# Source: ")) {
        match documents.last_mut() {
            Some(document) if line != "---" => {
                document.push_str(line);
                document.push('\n');
            }
            _ => documents.push(String::new()),
        }
    }
    let mut whole = String::new();
    for document in documents.iter().map(|document| document.trim()).filter(|document| !document.is_empty()) {
        whole += &format!("---\n{document}\n");
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::without_sources;

    #[test]
    fn keeps_comments_of_ours_and_drops_those_of_helm() {
        let rendered = "---\n# Source: a.yaml\n# Why.\nkind: A\n---\n# Source: b.yaml\n\n---\nkind: B\n";
        assert_eq!(without_sources(rendered), "---\n# Why.\nkind: A\n---\nkind: B\n");
    }
}
