//! `sealwax keys`: help, and what works without a cluster.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use insta::assert_snapshot;

use crate::common::{SECRET, Sandbox};

fn help(command: &str) -> String {
    let sandbox = Sandbox::new();
    sandbox.sealwax(["keys"].into_iter().chain(command.split_whitespace()).chain(["--help"])).run().ok()
}

#[test]
fn help_of_keys() {
    assert_snapshot!(help(""), @"
    Keys of clusters: make, list, rotate, retire, back up, restore

    Works through kubeconfig, with your own rights. Private keys are read by backup and restore only.

    Usage: sealwax keys <COMMAND>

    Commands:
      create         Make a cluster's first key offline, so that Git can be encrypted before the cluster
                     exists
      list           Show a cluster's keys: state, fingerprint, date, escrow copies, and how many
                     objects need each
      needed-by      Name the objects that would not open without a key
      rotate         Have the controller make a new sealing key, or seal with another one that is there
      retire         Take a key out of use for good: what is sealed for it alone does not open any more
      backup         Write all keys of a cluster, and the controller's own, into one file for your
                     recipients
      verify-backup  Open a backup or an escrow copy and compare it with the cluster's keys
      restore        Put the keys of a backup or an escrow copy back into a cluster

    Options:
      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_create() {
    assert_snapshot!(help("create"), @"
    Make a cluster's first key offline, so that Git can be encrypted before the cluster exists

    Writes a manifest with the private keys, readable by you only: `kubectl create -f FILE` it before or
    after the controller starts, and keep it as a backup. Beside it a file with the public key,
    endorsed, ends in .pub: commit that one and name it in the policy. With --escrow, a file that ends
    in .age holds the key wrapped for these recipients, fit for Git.

    Example: sealwax keys create --cluster prod -o ~/prod.yaml && cp ~/prod.pub keys/

    Usage: sealwax keys create [OPTIONS] --output <FILE>

    Options:
          --name <NAME>
              Name of the key Secret
              
              [default: sealwax-cluster-key-1]

          --cluster <NAME>
              What people call the cluster: the controller's --cluster-name
              
              [default: cluster]

          --namespace <NAMESPACE>
              Namespace of the controller
              
              [default: sealwax-system]

      -o, --output <FILE>
              The manifest, or an existing folder to put all files into

          --escrow <RECIPIENT>
              Wrap the key for this public key too (repeatable)

          --force
              Write the manifest even into a Git work tree

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_list() {
    assert_snapshot!(help("list"), @"
    Show a cluster's keys: state, fingerprint, date, escrow copies, and how many objects need each

    No private key is read. An object needs a key if one of its data keys is wrapped for that key and
    for no other that opens.

    Example: sealwax keys list --context prod

    Usage: sealwax keys list [OPTIONS]

    Options:
          --context <NAME>
              Context of the kubeconfig

          --namespace <NAMESPACE>
              Namespace of the controller
              
              [default: sealwax-system]

          --in <NAMESPACE>
              Count the objects of this namespace only (repeatable)

          --format <FORMAT>
              How to show it
              
              [default: text]
              [possible values: text, json]

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_needed_by() {
    assert_snapshot!(help("needed-by"), @"
    Name the objects that would not open without a key

    Counts the wraps of the document's key and those of values with keys of their own. What is in Git
    and not in the cluster is not seen.

    Example: sealwax keys needed-by sealwax-cluster-key-1

    Usage: sealwax keys needed-by [OPTIONS] [KEY]

    Arguments:
      [KEY]
              Name or fingerprint of the key; all keys if absent

    Options:
          --context <NAME>
              Context of the kubeconfig

          --namespace <NAMESPACE>
              Namespace of the controller
              
              [default: sealwax-system]

          --in <NAMESPACE>
              Look at the objects of this namespace only (repeatable)

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_rotate() {
    assert_snapshot!(help("rotate"), @"
    Have the controller make a new sealing key, or seal with another one that is there

    Asks the controller, and waits until the key seals. The old key goes on opening what was sealed for
    it. With escrow recipients configured, the new key seals once their copies exist.

    Example: sealwax keys rotate --context prod

    Usage: sealwax keys rotate [OPTIONS]

    Options:
          --to <KEY>
              Seal with this key, by name or fingerprint, instead of a new one

          --begin-anew
              Ask for a key even where no controller has published anything; it opens nothing of what is
              in Git

          --timeout <SECONDS>
              How many seconds to wait for the controller
              
              [default: 120]

          --context <NAME>
              Context of the kubeconfig

          --namespace <NAMESPACE>
              Namespace of the controller
              
              [default: sealwax-system]

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_retire() {
    assert_snapshot!(help("retire"), @"
    Take a key out of use for good: what is sealed for it alone does not open any more

    Refused for the sealing key, and while an object of the cluster needs the key. Git is not searched:
    older commits and other branches may need it still. The Secret stays, so that a label brings the key
    back.

    Example: sealwax keys retire sealwax-cluster-key-1

    Usage: sealwax keys retire [OPTIONS] <KEY>

    Arguments:
      <KEY>
              Name or fingerprint of the key

    Options:
          --context <NAME>
              Context of the kubeconfig

          --namespace <NAMESPACE>
              Namespace of the controller
              
              [default: sealwax-system]

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_backup() {
    assert_snapshot!(help("backup"), @"
    Write all keys of a cluster, and the controller's own, into one file for your recipients

    The file is an ordinary armored age file. Opened, it is a manifest: `age -d -i KEY FILE | kubectl
    create -f -` restores it without this program. Never apply it: kubectl would note the private keys
    in an annotation too.

    Example: sealwax keys backup -r age1… -o prod-keys.age

    Usage: sealwax keys backup [OPTIONS] --recipient <RECIPIENT> --output <FILE>

    Options:
      -r, --recipient <RECIPIENT>
              Public key of who can open it (repeatable)

      -o, --output <FILE>
              Where to write it; never overwritten

          --context <NAME>
              Context of the kubeconfig

          --namespace <NAMESPACE>
              Namespace of the controller
              
              [default: sealwax-system]

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_verify_backup() {
    assert_snapshot!(help("verify-backup"), @"
    Open a backup or an escrow copy and compare it with the cluster's keys

    Says which keys the file holds, and which keys of the cluster it lacks; then the exit code is 1. Of
    an escrow copy, its one key is compared. Prints no key.

    Example: sealwax keys verify-backup prod-keys.age -i ~/offline.txt

    Usage: sealwax keys verify-backup [OPTIONS] <FILE>

    Arguments:
      <FILE>
              The backup or escrow copy; - for standard input

    Options:
          --offline
              Only show what the file holds; ask no cluster

      -i, --identity <FILE>
              File with your private key: age, post-quantum age, SSH, or an age plugin's (repeatable)

          --context <NAME>
              Context of the kubeconfig

          --namespace <NAMESPACE>
              Namespace of the controller
              
              [default: sealwax-system]

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_restore() {
    assert_snapshot!(help("restore"), @"
    Put the keys of a backup or an escrow copy back into a cluster

    Nothing is overwritten. Keys that the cluster has are passed over; one whose name another key has
    comes in under a name of its own. In a cluster that seals with another key, a key that would seal
    waits instead. The controller notices at once and opens what waited for them.

    Example: sealwax keys restore prod-keys.age -i ~/offline.txt --context prod

    Usage: sealwax keys restore [OPTIONS] <FILE>

    Arguments:
      <FILE>
              The backup or escrow copy; - for standard input

    Options:
          --name <NAME>
              Name for the key of an escrow copy

          --state <STATE>
              State of every restored key, instead of the one that it had: waiting, active, old or
              retired

          --pinned <FILE>
              The cluster's .pub file: refuse a backup with another signing key than it pins

      -i, --identity <FILE>
              File with your private key: age, post-quantum age, SSH, or an age plugin's (repeatable)

          --context <NAME>
              Context of the kubeconfig

          --namespace <NAMESPACE>
              Namespace of the controller
              
              [default: sealwax-system]

      -h, --help
              Print help (see a summary with '-h')
    ");
}

/// What differs from run to run, besides what every snapshot hides.
fn without_time(text: &str) -> String {
    let (before, time) = text.split_once("created ").unwrap();
    let end = time.find('\n').unwrap();
    assert_eq!(end, "2026-11-21T06:00:00Z".len(), "{time}");
    format!("{before}created TIME{}", &time[end..])
}

#[test]
fn a_key_made_offline_is_a_private_manifest_and_a_public_file() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.sealwax(["keys", "create", "--cluster", "prod", "-o", "prod.yaml"]).run(), @"
    exit 0
    out: RECIPIENT
    err: private keys written to prod.yaml
    err: recipient, fingerprint FINGERPRINT, and signing key, fingerprint FINGERPRINT, written to prod.pub
    err: hint: Commit prod.pub; never prod.yaml.
    ");
    assert_eq!(fs::metadata(sandbox.path("prod.yaml")).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(sandbox.path("prod.pub")).unwrap().mode() & 0o7777, 0o644);
    assert_snapshot!(without_time(&sandbox.show("prod.pub")), @"
    # cluster: prod
    # signing key: BASE64
    # signature: BASE64
    # sealing key, fingerprint FINGERPRINT, created TIME
    RECIPIENT
    ");
    let manifest = sandbox.show("prod.yaml");
    let (before, after) = manifest.split_once("sealwax.dev/fingerprint: \"").unwrap();
    assert_snapshot!(format!("{before}fingerprint: \"FINGERPRINT{}", &after[20..]), @r#"
    apiVersion: v1
    kind: List
    items:
    - apiVersion: v1
      kind: Secret
      metadata:
        name: "sealwax-controller-key"
        namespace: "sealwax-system"
        labels: {sealwax.dev/controller-key: "current"}
        annotations: {}
      type: sealwax.dev/controller-key
      immutable: true
      data:
        signing: BASE64
        symmetric: BASE64
    - apiVersion: v1
      kind: Secret
      metadata:
        name: "sealwax-cluster-key-1"
        namespace: "sealwax-system"
        labels: {sealwax.dev/cluster-key: "active"}
        annotations: {fingerprint: "FINGERPRINT"}
      type: sealwax.dev/cluster-key
      immutable: true
      data:
        identity: BASE64
    "#);
    sandbox.assert_clean();
}

#[test]
fn git_is_encrypted_for_a_key_that_no_cluster_has_yet() {
    let sandbox = Sandbox::new();
    sandbox.sealwax(["keys", "create", "--cluster", "prod", "-o", "prod.yaml"]).run().ok();
    let rule = "[[rule]]\npath = \"**\"\nencrypt = [\"stringData.*\"]\nrecipients = [\"prod\"]\n";
    sandbox.write(".sealwax.toml", format!("version = 1\n[recipients]\nprod = {{ file = \"prod.pub\" }}\n{rule}"));
    let sealed = sandbox.encrypted("db.yaml", SECRET);
    assert!(sealed.contains("prod@"), "{sealed}");
}

#[test]
fn an_escrow_copy_opens_for_its_recipient_only() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person_with("alice", &["--pq"]), sandbox.person("bob"));
    fs::create_dir(sandbox.path("out")).unwrap();
    let create = ["keys", "create", "--cluster", "prod", "-o", "out", "--escrow", &alice.recipient];
    sandbox.sealwax(create).run().ok();
    let verify = ["keys", "verify-backup", "out/prod.age", "--offline"];
    let opened = sandbox.sealwax(verify).by(&alice).run();
    // An escrow copy has no name of its own; it is called after its fingerprint.
    assert!(opened.ok().starts_with("sealwax-cluster-key-"));
    assert_snapshot!(sandbox.sealwax(verify).by(&bob).run(), @"
    exit 1
    err: error: out/prod.age: none of the identities at hand is one of its readers
    err: hint: Pass the identity with -i FILE.
    ");
    assert!(sandbox.read("out/prod.yaml").contains("sealwax-cluster-key-1-escrow"), "the manifest has it too");
}

#[test]
fn private_keys_stay_out_of_git_and_are_not_overwritten() {
    let sandbox = Sandbox::new();
    sandbox.write("README", "x");
    sandbox.commit_all();
    let create = ["keys", "create", "-o", "keys.yaml"];
    assert_snapshot!(sandbox.sealwax(create).run(), @"
    exit 1
    err: error: keys.yaml: private keys do not belong into the Git work tree [HOME]/repo
    err: hint: Choose a place outside, or pass --force.
    ");
    sandbox.sealwax(create).args(&["--force"]).run().ok();
    let before = sandbox.read("keys.yaml");
    assert_snapshot!(sandbox.sealwax(create).args(&["--force"]).run(), @"
    exit 1
    err: error: keys.pub: exists
    err: hint: The file exists and is never overwritten; choose another name.
    ");
    assert_eq!(sandbox.read("keys.yaml"), before);
}

#[test]
fn wrong_usage_is_told_before_anything_is_written() {
    let sandbox = Sandbox::new();
    let run = |arguments: &[&str]| sandbox.sealwax(["keys", "create"]).args(arguments).run();
    assert_snapshot!(run(&["-o", "x.yaml", "--cluster", "Prod"]), @"
    exit 2
    err: error: --cluster Prod: 1 to 63 characters of a-z, 0-9 and -
    ");
    for name in ["a".repeat(64).as_str(), "Key", "key-", "a/b"] {
        assert_eq!(run(&["-o", "x.yaml", "--name", name]).code, Some(2), "{name}");
    }
    assert_snapshot!(run(&["-o", "x.pub"]), @"
    exit 2
    err: error: -o names the manifest: a name that ends in .yaml
    ");
    assert_snapshot!(run(&["-o", "x.yaml", "--escrow", "age1nobody"]), @"
    exit 2
    err: error: not a valid age recipient: a character is missing or mistyped
    ");
    let (alice, bob) = (sandbox.person_with("alice", &["--pq"]), sandbox.person("bob"));
    assert_snapshot!(run(&["-o", "x.yaml", "--escrow", &alice.recipient, "--escrow", &bob.recipient]), @"
    exit 2
    err: error: --escrow: classical and post-quantum recipients cannot read one file together; use one kind
    ");
    assert!(!sandbox.path("x.yaml").exists() && !sandbox.path("x.pub").exists());
}

#[test]
fn a_file_that_is_no_backup() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    sandbox.write("backup.age", "s3cr3t");
    let verify = ["keys", "verify-backup", "backup.age", "--offline"];
    assert_snapshot!(sandbox.sealwax(verify).by(&alice).run(), @"
    exit 3
    err: error: backup.age: it is no age file
    ");
}

#[test]
fn without_a_kubeconfig() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.sealwax(["keys", "list"]).run(), @r#"
    exit 2
    err: error: kubeconfig: failed to read kubeconfig from '"[HOME]/.kube/config"': No such file or directory (os error 2)
    "#);
}
