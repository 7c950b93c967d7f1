//! `.sealwax.toml`: strict, one a repository, first match wins, nothing from outside its folder.

use std::os::unix::fs::symlink;

use insta::assert_snapshot;

use crate::common::{Outcome, RULES, SECRET, Sandbox, names};

fn encrypt(sandbox: &Sandbox) -> Outcome {
    sandbox.write("db.yaml", SECRET);
    let outcome = sandbox.sealwax(["encrypt", "db.yaml"]).run();
    assert!(outcome.code == Some(0) || sandbox.read("db.yaml") == SECRET, "a refused file stays as it was");
    outcome
}

#[test]
fn an_unknown_key_is_an_error_with_its_line() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    let rule = "\n[[rule]]\npath = \"**\"\nencrypt = [\"stringData.*\"]\nrecipients = [\"alice\"]\n";
    sandbox.policy_with(&[&alice], &format!("{rule}scop = \"cluster\"\n"));
    assert_snapshot!(encrypt(&sandbox), @"
    exit 2
    err: error: [HOME]/repo/.sealwax.toml:10: unknown field `scop`, expected one of `path`, `kinds`, `encrypt`, `recipients`, `scope`, `for`, `context`
    ");
    sandbox.policy_with(&[&alice], &format!("bob = {{ fil = \"x\" }}\n{rule}"));
    assert_snapshot!(encrypt(&sandbox), @r#"
    exit 2
    err: error: [HOME]/repo/.sealwax.toml:5: a recipient is a text in quotes, { file = "keys/NAME.pub" } or { team = "keys/NAME" }
    "#);
    sandbox.policy_with(&[&alice], &format!("{rule}scope = \"galaxy\"\n"));
    assert_snapshot!(encrypt(&sandbox), @"
    exit 2
    err: error: [HOME]/repo/.sealwax.toml:10: unknown variant `galaxy`, expected one of `strict`, `namespace`, `cluster`
    ");
    sandbox.write(".sealwax.toml", "version = 2\n");
    assert_snapshot!(encrypt(&sandbox), @"
    exit 2
    err: error: [HOME]/repo/.sealwax.toml: version = 2 is not known; this program reads version 1
    ");
    sandbox.write(".sealwax.toml", "version = 1\nrule = [\n");
    assert_snapshot!(encrypt(&sandbox), @"
    exit 2
    err: error: [HOME]/repo/.sealwax.toml:2: unclosed array, expected `]`
    ");
}

#[test]
fn rules_that_cannot_work() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    for rule in [
        "path = \"**\"\nencrypt = [\"a..b\"]\nrecipients = [\"alice\"]",
        "path = \"**\"\nencrypt = [\"a\"]\nrecipients = []",
        "path = \"**\"\nencrypt = [\"stringData.*\"]\nrecipients = [\"bob\"]",
        "path = \"a[\"\nencrypt = [\"stringData.*\"]\nrecipients = [\"alice\"]",
        "path = \"**\"\nencrypt = [\"stringData.*\"]\nrecipients = [\"alice\"]\nscope = \"strict\"\nfor = \"a/b\"",
        "path = \"**\"\nrecipients = [\"alice\"]",
    ] {
        sandbox.policy_with(&[&alice], &format!("[[rule]]\n{rule}\n"));
        assert_eq!(encrypt(&sandbox).code, Some(2), "{rule}");
    }
    sandbox.policy_with(&[&alice], "[[rule]]\npath = \"**\"\nencrypt = [\"stringData.*\"]\nrecipients = [\"bob\"]\n");
    assert_snapshot!(encrypt(&sandbox), @"
    exit 2
    err: error: [HOME]/repo/.sealwax.toml: no recipient is called bob
    ");
}

#[test]
fn a_second_one_below_the_root_is_refused() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.write("team/db.yaml", SECRET);
    sandbox.write("team/.sealwax.toml", "version = 1\n");
    sandbox.commit_all();
    assert_snapshot!(sandbox.sealwax(["encrypt", "team/db.yaml"]).run(), @"
    exit 2
    err: error: [HOME]/repo/team/.sealwax.toml: a second policy below the root of the repository
    err: hint: Move its rules into [HOME]/repo/.sealwax.toml, or name it there with `include`.
    ");
    assert_eq!(sandbox.read("team/db.yaml"), SECRET);
}

#[test]
fn the_work_tree_decides_not_the_current_folder() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.write("a/b/db.yaml", SECRET);
    sandbox.commit_all();
    // A policy above the root of the repository does not count.
    sandbox.write("../.sealwax.toml", "version = 1\nnonsense = 1\n");
    let file = sandbox.path("a/b/db.yaml");
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_sealwax"));
    let output = command.arg("encrypt").arg(&file).current_dir(sandbox.root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(sandbox.sealwax(["decrypt", "a/b/db.yaml"]).by(&alice).run().ok(), SECRET);
}

#[test]
fn keys_come_from_inside_and_through_no_link() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    let rules = RULES.replace("READERS", "\"prod\"");
    let policy = |file: &str| sandbox.policy_with(&[], &format!("prod = {{ file = \"{file}\" }}\n{rules}"));
    sandbox.write("keys/prod.pub", format!("# the cluster's\n\n{}\n", alice.recipient));
    policy("keys/prod.pub");
    assert_snapshot!(encrypt(&sandbox), @"
    exit 0
    err: db.yaml: sealed 2 for Secret prod/db, readers: prod
    ");

    sandbox.write("../outside.pub", format!("{}\n", alice.recipient));
    policy("../outside.pub");
    assert_snapshot!(encrypt(&sandbox), @"
    exit 2
    err: error: [HOME]/repo/.sealwax.toml: the path ../outside.pub leaves the policy's folder
    ");
    policy("/etc/outside.pub");
    assert_snapshot!(encrypt(&sandbox), @"
    exit 2
    err: error: [HOME]/repo/.sealwax.toml: the path /etc/outside.pub leaves the policy's folder
    ");
    symlink("../../outside.pub", sandbox.path("keys/link.pub")).unwrap();
    policy("keys/link.pub");
    assert_snapshot!(encrypt(&sandbox), @"
    exit 2
    err: error: [HOME]/repo/.sealwax.toml: the path keys/link.pub passes a symbolic link
    ");
    symlink("keys", sandbox.path("linked")).unwrap();
    policy("linked/prod.pub");
    assert_snapshot!(encrypt(&sandbox), @"
    exit 2
    err: error: [HOME]/repo/.sealwax.toml: the path linked/prod.pub passes a symbolic link
    ");
    policy("keys/missing.pub");
    assert_snapshot!(encrypt(&sandbox), @"
    exit 2
    err: error: [HOME]/repo/keys/missing.pub: cannot be read: No such file or directory (os error 2)
    ");
    sandbox.write("keys/empty.pub", "# nothing\n");
    policy("keys/empty.pub");
    assert_snapshot!(encrypt(&sandbox), @"
    exit 2
    err: error: [HOME]/repo/keys/empty.pub: holds no recipient
    ");
}

#[test]
fn the_first_match_wins() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    sandbox.policy_with(
        &[&alice, &bob],
        "[[rule]]\npath = \"prod/**\"\nencrypt = [\"stringData.*\"]\nrecipients = [\"bob\"]\n\
         [[rule]]\npath = \"**\"\nencrypt = [\"stringData.*\"]\nrecipients = [\"alice\"]\nscope = \"namespace\"\n",
    );
    sandbox.write("prod/deep/db.yaml", SECRET);
    sandbox.write("db.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["encrypt", "db.yaml", "prod/deep/db.yaml"]).run(), @"
    exit 0
    err: db.yaml: sealed 2 for Secret prod/*, readers: alice
    err: prod/deep/db.yaml: sealed 2 for Secret prod/db, readers: bob
    ");
}

#[test]
fn kinds_narrow_a_rule() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    sandbox.policy_with(
        &[&alice],
        "[[rule]]\npath = \"**\"\nkinds = [\"Secret\"]\nencrypt = [\"stringData.*\", \"data.*\"]\nrecipients = [\"alice\"]\n",
    );
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: prod, name: c}\ndata: {a: s3cr3t}\n";
    sandbox.write("both.yaml", format!("{config}---\n{SECRET}"));
    sandbox.write("config.yaml", config);
    sandbox.write("values.yaml", "data: {a: s3cr3t}\n");
    assert_snapshot!(sandbox.sealwax(["encrypt", "both.yaml", "config.yaml", "values.yaml"]).run(), @"
    exit 2
    err: both.yaml: sealed 2 for Secret prod/db, readers: alice
    err: error: config.yaml: no rule of the policy covers it
    err: hint: Add a rule with a matching path (and kinds), or pass --to and --select.
    err: error: values.yaml: no rule of the policy covers it
    err: hint: Add a rule with a matching path (and kinds), or pass --to and --select.
    ");
    assert!(sandbox.read("both.yaml").starts_with(config));
}

#[test]
fn other_files_need_a_context() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    sandbox.policy_with(&[&alice], "[[rule]]\npath = \"**\"\nencrypt = [\"**.password\"]\nrecipients = [\"alice\"]\n");
    sandbox.write("values.yaml", "password: s3cr3t\n");
    assert_snapshot!(sandbox.sealwax(["encrypt", "values.yaml"]).run(), @r#"
    exit 2
    err: error: values.yaml: is no Kubernetes object, and its rule has no context
    err: hint: Write context = "…" in the policy's rule: a text that keeps its values from opening elsewhere.
    "#);
    sandbox.sealwax(["encrypt", "values.yaml", "--context", "mine"]).run().ok();
}

#[test]
fn post_quantum_can_be_required() {
    let sandbox = Sandbox::new();
    let (classical, quantum) = (sandbox.person("alice"), sandbox.person_with("quantum", &["--pq"]));
    let people = [&quantum, &classical];
    let recipients: String = people.iter().map(|p| format!("{} = \"{}\"\n", p.name, p.recipient)).collect();
    let head = format!("version = 1\npost_quantum = \"require\"\n[recipients]\n{recipients}");
    sandbox.write(".sealwax.toml", format!("{head}{}", RULES.replace("READERS", &names(&people))));
    assert_snapshot!(encrypt(&sandbox), @r#"
    exit 2
    err: error: [HOME]/repo/.sealwax.toml: alice@FINGERPRINT is no post-quantum recipient, and post_quantum = "require"
    "#);
    sandbox.write(".sealwax.toml", format!("{head}{}", RULES.replace("READERS", &names(&[&quantum]))));
    assert_snapshot!(sandbox.sealwax(["encrypt", "db.yaml", "--to", &classical.to()]).run(), @r#"
    exit 2
    err: error: [HOME]/repo/.sealwax.toml: alice@FINGERPRINT is no post-quantum recipient, and post_quantum = "require"
    "#);
    assert_snapshot!(encrypt(&sandbox), @"
    exit 0
    err: db.yaml: sealed 2 for Secret prod/db, readers: quantum
    ");
}

#[test]
fn a_rule_that_selects_nothing_is_an_error() {
    let (sandbox, _) = Sandbox::with_policy();
    sandbox.write("values.yaml", "user: s3cr3t\n");
    assert_snapshot!(sandbox.sealwax(["encrypt", "values.yaml"]).run(), @"
    exit 2
    err: error: values.yaml: the patterns select no value in it
    err: hint: Check the spelling of the patterns; a selected null, {} or [] counts as a value to look at, not to encrypt.
    ");
    sandbox.write("values.yaml", "password: null\n");
    assert_snapshot!(sandbox.sealwax(["encrypt", "values.yaml"]).run(), @"
    exit 0
    err: values.yaml: nothing new to encrypt (0 encrypted)
    err: warning: values.yaml: password is null and stays in the clear
    ");
}

#[test]
fn a_team_reads_through_its_wrapped_identity() {
    let sandbox = Sandbox::new();
    let (ops, alice, bob) = (sandbox.person("ops"), sandbox.person("alice"), sandbox.person("bob"));
    let identity = std::fs::read(&ops.file).unwrap();
    let member: age::x25519::Recipient = alice.recipient.parse().unwrap();
    sandbox.write("keys/ops.age", age::encrypt(&member, &identity).unwrap());
    sandbox.write("keys/ops.pub", format!("{}\n", ops.recipient));
    sandbox.policy_with(&[], &format!("ops = {{ team = \"keys/ops\" }}\n{}", RULES.replace("READERS", "\"ops\"")));
    assert_snapshot!(encrypt(&sandbox), @"
    exit 0
    err: db.yaml: sealed 2 for Secret prod/db, readers: ops
    ");
    assert_eq!(sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run().ok(), SECRET);
    assert_eq!(sandbox.sealwax(["decrypt", "db.yaml"]).by(&ops).run().ok(), SECRET);
    assert_snapshot!(sandbox.sealwax(["decrypt", "db.yaml"]).by(&bob).run(), @"
    exit 1
    err: error: db.yaml:8: stringData.username: none of your identities is a reader; named readers: ops@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    ");
}

#[test]
fn includes_are_limited_to_their_folder() {
    let sandbox = Sandbox::new();
    let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
    let include = "include = [\"team/rules.toml\"]\n";
    let rules = RULES.replace("READERS", "\"alice\"").replace("path = \"**\"", "path = \"prod/**\"");
    sandbox.write(
        ".sealwax.toml",
        format!("version = 1\n{include}[recipients]\nalice = \"{}\"\n{rules}", alice.recipient),
    );
    let team = RULES.replace("READERS", "\"bob\"");
    sandbox.write("team/rules.toml", format!("version = 1\n[recipients]\nbob = \"{}\"\n{team}", bob.recipient));
    sandbox.write("team/db.yaml", SECRET);
    sandbox.write("prod/db.yaml", SECRET);
    sandbox.write("other.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["encrypt", "team/db.yaml", "prod/db.yaml", "other.yaml"]).run(), @"
    exit 2
    err: team/db.yaml: sealed 2 for Secret prod/db, readers: bob
    err: prod/db.yaml: sealed 2 for Secret prod/db, readers: alice
    err: error: other.yaml: no rule of the policy covers it
    err: hint: Add a rule with a matching path (and kinds), or pass --to and --select.
    ");
}

#[test]
fn the_place_comes_from_policy_and_manifest_never_from_the_block() {
    let (sandbox, _) = Sandbox::with_policy();
    let sealed = sandbox.encrypted("db.yaml", SECRET);
    sandbox.write("db.yaml", sealed.replace("name: db}", "name: '*'}"));
    assert_snapshot!(sandbox.sealwax(["set", "db.yaml", "password"]).input("s3cr3t").run(), @"
    exit 1
    err: error: db.yaml: stringData.password: the document is sealed for Secret prod/*, and this write is for Secret prod/db; use `sealwax rebind` to change the place
    ");
}

#[test]
fn a_broken_policy_keeps_no_one_from_reading() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    sandbox.write(".sealwax.toml", "version = 1\nnonsense = true\n");
    assert_eq!(sandbox.sealwax(["decrypt", "db.yaml"]).by(&alice).run().ok(), SECRET);
}
