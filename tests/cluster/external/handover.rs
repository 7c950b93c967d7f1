//! A value moves from its source to Git: `sealwax import` reads it, and an `EncryptedSecret` takes the Secret over, which
//! workloads keep meanwhile. The steps of docs/import.md.

use kube::api::{DeleteParams, Patch, PatchParams};
use sealwax_crds::EncryptedSecret;
use sealwax_tests::{Cli, wait_for};
use serde_json::json;

use super::world::{External, reads, with};
use crate::served::SOON;

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_secret_is_handed_over_in_place() {
    let world = External::start("external-handover").await;
    let provider = json!({"fake": {"data": [{"key": "db", "value": "hunter2"}]}});
    world.store("demo", &provider);
    let spec = with(reads("demo", &["password <- db"]), &json!({"target": {"creationPolicy": "Orphan"}}));
    world.external("db", &spec);
    world.ready("db", "True", "Synced").await;
    let before = world.served.secrets.get("db").await.unwrap().metadata.uid;

    let cli = Cli::new();
    let api = "sealwax.dev/v1alpha1";
    let metadata = |name: &str| json!({"name": name, "namespace": world.namespace()});
    let store =
        json!({"apiVersion": api, "kind": "SecretStore", "metadata": metadata("demo"), "spec": {"provider": provider}});
    let object = json!({"apiVersion": api, "kind": "ExternalSecret", "metadata": metadata("db"), "spec": spec});
    cli.write("manifests.yaml", format!("{store}\n---\n{object}\n"));
    world.served.recipient().await;
    let published = world.served.config_maps.get("sealwax-recipients").await.unwrap().data.unwrap();
    cli.write("cluster.pub", &published["recipients"]);
    let policy = "version = 1\n[recipients]\ncluster = { file = \"cluster.pub\" }\n[[rule]]\npath = \"**\"\nrecipients = [\"cluster\"]\n";
    cli.write(".sealwax.toml", policy);
    cli.run(&["import", "manifests.yaml", "-o", "db.yaml"]).success();

    world.objects.delete("db", &DeleteParams::default()).await.unwrap();
    wait_for(SOON, "the ExternalSecret to go", async || {
        matches!(world.objects.get_opt("db").await, Ok(None)).then_some(())
    })
    .await;
    let offer = json!({"metadata": {"annotations": {"sealwax.dev/adopt-by": "db"}}});
    world.served.secrets.patch("db", &PatchParams::default(), &Patch::Merge(offer)).await.unwrap();
    world.served.plane.kubectl().apply(&cli.read("db.yaml"));
    world.served.ready("db", "True", "Synced").await;
    // From now on it is Git's: what is sealed next takes the place of what the ExternalSecret left, in the same Secret.
    let imported: EncryptedSecret = world.served.objects.get("db").await.unwrap();
    assert_eq!(imported.spec.data.keys().collect::<Vec<_>>(), ["password"]);
    cli.run_with_input(&["set", "db.yaml", "password"], b"hunter3").success();
    world.served.plane.kubectl().apply(&cli.read("db.yaml"));
    world.served.holds("db", &[("password", "hunter3")]).await;
    assert_eq!(world.served.secrets.get("db").await.unwrap().metadata.uid, before);
}
