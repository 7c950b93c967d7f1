//! Base64 as the format and Kubernetes write it: RFC 4648 §4, padded, trailing bits zero, no white space.

use zeroize::Zeroizing;

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

/// The same for base64 that people and YAML break into lines: white space is passed over.
pub fn decode_spaced(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let compact: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    decode(&compact).map(Zeroizing::new)
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
        assert_eq!(decode_spaced(" AA\n==\n").as_deref(), Some(&vec![0]));
        assert_eq!(decode_spaced("AA\n=x="), None);
    }
}
