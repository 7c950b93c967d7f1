//! Items of Secrets that are settings by the contract of the program that reads them: Argo CD keeps the addresses of its
//! repositories and clusters in Secrets, beside the credentials.

use sealwax_format::document::Node;

use crate::check::view::View;

/// The label by which Argo CD knows its Secrets.
const LABEL: &str = "argocd.argoproj.io/secret-type";
/// Items that Argo CD documents as settings. Addresses may hold credentials, and are looked at.
const SETTINGS: [&str; 16] = [
    "type",
    "name",
    "project",
    "url",
    "server",
    "namespaces",
    "clusterResources",
    "insecure",
    "insecureIgnoreHostKey",
    "enableLfs",
    "enableOCI",
    "forceHttpBasicAuth",
    "useAzureWorkloadIdentity",
    "githubAppID",
    "githubAppInstallationID",
    "githubAppEnterpriseBaseUrl",
];

/// Whether a Secret is one that may hold settings.
pub(super) fn has_settings<'d>(view: &View<'d>, secret: &'d Node) -> bool {
    let labels = view.get(secret, "metadata").and_then(|metadata| view.get(metadata, "labels"));
    labels.is_some_and(|labels| view.get(labels, LABEL).is_some())
}

/// Whether an item of such a Secret is a setting; what it holds must not be an address with a password.
pub(super) fn is_setting(item: &str, text: &str) -> bool {
    SETTINGS.contains(&item) && !has_password(text)
}

/// `scheme://user:password@host`; a user alone is none, as in `ssh://git@host`.
fn has_password(text: &str) -> bool {
    let authority = text.split_once("://").map_or("", |(_, rest)| rest).split(['/', '?']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

#[cfg(test)]
mod tests {
    use sealwax_format::document::{File, Syntax};

    use super::*;

    #[test]
    fn settings_are_those_of_a_labelled_secret() {
        let labelled = format!("metadata: {{labels: {{{LABEL}: repository}}}}\n");
        let is = |source: &str, item: &str, text: &str| {
            let file = File::parse(source, Syntax::Yaml).unwrap();
            has_settings(&View::new(&file.documents[0]), &file.documents[0].root) && is_setting(item, text)
        };
        assert!(is(&labelled, "url", "https://git.example/repo"));
        assert!(is(&labelled, "url", "ssh://git@git.example/repo"));
        assert!(!is(&labelled, "url", "https://user:hunter2@git.example/repo"));
        assert!(!is(&labelled, "password", "hunter2"));
        assert!(!is("metadata: {labels: {}}\n", "url", "https://git.example/repo"));
    }
}
