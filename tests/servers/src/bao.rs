//! An `OpenBao` server with its administrator and its audit log.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::{env, fs, io};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http;
use crate::process::{Leashed, free_ports, listens, program, until};

/// A running server, unsealed, with a KV store of version 2 at `secret/`. It ends, and its data with it, when dropped.
#[derive(Debug)]
pub struct Bao {
    url: String,
    root_token: String,
    own: Option<Own>,
}

/// What we know of a server that is ours.
#[derive(Debug)]
struct Own {
    program: PathBuf,
    folder: TempDir,
    tls_port: u16,
    unseal_key: String,
    process: Mutex<Option<Leashed>>,
}

impl Bao {
    /// One for a single test, in memory: it keeps its data when it is sealed, not when it is stopped.
    pub fn start() -> Self {
        Self::start_with(|_, _| String::new())
    }

    /// With more configuration, made from the server's folder and a free port.
    pub fn start_with(more: impl FnOnce(&Path, u16) -> String) -> Self {
        named().and_then(|program| Self::launch(&program, more)).expect("an OpenBao server starts")
    }

    /// One that keeps its data when it is stopped too. It takes a second or two to start.
    pub fn start_lasting() -> Self {
        named().and_then(|program| Self::launch_lasting(&program)).expect("an OpenBao server starts")
    }

