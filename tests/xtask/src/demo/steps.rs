//! The steps of the story. Each breaks itself in its own way when it is sabotaged.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use super::world::{Cluster, SYSTEM, World, expect, text, until, write_private};
use super::{Story, elsewhere, show};
use crate::Failure;

/// A chapter.
pub(super) struct Step {
    pub(super) title: &'static str,
    pub(super) explanation: &'static str,
    pub(super) tell: fn(&mut Story, &mut World) -> Result<(), Failure>,
}

/// The story, in order.
pub(super) const STEPS: &[Step] = &[
    Step {
        title: "people",
        explanation: "Alice and Bob each make a key. The private half stays in their home folder.",
        tell: people,
    },
    Step {
        title: "cluster",
        explanation: "A real API server starts, and in it the controller, which makes a post-quantum key of its own.",
        tell: cluster,
    },
    Step {
        title: "repository",
        explanation: "A Git repository gets a policy: who reads what. Its two environments share the cluster here.",
        tell: repository,
    },
    Step {
        title: "seal",
        explanation: "Alice turns a Secret from kubectl into an EncryptedSecret and commits it. The plain one never touches the disk.",
        tell: seal,
    },
    Step {
        title: "review",
        explanation: "What a reviewer sees: names, places and readers in the clear, values encrypted.",
        tell: review,
    },
    Step {
        title: "apply",
        explanation: "kubectl applies the manifest as it is in Git; the controller makes the native Secret.",
        tell: apply,
    },
    Step {
        title: "keyless edit",
        explanation: "Carol has no key at all. She replaces one value; the diff touches that value only.",
        tell: keyless,
    },
    Step {
        title: "merge",
        explanation: "Alice and Bob edit neighbouring values on two branches. Git merges them as text, without a driver.",
        tell: merge,
    },
    Step {
        title: "drift",
        explanation: "Somebody edits the Secret in the cluster by hand. The controller puts it right.",
        tell: drift,
    },
    Step {
        title: "copy refused",
        explanation: "The manifest is copied into another namespace. The values do not open there.",
        tell: copy_refused,
    },
    Step {
        title: "vault",
        explanation: "A value that lives in Vault comes into the same Secret. Git says where it is, and no more.",
        tell: elsewhere::vault,
    },
    Step {
        title: "change at the origin",
        explanation: "Somebody changes the value in Vault.",
        tell: elsewhere::origin,
    },
    Step { title: "aws", explanation: "Another value lives in AWS Secrets Manager.", tell: elsewhere::aws },
    Step {
        title: "vault away",
        explanation: "Vault ends. Then somebody deletes the Secret that it feeds.",
        tell: elsewhere::outage,
    },
    Step {
        title: "recovery",
        explanation: "The cluster is lost. A second, empty one gets the backed-up key, and Git holds everything else.",
        tell: recovery,
    },
];

const MANIFEST: &str = "prod/db.yaml";
const PASSWORD: &str = "correct horse battery";

fn people(story: &mut Story, world: &mut World) -> Result<(), Failure> {
    for person in ["alice", "bob"] {
        let made = world.sealwax(person, &["keygen"], "")?;
        expect(&made, "sealwax keygen")?;
        show(&format!("$ sealwax keygen     # {person}\n{}", text(&made)));
        let key = world.home(person).join(".config/sealwax/identity.txt");
        if story.sabotaged() {
            fs::set_permissions(&key, fs::Permissions::from_mode(0o644))
                .map_err(|e| Failure::Unsuccessful(e.to_string()))?;
        }
        let mode = fs::metadata(&key).map(|metadata| metadata.permissions().mode() & 0o777);
        story.check(mode.is_ok_and(|mode| mode == 0o600), "the private key is readable by its owner only");
        write_private(&world.outside(&format!("{person}.pub")), text(&made).trim())?;
    }
    Ok(())
}

