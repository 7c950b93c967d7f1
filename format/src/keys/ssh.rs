//! SSH public keys as recipients: `ssh-ed25519` and `ssh-rsa`, through the age crate.

/// Why an SSH public key cannot be a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshRecipientError {
    /// Another algorithm, a hardware key, or an RSA key below 2048 bits.
    #[error("only ssh-ed25519 and ssh-rsa keys of 2048 bits and more can be recipients")]
    Unsupported,
    /// Not two words of which the second is base64.
    #[error("an SSH public key is its type, a space, and base64")]
    Layout,
}

/// The canonical string (type and key, no comment) and the recipient.
pub(super) fn parse_recipient(text: &str) -> Result<(String, age::ssh::Recipient), SshRecipientError> {
    let mut words = text.split_ascii_whitespace();
    let (Some(kind), Some(key)) = (words.next(), words.next()) else {
        return Err(SshRecipientError::Layout);
    };
    if crate::base64::decode(key).is_none() {
        return Err(SshRecipientError::Layout);
    }
    let canonical = format!("{kind} {key}");
    let recipient = canonical.parse().map_err(|_| SshRecipientError::Unsupported)?;
    Ok((canonical, recipient))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";

    #[test]
    fn drops_the_comment() {
        let (canonical, _) = parse_recipient(&format!("{KEY} alice@example")).unwrap();
        assert_eq!(canonical, KEY);
    }

    #[test]
    fn refuses_other_keys() {
        assert_eq!(parse_recipient("ssh-dss AAAA").err(), Some(SshRecipientError::Unsupported));
        assert_eq!(parse_recipient("ssh-ed25519").err(), Some(SshRecipientError::Layout));
        assert_eq!(parse_recipient("ssh-ed25519 !!").err(), Some(SshRecipientError::Layout));
    }
}
