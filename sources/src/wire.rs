//! What goes wrong between two hosts, from the types of an error's causes: their texts are not ours to show.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};

/// What we know of this failure, in our own words.
pub(crate) fn known(error: &(dyn Error + 'static)) -> Option<&'static str> {
    causes(error).find_map(by_type)
}

pub(crate) fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'e (dyn Error + 'static) = *error;
        // An `io::Error` hides the error that it wraps from the chain of sources.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

fn by_type(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(tls(error));
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return match error.kind() {
            io::ErrorKind::ConnectionRefused => Some("the connection was refused"),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Some("the connection was reset"),
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some("there is no way to the server"),
            io::ErrorKind::TimedOut => Some("there was no answer in time"),
            _ => None,
        };
    }
    // The one cause that has no type of its own; compared, never shown.
    (error.to_string() == "dns error").then_some("the server's name cannot be resolved")
}

fn tls(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another name"
            }
            _ => "the server's certificate is not trusted: is the CA bundle right?",
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::AccessDenied
            // Signed by another authority of the same name.
            | AlertDescription::DecryptError,
        ) => "the server does not accept this client's certificate",
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS: is it http://?",
        _ => "the TLS connection failed",
    }
}
