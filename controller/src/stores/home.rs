//! Where the things that a store names are looked up: never in a namespace that nobody allowed.

use sealwax_crds::{
    AwsProvider, CaProvider, CaProviderType, KubernetesProvider, OneProvider, SecretSelector, ServiceAccountSelector,
    StoreKind, StoreSpec, VaultProvider,
};

use super::StoreError;
use super::aws::is_tagged;
use super::references::{Reference, ReferenceKind};
use super::tokens::Account;

/// A store, and for whom it is used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Home<'a> {
    /// The store's kind.
    pub(super) kind: StoreKind,
    /// The store's name.
    pub(super) store: &'a str,
    /// The namespace of the object that reads through it. `None` when the store itself is looked at.
    pub(super) user: Option<&'a str>,
    /// The store's own namespace; `None` for a store of the cluster.
    pub(super) namespace: Option<&'a str>,
}

impl<'a> Home<'a> {
    /// The namespace of something that the store names. A store of one namespace reaches no other; one of the cluster
    /// reaches what its author named, or else the namespace of whoever uses it.
    pub(super) fn namespace_of(&self, stated: Option<&'a str>) -> Result<&'a str, StoreError> {
        match (self.namespace, stated) {
            (Some(own), None) => Ok(own),
            (Some(own), Some(stated)) if own == stated => Ok(own),
            (Some(_), Some(_)) => Err(StoreError::OtherNamespace),
            (None, Some(stated)) => Ok(stated),
            (None, None) => self.user.ok_or(StoreError::Referent),
        }
    }

    /// Whether the controller may use its own identity for this store: it is more than a namespace has.
    pub(super) fn may_be_ambient(&self, allowed: bool) -> bool {
        self.kind == StoreKind::ClusterSecretStore || allowed
    }

    /// The Secret that a selector names.
    pub(super) fn secret(&self, selector: &'a SecretSelector) -> Result<Reference, StoreError> {
        self.reference(ReferenceKind::Secret, selector.namespace.as_deref(), &selector.name)
    }

    /// What holds certificates.
    pub(super) fn ca(&self, provider: &'a CaProvider) -> Result<Reference, StoreError> {
        let kind = match provider.type_ {
            CaProviderType::Secret => ReferenceKind::Secret,
            CaProviderType::ConfigMap => ReferenceKind::ConfigMap,
        };
        self.reference(kind, provider.namespace.as_deref(), &provider.name)
    }

    fn reference(&self, kind: ReferenceKind, stated: Option<&'a str>, name: &str) -> Result<Reference, StoreError> {
        Ok(Reference { kind, namespace: self.namespace_of(stated)?.to_owned(), name: name.to_owned() })
    }

    /// Everything whose change may change how the store is read.
    pub(super) fn references(&self, spec: &'a StoreSpec) -> Result<Vec<Reference>, StoreError> {
        let named = Named::of(spec)?;
        let secrets = named.secrets.into_iter().map(|selector| self.secret(selector));
        secrets.chain(named.authorities.into_iter().map(|provider| self.ca(provider))).collect()
    }

    /// The service accounts that are logged in as.
    pub(super) fn accounts(&self, spec: &'a StoreSpec) -> Result<Vec<Account>, StoreError> {
        let of = |account: &'a ServiceAccountSelector| {
            let namespace = self.namespace_of(account.namespace.as_deref())?.to_owned();
            Ok(Account { namespace, name: account.name.clone() })
        };
        Named::of(spec)?.accounts.into_iter().map(of).collect()
    }
}

/// What a store names.
#[derive(Default)]
struct Named<'a> {
    secrets: Vec<&'a SecretSelector>,
    authorities: Vec<&'a CaProvider>,
    accounts: Vec<&'a ServiceAccountSelector>,
    /// Sessions say for which namespace they are.
    tagged: bool,
}

impl<'a> Named<'a> {
    fn of(spec: &'a StoreSpec) -> Result<Self, StoreError> {
        let mut named = Self::default();
        match spec.provider.one().ok_or(StoreError::NoProvider)? {
            OneProvider::Vault(vault) => named.vault(vault),
            OneProvider::Aws(aws) => named.aws(aws),
            OneProvider::Kubernetes(kubernetes) => named.kubernetes(kubernetes),
            OneProvider::Fake(_) => {}
        }
        Ok(named)
    }

    fn vault(&mut self, vault: &'a VaultProvider) {
        self.authorities.extend(&vault.ca_provider);
        let tls = vault.tls.iter();
        self.secrets.extend(tls.flat_map(|tls| tls.cert_secret_ref.iter().chain(&tls.key_secret_ref)));
        let auth = &vault.auth;
        self.secrets.extend(&auth.token_secret_ref);
        if let Some(role) = &auth.app_role {
            self.secrets.extend(&role.role_ref);
            self.secrets.push(&role.secret_ref);
        }
        if let Some(kubernetes) = &auth.kubernetes {
            self.secrets.extend(&kubernetes.secret_ref);
            self.accounts.extend(&kubernetes.service_account_ref);
        }
        if let Some(jwt) = &auth.jwt {
            self.secrets.extend(&jwt.secret_ref);
            let account = jwt.kubernetes_service_account_token.as_ref();
            self.accounts.extend(account.map(|token| &token.service_account_ref));
        }
    }

