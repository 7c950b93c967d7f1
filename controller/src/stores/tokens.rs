//! Tokens of service accounts, by which the controller logs in to sources on somebody's behalf.

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::core::ObjectMeta;
use kube::{Api, Client};
use sealwax_crds::StoreKind;
use sealwax_format::SecretBytes;
use sealwax_sources::{Kind, SourceError, Tokens};

use super::aws::ROLE_ARN;
use super::home::Home;
use crate::feeding::in_time;

/// Annotation of a service account: the ClusterSecretStores that may have tokens of it made for other namespaces than its
/// own, separated by commas. Put there by somebody who may change the service account.
pub const ALLOW_STORES: &str = "sealwax.dev/allow-cluster-stores";
/// For how long a token holds if nothing else is said, in seconds: the least that Kubernetes gives.
const SHORTEST: i64 = 600;
const PROVIDER: &str = "Kubernetes";

/// Makes tokens of one service account.
pub(super) struct ServiceAccountTokens {
    client: Client,
    namespace: String,
    name: String,
    audiences: Vec<String>,
    seconds: i64,
    /// The ClusterSecretStore that has to be allowed by the service account, because it may ask for other namespaces.
    needs: Option<String>,
}

/// Whose tokens, and for whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// Namespace of the service account.
    pub(super) namespace: &'a str,
    /// Whether the store states that namespace, and so may stand between it and any other.
    pub(super) stated: bool,
    /// Its name.
    pub(super) name: &'a str,
    /// For how long they hold.
    pub(super) seconds: Option<i64>,
}

impl Wanted<'_> {
    /// Whether the account has to allow the store. Whoever asks: those who read as one account share one client, also if
    /// the first of them is of the account's own namespace.
    fn needs_leave(&self, home: &Home<'_>) -> bool {
        home.kind == StoreKind::ClusterSecretStore && self.stated
    }
}

impl ServiceAccountTokens {
    /// Tokens for these audiences; none: for the API server.
    pub(super) fn new(client: Client, home: &Home<'_>, wanted: Wanted<'_>, audiences: Vec<String>) -> Self {
        Self {
            client,
            namespace: wanted.namespace.to_owned(),
            name: wanted.name.to_owned(),
            audiences,
            seconds: wanted.seconds.unwrap_or(SHORTEST),
            needs: wanted.needs_leave(home).then(|| home.store.to_owned()),
        }
    }

    async fn make(&self) -> Result<SecretBytes, SourceError> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace);
        let account = format!("{}/{}", self.namespace, self.name);
        let failed = |error: kube::Error| failed(&error).with_key(&account);
        if let Some(store) = &self.needs {
            let meta = in_time(accounts.get_metadata(&self.name)).await.map_err(failed)?.metadata;
            if !allows(&meta, store) {
                let detail = "the service account does not allow this ClusterSecretStore to act for other namespaces: \
                              annotate it with sealwax.dev/allow-cluster-stores";
                return Err(SourceError::new(PROVIDER, "token request", Kind::Denied)
                    .with_detail(detail)
                    .with_key(account));
            }
        }
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: self.audiences.clone(),
                expiration_seconds: Some(self.seconds),
                bound_object_ref: None,
            },
            ..TokenRequest::default()
        };
        let parameters = kube::api::PostParams::default();
        let made = in_time(accounts.create_token_request(&self.name, &parameters, &request)).await;
        let status = made.map_err(failed)?.status;
        let token = status.map(|status| status.token).filter(|token| !token.is_empty());
        token.map(SecretBytes::from).ok_or_else(|| {
            SourceError::new(PROVIDER, "token request", Kind::Unavailable { after: None }).with_key(account)
        })
    }
}

impl Tokens for ServiceAccountTokens {
    fn token(&self) -> BoxFuture<'_, Result<SecretBytes, SourceError>> {
        self.make().boxed()
    }
}

/// A token that somebody keeps in a Secret.
pub(super) struct GivenToken(pub(super) SecretBytes);

impl Tokens for GivenToken {
    fn token(&self) -> BoxFuture<'_, Result<SecretBytes, SourceError>> {
        std::future::ready(Ok(self.0.duplicate())).boxed()
    }
}

/// A service account that somebody logs in as.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Account {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// What a login as a service account rests on, besides its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    uid: Option<String>,
    /// Whether the store may act for other namespaces as it.
    allows: bool,
    /// Its role in AWS.
    role: Option<String>,
}

