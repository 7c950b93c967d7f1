//! As much of an HTTP client as administering a server on this machine takes.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The JSON of a success; `Null` where there is no body.
    pub(crate) fn json(self, what: &str) -> io::Result<Value> {
        if !(200..300).contains(&self.status) {
            return Err(io::Error::other(format!("{what}: {} {}", self.status, self.body)));
        }
        Ok(serde_json::from_str(&self.body).unwrap_or_default())
    }
}

/// One request on a connection of its own. Version 1.0 of the protocol, in which nothing comes in chunks.
pub(crate) fn send(url: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> io::Result<Answer> {
    let authority = authority(url)?;
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    let mut request = format!("{method} {path} HTTP/1.0\r\nhost: {authority}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{request}\r\n{body}").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let nonsense = || io::Error::other(format!("{method} {path}: no answer in HTTP"));
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(nonsense)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(nonsense)?;
    Ok(Answer { status, body: body.to_owned() })
}

/// Host and port of a URL.
pub(crate) fn authority(url: &str) -> io::Result<&str> {
    let plain = || io::Error::other(format!("{url}: tests administer servers in plain HTTP, with the port named"));
    let authority = url.strip_prefix("http://").ok_or_else(plain)?.trim_end_matches('/');
    if authority.contains(':') && !authority.contains('/') { Ok(authority) } else { Err(plain()) }
}