    /// The one that tests of this program share: that of `VAULT_ADDR` and `VAULT_TOKEN`, or one that whoever asks first
    /// starts. A server that is not ours keeps no account of requests for us, and has `secret/` already.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Bao> = OnceLock::new();
        SHARED.get_or_init(|| match (env::var("VAULT_ADDR"), env::var("VAULT_TOKEN")) {
            (Ok(url), Ok(root_token)) => Self { url: url.trim_end_matches('/').to_owned(), root_token, own: None },
            _ => Self::start(),
        })
    }

    /// Starts this program, with more configuration as in [`Bao::start_with`].
    pub fn launch(program: &Path, more: impl FnOnce(&Path, u16) -> String) -> io::Result<Self> {
        Self::with_storage(program, |_, _| "storage \"inmem\" {}\n".to_owned(), more)
    }

    /// Starts this program with its data in files, as [`Bao::start_lasting`] does.
    pub fn launch_lasting(program: &Path) -> io::Result<Self> {
        let storage = |folder: &Path, port: u16| {
            // The smallest multiplier makes the election of the only member a short one.
            format!(
                "cluster_addr = \"http://127.0.0.1:{port}\"\nstorage \"raft\" {{\n path = {:?}\n node_id = \"one\"\n \
                 performance_multiplier = 1\n}}\n",
                folder.display().to_string()
            )
        };
        Self::with_storage(program, storage, |_, _| String::new())
    }

    fn with_storage(
        program: &Path,
        storage: impl FnOnce(&Path, u16) -> String,
        more: impl FnOnce(&Path, u16) -> String,
    ) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let [port, cluster_port, tls_port] = free_ports()?;
        let audit = folder.path().join("audit.log").display().to_string();
        let config = format!(
            "{}api_addr = \"http://127.0.0.1:{port}\"\nlistener \"tcp\" {{\n address = \"127.0.0.1:{port}\"\n \
             cluster_address = \"127.0.0.1:{cluster_port}\"\n tls_disable = true\n}}\naudit \"file\" \"all\" {{ options {{ \
             file_path = {audit:?} }} }}\n{}",
            storage(folder.path(), cluster_port),
            more(folder.path(), tls_port),
        );
        write(&folder.path().join("config.hcl"), &config)?;
        let process = Mutex::new(Some(run(program, folder.path())?));
        listens(port, "OpenBao to listen; its folder's `log` says more")?;
        let url = format!("http://127.0.0.1:{port}");
        let shares = json!({"secret_shares": 1, "secret_threshold": 1}).to_string();
        let made = http::send(&url, "PUT", "/v1/sys/init", &[], &shares)?.json("sys/init")?;
        let (Some(root_token), Some(key)) = (made["root_token"].as_str(), made["keys"][0].as_str()) else {
            return Err(io::Error::other("OpenBao was initialized without a word about its keys"));
        };
        let own = Own { program: program.to_owned(), folder, tls_port, unseal_key: key.to_owned(), process };
        let server = Self { url, root_token: root_token.to_owned(), own: Some(own) };
        server.try_unseal()?;
        let mount = json!({"type": "kv", "options": {"version": "2"}});
        server.call("", "POST", "sys/mounts/secret", &mount)?;
        // It is made usable in the background.
        until("the KV store", || server.call("", "GET", "secret/config", &Value::Null).is_ok())?;
        Ok(server)
    }

    /// Where it listens without TLS: `http://127.0.0.1:…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A token that may do everything.
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// The free port that further configuration was made with.
    pub fn tls_port(&self) -> u16 {
        self.own().tls_port
    }

    /// One call as the administrator; a failure panics with what the server said.
    #[expect(clippy::needless_pass_by_value, reason = "the JSON is written where the call is")]
    pub fn admin(&self, method: &str, path: &str, body: Value) -> Value {
        self.call("", method, path, &body).expect("the administrator's call succeeds")
    }

    /// The same in a namespace of the server's.
    #[expect(clippy::needless_pass_by_value, reason = "the JSON is written where the call is")]
    pub fn admin_in(&self, namespace: &str, method: &str, path: &str, body: Value) -> Value {
        self.call(namespace, method, path, &body).expect("the administrator's call succeeds")
    }

    /// The same for who wants to know whether it worked.
    pub fn call(&self, namespace: &str, method: &str, path: &str, body: &Value) -> io::Result<Value> {
        let headers = [("x-vault-token", self.root_token.as_str()), ("x-vault-namespace", namespace)];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        http::send(&self.url, method, &format!("/v1/{path}"), &headers, &body)?.json(path)
    }

    /// Makes a policy of paths and the capabilities on each: `("secret/data/*", "\"read\"")`.
    pub fn policy(&self, name: &str, paths: &[(&str, &str)]) {
        let rule =
            |(path, capabilities): &(&str, &str)| format!("path \"{path}\" {{ capabilities = [{capabilities}] }}\n");
        let policy: String = paths.iter().map(rule).collect();
        self.admin("PUT", &format!("sys/policies/acl/{name}"), json!({ "policy": policy }));
    }

    /// Writes a secret of the KV store at `secret/`.
    #[expect(clippy::needless_pass_by_value, reason = "the JSON is written where the call is")]
    pub fn put(&self, path: &str, data: Value) {
        self.admin("POST", &format!("secret/data/{path}"), json!({ "data": data }));
    }

    /// A token with these policies and whatever else is said of it.
    pub fn token(&self, policies: &[&str], more: &Value) -> String {
        let mut body = json!({ "policies": policies });
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        let made = self.admin("POST", "auth/token/create", body);
        made["auth"]["client_token"].as_str().expect("a token was made").to_owned()
    }

    /// Turns on a method of logging in, at a path of this name.
    pub fn enable_auth(&self, path: &str, kind: &str) {
        self.admin("POST", &format!("sys/auth/{path}"), json!({ "type": kind }));
    }

    /// Makes an `AppRole` at `auth/approle` with these settings; its role id and a secret id.
    pub fn app_role(&self, name: &str, settings: &Value) -> (String, String) {
        if self.call("", "GET", "sys/auth/approle", &Value::Null).is_err() {
            self.enable_auth("approle", "approle");
        }
        let role = format!("auth/approle/role/{name}");
        self.admin("POST", &role, settings.clone());
        let role_id = self.admin("GET", &format!("{role}/role-id"), Value::Null);
        let secret_id = self.admin("POST", &format!("{role}/secret-id"), json!({}));
        let text = |value: &Value| value.as_str().expect("an id was made").to_owned();
        (text(&role_id["data"]["role_id"]), text(&secret_id["data"]["secret_id"]))
    }

    /// Revokes every token that this method of logging in has given out.
    pub fn revoke_all(&self, mount: &str) {
        self.admin("PUT", &format!("sys/leases/revoke-prefix/auth/{mount}/login"), json!({}));
    }

    /// Requests of this path so far, by the server's own account. It makes some to itself when it starts.
    pub fn requests(&self, path: &str) -> usize {
        self.requested().iter().filter(|found| *found == path).count()
    }

    /// The paths of all requests so far, in their order, with those of the administrator.
    pub fn requested(&self) -> Vec<String> {
        let audit = fs::read_to_string(self.own().folder.path().join("audit.log")).expect("the audit log is readable");
        // The last line may be half written.
        let lines = audit.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let from_outside = |request: &Value| request["remote_address"].as_str().is_some_and(|from| !from.is_empty());
        let requests = lines.filter(|line| line["type"] == "request").map(|mut line| line["request"].take());
        requests.filter(from_outside).filter_map(|request| Some(request["path"].as_str()?.to_owned())).collect()
    }

    /// Seals it: it answers, and says that it is sealed.
    pub fn seal(&self) {
        self.admin("PUT", "sys/seal", Value::Null);
    }

    /// Ends [`Bao::seal`].
    pub fn unseal(&self) {
        self.try_unseal().expect("the server can be unsealed");
    }

    fn try_unseal(&self) -> io::Result<()> {
        let key = json!({ "key": self.own().unseal_key }).to_string();
        http::send(&self.url, "PUT", "/v1/sys/unseal", &[], &key)?.json("sys/unseal")?;
        let healthy =
            || http::send(&self.url, "GET", "/v1/sys/health", &[], "").is_ok_and(|answer| answer.status == 200);
        until("OpenBao to be active", healthy)
    }

    /// Ends the process: connections are refused.
    pub fn stop(&self) {
        drop(self.process().take());
    }

    /// Ends [`Bao::stop`] of a lasting server: the same data and tokens at the same address.
    pub fn start_again(&self) {
        let own = self.own();
        *self.process() = Some(run(&own.program, own.folder.path()).expect("OpenBao starts"));
        let port = self.url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        listens(port, "OpenBao to listen again").expect("OpenBao listens");
        self.unseal();
    }

    fn process(&self) -> MutexGuard<'_, Option<Leashed>> {
        self.own().process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own(&self) -> &Own {
        self.own.as_ref().expect("a server of the test's own, not that of VAULT_ADDR")
    }
}

