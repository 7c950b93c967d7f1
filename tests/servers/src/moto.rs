//! A stand-in of AWS that keeps real data.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::{env, io};

use serde_json::Value;

use crate::http;
use crate::process::{Leashed, free_ports, listens, program};

/// A running server, of all services and regions. It believes every key that signs.
#[derive(Debug)]
pub struct Moto {
    url: String,
    _process: Option<Leashed>,
}

impl Moto {
    /// The one that tests of this program share: that of `AWS_ENDPOINT_URL`, or one that whoever asks first starts.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(|| match env::var("AWS_ENDPOINT_URL") {
            Ok(url) => Self { url: url.trim_end_matches('/').to_owned(), _process: None },
            Err(_) => program("SEALWAX_TEST_MOTO", "`moto_server`, of pip install 'moto[server]==5.2.*'")
                .and_then(|program| Self::launch(&program))
                .expect("a moto server starts"),
        })
    }

    /// Starts this program.
    pub fn launch(program: &Path) -> io::Result<Self> {
        let [port] = free_ports()?;
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let process = Leashed::start(&command, Path::new("/dev/null"))?;
        listens(port, "moto to listen")?;
        Ok(Self { url: format!("http://127.0.0.1:{port}"), _process: Some(process) })
    }

    /// Where all services are: `http://127.0.0.1:…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// One call to Secrets Manager in this region, for instance `CreateSecret`; a failure panics.
    #[expect(clippy::needless_pass_by_value, reason = "the JSON is written where the call is")]
    pub fn secrets_manager(&self, region: &str, action: &str, body: Value) -> Value {
        self.call(region, "secretsmanager", &format!("secretsmanager.{action}"), &body).expect("the call succeeds")
    }

    /// One call to Parameter Store in this region, for instance `PutParameter`; a failure panics.
    #[expect(clippy::needless_pass_by_value, reason = "the JSON is written where the call is")]
    pub fn parameter_store(&self, region: &str, action: &str, body: Value) -> Value {
        self.call(region, "ssm", &format!("AmazonSSM.{action}"), &body).expect("the call succeeds")
    }

    /// A call of a service that speaks JSON. The server does not look at signatures.
    pub fn call(&self, region: &str, service: &str, target: &str, body: &Value) -> io::Result<Value> {
        let scope = format!("AKIAADMIN/20260101/{region}/{service}/aws4_request");
        let authorization = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target),
            ("authorization", &authorization),
        ];
        http::send(&self.url, "POST", "/", &headers, &body.to_string())?.json(target)
    }
}
