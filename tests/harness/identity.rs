//! An identity in the cluster: a `ServiceAccount` with exactly the rights a test gives it.

use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use kube::{Api, Client};
use serde_json::json;
use tempfile::TempDir;

use crate::control_plane::client_for;
use crate::supervisor::private_file;
use crate::{ControlPlane, Kubectl};

/// A `ServiceAccount` and a kubeconfig with its token.
#[derive(Debug)]
pub struct Identity {
    username: String,
    directory: TempDir,
}

impl Identity {
    /// Makes the `ServiceAccount` unless it exists, applies `rbac` (YAML with the roles and bindings; may be empty),
    /// and asks for a token that outlives the test.
    pub async fn create(control_plane: &ControlPlane, namespace: &str, name: &str, rbac: &str) -> Self {
        let api = Api::<ServiceAccount>::namespaced(control_plane.client().await, namespace);
        let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name } });
        api.patch(name, &PatchParams::apply("sealwax-tests"), &Patch::Apply(account))
            .await
            .expect("a service account can be created");
        if !rbac.is_empty() {
            control_plane.kubectl().apply(rbac);
        }
        let wanted = TokenRequest {
            spec: TokenRequestSpec { expiration_seconds: Some(24 * 3600), ..TokenRequestSpec::default() },
            ..TokenRequest::default()
        };
        let made = api.create_token_request(name, &PostParams::default(), &wanted).await.expect("a token is issued");
        let token = made.status.expect("a token request is answered with a token").token;

        let directory = TempDir::new().expect("a temporary directory can be made");
        let kubeconfig = with_token(&control_plane.kubeconfig(), &token);
        private_file(&directory.path().join("kubeconfig"), &kubeconfig).expect("a kubeconfig can be written");
        Self { username: format!("system:serviceaccount:{namespace}:{name}"), directory }
    }

    /// The name in RBAC and in the audit log.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Its kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("kubeconfig")
    }

    /// A client with its rights. It belongs to the async runtime that asks.
    pub async fn client(&self) -> Client {
        client_for(&self.kubeconfig()).await
    }

    /// kubectl with its rights.
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::new(&self.kubeconfig())
    }
}

/// The administrator's kubeconfig with the token in place of the certificate. JSON is YAML.
fn with_token(admin: &Path, token: &str) -> String {
    let kubeconfig = Kubeconfig::read_from(admin).expect("the kubeconfig is readable");
    let mut value = serde_json::to_value(&kubeconfig).expect("a kubeconfig has a JSON form");
    value["users"] = json!([{ "name": "admin", "user": { "token": token } }]);
    value.to_string()
}