fn named() -> io::Result<PathBuf> {
    program("SEALWAX_TEST_BAO", "OpenBao's program, `bao`")
}

fn run(program: &Path, folder: &Path) -> io::Result<Leashed> {
    let mut command = Command::new(program);
    command.arg("server").arg(format!("-config={}", folder.join("config.hcl").display()));
    Leashed::start(&command, &folder.join("log"))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    File::create(path)?.write_all(text.as_bytes())
}

/// Writes certificates into the server's folder and returns the configuration of a listener with them: for
/// [`Bao::start_with`]. Clients must show a certificate of `clients`, an authority in PEM, where one is given.
pub fn tls_listener(folder: &Path, port: u16, certificate: &str, key: &str, clients: Option<&str>) -> String {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        write(&path, text).expect("a file can be written");
        format!("{:?}", path.display().to_string())
    };
    let (certificate, key) = (write("server.pem", certificate), write("server.key", key));
    let clients = clients.map_or_else(String::new, |authority| {
        let authority = write("clients.pem", authority);
        format!("tls_client_ca_file = {authority}\n tls_require_and_verify_client_cert = true\n")
    });
    format!(
        "listener \"tcp\" {{\n address = \"127.0.0.1:{port}\"\n tls_cert_file = {certificate}\n tls_key_file = {key}\n \
         {clients}}}\n"
    )
}
