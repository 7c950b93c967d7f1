//! Where the services are, if not where AWS says: private endpoints, and stand-ins of AWS.

/// Addresses of services; where there is none, AWS says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Of Secrets Manager.
    pub secrets_manager: Option<String>,
    /// Of Systems Manager, which Parameter Store belongs to.
    pub parameter_store: Option<String>,
    /// Of the Security Token Service, which logs in.
    pub sts: Option<String>,
}

impl Endpoints {
    /// What the environment says: the names of External Secrets Operator, then those of AWS.
    pub fn of_environment() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&str; 2]| {
            let mut found = names.into_iter().chain(["AWS_ENDPOINT_URL"]).filter_map(&variable);
            found.find(|address| !address.is_empty())
        };
        Self {
            secrets_manager: first(["AWS_SECRETSMANAGER_ENDPOINT", "AWS_ENDPOINT_URL_SECRETS_MANAGER"]),
            parameter_store: first(["AWS_SSM_ENDPOINT", "AWS_ENDPOINT_URL_SSM"]),
            sts: first(["AWS_STS_ENDPOINT", "AWS_ENDPOINT_URL_STS"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_name_wins() {
        let endpoints = Endpoints::of(|name| match name {
            "AWS_ENDPOINT_URL" => Some("all".to_owned()),
            "AWS_SSM_ENDPOINT" => Some(String::new()),
            "AWS_ENDPOINT_URL_SSM" => Some("ssm".to_owned()),
            "AWS_STS_ENDPOINT" => Some("sts".to_owned()),
            _ => None,
        });
        let text = |text: &str| Some(text.to_owned());
        let expected = Endpoints { secrets_manager: text("all"), parameter_store: text("ssm"), sts: text("sts") };
        assert_eq!(endpoints, expected);
        assert_eq!(Endpoints::of(|_| None), Endpoints::default());
    }
}
