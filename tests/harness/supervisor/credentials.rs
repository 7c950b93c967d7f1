//! Fresh credentials for one control plane. Nothing here outlives its temporary directory.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use serde_json::json;

use super::{SupervisorError, files, private_file};

/// The administrator's name in the audit log.
const ADMINISTRATOR: &str = "sealwax-test-admin";

/// Writes all keys and certificates into `dir`, and the administrator's kubeconfig for the API server at `port`.
///
/// Files: `ca.crt`, `server.{crt,key}` (API server and etcd), `client.{crt,key}` (API server to etcd),
/// `service-account.{pub,key}`, `admin.{crt,key}`, `kubeconfig`.
pub(super) fn write(dir: &Path, port: u16) -> Result<(), SupervisorError> {
    let put = |name: &str, content: &str| private_file(&dir.join(name), content).map_err(files(dir.join(name)));

    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = name("sealwax-test-ca", None);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    put("ca.crt", &authority.pem())?;

    // The names by which the API server is called: by us, and by what would run in the cluster.
    let names = ["localhost", "127.0.0.1", "kubernetes.default.svc"].map(str::to_owned).to_vec();
    let both = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let (certificate, key) = issue(&authority, names, name("sealwax-test-server", None), &both)?;
    put("server.crt", &certificate)?;
    put("server.key", &key)?;

    let client = [ExtendedKeyUsagePurpose::ClientAuth];
    let (certificate, key) = issue(&authority, Vec::new(), name("kube-apiserver-etcd", None), &client)?;
    put("client.crt", &certificate)?;
    put("client.key", &key)?;

    let tokens = KeyPair::generate()?;
    put("service-account.key", &tokens.serialize_pem())?;
    put("service-account.pub", &tokens.public_key_pem())?;

    let admin = name(ADMINISTRATOR, Some("system:masters"));
    let (certificate, key) = issue(&authority, Vec::new(), admin, &client)?;
    put("admin.crt", &certificate)?;
    put("admin.key", &key)?;
    put("kubeconfig", &kubeconfig(dir, port))
}

/// A certificate signed by the authority, and its key, both as PEM.
fn issue(
    authority: &CertifiedIssuer<'_, KeyPair>,
    names: Vec<String>,
    subject: DistinguishedName,
    usages: &[ExtendedKeyUsagePurpose],
) -> Result<(String, String), SupervisorError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = subject;
    params.extended_key_usages = usages.to_vec();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, authority)?.pem(), key.serialize_pem()))
}

fn name(common: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name
}

/// JSON is YAML; paths need no quoting rules this way.
fn kubeconfig(dir: &Path, port: u16) -> String {
    let file = |name: &str| dir.join(name);
    let value = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "test",
            "cluster": { "server": format!("https://127.0.0.1:{port}"), "certificate-authority": file("ca.crt") },
        }],
        "users": [{
            "name": "admin",
            "user": { "client-certificate": file("admin.crt"), "client-key": file("admin.key") },
        }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "admin", "namespace": "default" } }],
        "current-context": "test",
    });
    value.to_string()
}