fn cluster(story: &mut Story, world: &mut World) -> Result<(), Failure> {
    let mut cluster = world.start_cluster()?;
    if !story.sabotaged() {
        world.start_controller(&mut cluster, "prod")?;
    }
    let limit = Duration::from_secs(if story.sabotaged() { 3 } else { 20 });
    let published = until(limit, || {
        let map = world.kubectl(&cluster, &["get", "configmap", "sealwax-recipients", "-n", SYSTEM, "-o", "yaml"], "");
        map.is_ok_and(|map| text(&map).contains("age1pq1"))
    });
    story.check(published, "the controller publishes its public key, age1pq1…");
    world.cluster = Some(cluster);
    if !published {
        return Ok(());
    }
    fs::create_dir_all(world.repository.join("keys")).map_err(|error| Failure::Unsuccessful(error.to_string()))?;
    let fetched = world.sealwax("alice", &["recipients", "fetch", "-o", "keys/prod.pub"], "")?;
    show("$ sealwax recipients fetch -o keys/prod.pub");
    show(&String::from_utf8_lossy(&fetched.stderr));
    story.check(
        fetched.status.success() && world.read("keys/prod.pub").contains("age1pq1"),
        "Alice fetches it through her kubeconfig",
    );
    Ok(())
}

fn repository(story: &mut Story, world: &mut World) -> Result<(), Failure> {
    let key = |person: &str| fs::read_to_string(world.outside(&format!("{person}.pub"))).unwrap_or_default();
    let policy = format!(
        "version = 1\n\n[recipients]\nalice = \"{}\"\nbob   = \"{}\"\nprod  = {{ file = \"keys/prod.pub\" }}\n\n\
         [[rule]]\npath       = \"prod/**\"\nrecipients = [\"alice\", \"bob\", \"prod\"]\n\n\
         [[rule]]\npath       = \"staging/**\"\nrecipients = [\"alice\", \"bob\", \"prod\"]\n",
        key("alice"),
        key("bob")
    );
    let policy = if story.sabotaged() { policy.replace("recipients =", "recipient =") } else { policy };
    write_private(&world.repository.join(".sealwax.toml"), &policy)?;
    for environment in ["prod", "staging"] {
        fs::create_dir_all(world.repository.join(environment))
            .map_err(|error| Failure::Unsuccessful(error.to_string()))?;
    }
    expect(&world.git(&["init", "--quiet", "--initial-branch=main"])?, "git init")?;
    world.commit("policy and public keys")?;
    show(&policy);
    let sealed = world.sealwax(
        "alice",
        &["seal", "--raw", "--item", "x", "--namespace", "prod", "--name", "x", "--path", MANIFEST],
        "x",
    )?;
    story.check(sealed.status.success(), "the policy is sound and finds its readers");
    Ok(())
}

fn seal(story: &mut Story, world: &mut World) -> Result<(), Failure> {
    let Some(cluster) = &world.cluster else { return Ok(()) };
    for environment in ["prod", "staging"] {
        let literals = ["--from-literal=username=app".to_owned(), format!("--from-literal=password={PASSWORD}")];
        let create = ["create", "secret", "generic", "db", "-n", environment, "--dry-run=client", "-o", "yaml"];
        let create: Vec<_> = create.into_iter().chain(literals.iter().map(String::as_str)).collect();
        let plain = world.kubectl(cluster, &create, "")?;
        expect(&plain, "kubectl create secret")?;
        let manifest = format!("{environment}/db.yaml");
        let sealed = world.sealwax("alice", &["seal", "-o", &manifest], &text(&plain))?;
        show(&format!("$ kubectl create secret generic db -n {environment} … | sealwax seal -o {manifest}"));
        show(&String::from_utf8_lossy(&sealed.stderr));
        expect(&sealed, "sealwax seal")?;
    }
    if story.sabotaged() {
        let text = world.read(MANIFEST).replacen("ENC[wax1,", "ENC[wax1,a", 1);
        write_private(&world.repository.join(MANIFEST), &text)?;
    }
    world.commit("the database's credentials")?;
    let opened = world.sealwax("bob", &["get", MANIFEST, "password"], "")?;
    story.check(text(&opened) == PASSWORD, "Bob, named in the policy, reads the password with his own key");
    let verified = world.sealwax("bob", &["verify", "."], "")?;
    story.check(verified.status.success(), "every value in the repository opens");
    Ok(())
}

fn review(story: &mut Story, world: &mut World) -> Result<(), Failure> {
    if story.sabotaged() {
        write_private(&world.repository.join("notes.txt"), PASSWORD)?;
        world.commit("notes")?;
    }
    let shown = text(&world.git(&["show", "--format=", "HEAD"])?);
    show(&shown.lines().filter(|line| line.starts_with('+')).take(14).collect::<Vec<_>>().join("\n"));
    let history = text(&world.git(&["log", "--patch"])?);
    story.check(
        !history.contains(PASSWORD) && !history.contains("Y29ycmVjdCBob3JzZSBiYXR0ZXJ5"),
        "the password is nowhere in Git's history",
    );
    let inspected = text(&world.sealwax("carol", &["inspect", MANIFEST], "")?);
    show(&inspected);
    story.check(
        inspected.contains("EncryptedSecret prod/db") && inspected.contains("bob@"),
        "without any key, place and readers can be told",
    );
    Ok(())
}