    fn aws(&mut self, aws: &'a AwsProvider) {
        let auth = aws.auth.as_ref();
        if let Some(keys) = auth.and_then(|auth| auth.secret_ref.as_ref()) {
            self.secrets.extend([&keys.access_key_id_secret_ref, &keys.secret_access_key_secret_ref]);
            self.secrets.extend(&keys.session_token_secret_ref);
        }
        self.accounts.extend(auth.and_then(|auth| auth.jwt.as_ref()).map(|jwt| &jwt.service_account_ref));
        self.tagged = is_tagged(aws);
    }

    fn kubernetes(&mut self, kubernetes: &'a KubernetesProvider) {
        self.authorities.extend(kubernetes.server.iter().filter_map(|server| server.ca_provider.as_ref()));
        let auth = &kubernetes.auth;
        self.secrets.extend(auth.token.as_ref().map(|token| &token.bearer_token));
        self.secrets.extend(auth.cert.iter().flat_map(|cert| [&cert.client_cert, &cert.client_key]));
        self.accounts.extend(&auth.service_account);
    }
}

/// Whether the identity that reads depends on the namespace that it reads for.
pub(super) fn depends_on_user(kind: StoreKind, spec: &StoreSpec) -> bool {
    let Ok(named) = Named::of(spec) else { return false };
    kind == StoreKind::ClusterSecretStore
        && (named.tagged
            || named.secrets.iter().any(|selector| selector.namespace.is_none())
            || named.authorities.iter().any(|provider| provider.namespace.is_none())
            || named.accounts.iter().any(|account| account.namespace.is_none()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn local() -> Home<'static> {
        Home { kind: StoreKind::SecretStore, store: "vault", user: Some("prod"), namespace: Some("prod") }
    }

    fn cluster(user: Option<&'static str>) -> Home<'static> {
        Home { kind: StoreKind::ClusterSecretStore, store: "vault", user, namespace: None }
    }

    #[test]
    fn a_store_of_one_namespace_reaches_no_other() {
        assert_eq!(local().namespace_of(None).unwrap(), "prod");
        assert_eq!(local().namespace_of(Some("prod")).unwrap(), "prod");
        assert!(matches!(local().namespace_of(Some("kube-system")), Err(StoreError::OtherNamespace)));
        assert_eq!(cluster(Some("prod")).namespace_of(Some("vault")).unwrap(), "vault");
        assert_eq!(cluster(Some("prod")).namespace_of(None).unwrap(), "prod");
        assert!(matches!(cluster(None).namespace_of(None), Err(StoreError::Referent)));
    }

    #[test]
    fn every_reference_of_every_provider_is_held_to_that() {
        let token = json!({"name": "token", "namespace": "kube-system"});
        let ca = json!({"type": "ConfigMap", "name": "ca", "key": "ca.crt", "namespace": "kube-system"});
        let vault = |rest: serde_json::Value| {
            let mut vault = json!({"server": "https://vault", "auth": {}});
            vault.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            json!({"provider": {"vault": vault}})
        };
        let stores = [
            vault(json!({"caProvider": ca})),
            vault(json!({"tls": {"certSecretRef": token}})),
            vault(json!({"auth": {"tokenSecretRef": token}})),
            vault(json!({"auth": {"appRole": {"roleRef": token, "secretRef": {"name": "own"}}}})),
            vault(json!({"auth": {"kubernetes": {"role": "r", "secretRef": token}}})),
            vault(json!({"auth": {"jwt": {"secretRef": token}}})),
            json!({"provider": {"aws": {"service": "SecretsManager", "auth": {"secretRef": {
                "accessKeyIDSecretRef": {"name": "own"}, "secretAccessKeySecretRef": token}}}}}),
            json!({"provider": {"kubernetes": {"server": {"caProvider": ca}, "auth": {}}}}),
            json!({"provider": {"kubernetes": {"auth": {"token": {"bearerToken": token}}}}}),
            json!({"provider": {"kubernetes": {"auth": {"cert": {"clientCert": {"name": "own"}, "clientKey": token}}}}}),
        ];
        for store in stores {
            let spec: StoreSpec = serde_json::from_value(store.clone()).unwrap();
            assert!(matches!(local().references(&spec), Err(StoreError::OtherNamespace)), "{store}");
            let references = cluster(Some("prod")).references(&spec).unwrap();
            assert!(references.iter().any(|reference| reference.namespace == "kube-system"), "{store}");
        }
    }

    #[test]
    fn an_identity_depends_on_the_user_where_references_or_tags_do() {
        let spec = |auth: serde_json::Value| -> StoreSpec {
            let store = json!({"provider": {"vault": {"server": "https://vault", "auth": auth}}});
            serde_json::from_value(store).unwrap()
        };
        let fixed = spec(json!({"tokenSecretRef": {"name": "t", "namespace": "vault"}}));
        let referent = spec(json!({"kubernetes": {"role": "r", "serviceAccountRef": {"name": "default"}}}));
        assert!(!depends_on_user(StoreKind::ClusterSecretStore, &fixed));
        assert!(depends_on_user(StoreKind::ClusterSecretStore, &referent));
        assert!(!depends_on_user(StoreKind::SecretStore, &referent), "there is one namespace");
        let tagged = json!({"provider": {"aws": {"service": "SecretsManager", "sessionTagsPolicy": "Simple"}}});
        assert!(depends_on_user(StoreKind::ClusterSecretStore, &serde_json::from_value(tagged).unwrap()));
        let role = json!({"provider": {"aws": {"service": "SecretsManager", "role": "r"}}});
        let role = serde_json::from_value(role).unwrap();
        assert!(depends_on_user(StoreKind::ClusterSecretStore, &role), "the controller's own sessions say for whom");
    }
}
