//! The servers that values come from: `OpenBao`, which is Vault to its clients, and moto, which answers as AWS does.
//!
//! `VAULT_ADDR` with `VAULT_TOKEN`, and `AWS_ENDPOINT_URL` with credentials in the environment, put servers of one's own
//! in their place. What the story writes there is under a name of its own, and is taken away in the end.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use xtask::tools;

use super::world::{Guard, World, expect, free_port, guard, until};
use crate::{Failure, ui};

/// The region of what is kept in AWS.
pub(super) const REGION: &str = "eu-central-1";
/// The administrator's, of a server that lives as long as the story and listens to this machine alone.
const ROOT: &str = "root";

/// A running Vault.
pub(super) struct Vault {
    pub(super) address: String,
    /// Where the story keeps its values.
    pub(super) folder: String,
    program: PathBuf,
    token: String,
    server: Option<Guard>,
    /// The token that the cluster logs in with.
    accessor: String,
}

impl Vault {
    /// Starts a server, unless there is one already.
    pub(super) fn start(world: &World) -> Result<Self, Failure> {
        let [program, _] = tools::source_servers(&ui::progress)?;
        let folder = format!("sealwax-demo-{}", std::process::id());
        if let (Ok(address), Ok(token)) = (env::var("VAULT_ADDR"), env::var("VAULT_TOKEN")) {
            return Ok(Self { address, folder, program, token, server: None, accessor: String::new() });
        }
        let listen = format!("127.0.0.1:{}", free_port()?);
        let mut command = Command::new(world.supervisor());
        command.arg("guard").arg(&program).args(["server", "-dev", "-dev-no-store-token"]);
        command.arg(format!("-dev-root-token-id={ROOT}")).arg(format!("-dev-listen-address={listen}"));
        let server = Some(guard(command, &world.outside("vault.log"))?);
        let address = format!("http://{listen}");
        let vault = Self { address, folder, program, token: ROOT.to_owned(), server, accessor: String::new() };
        let up = until(Duration::from_secs(20), || {
            vault.run(world, &["status"], "").is_ok_and(|status| status.status.success())
        });
        if up { Ok(vault) } else { Err(Failure::Unsuccessful("the Vault server did not start".to_owned())) }
    }

    /// Keeps a value, which comes by standard input: arguments are there for all to see.
    pub(super) fn put(&self, world: &World, name: &str, value: &str) -> Result<(), Failure> {
        let path = format!("{}/{name}", self.folder);
        let output = self.run(world, &["kv", "put", "-mount=secret", &path, "token=-"], value)?;
        expect(&output, "bao kv put")
    }

    /// A token that may read the story's values and nothing else.
    pub(super) fn login(&mut self, world: &World) -> Result<String, Failure> {
        let policy = format!("path \"secret/data/{}/*\" {{ capabilities = [\"read\"] }}", self.folder);
        expect(&self.run(world, &["policy", "write", &self.folder, "-"], &policy)?, "bao policy write")?;
        let create = ["token", "create", "-no-default-policy", "-ttl=1h", "-format=json", "-policy", &self.folder];
        let made = self.run(world, &create, "")?;
        expect(&made, "bao token create")?;
        let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap_or_default();
        let field = |name: &str| made["auth"][name].as_str().unwrap_or_default().to_owned();
        self.accessor = field("accessor");
        Ok(field("client_token"))
    }

