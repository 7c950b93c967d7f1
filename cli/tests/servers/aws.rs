//! Values of Secrets Manager and Parameter Store, read with credentials of the user's own.

use insta::assert_snapshot;
use sealwax_test_servers::{Moto, Proxy, Rule};
use serde_json::json;

use crate::common::{Run, Sandbox};
use crate::{assert_nothing, item};

const REGION: &str = "eu-central-1";

/// Two stores as a cluster has them, with a role that trusts the cluster alone.
const STORES: &str = "\
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: secrets, namespace: prod}
spec:
  provider:
    aws:
      service: SecretsManager
      region: eu-central-1
      role: arn:aws:iam::123456789012:role/of-the-controller
      auth: {jwt: {serviceAccountRef: {name: eso}}}
---
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: parameters, namespace: prod}
spec:
  provider: {aws: {service: ParameterStore, region: eu-central-1, prefix: /import/}}
---
";

fn external(spec: &str) -> String {
    format!(
        "{STORES}apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: db, namespace: prod}}\n\
         spec:\n  secretStoreRef: {{name: secrets}}\n{spec}"
    )
}

fn secret(name: &str, value: &str) {
    Moto::shared().secrets_manager(REGION, "CreateSecret", json!({"Name": name, "SecretString": value}));
}

fn parameter(name: &str, value: &str) {
    let parameter = json!({"Name": name, "Value": value, "Type": "SecureString"});
    Moto::shared().parameter_store(REGION, "PutParameter", parameter);
}

/// A run at this address, without a machine that would lend its identity.
fn at<'s, 'a>(sandbox: &'s Sandbox, url: &str, arguments: impl IntoIterator<Item = &'a str>) -> Run<'s> {
    sandbox.sealwax(arguments).env("AWS_ENDPOINT_URL", url).env("AWS_EC2_METADATA_DISABLED", "true")
}

/// The same as somebody.
fn run<'s, 'a>(sandbox: &'s Sandbox, url: &str, arguments: impl IntoIterator<Item = &'a str>) -> Run<'s> {
    let run = at(sandbox, url, arguments).env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE");
    run.env("AWS_SECRET_ACCESS_KEY", "s3cr3t-access-key")
}

#[test]
fn both_services_give_the_very_values() {
    secret("import/db", r#"{"user": "s3cr3t-user", "pass": "s3cr3t\n", "n": 1.0}"#);
    let binary = json!({"Name": "import/binary", "SecretBinary": "AHMzY3IzdP8="});
    Moto::shared().secrets_manager(REGION, "CreateSecret", binary);
    parameter("/import/url", "s3cr3t://url");
    let (sandbox, alice) = Sandbox::with_policy();
    let spec = "  data:\n  - {secretKey: password, remoteRef: {key: import/db, property: pass}}\n  \
                - {secretKey: binary, remoteRef: {key: import/binary}}\n  \
                - {secretKey: url, remoteRef: {key: url}, sourceRef: {storeRef: {name: parameters}}}\n  \
                dataFrom: [{extract: {key: import/db}}]\n";
    sandbox.write("db.in.yaml", external(spec));
    let proxy = Proxy::before(Moto::shared().url());
    let arguments = ["import", "db.in.yaml", "-o", "db.yaml"];
    let dry = run(&sandbox, &proxy.url(), arguments).args(&["--dry-run"]).run();
    assert_snapshot!(dry, @"
    exit 0
    out: EncryptedSecret prod/db, readers: alice
    out:   items: binary, n, pass, password, url, user
    err: nothing was written
    ");
    assert_nothing(&sandbox, &dry);
    run(&sandbox, &proxy.url(), arguments).run().ok();
    assert!(!proxy.names().iter().any(|call| call.starts_with("AssumeRole")), "the store's role is the cluster's");
    for (name, expected) in [
        ("user", &b"s3cr3t-user"[..]),
        ("pass", b"s3cr3t\n"),
        ("password", b"s3cr3t\n"),
        ("n", b"1.0"),
        ("binary", b"\0s3cr3t\xff"),
        ("url", b"s3cr3t://url"),
    ] {
        assert_eq!(item(&sandbox, &alice, name), expected, "{name}");
    }
}

#[test]
fn names_alone_will_do_with_a_profile() {
    secret("import/from", r#"{"user": "s3cr3t-user"}"#);
    parameter("/import/from", "s3cr3t-parameter");
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.write("../.aws/config", format!("[profile team]\nregion = {REGION}\n"));
    sandbox.write("../.aws/credentials", "[team]\naws_access_key_id = A\naws_secret_access_key = s3cr3t\n");
    let from = ["--from", "aws-secret:import/from", "--from", "p=aws-parameter:/import/from"];
    let arguments = ["import", "--namespace", "prod", "--name", "db", "-o", "db.yaml"];
    at(&sandbox, Moto::shared().url(), arguments).args(&from).env("AWS_PROFILE", "team").run().ok();
    assert_eq!(item(&sandbox, &alice, "user"), b"s3cr3t-user");
    assert_eq!(item(&sandbox, &alice, "p"), b"s3cr3t-parameter");
}

#[test]
fn what_stands_in_the_way_is_told() {
    secret("import/text", "s3cr3t-text");
    let (sandbox, _) = Sandbox::with_policy();
    let arguments = |from| ["import", "--from", from, "--namespace", "prod", "--name", "db", "-o", "db.yaml"];
    let url = Moto::shared().url();
    let told = |run: Run<'_>| {
        let outcome = run.env("AWS_REGION", REGION).run();
        assert_nothing(&sandbox, &outcome);
        outcome
    };
    assert_snapshot!(told(run(&sandbox, url, arguments("aws-secret:import/text"))), @"
    exit 1
    err: error: --from: aws-secret:import/text: the value is not JSON, which the entry needs
    err: hint: What is not a JSON object is one item, which needs a name: --from ITEM=SOURCE:KEY
    err: nothing was written
    ");
    assert_snapshot!(told(run(&sandbox, url, arguments("a=aws-secret:import/no"))), @"
    exit 1
    err: error: --from: its source has nothing for aws-secret:import/no
    err: nothing was written
    ");
    assert_snapshot!(told(run(&sandbox, url, arguments("a=aws-parameter:/import/no"))), @"
    exit 1
    err: error: --from: its source has nothing for aws-parameter:/import/no
    err: nothing was written
    ");
    assert_snapshot!(told(at(&sandbox, url, arguments("a=aws-secret:import/text"))), @"
    exit 1
    err: error: --from: aws-secret:import/text: SecretsManager login of import/text: the surroundings give no credentials
    err: hint: AWS is read with your own credentials: those of the environment, AWS_PROFILE, or what they lead to.
    err: nothing was written
    ");
    let proxy = Proxy::before(url);
    proxy.prepare(Rule::aws_error("*", 400, "AccessDeniedException"));
    assert_snapshot!(told(run(&sandbox, &proxy.url(), arguments("a=aws-secret:import/text"))), @"
    exit 1
    err: error: --from: aws-secret:import/text: SecretsManager read of import/text: permission denied (AccessDeniedException)
    err: hint: AWS is read with your own credentials: those of the environment, AWS_PROFILE, or what they lead to.
    err: nothing was written
    ");
}
