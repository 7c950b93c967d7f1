//! What SOPS does and this program does not: it says so, and does nothing else in its place.

use std::path::Path;
use std::process::ExitCode;

use super::call::Call;
use super::failure::{Code, Failure};

/// Where SOPS finds the database to which it reports every use.
pub(super) const AUDIT: &str = "/etc/sops/audit.yaml";

/// The variable that goes on without reporting.
const NO_AUDIT: &str = "SEALWAX_SOPS_NO_AUDIT";

/// `sops publish`.
pub(super) fn publish(_: &Call<'_>) -> Result<ExitCode, Failure> {
    Err(Failure::new(Code::Generic, "sops publish is not supported by sealwax: it copies nothing to S3, GCS or Vault")
        .hint("Decrypt with `sops decrypt`, and write the values with the tools of the service; or use SOPS itself."))
}

/// `sops keyservice`.
pub(super) fn key_service(_: &Call<'_>) -> Result<ExitCode, Failure> {
    Err(Failure::new(Code::Generic, "sops keyservice is not supported by sealwax: it serves keys to nobody")
        .hint("SOPS's service has no authentication. Give machines keys of their own instead."))
}

/// Refuses key services: those that were named hold keys that would not be asked.
pub(super) fn services(call: &Call<'_>) -> Result<(), Failure> {
    if call.given.list("keyservice").iter().any(|service| !service.is_empty()) {
        return Err(Failure::new(Code::Generic, "--keyservice (SOPS_KEYSERVICE) is not supported by sealwax")
            .hint("Leave it out, and have a key on this machine; or use SOPS itself."));
    }
    if call.given.is_off("enable-local-keyservice") {
        let message = "without the local key service there is none: --keyservice is not supported by sealwax";
        return Err(Failure::new(Code::Generic, message).hint("Leave out --enable-local-keyservice=false."));
    }
    Ok(())
}

/// Refuses to work where every use is to be reported.
pub(super) fn audit(file: &Path) -> Result<(), Failure> {
    if !file.exists() || std::env::var_os(NO_AUDIT).is_some_and(|value| !value.is_empty()) {
        return Ok(());
    }
    let message = format!("{}: every use is to be reported to a database, which sealwax does not do", file.display());
    Err(Failure::new(Code::Generic, message).hint(format!("Use SOPS itself, or set {NO_AUDIT}=1 to go on unreported.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_that_is_configured_is_not_passed_over() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(audit(file.path()).is_err());
        assert!(audit(&file.path().with_extension("none")).is_ok());
    }
}
