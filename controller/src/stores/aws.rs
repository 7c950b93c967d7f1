//! Clients of AWS.

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use sealwax_crds::{AwsProvider, AwsService, ServiceAccountSelector, SessionTagsPolicy, StoreKind};
use sealwax_sources::Source;
use sealwax_sources::aws::{self, Credentials, Service, Settings};

use super::StoreError;
use super::connect::{Connector, text};
use super::home::Home;
use super::tokens::failed;
use crate::feeding::in_time;

/// Annotation of a service account: the role that it stands for.
pub(super) const ROLE_ARN: &str = "eks.amazonaws.com/role-arn";
/// For whom its tokens are made.
const AUDIENCE: &str = "sts.amazonaws.com";

pub(super) async fn connect_aws<'a>(
    connector: Connector<'a>,
    provider: &'a AwsProvider,
) -> Result<Box<dyn Source>, StoreError> {
    let service = match provider.service {
        AwsService::SecretsManager => Service::SecretsManager,
        AwsService::ParameterStore => Service::ParameterStore,
    };
    let settings = Settings {
        region: provider.region.clone(),
        roles: provider.additional_roles.iter().chain(&provider.role).cloned().collect(),
        external_id: provider.external_id.clone(),
        session_tags: session_tags(&connector.home, provider),
        transitive_tag_keys: provider.transitive_tag_keys.clone(),
        prefix: provider.prefix.clone().unwrap_or_default(),
        ..Settings::new(service)
    };
    let credentials = credentials(connector, provider).await?;
    Ok(Box::new(aws::open(&settings, credentials).await?))
}

/// Whether AWS is asked as the controller itself.
pub(super) fn is_ambient(provider: &AwsProvider) -> bool {
    provider.auth.as_ref().is_none_or(|auth| auth.secret_ref.is_none() && auth.jwt.is_none())
}

/// Whether sessions say for whom they are: where the author wants it, and always where a role is assumed as the
/// controller itself, which everybody's sessions would look alike in.
pub(super) fn is_tagged(provider: &AwsProvider) -> bool {
    let roles = provider.role.is_some() || !provider.additional_roles.is_empty();
    provider.session_tags_policy.unwrap_or_default() != SessionTagsPolicy::None || roles && is_ambient(provider)
}

/// Tags by which policies of AWS can tell who reads; under the names that such policies have already.
fn session_tags(home: &Home<'_>, provider: &AwsProvider) -> Vec<(String, String)> {
    let mut tags: Vec<_> = provider.session_tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
    if provider.session_tags_policy == Some(SessionTagsPolicy::Custom) {
        tags.extend(provider.custom_session_tags.clone());
    }
    let kind = match home.kind {
        StoreKind::SecretStore => "SecretStore",
        StoreKind::ClusterSecretStore => "ClusterSecretStore",
    };
    let namespace = home.user.or(home.namespace).unwrap_or_default();
    let own = [("esoNamespace", namespace), ("esoStoreName", home.store), ("esoStoreKind", kind)];
    // Whatever is stated, nobody but the controller says who reads. AWS compares these names without regard to case.
    tags.retain(|(key, _)| own.iter().all(|(name, _)| !key.eq_ignore_ascii_case(name)));
    if is_tagged(provider) {
        tags.extend(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
    tags
}

async fn credentials<'a>(connector: Connector<'a>, provider: &'a AwsProvider) -> Result<Credentials, StoreError> {
    let auth = provider.auth.as_ref();
    if let Some(keys) = auth.and_then(|auth| auth.secret_ref.as_ref()) {
        let read = connector.credentials();
        let session_token = match &keys.session_token_secret_ref {
            Some(token) => Some(read.text(token, "session-token").await?),
            None => None,
        };
        let id = read.text(&keys.access_key_id_secret_ref, "access-key-id").await?;
        return Ok(Credentials::Static {
            access_key_id: text(&id, "the access key's id")?,
            secret_access_key: read.text(&keys.secret_access_key_secret_ref, "secret-access-key").await?,
            session_token,
        });
    }
    let Some(jwt) = auth.and_then(|auth| auth.jwt.as_ref()) else {
        connector.as_itself()?;
        return Ok(Credentials::Ambient);
    };
    let account = &jwt.service_account_ref;
    let role_arn = role_of(connector, account).await?;
    let tokens = connector.account(account, &[AUDIENCE.to_owned()], Some(3600))?;
    Ok(Credentials::WebIdentity { role_arn, tokens })
}

/// The role that a service account stands for.
async fn role_of<'a>(connector: Connector<'a>, account: &'a ServiceAccountSelector) -> Result<String, StoreError> {
    let namespace = connector.home.namespace_of(account.namespace.as_deref())?;
    let api: Api<ServiceAccount> = Api::namespaced(connector.client.clone(), namespace);
    let found = in_time(api.get_metadata(&account.name)).await;
    let found = found.map_err(|error| failed(&error).with_key(format!("{namespace}/{}", account.name)))?;
    let role = found.metadata.annotations.and_then(|mut annotations| annotations.remove(ROLE_ARN));
    role.ok_or_else(|| StoreError::Invalid(format!("service account {} has no annotation {ROLE_ARN}", account.name)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nobody_but_the_controller_says_who_reads() {
        let home = Home { kind: StoreKind::SecretStore, store: "aws", user: Some("team-a"), namespace: Some("team-a") };
        let keys =
            json!({"secretRef": {"accessKeyIDSecretRef": {"name": "k"}, "secretAccessKeySecretRef": {"name": "k"}}});
        let cases = [
            (json!({"auth": keys}), false),
            (json!({"auth": keys, "role": "r"}), false),
            (json!({"auth": keys, "role": "r", "sessionTagsPolicy": "Simple"}), true),
            (
                json!({"auth": keys, "role": "r", "sessionTagsPolicy": "Custom",
                "customSessionTags": {"esoNamespace": "team-b"}}),
                true,
            ),
            (json!({}), false),
            (json!({"role": "r"}), true),
            (json!({"auth": {}, "additionalRoles": ["r"], "sessionTagsPolicy": "None"}), true),
        ];
        for (more, tagged) in cases {
            let mut provider = json!({"service": "SecretsManager", "sessionTags": [
                {"key": "team", "value": "x"}, {"key": "esoNamespace", "value": "team-b"},
                {"key": "ESOSTORENAME", "value": "other"}, {"key": "esoStoreKind", "value": "ClusterSecretStore"},
            ]});
            provider.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let tags = session_tags(&home, &serde_json::from_value(provider).unwrap());
            let mut expected = vec![("team", "x")];
            if tagged {
                expected.extend([("esoNamespace", "team-a"), ("esoStoreName", "aws"), ("esoStoreKind", "SecretStore")]);
            }
            let tags: Vec<_> = tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            assert_eq!(tags, expected, "{more}");
        }
    }
}
