//! Base64 as the format and Kubernetes write it: RFC 4648 §4, padded, trailing bits zero, no white space.

/// Bytes as base64.
pub fn encode(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}

/// The reverse; `None` for anything that [`encode`] would not have written.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    data_encoding::BASE64.decode(text.as_bytes()).ok()
}
