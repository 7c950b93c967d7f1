//! Items that an object left in its Secret when it went: whoever feeds that Secret next may take them over.

use kube::{Api, Client};
use sealwax_crds::{EncryptedSecret, ExternalSecret};

use super::observe::{in_time, live_secret};
use crate::ownership::{Kind, Origin, feeders, field_manager, is_ours};
use crate::writer::Claim;

/// The field managers of those who claim something, and are gone.
pub(super) async fn left(client: &Client, namespace: &str, secret: &str, claims: &[Claim]) -> Vec<String> {
    // What cannot be read is not known to be gone.
    let Ok(Some(live)) = live_secret(client, namespace, secret).await else { return Vec::new() };
    let mut left = Vec::new();
    for feeder in feeders(&live).filter(|feeder| feeder.retained) {
        let origin = Origin { kind: feeder.kind, name: &feeder.name };
        let manager = field_manager(origin);
        let claims = claims.iter().any(|claim| is_ours(&claim.manager) && claim.manager == manager);
        if claims && is_gone(client, namespace, origin).await {
            left.push(manager);
        }
    }
    left
}

async fn is_gone(client: &Client, namespace: &str, object: Origin<'_>) -> bool {
    let found = match object.kind {
        Kind::EncryptedSecret => {
            let api: Api<EncryptedSecret> = Api::namespaced(client.clone(), namespace);
            in_time(api.get_metadata_opt(object.name)).await.map(|found| found.is_some())
        }
        Kind::ExternalSecret => {
            let api: Api<ExternalSecret> = Api::namespaced(client.clone(), namespace);
            in_time(api.get_metadata_opt(object.name)).await.map(|found| found.is_some())
        }
    };
    matches!(found, Ok(false))
}