fn apply(story: &mut Story, world: &mut World) -> Result<(), Failure> {
    let Some(cluster) = &world.cluster else { return Ok(()) };
    let manifest = if story.sabotaged() { "staging/db.yaml" } else { MANIFEST };
    let start = Instant::now();
    let applied = world.kubectl(cluster, &["apply", "-f", manifest], "")?;
    show(&format!("$ kubectl apply -f {MANIFEST}\n{}", text(&applied)));
    expect(&applied, "kubectl apply")?;
    let limit = if story.sabotaged() { 2 } else { 20 };
    let there =
        until(Duration::from_secs(limit), || world.item(cluster, "prod", "password").as_deref() == Some(PASSWORD));
    story.check(
        there,
        &format!("the native Secret prod/db holds the password, {} ms after", start.elapsed().as_millis()),
    );
    let ready = world.kubectl(
        cluster,
        &["wait", "--for=condition=Ready", "--timeout=10s", "-n", "prod", "encryptedsecret/db"],
        "",
    )?;
    story.check(ready.status.success(), "the EncryptedSecret is Ready");
    Ok(())
}

fn keyless(story: &mut Story, world: &mut World) -> Result<(), Failure> {
    let Some(cluster) = &world.cluster else { return Ok(()) };
    let denied = world.sealwax("carol", &["get", MANIFEST, "password"], "")?;
    story.check(!denied.status.success(), "Carol cannot read");
    let set = world.sealwax("carol", &["set", MANIFEST, "password"], "new password")?;
    show("$ sealwax set prod/db.yaml password < new-password.txt");
    show(&String::from_utf8_lossy(&set.stderr));
    expect(&set, "sealwax set")?;
    if story.sabotaged() {
        let touched = world.read(MANIFEST).replace("name: db\n", "name: db # touched\n");
        write_private(&world.repository.join(MANIFEST), &touched)?;
    }
    let diff = text(&world.git(&["diff", "--unified=0"])?);
    let removed = diff.lines().filter(|line| line.starts_with('-') && !line.starts_with("---")).count();
    story.check(removed == 1, "the diff replaces one line, the old ciphertext");
    world.commit("a new password")?;
    expect(&world.kubectl(cluster, &["apply", "-f", MANIFEST], "")?, "kubectl apply")?;
    story.check(world.wait_for_item(cluster, "prod", "password", "new password"), "the cluster opens it");
    story.check(world.item(cluster, "prod", "username").as_deref() == Some("app"), "the other value is as it was");
    Ok(())
}

fn merge(story: &mut Story, world: &mut World) -> Result<(), Failure> {
    for (person, item, value) in [("alice", "username", "app2"), ("bob", "password", "third password")] {
        expect(&world.git(&["switch", "--quiet", "--create", person, "main"])?, "git switch")?;
        let item = if story.sabotaged() { "password" } else { item };
        expect(&world.sealwax(person, &["set", MANIFEST, item], value)?, "sealwax set")?;
        world.commit(&format!("{person} changes the {item}"))?;
        expect(&world.git(&["switch", "--quiet", "main"])?, "git switch")?;
    }
    expect(&world.git(&["merge", "--quiet", "alice"])?, "git merge")?;
    let merged = world.git(&["merge", "--quiet", "--no-edit", "bob"])?;
    show("$ git merge alice && git merge bob");
    story.check(merged.status.success(), "Git merges without a conflict");
    if merged.status.success() {
        let opened = text(&world.sealwax("alice", &["decrypt", MANIFEST], "")?);
        story.check(opened.contains("app2") && opened.contains("third password"), "both new values open");
    }
    Ok(())
}

