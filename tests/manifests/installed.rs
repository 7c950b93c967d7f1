//! A controller as the chart installs it: with the rights, the flags and the environment that are rendered, and no others.

use std::time::Duration;

use sealwax_tests::{ControlPlane, Controller, Identity, Namespace, wait_for};
use serde_json::Value;

use crate::common::{documents, find, render};

pub(crate) const SOON: Duration = Duration::from_secs(40);

/// What was installed, and whom the controller runs as.
pub(crate) struct Installed {
    pub(crate) own: Namespace,
    pub(crate) rendered: Vec<Value>,
    pub(crate) identity: Identity,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Installed {
    /// Renders the chart into a namespace and gives its account the rights that it renders. Nothing runs yet.
    ///
    /// `effective` are rights, as `kubectl auth can-i` has them, that show that the API server knows the roles.
    pub(crate) async fn new(plane: &ControlPlane, own: Namespace, settings: &[&str], effective: &[&[&str]]) -> Self {
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        // A leader that was killed is waited for; the definitions are there.
        let common = ["--namespace", own.name(), "--set", "crds.enabled=false,lease.duration=2s"];
        let rendered = documents(&render(&common.into_iter().chain(settings).collect::<Vec<_>>()));
        let roles = rendered.iter().filter(|document| document["apiVersion"] == "rbac.authorization.k8s.io/v1");
        let roles: Vec<String> = roles.map(Value::to_string).collect();
        let identity = Identity::create(plane, own.name(), "sealwax-controller", &roles.join("\n---\n")).await;
        let kubectl = identity.kubectl();
        for right in effective {
            wait_for(SOON, &format!("the right to {right:?}"), async || {
                kubectl.output(&[&["auth", "can-i"], *right].concat(), "").status.success().then_some(())
            })
            .await;
        }
        let deployment = find(&rendered, "Deployment", "sealwax-controller");
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let flags = container["args"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap());
        // Several run on one machine.
        let flags = flags.map(|flag| flag.replace("--listen=0.0.0.0:8080", "--listen=127.0.0.1:0")).collect();
        let environment = container["env"].as_array().unwrap().iter();
        let environment = environment.map(|variable| (text(&variable["name"]), value(variable, own.name()))).collect();
        Self { own, rendered, identity, flags, environment }
    }

    /// Starts a replica.
    pub(crate) fn start(&self) -> Controller {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        let environment: Vec<_> = self.environment.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        Controller::start_with(&self.identity, &flags, &environment)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The value of a variable, as the kubelet would fill it in.
fn value(variable: &Value, namespace: &str) -> String {
    match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
        Some("metadata.namespace") => namespace.to_owned(),
        Some(other) => panic!("the chart refers to {other}"),
        None => text(&variable["value"]),
    }
}