    /// Ends the server. One that is not ours goes on: there, the cluster is locked out. What was done.
    pub(super) fn stop(&mut self, world: &World) -> Result<&'static str, Failure> {
        if let Some(server) = self.server.take() {
            drop(server);
            return Ok("$ kill %vault");
        }
        for gone in [
            &["token", "revoke", "-accessor", &self.accessor][..],
            &["policy", "delete", &self.folder],
            &["kv", "metadata", "delete", "-mount=secret", &format!("{}/db", self.folder)],
        ] {
            expect(&self.run(world, gone, "")?, "bao")?;
        }
        Ok("$ bao token revoke -accessor …")
    }

    fn run(&self, world: &World, arguments: &[&str], input: &str) -> Result<Output, Failure> {
        let mut command = Command::new(&self.program);
        command.env_clear().env("HOME", world.outside("")).env("PATH", env::var_os("PATH").unwrap_or_default());
        for kept in ["VAULT_NAMESPACE", "VAULT_CACERT"] {
            command.envs(env::var_os(kept).map(|value| (kept, value)));
        }
        command.env("VAULT_ADDR", &self.address).env("VAULT_TOKEN", &self.token);
        // The program reads its own names first.
        command.env("BAO_ADDR", &self.address).env("BAO_TOKEN", &self.token);
        world.run(command.args(arguments), input)
    }
}

/// Something that answers as AWS does.
pub(super) struct Aws {
    python: PathBuf,
    endpoint: String,
    folder: String,
    server: Option<Guard>,
}

/// Keeps the value that comes by standard input under a name; or takes it away again.
const PUT: &str =
    "import boto3, sys; boto3.client('secretsmanager').create_secret(Name=sys.argv[1], SecretString=sys.stdin.read())";
const DELETE: &str = "import boto3, sys; boto3.client('secretsmanager').delete_secret(SecretId=sys.argv[1], ForceDeleteWithoutRecovery=True)";

impl Aws {
    /// The address that a controller has to be told before anything listens there.
    pub(super) fn endpoint() -> Result<String, Failure> {
        let free = || Ok(format!("http://127.0.0.1:{}", free_port()?));
        env::var("AWS_ENDPOINT_URL").map_or_else(|_| free(), Ok)
    }

    /// Starts a server at the address, unless there is one already.
    pub(super) fn start(world: &World) -> Result<Self, Failure> {
        let [_, moto] = tools::source_servers(&ui::progress)?;
        let python = moto.with_file_name("python");
        let endpoint = world.aws_endpoint.clone();
        let folder = format!("sealwax-demo-{}", std::process::id());
        if env::var_os("AWS_ENDPOINT_URL").is_some() {
            return Ok(Self { python, endpoint, folder, server: None });
        }
        let port = endpoint.rsplit(':').next().unwrap_or_default();
        let mut command = Command::new(world.supervisor());
        command.arg("guard").arg(moto).args(["-H", "127.0.0.1", "-p", port]);
        let server = guard(command, &world.outside("aws.log"))?;
        let address = endpoint.trim_start_matches("http://").to_owned();
        if until(Duration::from_mins(1), || std::net::TcpStream::connect(&address).is_ok()) {
            return Ok(Self { python, endpoint, folder, server: Some(server) });
        }
        Err(Failure::Unsuccessful("the server that answers as AWS did not start".to_owned()))
    }

    /// The whole name of a value.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Keeps a value.
    pub(super) fn put(&self, world: &World, name: &str, value: &str) -> Result<(), Failure> {
        expect(&self.python(world, PUT, name, value)?, "create_secret")
    }

    /// Takes a value away from a server that stays.
    pub(super) fn clean(&self, world: &World, name: &str) -> Result<(), Failure> {
        if self.server.is_some() { Ok(()) } else { expect(&self.python(world, DELETE, name, "")?, "delete_secret") }
    }

    /// The id and the secret of the access key that the cluster is given.
    pub(super) fn keys() -> [String; 2] {
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| env::var(name).unwrap_or_else(|_| "demo".to_owned()))
    }

    fn python(&self, world: &World, script: &str, name: &str, input: &str) -> Result<Output, Failure> {
        let [id, secret] = Self::keys();
        let mut command = Command::new(&self.python);
        command.args(["-c", script, &self.name(name)]).env("AWS_ENDPOINT_URL", &self.endpoint);
        command.env("AWS_DEFAULT_REGION", REGION).env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret);
        world.run(&mut command, input)
    }
}
