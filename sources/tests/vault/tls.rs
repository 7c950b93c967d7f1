//! Certificates: the server's is checked against the bundle given and nothing else, and this client shows its own.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sealwax_sources::vault::{Settings, Vault};
use sealwax_sources::{Source as _, SourceError};

use super::server::{Server, secret};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key in PEM, for this name.
fn issue(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn listener(folder: &Path, port: u16, authority: &Authority, name: &str, clients: bool) -> String {
    let (certificate, key) = issue(authority, name);
    let clients = clients.then(|| authority.pem());
    sealwax_test_servers::tls_listener(folder, port, &certificate, &key, clients.as_deref())
}

async fn check(server: &Server, settings: Settings) -> Result<(), SourceError> {
    let url = format!("https://localhost:{}", server.tls_port());
    Vault::new(Settings { server: url, ..settings }, server.root_login())?.check().await
}

fn trusting(authority: &Authority) -> Settings {
    Settings { ca: Some(authority.pem().into_bytes()), ..Settings::default() }
}

#[tokio::test]
async fn only_the_bundle_given_is_trusted() {
    let (right, wrong) = (authority("right"), authority("wrong"));
    let server = Server::start_with(|folder, port| listener(folder, port, &right, "localhost", false));
    check(&server, trusting(&right)).await.unwrap();
    let both = format!("{}\n{}", wrong.pem(), right.pem()).into_bytes();
    check(&server, Settings { ca: Some(both), ..Settings::default() }).await.unwrap();
    for settings in [trusting(&wrong), Settings::default()] {
        let error = check(&server, settings).await.unwrap_err();
        assert_eq!(error.to_string(), "Vault login: the server's certificate is not trusted: is the CA bundle right?");
    }
    let none = Settings { ca: Some(b"hunter2".to_vec()), ..Settings::default() };
    let error = check(&server, none).await.unwrap_err();
    assert_eq!(error.to_string(), "Vault connect: the CA bundle holds no certificate in PEM");
    let plain = Settings { server: format!("http://localhost:{}", server.tls_port()), ..Settings::default() };
    assert!(Vault::new(plain, server.root_login()).unwrap().check().await.is_err());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = authority("right");
    let server = Server::start_with(|folder, port| listener(folder, port, &authority, "vault.example", false));
    let error = check(&server, trusting(&authority)).await.unwrap_err();
    assert_eq!(error.to_string(), "Vault login: the server's certificate is for another name");
}

#[tokio::test]
async fn shows_its_own_certificate() {
    let authority = authority("right");
    let server = Server::start_with(|folder, port| listener(folder, port, &authority, "localhost", true));
    let error = check(&server, trusting(&authority)).await.unwrap_err();
    assert_eq!(error.detail, Some("the server does not accept this client's certificate"), "{error}");
    let (certificate, key) = issue(&authority, "client");
    let client_certificate = Some((certificate.into_bytes(), secret(&key)));
    check(&server, Settings { client_certificate, ..trusting(&authority) }).await.unwrap();
    let broken = Some((b"no certificate".to_vec(), secret("hunter2")));
    let error = check(&server, Settings { client_certificate: broken, ..trusting(&authority) }).await.unwrap_err();
    assert_eq!(error.to_string(), "Vault connect: the client certificate is not a certificate and its key in PEM");
}
