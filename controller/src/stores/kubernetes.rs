//! Clients of other namespaces and clusters.

use sealwax_crds::KubernetesProvider;
use sealwax_sources::Source;

use super::StoreError;
use super::connect::Connector;

pub(super) async fn connect_kubernetes<'a>(
    connector: Connector<'a>,
    provider: &'a KubernetesProvider,
) -> Result<Box<dyn Source>, StoreError> {
    let _ = (connector, provider);
    Err(StoreError::NoProvider)
}