fn drift(story: &mut Story, world: &mut World) -> Result<(), Failure> {
    if story.sabotaged() {
        world.cluster.iter_mut().for_each(Cluster::stop_controller);
    }
    let Some(cluster) = &world.cluster else { return Ok(()) };
    let patch = r#"{"stringData":{"username":"mallory"}}"#;
    let patched = world.kubectl(cluster, &["patch", "secret", "db", "-n", "prod", "--patch", patch], "")?;
    expect(&patched, "kubectl patch")?;
    show("$ kubectl patch secret db -n prod --patch '{\"stringData\":{\"username\":\"mallory\"}}'");
    let limit = Duration::from_secs(if story.sabotaged() { 2 } else { 10 });
    let healed = until(limit, || world.item(cluster, "prod", "username").as_deref() == Some("app"));
    story.check(healed, "the edit is undone");
    expect(&world.kubectl(cluster, &["delete", "secret", "db", "-n", "prod"], "")?, "kubectl delete")?;
    let back = until(limit, || world.item(cluster, "prod", "username").as_deref() == Some("app"));
    story.check(back, "the Secret is back after somebody deleted it");
    Ok(())
}

fn copy_refused(story: &mut Story, world: &mut World) -> Result<(), Failure> {
    let Some(cluster) = &world.cluster else { return Ok(()) };
    let source = if story.sabotaged() { "staging/db.yaml" } else { MANIFEST };
    let copied = world.read(source).replacen("namespace: prod\n", "namespace: staging\n", 1);
    expect(&world.kubectl(cluster, &["apply", "-f", "-"], &copied)?, "kubectl apply")?;
    let condition = [
        "get",
        "encryptedsecret",
        "db",
        "-n",
        "staging",
        "-o",
        "jsonpath={.status.conditions[?(@.type==\"Stalled\")].message}",
    ];
    let stalled = until(Duration::from_secs(if story.sabotaged() { 3 } else { 15 }), || {
        world.kubectl(cluster, &condition, "").is_ok_and(|output| text(&output).contains("sealed for"))
    });
    show(&text(&world.kubectl(cluster, &condition, "")?));
    story.check(stalled, "it is Stalled, with a message that says what to do");
    story.check(world.item(cluster, "staging", "password").is_none(), "there is no Secret in the other namespace");
    let local = world.sealwax("alice", &["decrypt", "-"], &copied)?;
    story.check(!local.status.success(), "sealwax on Alice's own machine refuses it too");
    Ok(())
}

fn recovery(story: &mut Story, world: &mut World) -> Result<(), Failure> {
    let Some(cluster) = &world.cluster else { return Ok(()) };
    let backup =
        world.kubectl(cluster, &["get", "secret", "-n", SYSTEM, "-l", "sealwax.dev/cluster-key", "-o", "yaml"], "")?;
    expect(&backup, "kubectl get secret")?;
    show("$ kubectl get secret -n sealwax-system -l sealwax.dev/cluster-key -o yaml > backup.yaml   # kept in a safe");
    let rendered = text(&world.sealwax("alice", &["render", MANIFEST], "")?);
    story.check(rendered.contains("kind: Secret"), "meanwhile, `sealwax render` gives the Secret without any cluster");
    world.cluster = None;
    let mut second = world.start_cluster()?;
    if !story.sabotaged() {
        let restored = world.kubectl(&second, &["apply", "--server-side", "-f", "-"], &strip(&text(&backup)))?;
        expect(&restored, "kubectl apply of the backup")?;
    }
    world.start_controller(&mut second, "second")?;
    for environment in ["prod", "staging"] {
        let manifest = format!("{environment}/db.yaml");
        expect(&world.kubectl(&second, &["apply", "-f", &manifest], "")?, "kubectl apply")?;
    }
    show("$ kubectl apply -f backup.yaml && kubectl apply -f prod/db.yaml -f staging/db.yaml   # in the new cluster");
    let limit = Duration::from_secs(if story.sabotaged() { 4 } else { 20 });
    let back = until(limit, || world.item(&second, "prod", "password").as_deref() == Some("third password"));
    story.check(back, "the second cluster has the Secret of prod as it was");
    let staging = until(limit, || world.item(&second, "staging", "password").as_deref() == Some(PASSWORD));
    story.check(staging, "and that of staging");
    world.second = Some(second);
    Ok(())
}

/// Without what belongs to the lost cluster: server-side apply refuses it.
fn strip(backup: &str) -> String {
    let ours = ["uid:", "resourceVersion:", "creationTimestamp:"];
    backup
        .lines()
        .filter(|line| !ours.iter().any(|field| line.trim_start().starts_with(field)))
        .collect::<Vec<_>>()
        .join("\n")
}
