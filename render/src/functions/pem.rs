//! Functions of PEM files and the certificates in them.

use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

use super::{Arguments, Function, Outcome, Refused, bytes, string, strings, text};

pub(super) const FUNCTIONS: &[Function] = &[
    ("filterPEM", 2, 2, |a| Ok(string(blocks(text(&a[1])?, |label, _| label == text(&a[0]).unwrap_or_default())))),
    ("filterCertChain", 2, 2, filter_chain),
    ("certSANs", 1, 1, names),
];

/// The blocks of a PEM file, as they stand, that satisfy the condition.
fn blocks(file: &str, keep: impl Fn(&str, &str) -> bool) -> String {
    let mut kept = String::new();
    let mut rest = file;
    while let Some(start) = rest.find("-----BEGIN ") {
        rest = &rest[start..];
        let Some(label) = rest["-----BEGIN ".len()..].split("-----").next() else { break };
        let end = format!("-----END {label}-----");
        let Some(length) = rest.find(&end) else { break };
        let block = &rest[..length + end.len()];
        if keep(label, block) {
            kept.push_str(block);
            kept.push('\n');
        }
        rest = &rest[block.len()..];
    }
    kept
}

/// The certificates of one role: `leaf`, `intermediate` or `root`.
fn filter_chain(a: &Arguments<'_>) -> Outcome {
    let wanted = text(&a[0])?;
    if !["leaf", "intermediate", "root"].contains(&wanted) {
        return Err(Refused::Arguments);
    }
    Ok(string(blocks(text(&a[1])?, |label, block| label == "CERTIFICATE" && role(block.as_bytes()) == Some(wanted))))
}

fn role(block: &[u8]) -> Option<&'static str> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(block).ok()?;
    let certificate = pem.parse_x509().ok()?;
    Some(match certificate.is_ca() {
        false => "leaf",
        true if certificate.subject() == certificate.issuer() => "root",
        true => "intermediate",
    })
}

/// The alternative names of the first certificate: DNS names, addresses, e-mail addresses and URIs.
fn names(a: &Arguments<'_>) -> Outcome {
    let file = bytes(&a[0])?;
    let first = Pem::iter_from_buffer(&file).find_map(Result::ok).ok_or(Refused::Arguments)?;
    let certificate = first.parse_x509().map_err(|_| Refused::Arguments)?;
    let extension = certificate.subject_alternative_name().map_err(|_| Refused::Arguments)?;
    let names = extension.iter().flat_map(|extension| &extension.value.general_names);
    Ok(strings(names.filter_map(|name| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(address) => ip(address),
        _ => None,
    })))
}

fn ip(address: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(address).map(|bytes| std::net::Ipv4Addr::from(bytes).to_string());
    v4.or_else(|_| <[u8; 16]>::try_from(address).map(|bytes| std::net::Ipv6Addr::from(bytes).to_string())).ok()
}
