//! A server of one test's own, with its administrator and its audit log.

use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method};
use sealwax_format::SecretBytes;
use sealwax_sources::vault::{Login, Settings, Vault};
use sealwax_sources::{Address, Content, Payload, Source as _, SourceError};
use serde_json::Value;
use tempfile::TempDir;

/// Runs a program for as long as its standard input is open: it ends with the test, however that ends.
const LEASH: &str = r#""$@" & child=$!; cat >/dev/null; kill $child; wait $child"#;
const ROOT: &str = "root-token-of-the-test";

pub(crate) struct Server {
    process: Child,
    folder: TempDir,
    pub(crate) url: String,
    pub(crate) tls_port: u16,
    http: Client,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_, _| String::new()).await
    }

    /// With more configuration, made from the server's folder and a free port.
    pub(crate) async fn start_with(more: impl FnOnce(&Path, u16) -> String) -> Self {
        let program = std::env::var_os("SEALWAX_TEST_BAO")
            .expect("these tests need an OpenBao server: set SEALWAX_TEST_BAO to its program, `bao`");
        let folder = tempfile::tempdir().unwrap();
        let ([port, tls_port], config) = (free_ports(), folder.path().join("config.hcl"));
        let audit = folder.path().join("audit.log");
        let audit =
            format!("audit \"file\" \"all\" {{ options {{ file_path = {:?} }} }}\n", audit.display().to_string());
        write(&config, &(audit + &more(folder.path(), tls_port)));
        let process = Command::new("/bin/sh")
            .args(["-c", LEASH, "sh"])
            .arg(program)
            .args(["server", "-dev", "-dev-no-store-token", &format!("-dev-root-token-id={ROOT}")])
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .arg(format!("-config={}", config.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let http = Client::builder().tls_certs_only(Vec::new()).build().unwrap();
        let server = Self { process, folder, url: format!("http://127.0.0.1:{port}"), tls_port, http };
        server.wait().await;
        server
    }

    async fn wait(&self) {
        for _ in 0..200 {
            let answer = self.http.get(format!("{}/v1/sys/health", self.url)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the OpenBao server did not start within ten seconds");
    }

    /// One call as the administrator.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: Value) -> Value {
        self.admin_in("", method, path, body).await
    }

    pub(crate) async fn admin_in(&self, namespace: &str, method: &str, path: &str, body: Value) -> Value {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}/v1/{path}", self.url)).header("x-vault-token", ROOT);
        let request = request.header("x-vault-namespace", namespace).body(body.to_string());
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// A policy by its text.
    pub(crate) async fn policy(&self, name: &str, paths: &[(&str, &str)]) {
        let rule =
            |(path, capabilities): &(&str, &str)| format!("path \"{path}\" {{ capabilities = [{capabilities}] }}\n");
        let policy: String = paths.iter().map(rule).collect();
        self.admin("PUT", &format!("sys/policies/acl/{name}"), serde_json::json!({ "policy": policy })).await;
    }

    pub(crate) async fn put(&self, path: &str, data: Value) {
        self.admin("POST", &format!("secret/data/{path}"), serde_json::json!({ "data": data })).await;
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { server: self.url.clone(), mount: Some("secret".to_owned()), ..Settings::default() }
    }

    pub(crate) fn client(&self, login: Login) -> Vault {
        Vault::new(self.settings(), login).unwrap()
    }

    /// A client of the administrator's.
    pub(crate) fn root(&self) -> Vault {
        self.client(token(ROOT))
    }

    /// Requests of this path so far, by the server's own account. It makes some to itself when it starts.
    pub(crate) fn requests(&self, path: &str) -> usize {
        let mut text = String::new();
        std::fs::File::open(self.folder.path().join("audit.log")).unwrap().read_to_string(&mut text).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let from_outside = |request: &Value| request["remote_address"].as_str().is_some_and(|from| !from.is_empty());
        let requests = lines.filter(|line| line["type"] == "request").map(|mut line| line["request"].take());
        requests.filter(|request| request["path"] == path && from_outside(request)).count()
    }

    /// Revokes every token that this method has given out.
    pub(crate) async fn revoke_all(&self, mount: &str) {
        self.admin("PUT", &format!("sys/leases/revoke-prefix/auth/{mount}/login"), serde_json::json!({})).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn free_ports() -> [u16; 2] {
    [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap()).map(|listener| listener.local_addr().unwrap().port())
}

pub(crate) fn write(path: &Path, text: &str) {
    use std::io::Write as _;
    std::fs::File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}

pub(crate) fn secret(text: &str) -> Arc<SecretBytes> {
    Arc::new(SecretBytes::from(text.to_owned()))
}

pub(crate) fn token(text: &str) -> Login {
    Login::Token(secret(text))
}

pub(crate) fn root_token() -> Login {
    token(ROOT)
}

pub(crate) async fn read(vault: &Vault, address: Address) -> Result<Payload, SourceError> {
    vault.read(&[address]).await.remove(0)
}

/// The JSON text that was read.
pub(crate) fn text(payload: &Payload) -> String {
    match &payload.content {
        Content::Fields(bytes) => bytes.expose_str().unwrap().to_owned(),
        other => panic!("{other:?}"),
    }
}
