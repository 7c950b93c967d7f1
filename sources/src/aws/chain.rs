//! Roles that are assumed one from the other.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::config::{Credentials as Keys, SharedCredentialsProvider};
use aws_sdk_sts::types::Tag;
use futures::future::BoxFuture;

use super::auth::{Login, SESSION, cached, keys};
use super::sessions::Sessions;
use super::{Settings, error, sts};

/// Keys of the last role, or those before if there is none.
pub(super) fn roles(
    provider: &'static str,
    base: &SdkConfig,
    settings: &Settings,
    first: SharedCredentialsProvider,
    sessions: &Arc<Sessions>,
) -> SharedCredentialsProvider {
    let mut current = first;
    for (index, role_arn) in settings.roles.iter().enumerate() {
        let config = base.clone().into_builder().credentials_provider(current).build();
        let is_last = index + 1 == settings.roles.len();
        let role = Role {
            provider,
            client: sts(&config, &settings.endpoints),
            arn: role_arn.clone(),
            // Those on the way are asked for nothing but the next one.
            last: is_last.then(|| settings.clone()),
        };
        current = cached(role, sessions);
    }
    current
}

/// A role that is assumed with the keys of the client.
struct Role {
    provider: &'static str,
    client: aws_sdk_sts::Client,
    arn: String,
    last: Option<Settings>,
}

impl Login for Role {
    fn log_in(&self) -> BoxFuture<'_, Result<Keys, CredentialsError>> {
        Box::pin(async {
            let mut call = self.client.assume_role().role_arn(&self.arn).role_session_name(SESSION);
            if let Some(settings) = &self.last {
                call = call.set_external_id(settings.external_id.clone());
                for (key, value) in &settings.session_tags {
                    let tag = Tag::builder().key(key).value(value).build();
                    call = call.tags(tag.map_err(CredentialsError::invalid_configuration)?);
                }
                for key in &settings.transitive_tag_keys {
                    call = call.transitive_tag_keys(key);
                }
            }
            let answer = call.send().await;
            let failed = |error| CredentialsError::provider_error(error::of_call(self.provider, "login", None, &error));
            keys(self.provider, answer.map_err(failed)?.credentials)
        })
    }
}
