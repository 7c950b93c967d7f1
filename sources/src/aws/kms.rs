//! Keys of AWS KMS that others' data keys are wrapped with, used as whoever runs this: environment, files, the node.

use std::collections::HashMap;
use std::fmt;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_sts::config::SharedCredentialsProvider;
use sealwax_format::SecretBytes;
use zeroize::Zeroizing;

use super::auth::SESSION;
use super::{CONNECTING, PATIENCE, error};
use crate::SourceError;

const PROVIDER: &str = "AWS KMS";

/// Where a key is, and as whom it is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KmsSettings {
    /// The region of the key, which its ARN says.
    pub region: String,
    /// A role to assume for it.
    pub role: Option<String>,
    /// The profile of the user's files that says with which credentials to begin.
    pub profile: Option<String>,
}

/// A client for the keys of one region, in one role.
#[derive(Clone)]
pub struct Kms {
    client: Client,
}

impl Kms {
    /// A client that logs in when it is first used.
    pub async fn open(settings: &KmsSettings) -> Self {
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECTING).operation_timeout(PATIENCE).build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            // Nobody else tries again here; and many files at once are easily too many for a moment.
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts)
            .region(Region::new(settings.region.clone()));
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        let mut config = loader.load().await;
        if let Some(role) = &settings.role {
            let assumed = AssumeRoleProvider::builder(role).session_name(SESSION).configure(&config).build().await;
            config = config.into_builder().credentials_provider(SharedCredentialsProvider::new(assumed)).build();
        }
        Self::of(&config)
    }

    /// A client with these settings of Amazon's own, which know `AWS_ENDPOINT_URL_KMS` and `AWS_ENDPOINT_URL`.
    pub fn of(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// Encrypts at most 4 KiB under a key.
    pub async fn encrypt(
        &self,
        key: &str,
        context: &HashMap<String, String>,
        plaintext: &SecretBytes,
    ) -> Result<Vec<u8>, SourceError> {
        let call = self.client.encrypt().key_id(key).plaintext(Blob::new(plaintext.expose()));
        let answer = call.set_encryption_context(given(context)).send().await;
        let answer = answer.map_err(|error| said(error::of_call(PROVIDER, "encrypt", None, &error)))?;
        let blob = answer.ciphertext_blob.map(Blob::into_inner).filter(|blob| !blob.is_empty());
        blob.ok_or_else(|| SourceError::invalid(PROVIDER, "encrypt", "the answer holds no ciphertext"))
    }

    /// Opens what was encrypted under this key with this context.
    pub async fn decrypt(
        &self,
        key: &str,
        context: &HashMap<String, String>,
        ciphertext: Vec<u8>,
    ) -> Result<SecretBytes, SourceError> {
        let call = self.client.decrypt().key_id(key).ciphertext_blob(Blob::new(ciphertext));
        let answer = call.set_encryption_context(given(context)).send().await;
        let answer = answer.map_err(|error| said(error::of_call(PROVIDER, "decrypt", None, &error)))?;
        let plaintext = answer.plaintext.map(|blob| Zeroizing::new(blob.into_inner()));
        let plaintext = plaintext.filter(|plaintext| !plaintext.is_empty());
        plaintext
            .map(SecretBytes::from)
            .ok_or_else(|| SourceError::invalid(PROVIDER, "decrypt", "the answer holds no plaintext"))
    }
}

impl fmt::Debug for Kms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PROVIDER)
    }
}

/// What the service's own names of errors mean for a key.
fn said(error: SourceError) -> SourceError {
    let detail = match error.code.as_deref() {
        Some("NotFoundException") => "there is no such key, or none that this account may see",
        Some("DisabledException" | "KMSInvalidStateException") => "the key is disabled, or about to be deleted",
        Some("InvalidCiphertextException") => "this was not encrypted under the key with this encryption context",
        Some("IncorrectKeyException") => "this was encrypted under another key",
        Some("KeyUnavailableException") => "the key cannot be used now; try again later",
        _ => return error,
    };
    error.with_detail(detail)
}

/// No context is not an empty one.
fn given(context: &HashMap<String, String>) -> Option<HashMap<String, String>> {
    (!context.is_empty()).then(|| context.clone())
}
