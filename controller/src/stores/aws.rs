//! Clients of AWS.

use sealwax_crds::AwsProvider;
use sealwax_sources::Source;

use super::StoreError;
use super::connect::Connector;

pub(super) async fn connect_aws<'a>(
    connector: Connector<'a>,
    provider: &'a AwsProvider,
) -> Result<Box<dyn Source>, StoreError> {
    let _ = (connector, provider);
    Err(StoreError::NoProvider)
}
