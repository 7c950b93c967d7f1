//! Keys of every type, their servers, and what both programs must be told to use them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use sealwax_test_servers::{Bao, Moto};
use sealwax_tests::Cli;
use serde_json::json;

use super::plan::KeyType;
use super::programs::Programs;
use crate::common::{self, Person, age_key, run, ssh_key};

const REGION: &str = "eu-west-1";
/// The folder of the keys in the home that holds them.
const GPG_HOME: &str = "gnupg";

/// Everybody's keys. The servers, and gpg's agent, end with it.
pub(crate) struct World {
    pub(crate) programs: Programs,
    home: Cli,
    people: [Person; 4],
    fingerprint: String,
    bao: Bao,
    moto: Moto,
    arn: String,
}

impl World {
    /// Makes all keys, each with the tool that its users have.
    pub(crate) fn new() -> Self {
        let [bao, moto] = common::source_servers();
        let home = Cli::new();
        let people = [
            age_key(&home, "x25519", &[]),
            age_key(&home, "quantum", &["-pq"]),
            ssh_key(&home, "ed25519", &["-t", "ed25519"], ""),
            ssh_key(&home, "rsa", &["-t", "rsa", "-b", "2048"], ""),
        ];
        let fingerprint = pgp_key(&home);
        let bao = Bao::launch(&bao, |_, _| String::new()).unwrap();
        bao.admin("POST", "sys/mounts/transit", json!({ "type": "transit" }));
        let moto = Moto::launch(&moto).unwrap();
        let made = moto.call(REGION, "kms", "TrentService.CreateKey", &json!({})).unwrap();
        let arn = made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
        Self { programs: Programs::find(), home, people, fingerprint, bao, moto, arn }
    }

    /// The keys of a rule in `.sops.yaml`.
    pub(crate) fn rule(&self, key: KeyType) -> String {
        match key {
            KeyType::Pgp => format!("    pgp: {}\n", self.fingerprint),
            KeyType::VaultTransit => format!("    hc_vault_transit_uri: {}/v1/transit/keys/sops\n", self.bao.url()),
            KeyType::AwsKms => format!("    kms: {}\n", self.arn),
            KeyType::TwoGroups => format!(
                "    shamir_threshold: 2\n    key_groups:\n      - age: [{}]\n      - pgp: [{}]\n",
                self.person(key).recipient,
                self.fingerprint
            ),
            _ => format!("    age: {}\n", self.person(key).recipient),
        }
    }

    /// An empty work directory whose programs have this key and no other.
    pub(crate) fn place(&self, key: KeyType) -> Cli {
        let mut cli = self.programs.place();
        match key {
            KeyType::AgeX25519 | KeyType::AgePostQuantum | KeyType::TwoGroups => {
                cli.env("SOPS_AGE_KEY_FILE", self.person(key).identity());
            }
            KeyType::AgeSshEd25519 | KeyType::AgeSshRsa => {
                cli.env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", self.person(key).identity());
            }
            KeyType::VaultTransit => {
                cli.env("VAULT_ADDR", self.bao.url()).env("VAULT_TOKEN", self.bao.root_token());
            }
            KeyType::AwsKms => {
                cli.env("AWS_ENDPOINT_URL", self.moto.url()).env("AWS_EC2_METADATA_DISABLED", "true");
                cli.env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "an-access-key");
            }
            KeyType::Pgp => {}
        }
        if matches!(key, KeyType::Pgp | KeyType::TwoGroups) {
            cli.env("GNUPGHOME", gpg_home(&self.home));
        }
        cli
    }

    fn person(&self, key: KeyType) -> &Person {
        let [x25519, quantum, ed25519, rsa] = &self.people;
        match key {
            KeyType::AgePostQuantum => quantum,
            KeyType::AgeSshEd25519 => ed25519,
            KeyType::AgeSshRsa => rsa,
            _ => x25519,
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // An agent that is gone already is no failure.
        let _ = Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", gpg_home(&self.home)).status();
    }
}

fn gpg_home(home: &Cli) -> PathBuf {
    home.home().join(GPG_HOME)
}

/// A key of gpg without a passphrase; its fingerprint.
fn pgp_key(home: &Cli) -> String {
    let folder = gpg_home(home);
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let gpg = |arguments: &[&str]| run(home.command("gpg").args(arguments).env("GNUPGHOME", &folder));
    gpg(&["--batch", "--passphrase", "", "--quick-generate-key", "matrix", "future-default", "default", "never"]);
    let listed = gpg(&["--list-keys", "--with-colons"]);
    let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
    line.split(':').nth(9).unwrap().to_owned()
}
