//! The servers themselves: what they keep, and what the proxy before them does.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use sealwax_test_servers::{Bao, Moto, Proxy, Rule};
use serde_json::{Value, json};

#[test]
fn a_lasting_server_keeps_its_data_and_a_sealed_one_says_so() {
    let server = Bao::start_lasting();
    server.put("db", json!({"user": "app"}));
    let user =
        || server.call("", "GET", "secret/data/db", &Value::Null).map(|mut read| read["data"]["data"]["user"].take());
    server.stop();
    assert!(user().is_err());
    server.start_again();
    assert_eq!(user().unwrap(), "app");
    server.seal();
    assert!(user().unwrap_err().to_string().contains("503"));
    server.unseal();
    assert_eq!(user().unwrap(), "app");
    assert!(server.requests("secret/data/db") >= 3);
}

#[test]
fn moto_keeps_what_it_is_given() {
    let moto = Moto::shared();
    moto.parameter_store("eu-west-1", "PutParameter", json!({"Name": "/servers", "Value": "x", "Type": "String"}));
    let read = moto.parameter_store("eu-west-1", "GetParameter", json!({"Name": "/servers"}));
    assert_eq!(read["Parameter"]["Value"], "x");
    assert!(moto.call("us-east-1", "ssm", "AmazonSSM.GetParameter", &json!({"Name": "/servers"})).is_err());
}

/// What comes back for one request.
fn get(proxy: &Proxy, path: &str) -> String {
    let mut stream = TcpStream::connect(proxy.url().strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    // No further request: after its answer the proxy hangs up.
    stream.shutdown(Shutdown::Write).unwrap();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn the_proxy_counts_and_does_as_it_is_told() {
    let proxy = Proxy::before(Moto::shared().url());
    let whole = get(&proxy, "/moto-api/data.json");
    assert!(whole.starts_with("HTTP/1.1 200"), "{whole}");
    proxy.prepare(Rule::break_off("GET /moto-api/*"));
    let part = get(&proxy, "/moto-api/data.json");
    assert!(part.starts_with("HTTP/1.1 200") && part.len() < whole.len() && !part.is_empty(), "{part}");
    proxy.prepare(Rule::hang_up("GET /moto-api/data.json").times(1));
    assert_eq!(get(&proxy, "/moto-api/data.json"), "");
    proxy.prepare(Rule::answer("GET /moto-api/data.json", 429, "{}").header("retry-after", "1"));
    assert!(get(&proxy, "/moto-api/data.json").starts_with("HTTP/1.1 429"));
    proxy.pass();
    proxy.prepare(Rule::delay("GET /moto-api/data.json", Duration::from_millis(300)));
    let started = Instant::now();
    assert!(get(&proxy, "/moto-api/data.json").starts_with("HTTP/1.1 200"));
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(proxy.names(), ["GET /moto-api/data.json"; 5]);
}
