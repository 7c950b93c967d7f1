//! Which keys of a group are tried first.

use sealwax_format::sops::{Service, Wrap};

use crate::error::CommandError;

/// The variable of SOPS that says it.
const VARIABLE: &str = "SOPS_DECRYPTION_ORDER";
/// Keys that are usually on this machine come before those that are asked for over the network.
const USUAL: [Service; 2] = [Service::Age, Service::Pgp];

/// Services by the name that SOPS has for them, in the order in which it reads their lists.
const NAMES: [(&str, Service); 7] = [
    ("kms", Service::AwsKms),
    ("gcp_kms", Service::GcpKms),
    ("hckms", Service::HuaweiKms),
    ("azure_kv", Service::AzureKeyVault),
    ("hc_vault", Service::VaultTransit),
    ("pgp", Service::Pgp),
    ("age", Service::Age),
];

/// The services that come first, and in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order(Vec<Service>);

impl Order {
    /// As the environment says.
    pub(super) fn of_environment() -> Result<Self, CommandError> {
        match std::env::var(VARIABLE) {
            Ok(text) if !text.trim().is_empty() => Self::parse(VARIABLE, &text),
            _ => Ok(Self(USUAL.to_vec())),
        }
    }

    /// Names with commas between them.
    pub(super) fn parse(what: &str, text: &str) -> Result<Self, CommandError> {
        let mut order = Vec::new();
        for name in text.split(',').map(str::trim) {
            let known = NAMES.iter().find(|(known, _)| *known == name);
            let (_, service) = known.ok_or_else(|| {
                let names = NAMES.map(|(name, _)| name).join(", ");
                CommandError::usage(format!("{what}: {} is no kind of key; there are {names}", name.escape_debug()))
            })?;
            if order.contains(service) {
                return Err(CommandError::usage(format!("{what}: names {name} twice")));
            }
            order.push(*service);
        }
        Ok(Self(order))
    }

    /// The keys of a group as they are tried, those of one service together.
    pub(super) fn sorted<'w>(&self, wraps: &'w [Wrap]) -> Vec<(Service, Vec<&'w Wrap>)> {
        let rest = NAMES.iter().map(|(_, service)| service).filter(|service| !self.0.contains(service));
        let of = |service: &Service| {
            let wraps: Vec<_> = wraps.iter().filter(|wrap| wrap.service == *service).collect();
            (!wraps.is_empty()).then_some((*service, wraps))
        };
        self.0.iter().chain(rest).filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::name;
    use super::*;

    #[test]
    fn named_ones_first_and_the_others_as_sops_reads_them() {
        let fingerprint = "0123456789ABCDEF";
        let wraps = [
            name::parse_age("age1a").unwrap(),
            name::parse_pgp(fingerprint).unwrap(),
            name::parse_age("age1b").unwrap(),
            name::parse_vault_transit("https://vault/v1/transit/keys/a").unwrap(),
            name::parse_gcp_kms("projects/p").unwrap(),
        ];
        let keys = |order: &Order| {
            let wraps = order.sorted(&wraps).into_iter().flat_map(|(_, wraps)| wraps);
            wraps.map(|wrap| wrap.key.as_str()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(keys(&Order(USUAL.to_vec())), "age1a age1b 0123456789ABCDEF projects/p https://vault");
        let named = Order::parse("order", "hc_vault, pgp").unwrap();
        assert_eq!(keys(&named), "https://vault 0123456789ABCDEF projects/p age1a age1b");
    }

    #[test]
    fn a_slip_is_no_order() {
        for text in ["age,age", "age,", "gpg"] {
            assert!(Order::parse("order", text).is_err(), "{text}");
        }
    }
}
