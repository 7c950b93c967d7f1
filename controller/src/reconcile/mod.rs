//! The reconcilers, one folder a kind: `observe` reads, `plan` is pure, `apply` writes.

pub mod encrypted_secret;

use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};

/// One namespace, or all of them.
pub fn api<K>(client: &Client, scope: Option<&str>) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope>,
    K::DynamicType: Default,
{
    match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}
