//! The steps in which values live elsewhere, and come into the Secret beside those of Git.

use std::time::Duration;

use super::sources::{Aws, REGION, Vault};
use super::world::{Cluster, World, expect, text, until, write_private};
use super::{Story, show};
use crate::Failure;

const SOURCES: &str = "prod/sources.yaml";

/// A store and an object that reads one value through it into the Secret `db`.
fn manifest(name: &str, provider: &str, key: &str, property: &str) -> String {
    format!(
        "apiVersion: sealwax.dev/v1alpha1\nkind: SecretStore\nmetadata: {{name: {name}, namespace: prod}}\n\
         spec:\n  provider:\n{provider}\
         ---\napiVersion: sealwax.dev/v1alpha1\nkind: ExternalSecret\nmetadata: {{name: db-{name}, namespace: prod}}\n\
         spec:\n  refreshInterval: 2s\n  secretStoreRef: {{name: {name}}}\n  target: {{name: db}}\n  data:\n  \
         - secretKey: {name}-token\n    remoteRef: {{key: {key}{property}}}\n"
    )
}

/// Commits a manifest and applies it.
fn deploy(world: &World, cluster: &Cluster, file: &str, manifest: &str) -> Result<(), Failure> {
    write_private(&world.repository.join(file), manifest)?;
    world.commit(file)?;
    show(manifest);
    expect(&world.kubectl(cluster, &["apply", "-f", file], "")?, "kubectl apply")?;
    show(&format!("$ kubectl apply -f {file}"));
    Ok(())
}

/// Gives the namespace what a store logs in with.
fn credentials(world: &World, cluster: &Cluster, name: &str, items: &[(&str, &str)]) -> Result<(), Failure> {
    let mut secret =
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: prod}}\nstringData:\n");
    for (item, value) in items {
        secret.push_str(&format!("  {item}: {}\n", serde_json::Value::from(*value)));
    }
    expect(&world.kubectl(cluster, &["apply", "-f", "-"], &secret)?, "kubectl apply")
}

/// A value of Vault comes into a Secret that Git feeds.
pub(super) fn vault(story: &mut Story, world: &mut World) -> Result<(), Failure> {
    let mut vault = Vault::start(world)?;
    vault.put(world, "db", "from vault")?;
    show("$ bao kv put -mount=secret …/db token=-");
    let token = vault.login(world)?;
    let Some(cluster) = &world.cluster else { return Ok(()) };
    let token = if story.sabotaged() { "s.wrong".to_owned() } else { token };
    credentials(world, cluster, "vault-token", &[("token", &token)])?;
    let provider = format!(
        "    vault:\n      server: {}\n      path: secret\n      version: v2\n      \
         auth: {{tokenSecretRef: {{name: vault-token, key: token}}}}\n",
        vault.address
    );
    let manifest = manifest("vault", &provider, &format!("{}/db", vault.folder), ", property: token");
    deploy(world, cluster, SOURCES, &manifest)?;
    let limit = Duration::from_secs(if story.sabotaged() { 4 } else { 20 });
    let came = until(limit, || world.item(cluster, "prod", "vault-token").as_deref() == Some("from vault"));
    story.check(came, "the value of Vault is an item of the Secret db");
    story.check(world.item(cluster, "prod", "username").as_deref() == Some("app"), "beside those that Git holds");
    let value_in_git = text(&world.git(&["grep", "-c", "from vault"])?);
    story.check(value_in_git.is_empty(), "and Git holds no value of Vault's, only where it is");
    world.vault = Some(vault);
    Ok(())
}

/// The value changes where it lives.
pub(super) fn origin(story: &mut Story, world: &mut World) -> Result<(), Failure> {
    let (Some(cluster), Some(vault)) = (&world.cluster, &world.vault) else { return Ok(()) };
    if !story.sabotaged() {
        vault.put(world, "db", "changed in vault")?;
    }
    show("$ bao kv put -mount=secret …/db token=-     # another one");
    let limit = Duration::from_secs(if story.sabotaged() { 4 } else { 20 });
    let came = until(limit, || world.item(cluster, "prod", "vault-token").as_deref() == Some("changed in vault"));
    story.check(came, "the Secret follows within its refresh interval of two seconds");
    Ok(())
}

/// A third source for the same Secret.
pub(super) fn aws(story: &mut Story, world: &mut World) -> Result<(), Failure> {
    let aws = Aws::start(world)?;
    if !story.sabotaged() {
        aws.put(world, "db", "from aws")?;
    }
    show("$ aws secretsmanager create-secret --name …/db --secret-string …");
    let Some(cluster) = &world.cluster else { return Ok(()) };
    let [id, secret] = Aws::keys();
    credentials(world, cluster, "aws-keys", &[("id", &id), ("secret", &secret)])?;
    let provider = format!(
        "    aws:\n      service: SecretsManager\n      region: {REGION}\n      auth:\n        secretRef:\n          \
         accessKeyIDSecretRef: {{name: aws-keys, key: id}}\n          \
         secretAccessKeySecretRef: {{name: aws-keys, key: secret}}\n"
    );
    deploy(world, cluster, "prod/aws.yaml", &manifest("aws", &provider, &aws.name("db"), ""))?;
    let limit = Duration::from_secs(if story.sabotaged() { 4 } else { 20 });
    let came = until(limit, || world.item(cluster, "prod", "aws-token").as_deref() == Some("from aws"));
    story.check(came, "the value of AWS is there too");
    let items = [("username", "app"), ("vault-token", "changed in vault")];
    let all = items.iter().all(|(item, value)| world.item(cluster, "prod", item).as_deref() == Some(*value));
    story.check(all, "so one Secret is fed by Git, Vault and AWS");
    world.aws = Some(aws);
    Ok(())
}

/// Vault ends, then somebody deletes the Secret.
pub(super) fn outage(story: &mut Story, world: &mut World) -> Result<(), Failure> {
    let Some(mut vault) = world.vault.take() else { return Ok(()) };
    let stopped = vault.stop(world)?;
    show(stopped);
    let Some(cluster) = &world.cluster else { return Ok(()) };
    let condition = |kind: &str| {
        let path = format!("jsonpath={{.status.conditions[?(@.type==\"{kind}\")].status}}");
        let get = ["get", "externalsecret", "db-vault", "-n", "prod", "-o", &path];
        world.kubectl(cluster, &get, "").map(|output| text(&output)).unwrap_or_default()
    };
    let told = until(Duration::from_secs(20), || condition("Fresh") == "False");
    story.check(told && condition("Ready") == "True", "the object stays Ready, and says that it is not fresh");
    // The copy first, or it is what the Secret is made of again.
    let copy = story.sabotaged().then_some("sealwax.last-good.db-vault");
    for secret in copy.into_iter().chain(["db"]) {
        expect(&world.kubectl(cluster, &["delete", "secret", secret, "-n", "prod"], "")?, "kubectl delete")?;
    }
    show("$ kubectl delete secret db -n prod");
    let limit = Duration::from_secs(if story.sabotaged() { 4 } else { 20 });
    let items = [("username", "app"), ("vault-token", "changed in vault"), ("aws-token", "from aws")];
    let all = || items.iter().all(|(item, value)| world.item(cluster, "prod", item).as_deref() == Some(*value));
    story.check(until(limit, all), "the Secret is back with the items of all three, though Vault is away");
    if let Some(aws) = &world.aws {
        aws.clean(world, "db")?;
    }
    Ok(())
}
