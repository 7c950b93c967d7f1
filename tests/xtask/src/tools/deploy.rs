//! Builds the programs that render, build and check what is in `deploy/`.

use std::env;
use std::path::PathBuf;

use super::{Report, ToolError, go::GoModule};

/// The variables by which tests find the programs, and `DeployTools` finds those that are given.
pub const HELM: &str = "SEALWAX_TEST_HELM";
/// The same for kustomize.
pub const KUSTOMIZE: &str = "SEALWAX_TEST_KUSTOMIZE";
/// The same for promtool.
pub const PROMTOOL: &str = "SEALWAX_TEST_PROMTOOL";

/// Renders the chart.
pub fn helm(report: Report<'_>) -> Result<PathBuf, ToolError> {
    let module = GoModule::open("helm", "tests/deploy-tools/helm")?;
    // Without these a chart is rendered for Kubernetes 1.20, and refuses.
    let minor = module.version_of("k8s.io/client-go")?;
    let minor = minor.split('.').nth(1).unwrap_or_default();
    let kubernetes = ["pkg/chartutil", "pkg/lint/rules"].map(|package| {
        let package = format!("helm.sh/helm/v3/{package}");
        format!("-X {package}.k8sVersionMajor=1 -X {package}.k8sVersionMinor={minor}")
    });
    let stamps = format!(
        "-X helm.sh/helm/v3/internal/version.version={} {}",
        module.version_of("helm.sh/helm/v3")?,
        kubernetes.join(" ")
    );
    given_or(HELM, || module.program("helm", "helm.sh/helm/v3/cmd/helm", &stamps, report))
}

/// Builds overlays.
pub fn kustomize(report: Report<'_>) -> Result<PathBuf, ToolError> {
    let module = GoModule::open("kustomize", "tests/deploy-tools/kustomize")?;
    given_or(KUSTOMIZE, || module.program("kustomize", "sigs.k8s.io/kustomize/kustomize/v5", "", report))
}

/// Checks and tests alerting rules.
pub fn promtool(report: Report<'_>) -> Result<PathBuf, ToolError> {
    let module = GoModule::open("promtool", "tests/deploy-tools/promtool")?;
    given_or(PROMTOOL, || module.program("promtool", "github.com/prometheus/prometheus/cmd/promtool", "", report))
}

fn given_or(variable: &str, build: impl FnOnce() -> Result<PathBuf, ToolError>) -> Result<PathBuf, ToolError> {
    env::var_os(variable).map_or_else(build, |given| Ok(PathBuf::from(given)))
}