impl Account {
    /// As it is now, if it is there.
    pub(super) async fn marks(&self, client: &Client, store: &str) -> Result<Option<Marks>, kube::Error> {
        let api: Api<ServiceAccount> = Api::namespaced(client.clone(), &self.namespace);
        let found = in_time(api.get_metadata_opt(&self.name)).await?;
        Ok(found.map(|found| Marks::of(&found.metadata, store)))
    }
}

impl Marks {
    fn of(meta: &ObjectMeta, store: &str) -> Self {
        let role = meta.annotations.as_ref().and_then(|annotations| annotations.get(ROLE_ARN)).cloned();
        Self { uid: meta.uid.clone(), allows: allows(meta, store), role }
    }
}

fn allows(account: &ObjectMeta, store: &str) -> bool {
    let allowed = account.annotations.as_ref().and_then(|annotations| annotations.get(ALLOW_STORES));
    allowed.is_some_and(|allowed| allowed.split(',').any(|name| name.trim() == store))
}

/// What the API server said, by its status alone.
pub(super) fn failed(error: &kube::Error) -> SourceError {
    let kube::Error::Api(status) = error else {
        return SourceError::new(PROVIDER, "token request", Kind::Unavailable { after: None });
    };
    let kind = match status.code {
        // Never `Missing`: that is said of secrets, and lets a policy delete what was made of them.
        401 | 403 | 404 => Kind::Denied,
        429 => Kind::Throttled { after: None },
        400 | 422 => Kind::Invalid("the API server refuses the audiences or the lifetime".to_owned()),
        _ => Kind::Unavailable { after: None },
    };
    let error = SourceError::new(PROVIDER, "token request", kind).with_code(status.code.to_string());
    if status.code == 404 { error.with_detail("there is no such service account") } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_a_store_of_the_cluster_names_has_to_agree_whoever_asks() {
        let wanted = |stated| Wanted { namespace: "platform", stated, name: "reader", seconds: None };
        let home = |kind, user| Home { kind, store: "vault", user, namespace: None };
        // Also for its own namespace: the client is shared with all others.
        for user in [Some("prod"), Some("platform"), None] {
            assert!(wanted(true).needs_leave(&home(StoreKind::ClusterSecretStore, user)), "{user:?}");
        }
        assert!(!wanted(false).needs_leave(&home(StoreKind::ClusterSecretStore, Some("platform"))));
        assert!(!wanted(true).needs_leave(&home(StoreKind::SecretStore, Some("platform"))));
    }

    #[test]
    fn an_account_that_is_gone_is_no_secret_that_is_gone() {
        let status = kube::core::Status::failure("gone", "NotFound").with_code(404);
        let error = failed(&kube::Error::Api(Box::new(status)));
        assert_eq!(error.kind, Kind::Denied);
        assert!(error.to_string().contains("there is no such service account"), "{error}");
    }

    #[test]
    fn a_service_account_allows_stores_by_name() {
        let account = |value: &str| ObjectMeta {
            annotations: Some([(ALLOW_STORES.to_owned(), value.to_owned())].into()),
            ..ObjectMeta::default()
        };
        assert!(allows(&account("vault, aws"), "aws"));
        assert!(!allows(&account("vault-2"), "vault"));
        assert!(!allows(&account("*"), "vault"), "there is no wildcard");
        assert!(!allows(&ObjectMeta::default(), "vault"));
    }

    #[test]
    fn a_login_rests_on_the_account_its_leave_and_its_role() {
        let marks = |uid: &str, annotations: &[(&str, &str)]| {
            let annotations = annotations.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
            let meta = ObjectMeta { uid: Some(uid.into()), annotations: Some(annotations), ..ObjectMeta::default() };
            Marks::of(&meta, "vault")
        };
        let before = marks("1", &[(ALLOW_STORES, "vault"), (ROLE_ARN, "a")]);
        assert_eq!(marks("1", &[(ALLOW_STORES, "aws,vault"), (ROLE_ARN, "a"), ("other", "x")]), before);
        for other in [
            marks("1", &[(ROLE_ARN, "a")]),
            marks("1", &[(ALLOW_STORES, "vault"), (ROLE_ARN, "b")]),
            marks("1", &[(ALLOW_STORES, "vault")]),
            marks("2", &[(ALLOW_STORES, "vault"), (ROLE_ARN, "a")]),
        ] {
            assert_ne!(other, before);
        }
    }
}
