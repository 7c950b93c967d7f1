//! Base64 as the format and Kubernetes write it: RFC 4648 §4, padded, trailing bits zero, no white space.

/// Bytes as base64.
pub fn encode(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}

/// The reverse; `None` for anything that [`encode`] would not have written.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    // The library takes several padded texts in a row for one; here padding ends the text.
    if text.trim_end_matches('=').contains('=') {
        return None;
    }
    data_encoding::BASE64.decode(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_only_what_it_encodes() {
        assert_eq!(decode(&encode(b"any bytes")), Some(b"any bytes".to_vec()));
        for other in ["AA", "AA=", "AB==", "AA==AA==", "AAA=AAAA", "AA ==", "AA==\n", "-_==", "====", "="] {
            assert_eq!(decode(other), None, "{other}");
        }
    }
}
